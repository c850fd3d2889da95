"""One consumer: keeps itself subscribed, and runs a task for each delivery in the handler's hands."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog
from aio_pika.abc import AbstractIncomingMessage
from hub_model.errors import BackendUnavailable, HubError, QueueFull, TransientError, Unroutable

from hub_messaging.adapters.rabbitmq import wire
from hub_messaging.adapters.rabbitmq.connection import Link
from hub_messaging.adapters.rabbitmq.delivery import RabbitDelivery
from hub_messaging.adapters.rabbitmq.publisher import RabbitPublisher
from hub_messaging.adapters.rabbitmq.session import Pulse, Session
from hub_messaging.adapters.rabbitmq.topology import DELIVERY_LIMIT, next_hop, queue_names, queues_of
from hub_messaging.broker import Consumer, OnDelivery, Subscription
from hub_messaging.clock import Clock
from hub_messaging.failures import log_failure

log = structlog.get_logger(__name__)

_CANCELLING_S = 2.0


class RabbitConsumer(Consumer):
    """Subscribes again, with growing pauses, whenever its channel, its queue or the connection is lost.

    What was in hand then is cancelled: the broker hands it to somebody else.
    """

    def __init__(
        self,
        subscription: Subscription,
        on_delivery: OnDelivery,
        *,
        link: Link,
        publisher: RabbitPublisher,
        clock: Clock,
        on_closed: "Callable[[RabbitConsumer], None]",
    ) -> None:
        self.subscription = subscription
        self.unsettled: set[RabbitDelivery] = set()
        self._queues = queues_of(subscription)
        self._on_delivery = on_delivery
        self._link = link
        self._publisher = publisher
        self._clock = clock
        self._on_closed = on_closed
        self._session: Session | None = None
        self._deaf_since: float | None = None
        self._is_taking = True
        self._handling: dict[asyncio.Task[None], Session] = {}
        # A classic queue does not count deliveries; this consumer is the only one that a live view ever has.
        self._given_back: Counter[str] = Counter()
        self._keeper: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[bool] | None = None

    async def open(self) -> None:
        """Return when subscribed; raise what prevents it."""
        await self._link.call(self._attach(), f"consuming {self.subscription.queue}")
        self._keeper = asyncio.create_task(self._keep_attached(), name=f"consumer-{self.subscription.queue}")

    def deaf_s(self) -> float:
        """For how long it has not been subscribed though it should be."""
        if self._deaf_since is None or not self._is_taking:
            return 0.0
        return asyncio.get_running_loop().time() - self._deaf_since

    async def probe(self) -> None:
        """Find out whether the broker still serves it; if not, begin anew."""
        session = self._session
        if session is None or session.lost.is_set():
            return
        pulse = await session.pulse()
        if pulse is Pulse.ALIVE:
            return
        log.warning("broker.consumer_lost", queue=self.subscription.queue, pulse=pulse.value)
        session.lost.set()
        if pulse is Pulse.STUCK:
            await self._link.drop()

    async def catch_up(self) -> None:
        """Return when ``unsettled`` has everything that the broker had sent before."""
        if self._session is not None:
            await self._session.catch_up()

    async def close(self, grace_s: float = 25.0) -> bool:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(grace_s))
        return await asyncio.shield(self._closing)

    async def _close(self, grace_s: float) -> bool:
        self._is_taking = False
        if self._keeper is not None:
            self._keeper.cancel()
        session = self._session
        if session is not None:
            await session.unsubscribe()
        if self._handling:
            _, late = await asyncio.wait(self._handling, timeout=grace_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=_CANCELLING_S)
        is_clean = not self.unsettled
        if session is not None:
            await session.end(drop=self._live_queues())
        self._on_closed(self)
        return is_clean

    async def _keep_attached(self) -> None:
        timing, failures = self._link.timing, 0
        while True:
            if self._session is not None:
                await self._session.lost.wait()
                await self._abandon(self._session)
            await asyncio.sleep(timing.pause_s(failures))
            try:
                await self._link.call(self._attach(), f"consuming {self.subscription.queue}")
                failures = 0
            except Exception as error:  # noqa: BLE001 - it tries for as long as the watchdog lets the process live
                failures += 1
                log_failure(log, "broker.not_subscribed", error, queue=self.subscription.queue)

    async def _attach(self) -> None:
        channel = await self._link.channel()
        session = Session(self._link, channel, self.subscription.queue)
        try:
            await session.subscribe(
                self._queues,
                self._on_message,
                prefetch=self.subscription.prefetch,
                exclusive=not self.subscription.durable,
            )
        except BaseException:
            await session.end()
            raise
        if not self._is_taking:
            await session.end(drop=self._live_queues())
            return
        self._session, self._deaf_since = session, None
        log.info("broker.subscribed", queue=self.subscription.queue)

    def _live_queues(self) -> Sequence[str]:
        return () if self.subscription.durable else queue_names(self.subscription.queue)

    async def _abandon(self, session: Session) -> None:
        self._session = None
        self._deaf_since = asyncio.get_running_loop().time()
        self.unsettled = {delivery for delivery in self.unsettled if delivery.session is not session}
        for task, its_session in self._handling.items():
            if its_session is session:
                task.cancel()
        # Where only the subscription was lost, the channel still holds what it was sent.
        await session.end()

    def _on_message(self, session: Session, message: AbstractIncomingMessage) -> None:
        if not self._is_taking or session.lost.is_set():
            return  # it goes back when the channel closes
        incoming = wire.read(message)
        counted_here = self._given_back[incoming.copy]
        delivery = RabbitDelivery(
            message,
            session,
            incoming=incoming,
            queue=self.subscription.queue,
            redeliveries=incoming.redeliveries if self.subscription.durable else counted_here,
            ack=self._ack,
            put_away=self._put_away,
            clock=self._clock,
        )
        self.unsettled.add(delivery)
        task = asyncio.create_task(self._handle(delivery))
        self._handling[task] = session
        task.add_done_callback(lambda done: self._handling.pop(done, None))

    async def _handle(self, delivery: RabbitDelivery) -> None:
        try:
            if delivery.incoming.left_s > 0:
                await delivery.wait_on()
            elif not self.subscription.durable and delivery.delivery_count > DELIVERY_LIMIT:
                await delivery.dead_letter("delivery_limit")
            else:
                await self._on_delivery(delivery)
        except Exception as error:  # noqa: BLE001 - any failure of a handler gives its message back
            log_failure(log, "delivery.handler_failed", error, queue=self.subscription.queue)
        if not delivery.is_settled and self._is_taking and not delivery.session.lost.is_set():
            await self._give_back(delivery)

    async def _give_back(self, delivery: RabbitDelivery) -> None:
        self.unsettled.discard(delivery)
        if not self.subscription.durable:
            self._given_back[delivery.incoming.copy] += 1
        try:
            await delivery.session.give_back(delivery.message)
        except TransientError:
            delivery.session.lost.set()  # then it is back already

    def _forget(self, delivery: RabbitDelivery) -> None:
        self.unsettled.discard(delivery)
        self._given_back.pop(delivery.incoming.copy, None)

    async def _ack(self, delivery: RabbitDelivery) -> None:
        await delivery.session.ack(delivery.message)
        self._forget(delivery)

    async def _put_away(self, delivery: RabbitDelivery, outgoing: wire.Outgoing) -> None:
        """Publish and then acknowledge. Where that fails, the message stays in hand and it is tried again.

        Given back, it would come at once and fail again until the delivery limit buries it, for no fault of its
        own; in hand it takes up a place, so a service that can put nothing away takes no more.
        """
        failures = 0
        while True:
            try:
                await self._publisher.publish([outgoing])
                break
            except (TransientError, Unroutable) as error:
                if isinstance(error, QueueFull) and outgoing.routing_key == self.subscription.queue:
                    # It should come back at once and finds no room: the shortest rung takes it meanwhile.
                    outgoing = replace(outgoing, routing_key=next_hop(self.subscription.queue, 1).queue)
                    continue
                failures += 1
                log_failure(log, "delivery.not_put_away", error, queue=self.subscription.queue)
                if isinstance(error, Unroutable):
                    await self._restore()
                await _wait(delivery.session.lost, self._link.timing.pause_s(failures))
            if delivery.session.lost.is_set():
                raise BackendUnavailable(
                    "the connection was lost before the message could be put away; it was given back"
                )
        await self._ack(delivery)

    async def _restore(self) -> None:
        """A queue of the ladder, or the dead letters, was deleted: subscribing anew declares them."""
        if self._session is not None:
            try:
                await self._session.declare(self._queues)
            except HubError as error:
                log_failure(log, "broker.not_restored", error, queue=self.subscription.queue)


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        pass
