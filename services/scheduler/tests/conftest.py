"""Integrations over a real SQLite store and broker, with a clock that can be moved and set wrong."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hub_messaging.adapters.sqlite import SqliteBroker
from hub_messaging.broker import Envelope, Subscription
from hub_messaging.envelope import decode
from hub_model import run_transitions, runs
from hub_model.integrations import Integration, IntegrationDraft, SyncState
from hub_model.logs import LogEntry
from hub_model.messages import Message, SyncRequested
from hub_model.records import DataType
from hub_model.runs import Run
from hub_scheduler.main import build_tick
from hub_scheduler.settings import SchedulerSettings
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.collection import Collection, CollectionSpec, Document, Filter, Query, Stored
from hub_storage.records import RecordStore
from hub_storage.repositories import SPECS, Integrations, Logs, Runs, Tables
from hub_storage.repositories.handover import end_run
from hub_storage.store import Store

T = TypeVar("T")
NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
QUEUES = (
    Subscription("fetcher.syncs", ["sync.requested"]),
    Subscription("writer.progress", ["batch.written", "stream.finished", "sync.failed"]),
)


class Crash(Exception):
    """The process died here."""


class Watch:
    """Counts calls to the store; dies at one of them, or lets something happen just after one.

    While there is an ``outage``, every call raises it; with ``answers_reads`` only those that write.
    """

    error = Crash

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.die_at = 0
        self.outage: Exception | None = None
        self.answers_reads = False
        self.after: dict[str, Callable[[], Awaitable[None]]] = {}

    async def around(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        self.calls.append(name)
        if self.outage is not None and not (self.answers_reads and name.startswith(("get", "find", "count"))):
            raise self.outage
        result = await call()
        if len(self.calls) == self.die_at:
            raise self.error
        if name in self.after:
            await self.after.pop(name)()
        return result


class WatchedCollection(Collection):
    def __init__(self, collection: Collection, name: str, watch: Watch) -> None:
        self._collection, self._name, self._watch = collection, name, watch

    async def get(self, document_id: str) -> Stored | None:
        return await self._watch.around(f"get {self._name}", lambda: self._collection.get(document_id))

    async def insert(self, documents: Mapping[str, Document]) -> frozenset[str]:
        return await self._watch.around(f"insert {self._name}", lambda: self._collection.insert(documents))

    async def replace(self, document_id: str, document: Document, *, version: int) -> int:
        return await self._watch.around(
            f"replace {self._name}", lambda: self._collection.replace(document_id, document, version=version)
        )

    async def update(self, document_id: str, change: Callable[[Document], Document | None]) -> Stored | None:
        return await self._watch.around(f"update {self._name}", lambda: self._collection.update(document_id, change))

    async def delete(self, document_id: str, *, version: int | None = None) -> bool:
        return await self._watch.around(
            f"delete {self._name}", lambda: self._collection.delete(document_id, version=version)
        )

    async def delete_all(self, filter: Filter) -> int:  # noqa: A002 - the port's name
        return await self._watch.around(f"delete all {self._name}", lambda: self._collection.delete_all(filter))

    async def find(self, query: Query) -> Sequence[Stored]:
        return await self._watch.around(f"find {self._name}", lambda: self._collection.find(query))

    async def count(self, filter: Filter) -> int:  # noqa: A002 - the port's name
        return await self._watch.around(f"count {self._name}", lambda: self._collection.count(filter))


class WatchedStore(Store):
    def __init__(self, store: Store, watch: Watch) -> None:
        self._store, self._watch = store, watch

    def collection(self, spec: CollectionSpec) -> Collection:
        return WatchedCollection(self._store.collection(spec), spec.name, self._watch)

    @property
    def records(self) -> RecordStore:
        return self._store.records

    async def ping(self) -> None:
        await self._store.ping()

    async def close(self) -> None:
        await self._store.close()


class FaultyBroker(SqliteBroker):
    """Remembers what was published; raises ``error`` while there is one, also to pings unless told to answer them."""

    def __init__(self, database: SqliteDatabase) -> None:
        super().__init__(database)
        self.published: list[Message] = []
        self.error: Exception | None = None
        self.answers_pings = False
        self.refused = 0

    async def ping(self) -> None:
        if self.error is not None and not self.answers_pings:
            raise self.error
        await super().ping()

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        if self.error is not None:
            self.refused += 1
            raise self.error
        await super().publish(envelopes)
        self.published.extend(decode(envelope) for envelope in envelopes)


class Scheduler:
    """One scheduler process: its own tick, its own watched way to the store."""

    def __init__(self, world: "World") -> None:
        self.watch = Watch()
        self._world = world
        self._tick = build_tick(
            SchedulerSettings(),
            broker=world.broker,
            store=WatchedStore(world.store, self.watch),
            clock=world.clock,
            monotonic=lambda: world.elapsed_s,
        )

    async def tick(self) -> None:
        await self._tick(self._world.now)


class World:
    """The store, the broker, a clock, and as many schedulers as wanted."""

    def __init__(self, database: SqliteDatabase, store: Store, broker: FaultyBroker) -> None:
        self.database, self.store, self.broker = database, store, broker
        self.now, self.elapsed_s = NOW, 0.0
        self.integrations, self.runs, self.logs = Integrations(store), Runs(store), Logs(store)
        self.scheduler = Scheduler(self)

    def new_scheduler(self) -> Scheduler:
        return Scheduler(self)

    def clock(self) -> datetime:
        return self.now

    def pass_time(self, **span: float) -> None:
        """Time goes by, on every clock."""
        self.now += timedelta(**span)
        self.elapsed_s += timedelta(**span).total_seconds()

    def set_clock(self, **span: float) -> None:
        """The wall clock is moved; no time goes by."""
        self.now += timedelta(**span)

    def integration(
        self,
        number: int = 1,
        *,
        due_s: float | None = 0,
        sync_interval: int = 60,
        enabled: bool = True,
        **sync: Any,
    ) -> Integration:
        """An integration that is due ``due_s`` from now."""
        settings = IntegrationDraft.model_validate(
            {
                "name": f"ERP {number}",
                "type": "erp",
                "baseUrl": "https://erp.example.edu",
                "authType": "bearer",
                "endpoints": {"students": "/students", "marks": "/marks"},
                "syncInterval": sync_interval,
                "enabled": enabled,
            }
        )
        due = None if due_s is None else self.now + timedelta(seconds=due_s)
        return Integration(
            id=f"i{number}",
            college_id=f"c{number % 7}",
            settings=settings,
            sync=SyncState(next_due_at=due, **sync),
            created_at=NOW,
            created_by="p",
            updated_at=NOW,
            updated_by="p",
        )

    async def add(self, *integrations: Integration) -> None:
        await asyncio.gather(*map(self.integrations.add, integrations))

    async def load(self, integration: Integration) -> Integration:
        return await self.integrations.get(integration.college_id, integration.id)

    async def runs_of(self, integration: Integration) -> list[Run]:
        """Newest first."""
        return (await self.runs.page(integration.college_id, integration.id, limit=500)).items

    async def log_lines(self, integration: Integration) -> list[LogEntry]:
        return (await self.logs.page(integration.college_id, integration.id, limit=100)).items

    async def add_run(self, integration: Integration, run_id: str, **changes: object) -> Run:
        """A run of this integration that is stored as if it had been claimed."""
        run = runs.new_run(
            run_id=run_id,
            college_id=integration.college_id,
            integration_id=integration.id,
            trigger=runs.Trigger.INTERVAL,
            data_types=(DataType.STUDENTS, DataType.MARKS),
            now=self.now,
        ).model_copy(update=changes)
        await self.runs.add(run)
        return run

    async def finish_active_run(self, integration: Integration) -> None:
        """What the fetcher and the writer do."""
        run_id = (await self.load(integration)).sync.active_run_id
        assert run_id is not None
        run = await self.runs.change(integration.college_id, run_id, lambda run: run_transitions.cancel(run, self.now))
        await end_run(self.integrations, Tables(self.store), run, self.now)

    def requests(self) -> list[SyncRequested]:
        return [message for message in self.broker.published if isinstance(message, SyncRequested)]

    def others(self) -> list[Message]:
        """What was published beside requests."""
        return [message for message in self.broker.published if not isinstance(message, SyncRequested)]


@asynccontextmanager
async def open_world(path: Path) -> AsyncIterator[World]:
    async with SqliteDatabase(path) as database:
        store, broker = SqliteStore(database), FaultyBroker(database)
        await store.open(SPECS)
        await broker.open()
        for queue in QUEUES:
            await broker.declare(queue)
        yield World(database, store, broker)
        await broker.close()


WorldFactory = Callable[[Path], AbstractAsyncContextManager[World]]


@pytest.fixture(scope="session")
def new_world() -> WorldFactory:
    """Opens a world on a file of its own."""
    return open_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path / "hub.db") as world:
        yield world
