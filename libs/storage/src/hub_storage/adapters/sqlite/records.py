"""Canonical records as rows, and the one hot operation on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import apsw
import orjson
from hub_model.base import format_datetime, parse_datetime
from hub_model.records import DataType, Outcome, RecordWrite, StoredRecord
from hub_sqlite import SqliteDatabase

from hub_storage.records import MergeBatch, RecordQuery, RecordStore

_COLUMNS = {"studentId": "student_id", "date": "record_date"}
_SELECT_STATES = """
    SELECT key, deleted, sources FROM records
    WHERE college_id = ? AND data_type = ? AND key IN (SELECT value FROM json_each(?))
"""
_SELECT_DATA = "SELECT data FROM records WHERE college_id = ? AND data_type = ? AND key = ?"
_INSERT = """
    INSERT INTO records
    (college_id, data_type, key, created_at, updated_at, student_id, record_date, sources, data)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE = """
    UPDATE records SET deleted = ?, updated_at = ?, student_id = ?, record_date = ?, sources = ?, data = ?
    WHERE college_id = ? AND data_type = ? AND key = ?
"""
_UPDATE_SOURCES = "UPDATE records SET sources = ? WHERE college_id = ? AND data_type = ? AND key = ?"
_FIND = """
    SELECT key, data, deleted, created_at, updated_at, sources FROM records WHERE college_id = ? AND data_type = ?
"""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A write whose text and version were made outside the writer thread."""

    write: RecordWrite
    version: str
    text: str


class SqliteRecordStore(RecordStore):
    """Merging a batch is one SELECT of its keys' states, and one statement per row that differs."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def merge(self, batch: MergeBatch) -> Sequence[Outcome]:
        prepared = [
            _Prepared(write, format_datetime(write.version), orjson.dumps(write.data).decode())
            for write in batch.writes
        ]
        return await self._database.write(lambda connection: _Merge(connection, batch).run(prepared))

    async def get(self, college_id: str, data_type: DataType, key: str) -> StoredRecord | None:
        rows = await self._database.read(
            lambda connection: connection.execute(_FIND + " AND key = ?", (college_id, data_type, key)).fetchall()
        )
        return _stored(rows[0]) if rows else None

    async def find(self, college_id: str, data_type: DataType, query: RecordQuery) -> Sequence[StoredRecord]:
        statement, parameters = _FIND, [college_id, str(data_type)]
        for field, value in query.fields.items():
            column = _COLUMNS.get(field)
            statement += f" AND {column} = ?" if column else " AND data ->> ? = ?"
            parameters += [value] if column else [f'$."{field}"', value]
        if query.updated_since is not None:
            statement += " AND updated_at >= ?"
            parameters.append(format_datetime(query.updated_since))
        if not query.include_deleted:
            statement += " AND deleted = 0"
        if query.after is not None:
            statement += " AND key > ?"
            parameters.append(query.after)
        statement += " ORDER BY key LIMIT ?"
        rows = await self._database.read(
            lambda connection: connection.execute(statement, (*parameters, query.limit)).fetchall()
        )
        return [_stored(row) for row in rows]

    async def count(self, college_id: str, data_type: DataType) -> int:
        statement = "SELECT count(*) FROM records WHERE college_id = ? AND data_type = ? AND deleted = 0"
        rows: list[tuple[Any, ...]] = await self._database.read(
            lambda connection: connection.execute(statement, (college_id, data_type)).fetchall()
        )
        return int(rows[0][0])


