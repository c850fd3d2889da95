"""Within one process handlers share messages, so none may change what it got or gave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx2
import orjson
import pytest
from hub_messaging.adapters.sqlite import SqliteBroker
from hub_messaging.broker import Consumer, Delivery, OnDelivery, Subscription
from hub_messaging.clock import utc_now
from hub_messaging.envelope import decode
from hub_messaging.publisher import Publisher
from hub_messaging.testing import wait_until
from hub_model.messages import BatchFetched
from hub_model.records import DataType, Origin
from hub_security.roles import Role
from hub_security.tokens import mint_token
from hub_sqlite import SqliteDatabase
from hub_standalone.keys import create_keys, read_token_secret
from hub_standalone.main import build_system
from hub_standalone.settings import StandaloneSettings
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.repositories import SPECS

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MAPPING = {
    "rules": [
        {"to": "department", "from": "home.department"},
        {"to": "extensions.hostel", "from": "home"},
        {"to": "externalIds.house", "from": "house", "default": "none"},
    ]
}
STUDENTS: list[object] = [
    {"studentId": "1", "name": " A ", "gender": "?", "home": {"department": "CS", "beds": [1]}, "extensions": {"x": 1}},
    {"studentId": "2", "firstName": "B", "home": None, "externalIds": {"a": "b"}, "guardians": [{"name": "G"}]},
    {"studentId": "3", "recordStatus": "deleted", "home": {"department": "CS"}},
    {"studentId": "1", "name": "again", "home": {"department": ["wrong"]}},
    {"name": "without an id"},
]
MARKS: list[object] = [
    {"studentId": "1", "subject": "M", "examId": "E", "maxMarks": 20, "marksObtained": 12.7},
    {"studentId": "1"},
    7,
]


class WatchfulBroker(SqliteBroker):
    """Compares every message that was handled with the bytes it was published as."""

    def __init__(self, database: SqliteDatabase) -> None:
        super().__init__(database)
        self.database = database
        self.handled: list[str] = []
        self.changed: list[str] = []

    async def consume(self, subscription: Subscription, on_delivery: OnDelivery) -> Consumer:
        return await super().consume(subscription, partial(self._watch, subscription.queue, on_delivery))

    async def _watch(self, queue: str, on_delivery: OnDelivery, delivery: Delivery) -> None:
        await on_delivery(delivery)
        envelope = delivery.envelope
        if envelope.message is not None:
            self.handled.append(envelope.routing_key)
            if decode(envelope) != envelope.message:
                self.changed.append(f"{envelope.routing_key} in {queue}")


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A source of the students, in one page."""
    await reader.readuntil(b"\r\n\r\n")
    body = orjson.dumps({"data": STUDENTS, "pagination": {"page": 1, "limit": 100, "total": len(STUDENTS)}})
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n")
    writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    await writer.drain()
    writer.close()


@pytest.fixture
async def source() -> AsyncIterator[str]:
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[WatchfulBroker]:
    async with SqliteDatabase(tmp_path / "hub.db") as database:
        broker = WatchfulBroker(database)
        await broker.open()
        yield broker
        await broker.close()


@pytest.fixture
async def hub(broker: WatchfulBroker, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """Every service on the broker, and a principal's client."""
    create_keys(tmp_path / "keys")
    settings = StandaloneSettings(keys_folder=tmp_path / "keys", allowed_networks=["127.0.0.0/8"], http_port=0)
    store = SqliteStore(broker.database)
    await store.open(SPECS)
    system = build_system(settings, broker=broker, store=store)
    secret = read_token_secret(tmp_path / "keys") or ""
    token = mint_token(secret, subject="p", role=Role.PRINCIPAL, college_id="c", now=utc_now())
    async with AsyncExitStack() as stack:
        for service in system.services:
            await service.start()
            stack.push_async_callback(service.stop, 5)
        transport = httpx2.ASGITransport(app=system.app)
        yield await stack.enter_async_context(
            httpx2.AsyncClient(transport=transport, base_url="http://hub", headers={"authorization": f"Bearer {token}"})
        )


async def test_no_handler_changes_a_message(broker: WatchfulBroker, hub: httpx2.AsyncClient, source: str) -> None:
    draft = {
        "name": "E",
        "type": "erp",
        "baseUrl": source,
        "authType": "bearer",
        "apiKey": "key",
        "syncInterval": 60,
        "endpoints": {"students": {"path": "/students", "mapping": MAPPING}, "marks": "/marks"},
    }
    made = (await hub.post("/api/integrations", json=draft)).raise_for_status().json()
    for _ in range(2):
        finished = broker.handled.count("sync.finished")
        (await hub.post(f"/api/integrations/{made['id']}/sync")).raise_for_status()
        await wait_until(lambda finished=finished: broker.handled.count("sync.finished") > finished, 10)
    pushed = BatchFetched(
        college_id="c",
        integration_id=made["id"],
        run_id="pushed",
        data_type=DataType.MARKS,
        sequence=0,
        origin=Origin.WEBHOOK,
        observed_at=NOW,
        records=MARKS,
    )
    before = broker.handled.count("batch.written")
    await Publisher(broker).publish(pushed)
    await wait_until(lambda: broker.handled.count("batch.written") > before, 10)
    assert {"page.requested", "batch.fetched", "batch.transformed", "records.changed"} <= set(broker.handled)
    assert broker.changed == []
