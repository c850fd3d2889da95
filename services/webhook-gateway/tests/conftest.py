"""The service over the real SQLite adapters, reached through HTTP without a network."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hub_messaging.adapters.sqlite import SqliteBroker
from hub_messaging.broker import Broker, Consumer, DeadLetters, Envelope, OnDelivery, Subscription
from hub_messaging.envelope import decode
from hub_model.errors import HubError
from hub_model.ids import new_id
from hub_model.integrations import Integration, IntegrationDraft, SealedSecret, SyncState
from hub_model.logs import WEBHOOK_WRITTEN, LogEntry, LogLevel
from hub_model.messages import BatchFetched
from hub_runtime.services import Service
from hub_security.keys import generate_keys, load_public_keys
from hub_security.redaction import Redactor
from hub_security.signatures import sign_standard
from hub_security.vault import SecretBinding, SecretSealer
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.repositories import SPECS, Integrations, Logs
from hub_webhook_gateway.main import build_service
from hub_webhook_gateway.settings import GatewaySettings

COLLEGE = "college-a"
LEGACY_SECRET = "a legacy secret of this college"
STANDARD_SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
ROW = {"studentId": "CS2101", "date": "2026-07-20", "attendance": "present"}
QUEUE = "transformer.batches"


class Clock:
    """The time, which a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 7, 20, 9, 0, 7, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **delta: float) -> None:
        self.now += timedelta(**delta)


class UnreliableBroker(Broker):
    """A real broker that fails on demand, before or after it has stored what it was given."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.fails_before: HubError | None = None
        self.fails_after: HubError | None = None
        self.confirms = asyncio.Event()
        self.confirms.set()
        self.published: list[Envelope] = []

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        if self.fails_before is not None:
            raise self.fails_before
        await self._broker.publish(envelopes)
        self.published += envelopes
        await self.confirms.wait()
        if self.fails_after is not None:
            raise self.fails_after

    async def declare(self, subscription: Subscription) -> None:
        await self._broker.declare(subscription)

    async def consume(self, subscription: Subscription, on_delivery: OnDelivery) -> Consumer:
        return await self._broker.consume(subscription, on_delivery)

    @property
    def dead_letters(self) -> DeadLetters:
        return self._broker.dead_letters

    async def depth(self, queue: str) -> int:
        return await self._broker.depth(queue)

    async def close(self) -> None:
        await self._broker.close()


@dataclass
class Gateway:
    """The service and its surroundings."""

    database: SqliteDatabase
    folder: Path
    clock: Clock
    broker: UnreliableBroker
    store: SqliteStore
    sealer: SecretSealer
    service: Service
    client: httpx2.AsyncClient
    redactor: Redactor
    stack: AsyncExitStack

    async def integration(
        self,
        *,
        secrets: dict[str, str] | None = None,
        set_at: datetime | None = None,
        next_due_at: datetime | None = None,
        **settings: Any,
    ) -> Integration:
        """A stored integration that takes webhooks; ``secrets`` are sealed as config-api would."""
        draft = {
            "name": f"Integration {new_id()}",
            "type": "attendance",
            "baseUrl": "https://erp.college.edu",
            "authType": "api-key",
            "endpoints": {"attendance": "/api/attendance"},
            "enabled": True,
            **settings,
        }
        now = self.clock()
        integration = Integration(
            id=new_id(),
            college_id=COLLEGE,
            settings=IntegrationDraft.model_validate(draft),
            created_at=now,
            created_by="p1",
            updated_at=now,
            updated_by="p1",
            sync=SyncState(next_due_at=next_due_at),
        )
        given = {"webhookSecret": LEGACY_SECRET} if secrets is None else secrets
        sealed = {name: self.seal(value, integration.id, set_at or now) for name, value in given.items()}
        integration = integration.model_copy(update={"secrets": sealed})
        await Integrations(self.store).add(integration)
        return integration

    async def standard(self) -> Integration:
        return await self.integration(
            secrets={"webhookSecret": STANDARD_SECRET},
            webhook={"scheme": "standard"},
            endpoints={"attendance": "/a", "students": "/s"},
        )

    def seal(self, value: str, integration_id: str, now: datetime) -> SealedSecret:
        binding = SecretBinding(COLLEGE, integration_id, "webhookSecret")
        return self.sealer.seal(value, binding, recipient="gateway", origin="webhook", version=1, now=now)

    async def post(
        self, integration: Integration | str, body: bytes, headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        integration_id = integration if isinstance(integration, str) else integration.id
        return await self.client.post(
            f"/api/webhooks/integrations/{integration_id}",
            content=body,
            headers={"content-type": "application/json"} | (headers or {}),
        )

    async def send(
        self,
        integration: Integration | str,
        body: bytes,
        *headers: tuple[str, str] | tuple[bytes, bytes],
        behind: str = "",
        client: httpx2.AsyncClient | None = None,
        method: str = "POST",
    ) -> httpx2.Response:
        """Post as a vendor does: these headers and no others; ``behind`` follows the address."""
        integration_id = integration if isinstance(integration, str) else integration.id
        path = f"/api/webhooks/integrations/{integration_id}{behind}"
        return await (client or self.client).request(method, path, content=body, headers=list(headers))

    async def news(self, **settings: Any) -> Integration:
        """An integration whose pushes bring its next sync forward, which would be in six hours."""
        due = self.clock() + timedelta(hours=6)
        return await self.integration(**{"next_due_at": due, **settings})

    async def sync_of(self, integration: Integration) -> SyncState:
        """What the store says of its syncs."""
        return (await Integrations(self.store).get(COLLEGE, integration.id)).sync

    def front(self, *, peer: str = "127.0.0.1", **settings: Any) -> AbstractAsyncContextManager[httpx2.AsyncClient]:
        """A client at this address of another process over the same data."""
        service = self.build(**settings)
        return client_of(service.app, peer=peer)

    async def push(self, integration: Integration | str, document: Any, secret: str = LEGACY_SECRET) -> httpx2.Response:
        """Sign by the legacy scheme and post."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return await self.post(integration, body, {"x-webhook-signature": legacy_signature(body, secret)})

    async def push_standard(
        self, integration: Integration, document: Any, message_id: str = "msg_1", **changes: str
    ) -> httpx2.Response:
        """Sign by Standard Webhooks and post; ``changes`` replace headers (with underscores for hyphens)."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        timestamp = int(self.clock().timestamp())
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign_standard(STANDARD_SECRET, message_id, timestamp, body),
        }
        return await self.post(integration, body, headers | {k.replace("_", "-"): v for k, v in changes.items()})

    async def written(self, integration: Integration, event_id: str) -> None:
        """Let the log say, as the writer does, that the event's records are stored."""
        line = LogEntry(
            id=new_id(),
            college_id=COLLEGE,
            integration_id=integration.id,
            at=self.clock(),
            level=LogLevel.INFO,
            event=WEBHOOK_WRITTEN,
            message="Webhook: Attendance: 1 new.",
            run_id=event_id,
        )
        await Logs(self.store).add(line)

    def batches(self) -> list[BatchFetched]:
        """Every message the broker confirmed, in order."""
        messages = [decode(envelope) for envelope in self.broker.published]
        return [message for message in messages if isinstance(message, BatchFetched)]

    async def restart(self) -> None:
        """A new process over the same data: it remembers nothing."""
        await self.client.aclose()
        another = await self.another()
        self.service, self.client = another.service, another.client

    async def another(self) -> "Gateway":
        """A second process over the same data."""
        service = self.build()
        assert service.app is not None
        return replace(self, service=service, client=await self.stack.enter_async_context(client_of(service.app)))

    def build(self, **settings: Any) -> Service:
        return build_service(
            GatewaySettings(gateway_keys_file=self.folder / "gateway.json", **{"webhook_cache_s": 0, **settings}),
            broker=self.broker,
            store=self.store,
            clock=self.clock,
            redactor=self.redactor,
        )

    async def log_messages(self, integration: Integration) -> list[str]:
        """What the college's log says, once everything in the background is done."""
        await self.service.stop(5)
        page = await Logs(self.store).page(COLLEGE, integration.id)
        return [entry.message for entry in page.items]


