"""What was given up, in one queue for all: an operator who knows no queue's name still finds everything.

RabbitMQ can only hand messages out. To look, all of them are taken and given back, on a connection of its own; so
whatever ends the process ends the look as well, and the messages are back.
"""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from hub_model.errors import Conflict, InvalidInput

from hub_messaging.adapters.rabbitmq import wire
from hub_messaging.adapters.rabbitmq.connection import Link
from hub_messaging.adapters.rabbitmq.declaring import declare_base, declare_queues
from hub_messaging.adapters.rabbitmq.publisher import RabbitPublisher
from hub_messaging.adapters.rabbitmq.topology import DEAD_QUEUE, LOOK
from hub_messaging.broker import DeadLetter, DeadLetters

_LOCK_PATIENCE_S = 15.0
_PAUSE_S = 0.05
_QUIET_S = 0.5
_BACK_S = 5.0


class RabbitDeadLetters(DeadLetters):
    """Every operation reads the whole queue. It should be short, and its length is what operators are alerted of."""

    def __init__(self, connect: Callable[[], Link], publisher: RabbitPublisher) -> None:
        self._connect = connect
        self._publisher = publisher

    async def newest(self, queue: str | None = None, *, limit: int = 100) -> Sequence[DeadLetter]:
        if limit < 1:
            raise InvalidInput("a limit is at least 1")
        # Bodies may be large: no more are kept than are asked for. A letter that is there twice is kept once.
        kept: list[tuple[str, int, DeadLetter]] = []
        numbers = itertools.count()
        async with self._look() as look:
            async for letter, _ in look.letters():
                if queue not in (None, letter.queue) or any(letter.id == other.id for *_, other in kept):
                    continue
                heapq.heappush(kept, (letter.died_at, next(numbers), letter))
                if len(kept) > limit:
                    heapq.heappop(kept)
        return [letter for *_, letter in sorted(kept, key=lambda item: item[:2], reverse=True)]

    async def count(self, queue: str | None = None) -> int:
        async with self._look() as look:
            if queue is None:
                return await look.count()
            return len([None async for letter, _ in look.letters() if letter.queue == queue])

    async def find(self, letter_id: str) -> DeadLetter | None:
        async with self._look() as look:
            found = [letter async for letter, _ in look.letters() if letter.id == letter_id]
        return found[0] if found else None

    async def replay(self, letter_id: str) -> bool:
        async with self._look() as look:
            found = [item async for item in look.letters() if item[0].id == letter_id]
            if found:
                letter = found[0][0]
                await self._publisher.publish([wire.anew(letter.queue, letter.envelope)])
            for _, message in found:
                await look.remove(message)
        return bool(found)

    async def discard(self, letter_id: str) -> bool:
        async with self._look() as look:
            found = [message async for letter, message in look.letters() if letter.id == letter_id]
            for message in found:
                await look.remove(message)
        return bool(found)

    @asynccontextmanager
    async def _look(self) -> "AsyncIterator[_Look]":
        link = self._connect()
        try:
            await _lock(link)
            look = _Look(link, await link.channel())
            try:
                yield look
            finally:
                await look.give_back()
        finally:
            await link.close()


class _Look:
    """All dead letters in hand."""

    def __init__(self, link: Link, channel: AbstractChannel) -> None:
        self._link = link
        self._channel = channel
        self._arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._held = 0
        self._queue: AbstractQueue | None = None
        self._tag = ""

    async def count(self) -> int:
        """How many are there and not in hand."""

        async def count() -> int:
            await declare_base(self._channel, timeout_s=self._link.timing.call_s)
            queue = await self._channel.declare_queue(DEAD_QUEUE, passive=True, timeout=self._link.timing.call_s)
            return queue.declaration_result.message_count or 0

        return await self._link.call(count(), "counting the dead letters")

    async def letters(self) -> AsyncIterator[tuple[DeadLetter, AbstractIncomingMessage]]:
        """Every letter that is there now."""
        count = await self.count()
        if not count:
            return
        await self._link.call(self._take(count), "reading the dead letters")
        while self._held < count:
            try:
                async with asyncio.timeout(_QUIET_S):
                    message = await self._arrived.get()
            except TimeoutError:
                # One that was just removed may have been counted still.
                if await self.count():
                    continue
                return
            self._held += 1
            yield wire.read_dead(message), message

    async def remove(self, message: AbstractIncomingMessage) -> None:
        """Gone for good."""
        await self._link.call(message.ack(), "removing a dead letter")
        self._held -= 1

    async def give_back(self) -> None:
        """Return when the rest can be seen again, by whoever looks next."""
        if self._queue is None:
            return
        await self._link.call(self._return(self._queue), "giving back dead letters")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _BACK_S
        while await self.count() < self._held:
            if loop.time() > deadline:
                return
            await asyncio.sleep(_PAUSE_S)

    async def _take(self, count: int) -> None:
        await self._channel.set_qos(prefetch_count=count, timeout=self._link.timing.call_s)
        self._queue = await self._channel.get_queue(DEAD_QUEUE, ensure=False)
        self._tag = await self._queue.consume(self._arrived.put, timeout=self._link.timing.call_s)

    async def _return(self, queue: AbstractQueue) -> None:
        # First, else they would come here again.
        await queue.cancel(self._tag, timeout=self._link.timing.call_s)
        underlay = await self._channel.get_underlay_channel()
        await underlay.basic_nack(0, multiple=True, requeue=True)  # 0: all of them


async def _lock(link: Link) -> None:
    deadline = asyncio.get_running_loop().time() + _LOCK_PATIENCE_S
    while True:
        channel = await link.channel()
        try:
            return await link.call(
                declare_queues(channel, [LOOK], timeout_s=link.timing.call_s), "looking at the dead letters"
            )
        except Conflict:
            if asyncio.get_running_loop().time() > deadline:
                raise Conflict("somebody else is looking at the dead letters; try again", code="queue_in_use") from None
        await asyncio.sleep(_PAUSE_S)
