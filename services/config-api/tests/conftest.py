"""The service over the real SQLite adapters, reached through HTTP."""

import copy
import io
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
import pytest_asyncio
import structlog
from hub_config_api.main import build_service
from hub_config_api.settings import ConfigApiSettings
from hub_messaging.adapters.sqlite import SqliteBroker
from hub_messaging.broker import Broker, Consumer, DeadLetters, Delivery, Envelope, OnDelivery, Subscription
from hub_messaging.envelope import decode
from hub_messaging.publisher import Publisher
from hub_model.errors import Unavailable
from hub_model.messages import Message, ProbeRequested, SyncRequested
from hub_runtime.logging import configure_logging
from hub_runtime.metrics import new_registry
from hub_runtime.services import Readiness, Service
from hub_runtime.serving import process_app
from hub_security.keys import generate_keys, load_private_keys
from hub_security.roles import Role
from hub_security.tokens import mint_token
from hub_security.vault import SecretBinding, SecretOpener
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.repositories import SPECS, Integrations
from pydantic import SecretStr

TOKEN_SECRET = "a shared secret of at least thirty-two bytes"
Json = dict[str, Any]
_numbers = itertools.count(1)
M = TypeVar("M", bound=Message)


DRAFT: Json = {
    "name": "College ERP",
    "type": "student-management",
    "baseUrl": "https://erp.college.edu/api/v1",
    "authType": "bearer",
    "apiKey": "your-bearer-token-0042",
    "endpoints": {"attendance": "/attendance/records", "students": "/students/list"},
    "syncInterval": 30,
    "enabled": False,
}


class Clock:
    """The time, which a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 7, 20, 9, 0, 7, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **delta: float) -> None:
        self.now += timedelta(**delta)


class UnreliableBroker(Broker):
    """A real broker that can be cut off."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.down = False

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        if self.down:
            raise Unavailable("the broker is cut off")
        await self._broker.publish(envelopes)

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


class Listener:
    """A queue of another service: keeps what arrives."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def take(self, delivery: Delivery) -> None:
        self.messages.append(decode(delivery.envelope))
        await delivery.ack()

    def of(self, kind: type[M]) -> list[M]:
        return [message for message in self.messages if isinstance(message, kind)]


@dataclass
class Hub:
    """The service and its surroundings."""

    service: Service
    client: httpx2.AsyncClient
    clock: Clock
    broker: UnreliableBroker
    store: SqliteStore
    publisher: Publisher
    fetcher: Listener
    opener: SecretOpener
    gateway_opener: SecretOpener
    integrations: Integrations
    settings: ConfigApiSettings
    app: Any
    role: Role = Role.PRINCIPAL
    college_id: str = "college"
    other_college: str = "other-college"
    token_secret: str = TOKEN_SECRET

    @property
    def draft(self) -> Json:
        """A body of create that is fine."""
        return copy.deepcopy(DRAFT)

    def token(self, *, role: Role | None = None, college_id: str | None = None, **options: Any) -> str:
        return mint_token(
            TOKEN_SECRET,
            subject="p1",
            role=role or self.role,
            college_id=college_id or self.college_id,
            now=self.clock(),
            **options,
        )

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: Role | None = None,
        college_id: str | None = None,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> httpx2.Response:
        token = self.token(role=role, college_id=college_id)
        if body is not None:
            options["json"] = body
        response = await self.client.request(
            method, path, headers={"authorization": f"Bearer {token}", **(headers or {})}, **options
        )
        self.clock.advance(milliseconds=1)  # so that what happened later also says so
        return response

    def heard(self, kind: type[M]) -> list[M]:
        """What the fetcher was sent for this college."""
        return [message for message in self.fetcher.of(kind) if message.college_id == self.college_id]

    async def get(self, path: str, **options: Any) -> Json:
        response = await self.call("GET", path, **options)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def create(self, college_id: str | None = None, **changes: Any) -> Json:
        response = await self.call("POST", "/api/integrations", {**DRAFT, **changes}, college_id=college_id)
        assert response.status_code == 201, response.text
        return dict(response.json())

    async def audit(self, college_id: str | None = None, **params: Any) -> list[Json]:
        return list((await self.get("/api/audit", college_id=college_id, params=params))["items"])

    def opened(self, integration: Any, name: str) -> str:
        opener = self.gateway_opener if name.startswith("webhook") else self.opener
        binding = SecretBinding(integration.college_id, integration.id, name)
        return opener.open(integration.secrets[name], binding)


@asynccontextmanager
async def open_hub(folder: Path, **settings: Any) -> AsyncIterator[Hub]:
    generate_keys(folder / "keys")
    clock = Clock()
    made = ConfigApiSettings(
        **{
            "token_secret": SecretStr(TOKEN_SECRET),
            "public_keys_file": folder / "keys" / "public.json",
            "public_url": "https://hub.example",
            "probe_timeout_s": 0.5,
            **settings,
        }
    )
    async with SqliteDatabase(folder / "hub.db") as database:
        durable = SqliteBroker(database)
        await durable.open()
        broker = UnreliableBroker(durable)
        store = SqliteStore(database)
        await store.open(SPECS)
        service = build_service(made, broker=broker, store=store, clock=clock)
        fetcher = Listener()
        await broker.consume(Subscription("fetcher.syncs", [SyncRequested.name]), fetcher.take)
        await broker.consume(Subscription("fetcher.probes", [ProbeRequested.name]), fetcher.take)
        await service.start()
        app = process_app({"": service.app}, readiness=Readiness([service]), registry=new_registry())
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://hub") as client:
            yield Hub(
                service=service,
                client=client,
                clock=clock,
                broker=broker,
                store=store,
                publisher=Publisher(broker, clock=clock),
                fetcher=fetcher,
                opener=SecretOpener(load_private_keys(folder / "keys" / "fetcher.json")),
                gateway_opener=SecretOpener(load_private_keys(folder / "keys" / "gateway.json")),
                integrations=Integrations(store),
                settings=made,
                app=app,
            )
        await service.stop(1.0)
        await broker.close()
        await store.close()


@pytest.fixture(autouse=True, scope="module")
def logs() -> Iterator[io.BytesIO]:
    """Everything that is logged, as in production."""
    stream = io.BytesIO()
    configure_logging(service="config-api", stream=stream)
    yield stream
    structlog.reset_defaults()


@pytest.fixture(name="open_hub", scope="session")
def hub_opener() -> Any:
    """Opens a hub with settings of one's own."""
    return open_hub


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    async with open_hub(tmp_path_factory.mktemp("hub")) as opened:
        yield opened


@pytest.fixture
def hub(shared_hub: Hub) -> Iterator[Hub]:
    """The one service of all tests, seen by a college that no other test knows."""
    number = next(_numbers)
    yield replace(shared_hub, college_id=f"college-{number}", other_college=f"other-college-{number}")
    shared_hub.broker.down = False


@pytest_asyncio.fixture(loop_scope="session")
async def own_hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A service of one's own, which a test may stop or break."""
    async with open_hub(tmp_path) as opened:
        yield opened


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here share one event loop, as they share one service."""
    for item in items:
        if item.path.parent == Path(__file__).parent and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
