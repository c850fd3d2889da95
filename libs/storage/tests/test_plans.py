"""Every question the repositories and the record store ask is answered from an index, in the index's order."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hub_model.errors import Unavailable
from hub_model.integrations import Integration, SyncState
from hub_model.logs import LogLevel
from hub_model.records import DataType
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.adapters.sqlite.record_selection import record_selections
from hub_storage.adapters.sqlite.selection import selections
from hub_storage.collection import Collection, CollectionSpec, Document, Filter, Query, Stored
from hub_storage.records import RecordQuery, RecordStore
from hub_storage.repositories import SPECS, Audit, Integrations, Logs, Rejects, Runs, Tables
from hub_storage.repositories.tables import TableEnd
from hub_storage.store import Store

NOW = datetime(2026, 7, 20, tzinfo=UTC)


class Listening(Collection):
    """Answers nothing and remembers what was asked."""

    def __init__(self, spec: CollectionSpec, asked: list[tuple[CollectionSpec, Query]]) -> None:
        self._spec, self._asked = spec, asked

    async def find(self, query: Query) -> Sequence[Stored]:
        self._asked.append((self._spec, query))
        return []

    async def count(self, filter: Filter) -> int:  # noqa: A002 - the port's name
        self._asked.append((self._spec, Query(filter=filter)))
        return 0

    async def get(self, document_id: str) -> Stored | None:
        return None

    async def insert(self, documents: Mapping[str, Document]) -> frozenset[str]:
        return frozenset()

    async def replace(self, document_id: str, document: Document, *, version: int) -> int:
        return version

    async def update(self, document_id: str, change: Callable[[Document], Document | None]) -> Stored | None:
        return None

    async def delete(self, document_id: str, *, version: int | None = None) -> bool:
        return False

    async def delete_all(self, filter: Filter) -> int:  # noqa: A002 - the port's name
        self._asked.append((self._spec, Query(filter=filter)))
        return 0


class ListeningStore(Store):
    def __init__(self) -> None:
        self.asked: list[tuple[CollectionSpec, Query]] = []

    def collection(self, spec: CollectionSpec) -> Collection:
        return Listening(spec, self.asked)

    @property
    def records(self) -> RecordStore:
        raise AssertionError("not asked")

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    async with SqliteDatabase(tmp_path / "hub.db") as database:
        await SqliteStore(database).open(SPECS)
        yield database


async def plan_of(database: SqliteDatabase, sql: str, values: Sequence[object]) -> str:
    """What SQLite would do, one step after the other."""
    rows = await database.read(lambda connection: list(connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)))
    return "; ".join(row[3] for row in rows)


async def test_every_question_of_the_repositories_is_answered_from_an_index(
    database: SqliteDatabase, now: datetime, an_integration: Callable[..., Integration]
) -> None:
    store = ListeningStore()
    integrations, logs, rejects = Integrations(store), Logs(store), Rejects(store)
    last = an_integration(sync=SyncState(next_due_at=now, active_since=now))
    await integrations.page("c1")
    await integrations.due_anywhere(now, 10)
    await integrations.active_anywhere(now, 10)
    await integrations.active_anywhere(now, 10, behind=last)
    await integrations.scheduled_anywhere(now, 10)
    await integrations.scheduled_anywhere(now, 10, behind=last)
    await Runs(store).page("c1", "i1")
    await logs.page("c1", "i1")
    await logs.page("c1", "i1", level=LogLevel.ERROR)
    await logs.page("c1", "i1", run_id="r1")
    await logs.page("c1", "i1", level=LogLevel.ERROR, run_id="r1")
    await rejects.page("c1")
    await rejects.page("c1", integration_id="i1")
    await rejects.page("c1", run_id="r1")
    await rejects.page("c1", data_type=DataType.MARKS)
    await rejects.page("c1", integration_id="i1", run_id="r1", data_type=DataType.MARKS)
    await rejects.count("c1", "i1")
    await Audit(store).page("c1")
    await Audit(store).page("c1", target="i1")
    tables = Tables(store)
    assert [piece async for piece in tables.pieces("c1", "r1", "s", TableEnd(0, 0, complete=True))] == []
    with pytest.raises(Unavailable):
        await anext(tables.pieces("c1", "r1", "s", TableEnd(1, 1, complete=True)))
    await tables.drop("c1", "r1")
    await tables.next_run_anywhere("r1")
    assert len(store.asked) == 22
    for spec, query in store.asked:
        for after in (query.after, (now.isoformat(), "x") if query.sort else None):
            further = Query(query.filter, query.sort, query.descending, query.limit, after)
            for selection in selections(spec, further):
                plan = await plan_of(database, f"{selection.sql} LIMIT 10", selection.values)
                assert "USING INDEX" in plan, (selection.sql, plan)
                if query.sort:
                    assert "TEMP B-TREE" not in plan, (selection.sql, plan)


async def test_what_is_due_costs_what_is_due_and_not_what_exists(database: SqliteDatabase, now: datetime) -> None:
    store = ListeningStore()
    await Integrations(store).due_anywhere(now, 10)
    ((spec, query),) = store.asked
    (selection,) = selections(spec, query)
    plan = await plan_of(database, selection.sql, selection.values)
    assert plan.count("<expr>=?") == 3, plan
    assert "<expr><?" in plan, plan


async def record_plans(database: SqliteDatabase, query: RecordQuery, *, few_changes: bool = False) -> list[str]:
    selections = record_selections(1, query, few_changes=few_changes)
    return [await plan_of(database, f"{selection.sql} LIMIT 10", selection.values) for selection in selections]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (RecordQuery({}), "sqlite_autoindex_records_1 (set_id=?)"),
        (RecordQuery({}, after="k"), "sqlite_autoindex_records_1 (set_id=? AND key>?)"),
        (RecordQuery({"date": "2026-07-03"}), "records_date (set_id=? AND date=?)"),
        (RecordQuery({"date": "2026-07-03"}, after="k"), "records_date (set_id=? AND date=? AND key>?)"),
        (RecordQuery({}, updated_since=NOW), "sqlite_autoindex_records_1 (set_id=?)"),
    ],
    ids=["all", "after a key", "by date", "by date after a key", "many changes"],
)
async def test_records_are_paged_from_an_index_in_its_order(
    database: SqliteDatabase, query: RecordQuery, index: str
) -> None:
    (plan,) = await record_plans(database, query)
    assert index in plan
    assert "TEMP B-TREE" not in plan


async def test_a_students_records_are_found_by_the_beginning_of_their_keys_and_by_the_column(
    database: SqliteDatabase,
) -> None:
    by_key, by_column = await record_plans(database, RecordQuery({"studentId": "7"}))
    assert "sqlite_autoindex_records_1 (set_id=? AND key>? AND key<?)" in by_key
    assert "records_student_id (set_id=? AND student_id=?)" in by_column
    assert "TEMP B-TREE" not in by_key + by_column


async def test_few_changes_are_found_by_their_time(database: SqliteDatabase) -> None:
    (plan,) = await record_plans(database, RecordQuery({}, updated_since=NOW), few_changes=True)
    assert "records_updated_at (set_id=? AND updated_at>?)" in plan
