"""The record store on SQLite: one read of a batch's keys, a comparison, one write of what changed."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import apsw
from hub_model.errors import InvalidInput
from hub_model.records import DataType, Outcome, StoredRecord
from hub_sqlite import SqliteDatabase

from hub_storage.adapters.sqlite import record_tables
from hub_storage.adapters.sqlite.json_text import to_text
from hub_storage.adapters.sqlite.merging import RecordRow, content_of, micros, plan_merge
from hub_storage.adapters.sqlite.record_tables import COLUMNS, find_set, key_prefix
from hub_storage.records import MergeBatch, RecordQuery, RecordStore

_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)?")
_CODES = {
    Outcome.INSERTED: "i",
    Outcome.UPDATED: "u",
    Outcome.UNCHANGED: "=",
    Outcome.STALE: "s",
    Outcome.DELETED: "d",
}
_OUTCOMES = {code: outcome for outcome, code in _CODES.items()}
# A batch is delivered again within the broker's 24 hours; later, a repetition is simply compared anew.
_REMEMBERED_FOR_US = timedelta(days=7) // timedelta(microseconds=1)
# With so few changes it is cheaper to sort them by key than to walk all keys for them.
_FEW_CHANGES = 2000


class SqliteRecordStore(RecordStore):
    """A batch is one piece of a transaction, so after a crash it is either there with its outcomes or not at all."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def merge(self, batch: MergeBatch) -> Sequence[Outcome]:
        if not batch.writes:
            return []
        content = content_of(batch.writes)
        keys = to_text([write.key for write in batch.writes])
        return await self._database.write(lambda connection: _merge(connection, batch, content, keys))

    async def get(self, college_id: str, data_type: DataType, key: str) -> StoredRecord | None:
        def get(connection: apsw.Connection) -> RecordRow | None:
            set_id = find_set(connection, college_id, data_type)
            row = connection.execute(
                f"SELECT {COLUMNS} FROM records WHERE set_id = ? AND key = ?", (set_id, key)
            ).fetchone()
            return RecordRow(*row) if row else None

        row = await self._database.read(get)
        return row.to_record() if row else None

    async def find(self, college_id: str, data_type: DataType, query: RecordQuery) -> Sequence[StoredRecord]:
        _check_fields(query)

        def find(connection: apsw.Connection) -> list[RecordRow]:
            set_id = find_set(connection, college_id, data_type)
            if set_id is None:
                return []
            sql, values = _selection(connection, set_id, query)
            return [RecordRow(*row) for row in connection.execute(sql, values)]

        return [row.to_record() for row in await self._database.read(find)]

    async def count(self, college_id: str, data_type: DataType) -> int:
        def count(connection: apsw.Connection) -> int:
            row = connection.execute(record_tables.LIVE, (college_id, data_type.value)).fetchone()
            return row[0] if row else 0

        return await self._database.read(count)


def _merge(connection: apsw.Connection, batch: MergeBatch, content: bytes, keys: str) -> list[Outcome]:
    set_id = record_tables.ensure_set(connection, batch.college_id, batch.data_type)
    merged = connection.execute(record_tables.FIND_BATCH, (set_id, batch.id)).fetchone()
    if merged is not None and merged[0] == content:
        return [_OUTCOMES[code] for code in merged[1]]
    rows = connection.execute(record_tables.SELECT_KEYS, (set_id, keys))
    plan = plan_merge(batch, set_id, {row[0]: RecordRow(*row) for row in rows})
    if plan.rows:
        connection.executemany(record_tables.UPSERT, plan.rows)
        if plan.growth:
            connection.execute(record_tables.COUNT_LIVE, (plan.growth, set_id))
        codes = "".join(_CODES[outcome] for outcome in plan.outcomes)
        now = micros(batch.merged_at)
        connection.execute(record_tables.DROP_BATCHES, (now - _REMEMBERED_FOR_US,))
        connection.execute(record_tables.ADD_BATCH, (set_id, batch.id, content, codes, now))
    return plan.outcomes


def _check_fields(query: RecordQuery) -> None:
    for field in query.fields:
        if not _FIELD.fullmatch(field):
            raise InvalidInput(f"{field[:64]!r} is not the name of a field")


def _selection(connection: apsw.Connection, set_id: int, query: RecordQuery) -> tuple[str, tuple[Any, ...]]:
    parts: list[tuple[str, tuple[Any, ...]]] = [("set_id = ?", (set_id,))]
    if query.after is not None:
        parts.append(("key > ?", (query.after,)))
    if not query.include_deleted:
        parts.append(("deleted = 0", ()))
    if query.updated_since is not None:
        parts.append(_since(connection, set_id, micros(query.updated_since)))
    parts += [_equals(field, value) for field, value in query.fields.items()]
    where = " AND ".join(sql for sql, _ in parts)
    values = tuple(value for _, part in parts for value in part)
    return f"SELECT {COLUMNS} FROM records WHERE {where} ORDER BY key LIMIT ?", (*values, query.limit)


def _since(connection: apsw.Connection, set_id: int, since: int) -> tuple[str, tuple[Any, ...]]:
    """The condition on ``updated_at``; the plus keeps SQLite from using its index where a walk by key is cheaper."""
    changes = connection.execute(
        "SELECT 1 FROM records WHERE set_id = ? AND updated_at >= ? LIMIT ?", (set_id, since, _FEW_CHANGES + 1)
    )
    few = sum(1 for _ in changes) <= _FEW_CHANGES
    return ("updated_at >= ?" if few else "+updated_at >= ?"), (since,)


def _equals(field: str, value: Any) -> tuple[str, tuple[Any, ...]]:
    path = ".".join(f'"{part}"' for part in field.split("."))
    extract = f"json_extract(data, '$.{path}')"
    if value is None:
        return f"{extract} IS NULL", ()
    if field == "date" and isinstance(value, str):
        return "date = ?", (value,)
    if field == "studentId" and isinstance(value, str):
        begin = key_prefix(value)
        # Everything that begins so lies before the same beginning followed by the last character there is.
        return (
            f"(key >= ? AND key < ? AND {extract} = ? OR student_id = ?)",
            (begin, begin + chr(0x10FFFF), value, value),
        )
    return f"{extract} = ?", (value,)
