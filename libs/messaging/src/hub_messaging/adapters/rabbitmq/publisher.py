"""Publishing with confirms: many under way at once, within a window."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from aio_pika.abc import AbstractChannel
from hub_model.errors import HubError
from hub_model.ids import new_id

from hub_messaging.adapters.rabbitmq.connection import Link
from hub_messaging.adapters.rabbitmq.errors import DRIVER_ERRORS, translated
from hub_messaging.adapters.rabbitmq.wire import Outgoing

# Awaiting each confirmation before the next publish costs three quarters of the throughput; beyond 200 nothing is won.
WINDOW = 200


class RabbitPublisher:
    """Publishes on a connection of its own: under a memory alarm RabbitMQ stops reading from it, and only from it."""

    def __init__(self, link: Link, *, prepare: Callable[[], Awaitable[None]]) -> None:
        self._link = link
        self._prepare = prepare
        self._window = asyncio.Semaphore(WINDOW)
        self._opening = asyncio.Lock()
        self._channel: AbstractChannel | None = None

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Return when all are confirmed; raise the first error when all are settled.

        Goes on when the caller is cancelled, so that nothing is left half sent.
        """
        if messages:
            await self._link.call(self._publish(messages), "publishing")

    async def open(self) -> None:
        """Connect."""
        await self._link.call(self._ready_channel(), f"connecting to RabbitMQ at {self._link.place}")

    async def _publish(self, messages: Sequence[Outgoing]) -> None:
        results = await asyncio.gather(*map(self._publish_one, messages), return_exceptions=True)
        for result in results:
            if result is not None:
                raise result

    async def _publish_one(self, outgoing: Outgoing) -> None:
        async with self._window:
            try:
                channel = await self._ready_channel()
                exchange = await channel.get_exchange(outgoing.exchange, ensure=False)
                # Fresh for each attempt: the driver tells returned messages apart by it alone, and takes a lost message
                # for a stored one when two under way have the same.
                outgoing.message.message_id = new_id()
                await exchange.publish(
                    outgoing.message,
                    outgoing.routing_key,
                    mandatory=outgoing.mandatory,
                    timeout=self._link.timing.publish_s,
                )
            except HubError:
                raise
            except DRIVER_ERRORS as error:
                raise translated(error, f"publishing to {outgoing.about}") from error

    async def _ready_channel(self) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                # A channel closes when the exchange is missing, too.
                await self._prepare()
                self._channel = await self._link.channel(confirms=True)
            return self._channel
