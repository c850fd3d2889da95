"""The tables of the canonical records and the statements on them.

A college's records of one type are a set with a small number of its own, so that no row and no index repeats the
college's id. Rows lie in the order of arrival and are found through (set, key): records arrive in any order, and
moving whole rows to keep them sorted costs several times more than moving entries of an index.

Columns of their own exist for what people filter by. ``student_id`` is null where the key begins with it, as keys
of students, attendance and marks do: there the key's index finds the student, and a second index would only cost.
"""

from collections.abc import Sequence
from typing import Any

import apsw
from hub_model.records import DataType

from hub_storage.entries import SOURCE_ID
from hub_storage.json_text import to_text, to_value

_TABLES = """
    CREATE TABLE IF NOT EXISTS record_sets (
        id INTEGER PRIMARY KEY, college_id TEXT NOT NULL, data_type TEXT NOT NULL, live INTEGER NOT NULL DEFAULT 0,
        UNIQUE (college_id, data_type)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS records (
        set_id INTEGER NOT NULL, key TEXT NOT NULL, data TEXT NOT NULL, sources TEXT NOT NULL,
        deleted INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
        student_id TEXT, date TEXT, PRIMARY KEY (set_id, key)
    ) STRICT;
    CREATE INDEX IF NOT EXISTS records_updated_at ON records (set_id, updated_at);
    CREATE INDEX IF NOT EXISTS records_student_id ON records (set_id, student_id, key)
        WHERE student_id IS NOT NULL;
    CREATE INDEX IF NOT EXISTS records_date ON records (set_id, date, key) WHERE date IS NOT NULL;
    CREATE TABLE IF NOT EXISTS record_batches (
        number INTEGER PRIMARY KEY, set_id INTEGER NOT NULL, batch_id TEXT NOT NULL, content BLOB NOT NULL,
        outcomes TEXT NOT NULL, merged_at INTEGER NOT NULL, UNIQUE (set_id, batch_id)
    ) STRICT;
"""

_FIND_SET = "SELECT id FROM record_sets WHERE college_id = ? AND data_type = ?"
_ADD_SET = "INSERT INTO record_sets (college_id, data_type) VALUES (?, ?)"

# key, data, sources, deleted, created_at, updated_at, student_id, date
NewRow = tuple[str, dict[str, Any], dict[str, list[Any]], int, int, int, str | None, str | None]

COLUMNS = "key, data, sources, deleted, created_at, updated_at"
SELECT_ONE = f"SELECT {COLUMNS} FROM records WHERE set_id = ? AND key = ?"
# What a merge does, it does for the whole batch in one step, with JSON in and JSON out. Between the steps of a
# statement its thread needs Python's lock again; row by row, a busy event loop would hold up every single row.
_OF_KEYS = "FROM records WHERE set_id = ? AND key IN (SELECT value FROM json_each(?))"
_SELECT_ENTRIES = f"SELECT json_group_object(key, sources -> ?) {_OF_KEYS}"
_SELECT_ROWS = f"SELECT json_group_array(json_array({COLUMNS})) {_OF_KEYS}"
_SELECT_ROWS_OF = """
    SELECT json_group_object(key, sources ->> ?1) FROM records
    WHERE set_id = ?2 AND (sources ->> ?1) IN (SELECT value FROM json_each(?3))
"""
CHANGES = "SELECT 1 FROM records WHERE set_id = ? AND updated_at >= ? LIMIT ?"
_UPSERT = """
    INSERT INTO records (set_id, key, data, sources, deleted, created_at, updated_at, student_id, date)
    SELECT ?, value ->> 0, value -> 1, value -> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (set_id, key) DO UPDATE SET
        data = excluded.data, sources = excluded.sources, deleted = excluded.deleted,
        updated_at = excluded.updated_at, student_id = excluded.student_id, date = excluded.date
"""
COUNT_LIVE = "UPDATE record_sets SET live = live + ? WHERE id = ?"
LIVE = "SELECT live FROM record_sets WHERE college_id = ? AND data_type = ?"
FIND_BATCH = "SELECT content, outcomes FROM record_batches WHERE set_id = ? AND batch_id = ?"
ADD_BATCH = "REPLACE INTO record_batches (set_id, batch_id, content, outcomes, merged_at) VALUES (?, ?, ?, ?, ?)"
# Each new batch clears away up to four that are too old, so the table stays as small as its window.
DROP_BATCHES = """
    DELETE FROM record_batches WHERE number IN (
        SELECT number FROM (SELECT number, merged_at FROM record_batches ORDER BY number LIMIT 4) WHERE merged_at < ?
    )
"""


def prepare(connection: apsw.Connection) -> None:
    """Create what is missing."""
    connection.execute(_TABLES).fetchall()


def find_set(connection: apsw.Connection, college_id: str, data_type: DataType) -> int | None:
    """The number of the college's records of this type; None if there never was one."""
    row = connection.execute(_FIND_SET, (college_id, data_type.value)).fetchone()
    return row[0] if row else None


def ensure_set(connection: apsw.Connection, college_id: str, data_type: DataType) -> int:
    """The number of the college's records of this type."""
    set_id = find_set(connection, college_id, data_type)
    if set_id is None:
        connection.execute(_ADD_SET, (college_id, data_type.value))
        set_id = connection.last_insert_rowid()
    return set_id


def find_entries(connection: apsw.Connection, set_id: int, keys: Sequence[str], integration_id: str) -> dict[str, Any]:
    """By key of the records that are stored, the integration's entry in ``sources``, or None."""
    path = f"$.{to_text(integration_id)}"
    entries: dict[str, Any] = _value(connection, _SELECT_ENTRIES, (path, set_id, to_text(keys)))
    return entries


def find_keys_of_rows(
    connection: apsw.Connection, set_id: int, integration_id: str, source_ids: Sequence[str]
) -> dict[str, str]:
    """By key of the records that the integration last wrote from one of these rows, the row's id."""
    path = f"$.{to_text(integration_id)}[{SOURCE_ID}]"
    found: dict[str, str] = _value(connection, _SELECT_ROWS_OF, (path, set_id, to_text(source_ids)))
    return found


def find_rows(connection: apsw.Connection, set_id: int, keys: Sequence[str]) -> list[list[Any]]:
    """The ``COLUMNS`` of the records that are stored."""
    rows: list[list[Any]] = _value(connection, _SELECT_ROWS, (set_id, to_text(keys)))
    return rows


def upsert_rows(connection: apsw.Connection, set_id: int, rows: Sequence[NewRow]) -> None:
    """Add or overwrite whole rows. Raises InvalidInput, and stores nothing, if one is not plain JSON."""
    connection.execute(_UPSERT, (set_id, to_text(rows)))


def _value(connection: apsw.Connection, sql: str, values: tuple[object, ...]) -> Any:
    [(text,)] = connection.execute(sql, values).fetchall()
    return to_value(str(text))


def key_prefix(student_id: str) -> str:
    """How a key that begins with this student begins."""
    return to_text([student_id])[:-1]


def indexed_student(key: str, data: dict[str, Any]) -> str | None:
    """What the column ``student_id`` holds of a record."""
    student_id = data.get("studentId")
    if not isinstance(student_id, str) or key == f'["{student_id}"]' or key.startswith(key_prefix(student_id)):
        return None
    return student_id


def indexed_date(data: dict[str, Any]) -> str | None:
    """What the column ``date`` holds of a record."""
    date = data.get("date")
    return date if isinstance(date, str) else None
