"""A query of records as SQL. Knows nothing of connections, so that what it writes can be read and tested alone."""

from collections.abc import Iterator
from typing import Any

from hub_storage.adapters.sqlite.record_tables import COLUMNS, key_prefix
from hub_storage.adapters.sqlite.selection import Condition, Selection
from hub_storage.records import RecordQuery
from hub_storage.scalars import check_record_field, check_text
from hub_storage.versions import micros


def record_selections(set_id: int, query: RecordQuery, *, few_changes: bool) -> Iterator[Selection]:
    """The statements whose rows, put in the order of their keys, answer the query; without their LIMIT.

    ``few_changes``: so little was changed since ``updated_since`` that sorting it costs less than walking all keys.
    """
    for field, value in query.fields.items():
        check_record_field(field, value)
    parts = [Condition("set_id = ?", (set_id,)), *_bounds(query, few_changes)]
    student_id = query.fields.get("studentId")
    for field, value in query.fields.items():
        if field != "studentId" or not isinstance(student_id, str):
            parts.append(_equals(field, value))
    if not isinstance(student_id, str):
        yield _selection(parts)
        return
    # With an OR, SQLite would walk all keys to have them in order.
    begin = key_prefix(student_id)
    yield _selection(
        [
            *parts,
            # Everything that begins so lies before the same beginning followed by the last character there is.
            Condition("key >= ? AND key < ?", (begin, begin + chr(0x10FFFF))),
            _equals("studentId", student_id),
        ]
    )
    yield _selection([*parts, Condition("student_id = ?", (student_id,))])


def _bounds(query: RecordQuery, few_changes: bool) -> Iterator[Condition]:
    if query.after is not None:
        yield Condition("key > ?", (check_text(query.after, "the key to go on after"),))
    if not query.include_deleted:
        yield Condition("deleted = 0")
    if query.updated_since is not None:
        # The plus keeps SQLite from using the index of the column.
        column = "updated_at" if few_changes else "+updated_at"
        yield Condition(f"{column} >= ?", (micros(query.updated_since),))


def _equals(field: str, value: Any) -> Condition:
    if field == "date" and isinstance(value, str):
        return Condition("date = ?", (value,))
    path = ".".join(f'"{part}"' for part in field.split("."))
    extract = f"json_extract(data, '$.{path}')"
    return Condition(f"{extract} IS NULL") if value is None else Condition(f"{extract} = ?", (value,))


def _selection(parts: list[Condition]) -> Selection:
    where = " AND ".join(part.sql for part in parts)
    values = tuple(value for part in parts for value in part.values)
    return Selection(f"SELECT {COLUMNS} FROM records WHERE {where} ORDER BY key", values)
