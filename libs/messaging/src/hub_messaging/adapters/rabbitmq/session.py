"""One consumer's time on one channel: it begins with a subscription, and ends for good when the channel is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from enum import Enum
from typing import Any

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from hub_model.errors import BackendUnavailable, HubError

from hub_messaging.adapters.rabbitmq.connection import Link
from hub_messaging.adapters.rabbitmq.declaring import declare_base, declare_queues
from hub_messaging.adapters.rabbitmq.errors import DRIVER_ERRORS
from hub_messaging.adapters.rabbitmq.topology import Queue


class Pulse(Enum):
    """What a probe found: served, no longer subscribed, or a connection on which nothing is answered."""

    ALIVE = "alive"
    GONE = "gone"
    STUCK = "stuck"


class Session:
    """What was delivered on this channel can be settled on it alone, and only while it is not ``lost``."""

    def __init__(self, link: Link, channel: AbstractChannel, queue: str) -> None:
        self.lost = asyncio.Event()
        self._link = link
        self._channel = channel
        self._queue = queue
        self._tag = ""
        self._prefetch = 0

    async def subscribe(
        self,
        queues: Iterable[Queue],
        on_message: "Callable[[Session, AbstractIncomingMessage], None]",
        *,
        prefetch: int,
        exclusive: bool,
    ) -> None:
        """Declare and consume."""
        timeout_s = self._link.timing.call_s
        self._channel.close_callbacks.add(self._on_lost)
        underlay = await self._channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(self._on_lost)

        async def receive(message: AbstractIncomingMessage) -> None:
            # Only a hand-over: the driver cancels its callbacks when it closes the channel.
            on_message(self, message)

        await self._declare(queues)
        self._prefetch = prefetch
        # Before consuming: without a limit, everything that waits would be sent at once.
        await self._channel.set_qos(prefetch_count=prefetch, timeout=timeout_s)
        queue = await self._channel.get_queue(self._queue, ensure=False)
        self._tag = await queue.consume(receive, exclusive=exclusive, timeout=timeout_s)

    async def declare(self, queues: Iterable[Queue]) -> None:
        """Declare the queues, and what all of them rely on."""
        await self._link.call(self._declare(queues), f"declaring {self._queue}")

    async def ack(self, message: AbstractIncomingMessage) -> None:
        """Tell the broker; it does not answer. Where the connection is lost before it hears, it delivers again."""
        await self._settle(message.ack)

    async def give_back(self, message: AbstractIncomingMessage) -> None:
        """By ``reject``: since 4.3 a ``nack`` would not count as a delivery that failed."""
        await self._settle(lambda: message.reject(requeue=True))

    async def unsubscribe(self) -> None:
        """No more deliveries."""
        await self._quietly(self._unsubscribe(), self._link.timing.close_s)

    async def catch_up(self) -> None:
        """Return when everything that was sent on this channel before has been received."""
        await self._quietly(self._catch_up(), self._link.timing.call_s)

    async def end(self, *, drop: Iterable[str] = ()) -> None:
        """Close the channel, which gives back all that is not settled, after deleting the queues ``drop``."""
        self.lost.set()
        await self._quietly(self._end(drop), self._link.timing.close_s)

    async def pulse(self) -> Pulse:
        """Ask the broker, on this very channel, whether it still has the consumer."""
        return await self._link.call(self._pulse(), f"probing {self._queue}")

    async def _settle(self, settle: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self.lost.is_set():
            raise BackendUnavailable("the connection it came on is lost; the message was given back")
        await self._link.call(self._in_time(settle), f"settling a message of {self._queue}")

    async def _in_time(self, settle: Callable[[], Coroutine[Any, Any, None]]) -> None:
        # The driver may wait for ever to have written what it writes while the connection breaks.
        try:
            async with asyncio.timeout(self._link.timing.call_s):
                await settle()
        except TimeoutError:
            self.lost.set()
            raise

    async def _declare(self, queues: Iterable[Queue]) -> None:
        timeout_s = self._link.timing.call_s
        await declare_base(self._channel, timeout_s=timeout_s)
        await declare_queues(self._channel, queues, timeout_s=timeout_s)

    async def _unsubscribe(self) -> None:
        queue = await self._channel.get_queue(self._queue, ensure=False)
        await queue.cancel(self._tag, timeout=self._link.timing.call_s)

    async def _catch_up(self) -> None:
        # Any call that is answered does, since answers and deliveries come in order. This one changes nothing.
        await self._channel.set_qos(prefetch_count=self._prefetch, timeout=self._link.timing.call_s)

    async def _end(self, drop: Iterable[str]) -> None:
        for name in drop:
            await self._channel.queue_delete(name, timeout=self._link.timing.call_s)
        await self._channel.close()

    async def _pulse(self) -> Pulse:
        try:
            queue = await self._channel.declare_queue(self._queue, passive=True, timeout=self._link.timing.call_s)
        except TimeoutError:
            return Pulse.STUCK
        except DRIVER_ERRORS:
            return Pulse.GONE
        return Pulse.ALIVE if queue.declaration_result.consumer_count else Pulse.GONE

    async def _quietly(self, work: Awaitable[None], timeout_s: float) -> None:
        async def run() -> None:
            async with asyncio.timeout(timeout_s):
                await work

        try:
            await self._link.call(run(), f"leaving {self._queue}")
        except HubError:
            self.lost.set()  # then the broker has taken everything back already

    def _on_lost(self, *_: object) -> None:
        self.lost.set()
