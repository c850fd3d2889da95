"""Fixtures of the messaging tests: brokers on a file of their own, and what can be made to go wrong with them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hub_messaging.adapters.sqlite import SqliteBroker
from hub_messaging.broker import Broker, Envelope
from hub_messaging.opening import open_broker
from hub_model.errors import Unavailable
from hub_sqlite import SqliteDatabase

if TYPE_CHECKING:
    from hub_messaging.testing.rabbitmq_node import RabbitNode


class TroubledDatabase(SqliteDatabase):
    """Counts its writes, and refuses them while ``is_failing``."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.is_failing = False
        self.writes = 0

    async def write(self, work: Any) -> Any:
        if self.is_failing:
            raise Unavailable("the disk is full")
        self.writes += 1
        return await super().write(work)


class TroubledBroker(SqliteBroker):
    """Holds publishes while ``gate`` is closed, and raises ``errors`` first, by routing key."""

    def __init__(self, database: SqliteDatabase) -> None:
        super().__init__(database)
        self.gate = asyncio.Event()
        self.gate.set()
        self.errors: dict[str, list[Exception]] = {}
        self.published: list[Envelope] = []

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        await self.gate.wait()
        for envelope in envelopes:
            if errors := self.errors.get(envelope.routing_key):
                raise errors.pop(0)
        await super().publish(envelopes)
        self.published.extend(envelopes)


@pytest.fixture
async def broker_factory(tmp_path: Path) -> AsyncIterator[Callable[[], Awaitable[Broker]]]:
    """Opens a SqliteBroker on the same file each time, after ending the one before."""
    stack = AsyncExitStack()

    async def open_again() -> Broker:
        await stack.aclose()
        return await stack.enter_async_context(open_broker(f"sqlite:///{tmp_path}/hub.db"))

    yield open_again
    await stack.aclose()


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[RabbitNode]":
    """One node for all tests; each takes a virtual host of its own."""
    from hub_messaging.testing.rabbitmq_node import running_node

    with running_node(tmp_path_factory.mktemp("rabbitmq")) as node:
        yield node


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[TroubledDatabase]:
    async with TroubledDatabase(tmp_path / "hub.db") as database:
        yield database


@pytest.fixture
async def broker(database: TroubledDatabase) -> AsyncIterator[TroubledBroker]:
    broker = TroubledBroker(database)
    await broker.open()
    yield broker
    database.is_failing = False
    await broker.close()
