"""The RabbitMQ broker keeps every promise of the port."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from hub_messaging.broker import Broker
from hub_messaging.opening import open_broker
from hub_messaging.testing import BrokerContract, BrokerFactory
from hub_messaging.testing.rabbitmq_node import RabbitNode

pytestmark = pytest.mark.slow


class TestRabbitBroker(BrokerContract):
    """On a node of its own, each test in a virtual host of its own. The shortest delay of its ladder is a second."""

    deadline_s = 15.0

    @pytest.fixture
    async def broker_factory(self, rabbitmq: RabbitNode) -> AsyncIterator[BrokerFactory]:
        url, stack = rabbitmq.fresh_url(), AsyncExitStack()

        async def open_again() -> Broker:
            await stack.aclose()
            return await stack.enter_async_context(open_broker(url))

        yield open_again
        await stack.aclose()