class _Merge:
    """One batch, within one transaction of the writer thread."""

    def __init__(self, connection: apsw.Connection, batch: MergeBatch) -> None:
        self._connection = connection
        self._batch = batch
        self._at = format_datetime(batch.merged_at)
        self._place = (batch.college_id, str(batch.data_type))
        self._inserts: list[tuple[Any, ...]] = []
        self._updates: list[tuple[Any, ...]] = []
        self._source_updates: list[tuple[Any, ...]] = []

    def run(self, prepared: Sequence[_Prepared]) -> Sequence[Outcome]:
        keys = orjson.dumps([item.write.key for item in prepared]).decode()
        states = {
            key: (deleted, orjson.loads(sources))
            for key, deleted, sources in self._connection.execute(_SELECT_STATES, (*self._place, keys))
        }
        outcomes = [self._merge_one(item, states.get(item.write.key)) for item in prepared]
        self._connection.executemany(_INSERT, self._inserts)
        self._connection.executemany(_UPDATE, self._updates)
        self._connection.executemany(_UPDATE_SOURCES, self._source_updates)
        return outcomes

    def _merge_one(self, item: _Prepared, state: tuple[int, dict[str, Any]] | None) -> Outcome:
        write = item.write
        if state is None:
            return Outcome.UNCHANGED if write.deleted else self._insert(item)
        deleted, sources = state
        entry = sources.get(self._batch.integration_id)
        if entry is not None:
            if entry["batch"] == self._batch.id:
                return Outcome(entry["outcome"])  # this batch was merged before a crash
            if entry["version"] > item.version:
                return Outcome.STALE
        if write.deleted:
            return Outcome.UNCHANGED if deleted else self._bury(item, sources)
        if entry is not None and entry["hash"] == write.content_hash and not deleted:
            return Outcome.UNCHANGED
        return self._update(item, sources, was_deleted=bool(deleted))

    def _insert(self, item: _Prepared) -> Outcome:
        data, key = item.write.data, item.write.key
        sources = self._sources(item, {}, Outcome.INSERTED)
        self._inserts.append(
            (*self._place, key, self._at, self._at, data.get("studentId"), data.get("date"), sources, item.text)
        )
        return Outcome.INSERTED

    def _update(self, item: _Prepared, sources: dict[str, Any], *, was_deleted: bool) -> Outcome:
        stored = self._stored_data(item.write.key)
        merged = stored | item.write.data
        if merged == stored and not was_deleted:
            # Another integration brought the same content; remember that this one agrees, and rewrite nothing.
            text = self._sources(item, sources, Outcome.UNCHANGED)
            self._source_updates.append((text, *self._place, item.write.key))
            return Outcome.UNCHANGED
        self._replace(item, self._sources(item, sources, Outcome.UPDATED), merged, deleted=0)
        return Outcome.UPDATED

    def _bury(self, item: _Prepared, sources: dict[str, Any]) -> Outcome:
        text = self._sources(item, sources, Outcome.DELETED)
        self._replace(item, text, self._stored_data(item.write.key), deleted=1)
        return Outcome.DELETED

    def _replace(self, item: _Prepared, sources: str, data: dict[str, Any], *, deleted: int) -> None:
        columns = (deleted, self._at, data.get("studentId"), data.get("date"), sources, orjson.dumps(data).decode())
        self._updates.append((*columns, *self._place, item.write.key))

    def _stored_data(self, key: str) -> dict[str, Any]:
        rows: list[tuple[Any, ...]] = self._connection.execute(_SELECT_DATA, (*self._place, key)).fetchall()
        data: dict[str, Any] = orjson.loads(rows[0][0])
        return data

    def _sources(self, item: _Prepared, sources: dict[str, Any], outcome: Outcome) -> str:
        sources[self._batch.integration_id] = {
            "hash": item.write.content_hash,
            "version": item.version,
            "sourceId": item.write.source_id,
            "runId": self._batch.run_id,
            "at": self._at,
            "batch": self._batch.id,
            "outcome": outcome,
        }
        return orjson.dumps(sources).decode()


def _stored(row: tuple[Any, ...]) -> StoredRecord:
    key, data, deleted, created_at, updated_at, sources = row
    return StoredRecord(
        key=key,
        data=orjson.loads(data),
        deleted=bool(deleted),
        created_at=parse_datetime(created_at),
        updated_at=parse_datetime(updated_at),
        sources=orjson.loads(sources),
    )
