"""The broker port on a SQLite file shared with the store; one process at a time.

A publish is one write of all its messages; the database's group commit joins the writes of concurrent publishers
and consumers. Routing and queue lengths are decided in memory.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import orjson
import structlog
from hub_model.base import format_datetime
from hub_model.errors import BackendUnavailable, HubError, InvalidInput, Unroutable
from hub_model.ids import new_id
from hub_sqlite import SqliteDatabase

from hub_messaging.adapters.sqlite import tables
from hub_messaging.adapters.sqlite.carried import Carried
from hub_messaging.adapters.sqlite.consumer import SqliteConsumer
from hub_messaging.adapters.sqlite.dead_letters import SqliteDeadLetters
from hub_messaging.adapters.sqlite.delivery import Times
from hub_messaging.adapters.sqlite.queues import Queue, Queues, check_same_kind
from hub_messaging.adapters.sqlite.rows import NewRow
from hub_messaging.broker import Broker, Consumer, Envelope, OnDelivery, Subscription, check_size
from hub_messaging.clock import Clock, utc_now
from hub_messaging.failures import log_failure

log = structlog.get_logger(__name__)


class SqliteBroker(Broker):
    """One broker per database, opened with ``open``.

    Delays are counted on a steady clock that is set by the wall clock at open, so a wall clock that jumps while the
    process runs delivers nothing early or late. It stands still while the machine sleeps: a retry may come later then.
    """

    def __init__(
        self, database: SqliteDatabase, *, clock: Clock = utc_now, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._clock = clock
        self._steady = steady
        self._offset_s = 0.0
        self._queues = Queues()
        self._dead_letters = SqliteDeadLetters(database, self._queues, self._now)
        self.carried = Carried()
        self._consumers: list[SqliteConsumer] = []
        self._is_open = False

    @property
    def dead_letters(self) -> SqliteDeadLetters:
        return self._dead_letters

    async def open(self) -> None:
        """Create the tables, and make everything a former process held deliverable again."""
        self._offset_s = self._clock().timestamp() - self._steady()
        for row in await self._database.write(partial(tables.prepare, now=self._now())):
            self._queues.add(Queue(row.name, True, row.max_length, row.waiting, set(row.routing_keys)))
        self._is_open = True

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        self._check_open()
        rows = [row for envelope in envelopes for row in self._route(envelope)]
        if not rows:
            return
        counts = Counter(row.queue for row in rows)
        self._queues.reserve(counts)
        # Before they are written, since they can be claimed in the very transaction that writes them.
        self.carried.keep(row for row in rows if self._queues.is_consumed(row.queue))
        try:
            # Routed and handed to the writer without a pause between, so no queue can be dropped meanwhile.
            await self._database.write(partial(tables.insert, rows=rows, now=self._now()))
        except Exception:
            self._queues.release(counts)
            self.carried.drop(rows)
            raise
        except asyncio.CancelledError:
            self.carried.drop(rows)  # whether they were written will not be heard here
            raise
        finally:
            # Also when the publisher was cancelled: the write goes on without it.
            self._queues.wake(counts)

    async def declare(self, subscription: Subscription) -> None:
        self._check_open()
        if not subscription.durable:
            raise InvalidInput(f"{subscription.queue} is not durable: it exists only while it is consumed")
        await self._declare(subscription)

    async def consume(self, subscription: Subscription, on_delivery: OnDelivery) -> Consumer:
        self._check_open()
        if subscription.prefetch < 1:
            raise InvalidInput(f"{subscription.queue}: a prefetch is at least 1")
        queue = await self._declare(subscription)
        consumer = SqliteConsumer(
            self._database,
            queue=queue,
            prefetch=subscription.prefetch,
            carried=self.carried,
            on_delivery=on_delivery,
            times=Times(self._now, lambda: format_datetime(self._clock())),
            on_closed=self._after_closing,
        )
        queue.consumers.append(consumer)
        self._consumers.append(consumer)
        return consumer

    async def depth(self, queue: str) -> int:
        return await self._database.read(partial(tables.depth, queue=queue))

    async def ping(self) -> None:
        self._check_open()

    async def close(self) -> None:
        self._is_open = False
        await asyncio.gather(*(consumer.close(0) for consumer in self._consumers))

    def _route(self, envelope: Envelope) -> list[NewRow]:
        check_size(envelope)
        queues = self._queues.bound_to(envelope.routing_key)
        if not queues and envelope.mandatory:
            raise Unroutable(f"no queue is bound to {envelope.routing_key}")
        headers = orjson.dumps(dict(envelope.headers))
        return [NewRow(queue.name, new_id(), headers, envelope) for queue in queues]

    async def _declare(self, subscription: Subscription) -> Queue:
        queue = self._queues.get(subscription.queue)
        if queue is not None:
            check_same_kind(queue, durable=subscription.durable)
        else:
            # Known before it is written, so that nobody else can make it meanwhile.
            queue = Queue(subscription.queue, subscription.durable, subscription.max_length)
            self._queues.add(queue)
        try:
            await self._database.write(
                partial(
                    tables.declare,
                    name=queue.name,
                    durable=queue.durable,
                    max_length=subscription.max_length,
                    routing_keys=tuple(subscription.routing_keys),
                )
            )
        except HubError:
            if not queue.routing_keys:
                self._queues.remove(queue)
            raise
        queue.max_length = subscription.max_length
        self._queues.bind(queue, subscription.routing_keys)
        return queue

    async def _after_closing(self, queue: Queue, consumer: SqliteConsumer) -> None:
        """Forget the consumer, and its queue with it unless that is durable."""
        self._consumers.remove(consumer)
        queue.consumers.remove(consumer)
        if not queue.consumers:
            self.carried.forget(queue.name)
        if queue.durable:
            return
        self._queues.remove(queue)
        try:
            await self._database.write(partial(tables.drop_queue, name=queue.name))
        except HubError as error:
            log_failure(log, "broker.queue_left_behind", error, queue=queue.name)  # the next open drops it

    def _check_open(self) -> None:
        if not self._is_open:
            raise BackendUnavailable("the broker is closed")

    def _now(self) -> float:
        return self._steady() + self._offset_s
