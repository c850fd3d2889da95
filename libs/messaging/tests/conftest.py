"""Fixtures of the messaging tests: a broker on a file of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hub_messaging.broker import Broker
from hub_messaging.opening import open_broker

pytest.register_assert_rewrite("hub_messaging.testing")


@pytest.fixture
async def broker_factory(tmp_path: Path) -> AsyncIterator[Callable[[], Awaitable[Broker]]]:
    """Opens a SqliteBroker on the same file each time, after ending the one before."""
    stack = AsyncExitStack()

    async def open_again() -> Broker:
        await stack.aclose()
        return await stack.enter_async_context(open_broker(f"sqlite:///{tmp_path}/hub.db"))

    yield open_again
    await stack.aclose()