def legacy_signature(body: bytes, secret: str = LEGACY_SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def client_of(app: Any, *, peer: str = "127.0.0.1") -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False, client=(peer, 40_000))
    return httpx2.AsyncClient(transport=transport, base_url="http://gateway.test")


@pytest.fixture(scope="session")
def keys_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gateway") / "keys"
    generate_keys(folder)
    return folder


@pytest.fixture
async def gateway(tmp_path: Path, keys_folder: Path) -> AsyncIterator[Gateway]:
    clock, redactor = Clock(), Redactor()
    async with SqliteDatabase(tmp_path / "hub.db") as database, AsyncExitStack() as stack:
        store = SqliteStore(database)
        await store.open(SPECS)
        inner = SqliteBroker(database)
        await inner.open()
        stack.push_async_callback(inner.close)
        broker = UnreliableBroker(inner)
        await broker.declare(Subscription(queue=QUEUE, routing_keys=["batch.fetched"]))
        service = build_service(
            GatewaySettings(gateway_keys_file=keys_folder / "gateway.json", webhook_cache_s=0),
            broker=broker,
            store=store,
            clock=clock,
            redactor=redactor,
        )
        client = await stack.enter_async_context(client_of(service.app))
        made = Gateway(
            database=database,
            folder=keys_folder,
            clock=clock,
            broker=broker,
            store=store,
            sealer=SecretSealer(load_public_keys(keys_folder / "public.json")),
            service=service,
            client=client,
            redactor=redactor,
            stack=stack,
        )
        await service.start()
        yield made
        await made.service.stop(5)
