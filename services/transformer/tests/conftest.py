"""One college with one integration over a real SQLite file, and a transformer on it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hub_messaging.adapters.sqlite import SqliteBroker
from hub_messaging.broker import Delivery, Subscription
from hub_messaging.envelope import decode
from hub_messaging.handling import Context
from hub_messaging.publisher import Publisher
from hub_messaging.testing import wait_until
from hub_model.integrations import Integration, IntegrationDraft
from hub_model.messages import BatchFetched, BatchTransformed, Message, SyncFailed
from hub_model.records import DataType, Origin
from hub_runtime.services import Service
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.repositories import SPECS, Integrations
from hub_transformer.handlers import transform_batch
from hub_transformer.main import build_service
from hub_transformer.mappings import Mappings
from hub_transformer.settings import TransformerSettings

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
COLLEGE, INTEGRATION, RUN = "c1", "i1", "r1"


class World:
    """What a test of the transformer touches. Time stands still until a test moves it."""

    def __init__(self, database: SqliteDatabase, store: SqliteStore) -> None:
        self.store = store
        self._database = database
        self.broker = SqliteBroker(database)
        self.now = NOW
        self.integrations = Integrations(store)
        self.mappings = Mappings(self.integrations, clock=lambda: self.now, ttl_s=5, size=8)
        self.heard: list[Message] = []

    async def connect(self, *, time_zone: str = "Asia/Kolkata", **endpoints: object) -> Integration:
        """Store the integration with these endpoints."""
        integration = Integration(
            id=INTEGRATION,
            college_id=COLLEGE,
            settings=_settings(endpoints, time_zone),
            created_at=NOW,
            created_by="p",
            updated_at=NOW,
            updated_by="p",
        )
        await self.integrations.add(integration)
        return integration

    async def edit(self, *, version: int, time_zone: str = "Asia/Kolkata", **endpoints: object) -> None:
        """Give the integration these endpoints instead."""
        update = {"settings": _settings(endpoints, time_zone), "mapping_version": version}
        await self.integrations.change(COLLEGE, INTEGRATION, lambda current: current.model_copy(update=update))

    def batch(
        self,
        *records: object,
        data_type: DataType = DataType.ATTENDANCE,
        origin: Origin = Origin.POLL,
        college_id: str = COLLEGE,
    ) -> BatchFetched:
        return BatchFetched(
            college_id=college_id,
            integration_id=INTEGRATION,
            run_id=RUN,
            data_type=data_type,
            sequence=3,
            origin=origin,
            observed_at=NOW,
            records=list(records),
            expected_records=250,
        )

    async def transform(self, batch: BatchFetched) -> BatchTransformed:
        """What the handler makes of this batch."""
        context = Context(batch.message_id, "copy", 1, self.now)
        (transformed,) = await transform_batch(batch, context, mappings=self.mappings)
        assert isinstance(transformed, BatchTransformed)
        return transformed

    async def start(self) -> Service:
        """The whole service, and someone who listens to what it publishes."""
        await self.broker.open()
        heard = Subscription("heard", [BatchTransformed.name, SyncFailed.name])
        await self.broker.consume(heard, self._hear)
        service = build_service(TransformerSettings(), broker=self.broker, store=self.store, clock=lambda: self.now)
        await service.start()
        return service

    async def restart_broker(self) -> None:
        """Another process takes the queues over."""
        await self.broker.close()
        self.broker = SqliteBroker(self._database)

    async def publish(self, *messages: Message) -> None:
        await Publisher(self.broker).publish(*messages)

    async def next_message(self) -> Message:
        """The one message that the service published."""
        await wait_until(lambda: bool(self.heard))
        await wait_until(self._is_idle)
        (message,) = self.heard
        return message

    async def _is_idle(self) -> bool:
        return await self.broker.depth("transformer.batches") == 0

    async def _hear(self, delivery: Delivery) -> None:
        self.heard.append(decode(delivery.envelope))
        await delivery.ack()

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def _settings(endpoints: dict[str, object], time_zone: str) -> IntegrationDraft:
    return IntegrationDraft.model_validate(
        {
            "name": "ERP",
            "type": "erp",
            "baseUrl": "https://erp.example.edu",
            "authType": "bearer",
            "endpoints": endpoints,
            "timeZone": time_zone,
        }
    )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with SqliteDatabase(tmp_path / "hub.db") as database:
        store = SqliteStore(database)
        await store.open(SPECS)
        world = World(database, store)
        yield world
        await world.broker.close()
