"""The broker port on a SQLite file shared with the store; one process at a time.

Routing and queue lengths are kept in memory, because only this process changes them. A publish is one write of
all its messages; the database's group commit joins the writes of concurrent publishers and consumers.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import orjson
import structlog
from hub_model.base import format_datetime
from hub_model.errors import Conflict, HubError, InvalidInput, QueueFull, TooLarge, Unavailable, Unroutable
from hub_model.ids import new_id
from hub_model.messages import MAX_MESSAGE_BYTES
from hub_sqlite import SqliteDatabase

from hub_messaging.adapters.sqlite import tables
from hub_messaging.adapters.sqlite.consumer import Queue, SqliteConsumer, Times
from hub_messaging.broker import Broker, Consumer, DeadLetter, Envelope, OnDelivery, Subscription
from hub_messaging.clock import Clock, utc_now

log = structlog.get_logger(__name__)


class SqliteBroker(Broker):
    """One broker per database. Call ``open`` first.

    Delays are counted on a steady clock set by the wall clock at open, so a wall clock that jumps while the process
    runs neither delivers early nor late.
    """

    def __init__(
        self, database: SqliteDatabase, *, clock: Clock = utc_now, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._clock = clock
        self._steady = steady
        self._offset_s = 0.0
        self._queues: dict[str, Queue] = {}
        self._bindings: dict[str, list[Queue]] = {}
        self._is_open = False

    async def open(self) -> None:
        """Create the tables, and make everything a former process held deliverable again."""
        self._offset_s = self._clock().timestamp() - self._steady()
        for row in await self._database.write(partial(tables.prepare, now=self._now())):
            self._remember(Queue(row.name, True, row.max_length, set(row.routing_keys), row.waiting))
        self._is_open = True

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        self._check_open()
        rows = [row for envelope in envelopes for row in self._route(envelope)]
        if not rows:
            return
        counts = Counter(row.queue for row in rows)
        self._reserve(counts)
        try:
            # Routed and handed to the writer without a pause between, so no queue can be dropped meanwhile.
            await self._database.write(partial(tables.insert, rows=rows, now=self._now()))
        except Exception:
            self._release(counts)
            raise
        finally:
            # Also when the publisher was cancelled: the write goes on without it.
            for name in counts:
                if queue := self._queues.get(name):
                    queue.wake()

    async def declare(self, subscription: Subscription) -> None:
        self._check_open()
        if not subscription.durable:
            raise InvalidInput(f"{subscription.queue} is not durable: it exists only while it is consumed")
        await self._declare(subscription)

    async def consume(self, subscription: Subscription, on_delivery: OnDelivery) -> Consumer:
        self._check_open()
        queue = await self._declare(subscription)
        consumer = SqliteConsumer(
            self._database,
            queue=queue,
            prefetch=subscription.prefetch,
            on_delivery=on_delivery,
            times=self._times(),
            on_closed=self._forget,
        )
        queue.consumers.append(consumer)
        return consumer

    async def dead_letters(self, queue: str | None = None, *, limit: int = 100) -> Sequence[DeadLetter]:
        rows = await self._database.read(partial(tables.dead_letters, queue=queue, limit=limit))
        return [
            DeadLetter(
                id=row.copy_id,
                queue=row.queue,
                envelope=Envelope(row.routing_key, row.body, orjson.loads(row.headers)),
                reason=row.reason,
                attempt=row.attempt,
                died_at=row.died_at,
            )
            for row in rows
        ]

    async def depth(self, queue: str) -> int:
        return await self._database.read(partial(tables.depth, queue=queue))

    async def close(self) -> None:
        self._is_open = False
        for consumer in [consumer for queue in list(self._queues.values()) for consumer in list(queue.consumers)]:
            await consumer.close(0)

    def _route(self, envelope: Envelope) -> list[tables.NewRow]:
        if len(envelope.body) > MAX_MESSAGE_BYTES:
            raise TooLarge(
                f"a {envelope.routing_key} message of {len(envelope.body)} bytes is over the limit of "
                f"{MAX_MESSAGE_BYTES}",
                code="message_too_large",
            )
        queues = self._bindings.get(envelope.routing_key, ())
        if not queues and envelope.mandatory:
            raise Unroutable(f"no queue is bound to {envelope.routing_key}")
        headers = orjson.dumps(dict(envelope.headers))
        return [tables.NewRow(queue.name, new_id(), envelope.routing_key, headers, envelope.body) for queue in queues]

    def _reserve(self, counts: Counter[str]) -> None:
        for name, count in counts.items():
            queue = self._queues[name]
            if queue.waiting + count > queue.max_length:
                raise QueueFull(f"{name} holds {queue.waiting} of at most {queue.max_length} waiting messages")
        for name, count in counts.items():
            self._queues[name].waiting += count

    def _release(self, counts: Counter[str]) -> None:
        for name, count in counts.items():
            if queue := self._queues.get(name):
                queue.waiting -= count

    async def _declare(self, subscription: Subscription) -> Queue:
        known = self._queues.get(subscription.queue)
        if known is not None and (not known.durable or not subscription.durable):
            raise Conflict(f"{subscription.queue} is in use; a queue that is not durable has one consumer")
        await self._database.write(
            partial(
                tables.declare,
                name=subscription.queue,
                durable=subscription.durable,
                max_length=subscription.max_length,
                routing_keys=tuple(subscription.routing_keys),
            )
        )
        queue = self._queues.get(subscription.queue)
        if queue is None:
            queue = Queue(subscription.queue, subscription.durable, subscription.max_length, set())
        queue.max_length = subscription.max_length
        queue.routing_keys |= set(subscription.routing_keys)
        self._remember(queue)
        return queue

    def _remember(self, queue: Queue) -> None:
        self._queues[queue.name] = queue
        for key in queue.routing_keys:
            bound = self._bindings.setdefault(key, [])
            if queue not in bound:
                bound.append(queue)

    async def _forget(self, queue: Queue, consumer: SqliteConsumer) -> None:
        """A consumer has closed; its queue goes with it unless it is durable."""
        queue.consumers.remove(consumer)
        if queue.durable:
            return
        del self._queues[queue.name]
        for key in queue.routing_keys:
            self._bindings[key].remove(queue)
        try:
            await self._database.write(partial(tables.drop_queue, name=queue.name))
        except HubError as error:
            log.warning("broker.queue_left_behind", queue=queue.name, error_code=error.code)  # until the next open

    def _check_open(self) -> None:
        if not self._is_open:
            raise Unavailable("the broker is closed")

    def _now(self) -> float:
        return self._steady() + self._offset_s

    def _times(self) -> Times:
        return Times(self._now, lambda: format_datetime(self._clock()))
