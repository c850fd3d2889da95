"""Fixtures of the storage tests: stores on a file or in a database of their own, and values to put in them."""

import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hub_model.integrations import Integration, IntegrationDraft, SyncState
from hub_storage.collection import CollectionSpec
from hub_storage.opening import open_store
from hub_storage.repositories import SPECS
from hub_storage.store import Store
from hub_storage.testing import StoreFactory
from hub_storage.testing.secantus import SecantusServer, require_secantus
from pymongo import AsyncMongoClient

NOW = datetime(2026, 7, 20, 9, 30, 0, 123_456, tzinfo=UTC)


_databases = count()


@pytest.fixture(scope="session")
def mongodb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server, without a database: the one that HUB_TEST_MONGODB_URL names, or one of our own."""
    if given := os.environ.get("HUB_TEST_MONGODB_URL"):
        yield given
        return
    require_secantus()
    server = SecantusServer(tmp_path_factory.mktemp("mongodb"))
    server.start()
    yield server.url
    server.kill()


@pytest.fixture
async def mongodb_url(mongodb_server: str) -> AsyncIterator[str]:
    """A database of its own, gone afterwards."""
    address, _, options = mongodb_server.partition("?")
    name = f"hub_test_{os.getpid()}_{next(_databases)}"
    yield f"{address.rstrip('/')}/{name}{'?' * bool(options)}{options}"
    async with AsyncMongoClient[dict[str, Any]](mongodb_server) as client:
        await client.drop_database(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/hub.db"


@pytest.fixture(params=["sqlite", "mongodb"])
def store_url(request: pytest.FixtureRequest) -> str:
    """A test that uses it, or ``store``, runs once on each technology."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def store_factory(store_url: str) -> AsyncIterator[StoreFactory]:
    """Opens a store on the same storage each time, after closing the one before."""
    stack = AsyncExitStack()

    async def open_again(specs: Sequence[CollectionSpec]) -> Store:
        await stack.aclose()
        return await stack.enter_async_context(open_store(store_url, specs))

    yield open_again
    await stack.aclose()


@pytest.fixture
async def store(store_factory: StoreFactory) -> Store:
    """With every repository's collections."""
    return await store_factory(SPECS)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def an_integration() -> Callable[..., Integration]:
    """Makes integrations: settings, sync fields and ids are given by name, everything else is filled in."""

    def make(
        integration_id: str = "i1",
        college_id: str = "c1",
        *,
        created_at: datetime = NOW,
        sync: SyncState | None = None,
        **settings: Any,
    ) -> Integration:
        draft = {
            "name": f"ERP {integration_id}",
            "type": "erp",
            "base_url": "https://erp.college.edu/api",
            "auth_type": "bearer",
            "endpoints": {"students": "/students", "marks": "/marks"},
            "enabled": True,
            **settings,
        }
        return Integration(
            id=integration_id,
            college_id=college_id,
            settings=IntegrationDraft.model_validate(draft),
            sync=sync or SyncState(),
            created_at=created_at,
            created_by="principal",
            updated_at=created_at,
            updated_by="principal",
        )

    return make
