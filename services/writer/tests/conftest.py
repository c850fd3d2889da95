"""A college with one integration over a real SQLite store, which can be made to fail at any call."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hub_messaging.handling import Context
from hub_model import run_transitions, runs
from hub_model.base import format_datetime
from hub_model.claims import claim_run
from hub_model.counts import Counts
from hub_model.errors import ErrorClass
from hub_model.integrations import Integration, IntegrationDraft
from hub_model.logs import LogEntry
from hub_model.messages import (
    BatchTransformed,
    BatchWritten,
    Message,
    Reject,
    RunMessage,
    StreamFinished,
    SyncFailed,
    Trigger,
)
from hub_model.records import DataType, Origin, Outcome, StoredRecord
from hub_model.runs import Run
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.collection import Collection, CollectionSpec, Document, Filter, Query, Stored
from hub_storage.records import MergeBatch, RecordQuery, RecordStore
from hub_storage.repositories import SPECS, Integrations, Logs, Rejects, Runs
from hub_storage.store import Store
from hub_writer.handlers import Backend, record_progress, write_batch

T = TypeVar("T")
NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
COLLEGE, INTEGRATION, RUN = "c1", "i1", "r1"


class Crash(BaseException):
    """The process died here: no code catches it and goes on."""


class Faults:
    """Counts calls, and raises ``error`` at one of them: before it took effect, or after."""

    error = Crash

    def __init__(self) -> None:
        self.arm(0)

    def arm(self, at: int, *, after: bool = False) -> None:
        """Die at the call numbered ``at``, counted from here; 0 is never."""
        self.calls, self.at, self.after = 0, at, after

    async def around(self, call: Callable[[], Awaitable[T]]) -> T:
        self.calls += 1
        is_last = self.calls == self.at  # asked now: others may call while this one is under way
        if is_last and not self.after:
            raise self.error
        try:
            return await call()
        finally:
            if is_last:
                raise self.error  # also after what the call refused


class FaultyCollection(Collection):
    def __init__(self, collection: Collection, faults: Faults) -> None:
        self._collection, self._faults = collection, faults

    async def get(self, document_id: str) -> Stored | None:
        return await self._faults.around(lambda: self._collection.get(document_id))

    async def insert(self, documents: Mapping[str, Document]) -> frozenset[str]:
        return await self._faults.around(lambda: self._collection.insert(documents))

    async def replace(self, document_id: str, document: Document, *, version: int) -> int:
        return await self._faults.around(lambda: self._collection.replace(document_id, document, version=version))

    async def update(self, document_id: str, change: Callable[[Document], Document | None]) -> Stored | None:
        def change_twice(document: Document) -> Document | None:
            change(deepcopy(document))  # as a store does that finds the document changed meanwhile
            return change(document)

        return await self._faults.around(lambda: self._collection.update(document_id, change_twice))

    async def delete(self, document_id: str, *, version: int | None = None) -> bool:
        return await self._faults.around(lambda: self._collection.delete(document_id, version=version))

    async def delete_all(self, filter: Filter) -> int:  # noqa: A002 - the port's name
        return await self._faults.around(lambda: self._collection.delete_all(filter))

    async def find(self, query: Query) -> Sequence[Stored]:
        return await self._faults.around(lambda: self._collection.find(query))

    async def count(self, filter: Filter) -> int:  # noqa: A002 - the port's name
        return await self._faults.around(lambda: self._collection.count(filter))


class FaultyRecords(RecordStore):
    def __init__(self, records: RecordStore, faults: Faults) -> None:
        self._records, self._faults = records, faults

    async def merge(self, batch: MergeBatch) -> Sequence[Outcome]:
        return await self._faults.around(lambda: self._records.merge(batch))

    async def get(self, college_id: str, data_type: DataType, key: str) -> StoredRecord | None:
        return await self._faults.around(lambda: self._records.get(college_id, data_type, key))

    async def find(self, college_id: str, data_type: DataType, query: RecordQuery) -> Sequence[StoredRecord]:
        return await self._faults.around(lambda: self._records.find(college_id, data_type, query))

    async def keys_of_rows(
        self, college_id: str, data_type: DataType, integration_id: str, source_ids: Sequence[str]
    ) -> Mapping[str, str]:
        return await self._faults.around(
            lambda: self._records.keys_of_rows(college_id, data_type, integration_id, source_ids)
        )

    async def count(self, college_id: str, data_type: DataType) -> int:
        return await self._faults.around(lambda: self._records.count(college_id, data_type))


class FaultyStore(Store):
    def __init__(self, store: Store, faults: Faults) -> None:
        self._store, self._faults = store, faults

    def collection(self, spec: CollectionSpec) -> Collection:
        return FaultyCollection(self._store.collection(spec), self._faults)

    @property
    def records(self) -> RecordStore:
        return FaultyRecords(self._store.records, self._faults)

    async def ping(self) -> None:
        await self._store.ping()

    async def close(self) -> None:
        await self._store.close()


class World:
    """The store, the writer's handlers on it, and the messages they are given."""

    def __init__(self, database: SqliteDatabase, store: Store) -> None:
        self.database = database
        self.store = store
        self.faults = Faults()
        self.now = NOW
        self.integrations, self.runs = Integrations(store), Runs(store)
        self.logs, self.rejects = Logs(store), Rejects(store)
        self._backend = Backend.over(FaultyStore(store, self.faults), self.clock)

    def clock(self) -> datetime:
        """Later at every look, as a real one is."""
        self.now += timedelta(milliseconds=1)
        return self.now

    async def deliver(self, message: RunMessage) -> Sequence[Message]:
        """What the handler of this message returns."""
        context = Context(message.message_id, "copy", 1, self.now)
        if isinstance(message, BatchTransformed):
            return await write_batch(message, context, backend=self._backend)
        assert isinstance(message, BatchWritten | StreamFinished | SyncFailed)
        return await record_progress(message, context, backend=self._backend)

    async def begin(self, *data_types: DataType) -> Run:
        """The integration with a run under way."""
        settings = IntegrationDraft.model_validate(
            {
                "name": "ERP",
                "type": "erp",
                "baseUrl": "https://erp.example.edu",
                "authType": "bearer",
                "endpoints": {data_type: f"/{data_type}" for data_type in data_types},
                "enabled": True,
            }
        )
        await self.integrations.add(
            Integration(
                id=INTEGRATION,
                college_id=COLLEGE,
                settings=settings,
                created_at=NOW,
                created_by="p",
                updated_at=NOW,
                updated_by="p",
            )
        )
        await self.integrations.change(
            COLLEGE,
            INTEGRATION,
            lambda current: claim_run(current, run_id=RUN, now=NOW, is_scheduled=False),
        )
        run = runs.new_run(
            run_id=RUN,
            college_id=COLLEGE,
            integration_id=INTEGRATION,
            trigger=Trigger.MANUAL,
            data_types=data_types,
            now=NOW,
        )
        await self.runs.add(run_transitions.start(run, NOW))
        return run

    async def run(self) -> Run:
        return await self.runs.get(COLLEGE, RUN)

    async def integration(self) -> Integration:
        return await self.integrations.get(COLLEGE, INTEGRATION)

    async def log_lines(self) -> list[LogEntry]:
        """Oldest first."""
        return (await self.logs.page(COLLEGE, INTEGRATION, limit=100)).items[::-1]

    def batch(
        self,
        data_type: DataType,
        sequence: int = 0,
        *,
        keys: Sequence[str] = ("S1", "S2"),
        value: str = "a",
        rejects: int = 0,
        origin: Origin = Origin.POLL,
        **changes: Any,
    ) -> BatchTransformed:
        record = {"data": {"name": value}, "hash": value, "version": format_datetime(NOW)}
        return BatchTransformed(
            college_id=COLLEGE,
            integration_id=INTEGRATION,
            run_id=RUN,
            data_type=data_type,
            sequence=sequence,
            origin=origin,
            observed_at=NOW,
            records=[{"key": f'["{key}"]', **record, **changes} for key in keys],
            rejects=[
                Reject(index=len(keys) + index, raw={"bad": index}, issues=[{"code": "required"}])
                for index in range(rejects)
            ],
        )

    def written(self, data_type: DataType, sequence: int = 0, *, origin: Origin = Origin.POLL) -> BatchWritten:
        return BatchWritten(
            college_id=COLLEGE,
            integration_id=INTEGRATION,
            run_id=RUN,
            data_type=data_type,
            sequence=sequence,
            origin=origin,
            counts=Counts(fetched=10, inserted=9, rejected=1),
            written_at=NOW,
        )

    def finished(self, data_type: DataType, *, batches: int = 1) -> StreamFinished:
        return StreamFinished(
            college_id=COLLEGE,
            integration_id=INTEGRATION,
            run_id=RUN,
            data_type=data_type,
            batches=batches,
            pages=batches,
            records=10 * batches,
            complete=True,
            finished_at=NOW,
        )

    def failed(
        self, data_type: DataType | None, *, batches: int | None = None, error_class: ErrorClass = ErrorClass.AUTH
    ) -> SyncFailed:
        return SyncFailed(
            college_id=COLLEGE,
            integration_id=INTEGRATION,
            run_id=RUN,
            data_type=data_type,
            stage="fetch",
            error_class=error_class,
            code="credentials_refused",
            public="The source refused the credentials.",
            batches=batches,
            failed_at=NOW,
        )


WorldFactory = Callable[[], AbstractAsyncContextManager[World]]


@pytest.fixture
def new_world(tmp_path: Path) -> WorldFactory:
    """Opens a world of its own on a fresh file, as often as it is called."""
    numbers = iter(range(1000))

    @asynccontextmanager
    async def open_world() -> AsyncIterator[World]:
        async with SqliteDatabase(tmp_path / f"{next(numbers)}.db") as database:
            store = SqliteStore(database)
            await store.open(SPECS)
            yield World(database, store)

    return open_world


@pytest.fixture
async def world(new_world: WorldFactory) -> AsyncIterator[World]:
    async with new_world() as world:
        yield world
