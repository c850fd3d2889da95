"""Fixtures of the storage tests: a store on a file of its own, and values to put in it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hub_model.integrations import Integration, IntegrationDraft, SyncState
from hub_storage.collection import CollectionSpec
from hub_storage.opening import open_store
from hub_storage.repositories import SPECS
from hub_storage.store import Store

pytest.register_assert_rewrite("hub_storage.testing")

from hub_storage.testing import StoreFactory  # noqa: E402 - its asserts are rewritten first

NOW = datetime(2026, 7, 20, 9, 30, 0, 123_456, tzinfo=UTC)


@pytest.fixture
async def store_factory(tmp_path: Path) -> AsyncIterator[StoreFactory]:
    """Opens a SqliteStore on the same file each time, after closing the one before."""
    stack = AsyncExitStack()

    async def open_again(specs: Sequence[CollectionSpec]) -> Store:
        await stack.aclose()
        return await stack.enter_async_context(open_store(f"sqlite:///{tmp_path}/hub.db", specs))

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
