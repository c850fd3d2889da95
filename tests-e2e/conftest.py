"""The whole system as a process of its own, reached over HTTP only, and a simulated college beside it."""

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import date
from typing import Any

import httpx2
import pytest
from elsewhere import running_elsewhere
from hub_messaging.testing.rabbitmq_node import RabbitNode, running_node
from hub_standalone.client import HubClient
from hub_standalone.demo.college import College, Credentials, serve_college
from hub_standalone.demo.world import build_world
from hub_storage.testing.secantus import SecantusServer, require_secantus
from running import RunningHub, Standalone, free_port, start_hub
from separate import SeparateHub, start_separate


@pytest.fixture(scope="session")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    """Every service in one process over one SQLite file."""
    running = start_hub(tmp_path_factory.mktemp("standalone"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    with running_node(tmp_path_factory.mktemp("rabbitmq")) as node:
        yield node


@pytest.fixture(scope="session")
def separate(tmp_path_factory: pytest.TempPathFactory, rabbit: RabbitNode) -> Iterator[SeparateHub]:
    """Each service as a process of its own over RabbitMQ and a server that speaks MongoDB's protocol."""
    require_secantus()
    mongo = SecantusServer(tmp_path_factory.mktemp("mongodb"))
    mongo.start()
    try:
        with start_separate(
            tmp_path_factory.mktemp("separate"), broker_url=rabbit.fresh_url(), store_url=f"{mongo.url}hub"
        ) as running:
            yield running
    finally:
        mongo.kill()


@pytest.fixture(scope="session")
def compose(tmp_path_factory: pytest.TempPathFactory) -> RunningHub:
    """The hub in containers, which ``make test-compose`` has started."""
    return running_elsewhere(tmp_path_factory.mktemp("compose"))


@pytest.fixture(scope="session", params=os.environ.get("HUB_E2E_TARGETS", "standalone,separate").split(","))
def hub(request: pytest.FixtureRequest) -> RunningHub:
    """The hub that tests share, in each of its forms; each test is a college of its own."""
    running: RunningHub = request.getfixturevalue(request.param)
    return running


@pytest.fixture
def college_id() -> str:
    return f"college-{secrets.token_hex(4)}"


@pytest.fixture
async def http(hub: RunningHub, college_id: str) -> AsyncIterator[httpx2.AsyncClient]:
    """The principal of this test's college, answer by answer."""
    headers = {"authorization": f"Bearer {hub.token(college_id)}"}
    async with httpx2.AsyncClient(base_url=hub.url, headers=headers, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture
def client(http: httpx2.AsyncClient) -> HubClient:
    """The same principal, for whom refusals are exceptions."""
    return HubClient(http)


@pytest.fixture
def credentials() -> Credentials:
    return Credentials(
        erp_token=f"canary-{secrets.token_hex(16)}",
        biometric_key=f"canary-{secrets.token_hex(16)}",
        college_code="4711",
    )


@pytest.fixture
async def college(credentials: Credentials) -> AsyncIterator[College]:
    # A hub in containers reaches this machine under another address than we do.
    host = os.environ.get("HUB_E2E_COLLEGE_HOST")
    public_url = f"http://{host}:{free_port()}" if host else None
    async with serve_college(
        College(build_world(11, date(2026, 3, 17)), credentials), public_url=public_url
    ) as college:
        yield college


@pytest.fixture
def draft(college: College, credentials: Credentials) -> dict[str, Any]:
    """A small integration that works: example 2 of the integration guide."""
    return {
        "name": "BiometricAttendance",
        "type": "attendance",
        "baseUrl": college.base_url,
        "authType": "api-key",
        "apiKey": credentials.biometric_key,
        "headers": {"X-College-ID": credentials.college_code},
        "endpoints": {"attendance": "/api/attendance/today"},
        "syncInterval": 15,
        "enabled": True,
    }
