"""The broker port on RabbitMQ 3.10 and later, over AMQP alone: no plugin is needed.

Two connections: under a memory or disk alarm RabbitMQ stops reading from those that publish, and acknowledgements
must still get through.
"""

import asyncio
from collections.abc import Iterable, Sequence

import structlog
from aio_pika.exceptions import ChannelNotFoundEntity
from hub_model.errors import BackendUnavailable, Conflict, InvalidInput, Unavailable

from hub_messaging.adapters.rabbitmq import wire
from hub_messaging.adapters.rabbitmq.connection import Link
from hub_messaging.adapters.rabbitmq.consumer import RabbitConsumer
from hub_messaging.adapters.rabbitmq.dead_letters import RabbitDeadLetters
from hub_messaging.adapters.rabbitmq.declaring import declare_base, declare_queues
from hub_messaging.adapters.rabbitmq.publisher import RabbitPublisher
from hub_messaging.adapters.rabbitmq.timing import Timing
from hub_messaging.adapters.rabbitmq.topology import EXCHANGE, Queue, queue_names, queues_of
from hub_messaging.broker import Broker, Consumer, Envelope, OnDelivery, Subscription, check_size
from hub_messaging.clock import Clock, utc_now
from hub_messaging.failures import log_failure

log = structlog.get_logger(__name__)


class RabbitBroker(Broker):
    """One broker per process, opened with ``open``.

    A handler may take as long as the node's ``consumer_timeout``, half an hour unless set otherwise; after that
    RabbitMQ hands its message to somebody else. ``depth`` counts what other processes hold in hand only once they give
    it back, and may miss a message that is on the move at that very moment, between two queues or on its way back
    into one.
    """

    def __init__(self, url: str, *, clock: Clock = utc_now, timing: Timing | None = None) -> None:
        self._url = url
        self._clock = clock
        self._timing = timing or Timing()
        self._consuming = self._link("consume")
        self._publishing = self._link("publish")
        self._publisher = RabbitPublisher(self._publishing, prepare=self._declare_base)
        self._dead_letters = RabbitDeadLetters(self._operator_link, self._publisher)
        self._consumers: list[RabbitConsumer] = []
        self._failed = asyncio.Event()
        self._watchdog: asyncio.Task[None] | None = None
        self._is_open = False

    @property
    def dead_letters(self) -> RabbitDeadLetters:
        return self._dead_letters

    async def open(self) -> None:
        """Connect, and declare what everything relies on. A broker that is just starting is waited for.

        Raises InvalidInput when it refuses the credentials, Conflict when it has the topology with other arguments.
        """
        loop = asyncio.get_running_loop()
        deadline, failures = loop.time() + self._timing.start_s, 0
        while True:
            try:
                await self._publisher.open()
                break
            except Unavailable as error:
                log_failure(log, "broker.not_reached", error, place=self._consuming.place)
                pause_s = self._timing.pause_s(failures)
                failures += 1
                if loop.time() + pause_s > deadline:
                    await self._close_links()
                    raise
            except BaseException:
                await self._close_links()
                raise
            await asyncio.sleep(pause_s)
        self._watchdog = asyncio.create_task(self._watch(), name="broker-watchdog")
        self._is_open = True

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        self._check_open()
        for envelope in envelopes:
            check_size(envelope)
        await self._publisher.publish([wire.outgoing(EXCHANGE, envelope) for envelope in envelopes])

    async def declare(self, subscription: Subscription) -> None:
        self._check_open()
        if not subscription.durable:
            raise InvalidInput(f"{subscription.queue} is not durable: it exists only while it is consumed")
        await self._declare(queues_of(subscription), f"declaring {subscription.queue}")

    async def consume(self, subscription: Subscription, on_delivery: OnDelivery) -> Consumer:
        self._check_open()
        if subscription.prefetch < 1:
            raise InvalidInput(f"{subscription.queue}: a prefetch is at least 1")
        for other in self._consumers:
            if other.subscription.queue == subscription.queue and not (
                subscription.durable and other.subscription.durable
            ):
                raise Conflict(
                    f"{subscription.queue} is in use; a queue that is not durable has one consumer", code="queue_in_use"
                )
        consumer = RabbitConsumer(
            subscription,
            on_delivery,
            link=self._consuming,
            publisher=self._publisher,
            clock=self._clock,
            on_closed=self._consumers.remove,
        )
        self._consumers.append(consumer)
        try:
            await consumer.open()
        except BaseException:
            self._consumers.remove(consumer)
            raise
        return consumer

    async def depth(self, queue: str) -> int:
        consumers = [consumer for consumer in self._consumers if consumer.subscription.queue == queue]
        in_hand = {delivery for consumer in consumers for delivery in consumer.unsettled}
        work, *ladder = queue_names(queue)
        waiting = await self._waiting([work])
        # What the broker had sent by then is on its way here: neither waiting there nor known here yet.
        for consumer in consumers:
            await consumer.catch_up()
            in_hand |= consumer.unsettled
        return waiting + len(in_hand) + await self._waiting(ladder)

    async def ping(self) -> None:
        self._check_open()
        await self._declare([], "asking RabbitMQ")
        # Under an alarm those that publish, and they alone, get no answer. Nothing is bound to this key.
        await self._publisher.publish([wire.outgoing(EXCHANGE, Envelope("hub.ping", b"", mandatory=False))])

    async def failed(self) -> None:
        await self._failed.wait()

    async def close(self) -> None:
        self._is_open = False
        if self._watchdog is not None:
            self._watchdog.cancel()
        await asyncio.gather(*(consumer.close(0) for consumer in self._consumers))
        await self._close_links()

    async def _close_links(self) -> None:
        await self._publishing.close()
        await self._consuming.close()

    async def _watch(self) -> None:
        """A process that should be served and is not for too long is better begun anew."""
        while True:
            await asyncio.sleep(self._timing.probe_every_s)
            for consumer in list(self._consumers):
                try:
                    await consumer.probe()
                except Exception as error:  # noqa: BLE001 - the watchdog outlives what it watches
                    log_failure(log, "broker.probe_failed", error, queue=consumer.subscription.queue)
                if consumer.deaf_s() > self._timing.deaf_after_s:
                    log.error("broker.deaf", queue=consumer.subscription.queue, deaf_s=round(consumer.deaf_s()))
                    self._failed.set()

    async def _waiting(self, names: Iterable[str]) -> int:
        """How many messages wait in these queues of RabbitMQ; a queue that is not there has none."""

        async def count() -> int:
            total = 0
            channel = await self._consuming.channel()
            for name in names:
                try:
                    queue = await channel.declare_queue(name, passive=True, timeout=self._timing.call_s)
                    total += queue.declaration_result.message_count or 0
                except ChannelNotFoundEntity:
                    channel = await self._consuming.channel()  # RabbitMQ closes a channel for asking
            await channel.close()
            return total

        return await self._consuming.call(count(), "counting messages")

    async def _declare_base(self) -> None:
        await self._declare([], "declaring the exchange")

    async def _declare(self, queues: Iterable[Queue], doing: str) -> None:
        async def declare() -> None:
            channel = await self._consuming.channel()
            await declare_base(channel, timeout_s=self._timing.call_s)
            await declare_queues(channel, queues, timeout_s=self._timing.call_s)
            await channel.close()

        await self._consuming.call(declare(), doing)

    def _link(self, purpose: str) -> Link:
        return Link(self._url, purpose=purpose, timing=self._timing)

    def _operator_link(self) -> Link:
        self._check_open()
        return self._link("dead letters")

    def _check_open(self) -> None:
        if not self._is_open:
            raise BackendUnavailable("the broker is closed")
