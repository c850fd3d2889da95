"""The record store on SQLite: one read of a batch's keys, a comparison, one write of what changed."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from operator import attrgetter

import apsw
from hub_model.records import DataType, Outcome, StoredRecord
from hub_sqlite import SqliteDatabase

from hub_storage.adapters.sqlite import record_tables
from hub_storage.adapters.sqlite.record_rows import RecordRow, plan_merge, settle
from hub_storage.adapters.sqlite.record_selection import record_selections
from hub_storage.adapters.sqlite.record_tables import find_set
from hub_storage.merged_batches import CODES, OUTCOMES, REMEMBERED_FOR, content_of
from hub_storage.merging import Rules
from hub_storage.records import MergeBatch, RecordQuery, RecordStore
from hub_storage.scalars import check_text
from hub_storage.versions import micros

_REMEMBERED_FOR_US = REMEMBERED_FOR // timedelta(microseconds=1)
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
        return await self._database.write(lambda connection: _merge(connection, batch, content))

    async def get(self, college_id: str, data_type: DataType, key: str) -> StoredRecord | None:
        def get(connection: apsw.Connection) -> RecordRow | None:
            set_id = find_set(connection, college_id, data_type)
            row = connection.execute(record_tables.SELECT_ONE, (set_id, check_text(key, "a record's key"))).fetchone()
            return RecordRow(*row) if row else None

        row = await self._database.read(get)
        return row.to_record() if row else None

    async def find(self, college_id: str, data_type: DataType, query: RecordQuery) -> Sequence[StoredRecord]:
        def find(connection: apsw.Connection) -> list[RecordRow]:
            # What is wrong with a query is said also to a college that has no records.
            set_id = find_set(connection, college_id, data_type) or 0
            return _selected(connection, set_id, query)

        return [row.to_record() for row in await self._database.read(find)]

    async def keys_of_rows(
        self, college_id: str, data_type: DataType, integration_id: str, source_ids: Sequence[str]
    ) -> Mapping[str, str]:
        def find(connection: apsw.Connection) -> dict[str, str]:
            set_id = find_set(connection, college_id, data_type) or 0
            return record_tables.find_keys_of_rows(connection, set_id, integration_id, source_ids)

        return await self._database.read(find)

    async def count(self, college_id: str, data_type: DataType) -> int:
        def count(connection: apsw.Connection) -> int:
            row = connection.execute(record_tables.LIVE, (college_id, data_type.value)).fetchone()
            return row[0] if row else 0

        return await self._database.read(count)


def _merge(connection: apsw.Connection, batch: MergeBatch, content: bytes) -> list[Outcome]:
    set_id = record_tables.ensure_set(connection, batch.college_id, batch.data_type)
    merged = connection.execute(record_tables.FIND_BATCH, (set_id, batch.id)).fetchone()
    if merged is not None and merged[0] == content:
        return [OUTCOMES[code] for code in merged[1]]
    keys = [write.key for write in batch.writes]
    entries = record_tables.find_entries(connection, set_id, keys, batch.integration_id)
    rules = Rules(batch)
    settled = settle(rules, entries)
    plan = plan_merge(rules, settled, _stored(connection, set_id, entries.keys() - settled.keys()))
    if plan.rows:
        record_tables.upsert_rows(connection, set_id, plan.rows)
        if plan.growth:
            connection.execute(record_tables.COUNT_LIVE, (plan.growth, set_id))
        codes = "".join(CODES[outcome] for outcome in plan.outcomes)
        now = micros(batch.merged_at)
        connection.execute(record_tables.DROP_BATCHES, (now - _REMEMBERED_FOR_US,))
        connection.execute(record_tables.ADD_BATCH, (set_id, batch.id, content, codes, now))
    return plan.outcomes


def _stored(connection: apsw.Connection, set_id: int, keys: Collection[str]) -> dict[str, RecordRow]:
    rows = record_tables.find_rows(connection, set_id, list(keys)) if keys else []
    return {row[0]: RecordRow(*row) for row in rows}


def _selected(connection: apsw.Connection, set_id: int, query: RecordQuery) -> list[RecordRow]:
    few_changes = query.updated_since is not None and _are_few(connection, set_id, micros(query.updated_since))
    rows = [
        RecordRow(*row)
        for selection in record_selections(set_id, query, few_changes=few_changes)
        for row in connection.execute(f"{selection.sql} LIMIT ?", (*selection.values, query.limit))
    ]
    return sorted(rows, key=attrgetter("key"))[: query.limit]


def _are_few(connection: apsw.Connection, set_id: int, since: int) -> bool:
    changes = connection.execute(record_tables.CHANGES, (set_id, since, _FEW_CHANGES + 1))
    return sum(1 for _ in changes) <= _FEW_CHANGES
