"""The whole system as a process of its own, reached over HTTP only, and a simulated college beside it."""

import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import date
from typing import Any

import httpx2
import pytest
from hub_standalone.client import HubClient
from hub_standalone.demo.college import College, Credentials, serve_college
from hub_standalone.demo.world import build_world
from running import RunningHub, start_hub


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """The hub that tests share; each test is a college of its own."""
    running = start_hub(tmp_path_factory.mktemp("hub"))
    yield running
    running.stop()


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
    async with serve_college(College(build_world(11, date(2026, 3, 17)), credentials)) as college:
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
