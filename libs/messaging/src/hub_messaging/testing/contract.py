"""The promises of the broker port as tests.

An adapter inherits :class:`BrokerContract` and supplies ``broker_factory``. The suite is one file, longer than
most, because it is one list: each test is a sentence of ``hub_messaging.broker``.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from itertools import pairwise

import pytest
from hub_model.errors import BackendUnavailable, Conflict, InvalidInput, QueueFull, TooLarge, Unroutable
from hub_model.messages import MAX_MESSAGE_BYTES

from hub_messaging.broker import MAX_HEADERS_BYTES, Broker, DeadLetter, Delivery, Envelope, Subscription
from hub_messaging.testing.waiting import WORK, Hands, envelope, stays, wait_until

# Opens the broker on the same storage each time, and ends the one it opened before, as a restart would.
BrokerFactory = Callable[[], Awaitable[Broker]]


class BrokerContract:
    """The promises of the broker port. ``deadline_s`` bounds each wait, ``retry_s`` is the delay retries ask for."""

    deadline_s = 5.0
    retry_s = 0.2
    slow_s = 1.0

    @pytest.fixture
    async def broker(self, broker_factory: BrokerFactory) -> AsyncIterator[Broker]:
        broker = await broker_factory()
        yield broker
        await broker.close()

    async def test_delivered_with_headers_and_empty_body_intact(self, broker: Broker) -> None:
        hands = Hands(acks=True)
        await broker.consume(WORK, hands)
        sent = [
            Envelope("key", b"", {"ce-subject": "St. Mary's / \u091b\u093e\u0924\u094d\u0930", "empty": ""}),
            Envelope("key", bytes(range(256)), {}),
        ]
        await broker.publish(sent)
        await hands.hold(2, self.deadline_s)
        received = sorted((delivery.envelope for delivery in hands.deliveries), key=lambda item: item.body)
        assert [(item.routing_key, item.body, dict(item.headers)) for item in received] == [
            (item.routing_key, item.body, dict(item.headers)) for item in sent
        ]
        assert {(delivery.attempt, delivery.delivery_count) for delivery in hands.deliveries} == {(1, 1)}

    async def test_acked_is_never_redelivered(self, broker: Broker) -> None:
        first, second = Hands(acks=True), Hands()
        consumer = await broker.consume(WORK, first)
        await broker.publish([envelope()])
        await first.hold(1, self.deadline_s)
        assert await consumer.close()
        await broker.consume(WORK, second)
        await stays(lambda: not second.deliveries)
        assert await broker.depth("work") == 0

    async def test_unacked_is_redelivered_when_consumer_dies(self, broker: Broker) -> None:
        dying, heir = Hands(), Hands()
        consumer = await broker.consume(WORK, dying)
        await broker.publish([envelope(b"x")])
        await dying.hold(1, self.deadline_s)
        await consumer.close(0)
        await broker.consume(WORK, heir)
        (delivery,) = await heir.hold(1, self.deadline_s)
        assert (delivery.envelope.body, delivery.attempt) == (b"x", 1)

    async def test_retry_waits_at_least_the_delay_and_counts_attempts(self, broker: Broker) -> None:
        loop = asyncio.get_running_loop()
        seen: list[tuple[int, int, float]] = []

        async def on_delivery(delivery: Delivery) -> None:
            seen.append((delivery.attempt, delivery.delivery_count, loop.time()))
            await (delivery.ack() if delivery.attempt == 3 else delivery.retry(self.retry_s))

        await broker.consume(WORK, on_delivery)
        await broker.publish([envelope()])
        await wait_until(lambda: len(seen) == 3, self.deadline_s + 2 * self.retry_s)
        assert [(attempt, count) for attempt, count, _ in seen] == [(1, 1), (2, 1), (3, 1)]
        times = [time for *_, time in seen]
        assert min(later - earlier for earlier, later in pairwise(times)) >= self.retry_s

    async def test_an_uncounted_retry_leaves_the_attempt(self, broker: Broker) -> None:
        attempts: list[int] = []

        async def on_delivery(delivery: Delivery) -> None:
            attempts.append(delivery.attempt)
            await (delivery.ack() if len(attempts) == 2 else delivery.retry(0, counted=False))

        await broker.consume(WORK, on_delivery)
        await broker.publish([envelope()])
        await wait_until(lambda: attempts == [1, 1], self.deadline_s)

    async def test_a_delay_is_a_number_of_seconds(self, broker: Broker) -> None:
        hands = Hands()
        await broker.consume(WORK, hands)
        await broker.publish([envelope()])
        (delivery,) = await hands.hold(1, self.deadline_s)
        for delay_s in (-1.0, float("nan"), float("inf")):
            with pytest.raises(InvalidInput):
                await delivery.retry(delay_s)
        await delivery.ack()

    async def test_dead_lettered_leaves_queue_and_keeps_reason(self, broker: Broker) -> None:
        async def on_delivery(delivery: Delivery) -> None:
            await delivery.dead_letter(f"no use: {delivery.envelope.body.decode()}")

        await broker.consume(WORK, on_delivery)
        await broker.consume(Subscription("other", ("other",)), on_delivery)
        for body in (b"a", b"b"):
            await broker.publish([envelope(body)])
            await wait_until(lambda: _is_empty(broker, "work"), self.deadline_s)
        await broker.publish([envelope(b"c", "other")])
        await wait_until(lambda: _is_empty(broker, "other"), self.deadline_s)
        letters = await broker.dead_letters.newest("work")
        assert [(item.reason, item.envelope.body, item.queue) for item in letters] == [
            ("no use: b", b"b", "work"),
            ("no use: a", b"a", "work"),
        ]
        assert letters[0].envelope.headers == {"ce-id": "1"}
        assert [item.queue for item in await broker.dead_letters.newest(limit=2)] == ["other", "work"]
        assert [await broker.dead_letters.count(queue) for queue in (None, "work", "other", "none")] == [3, 2, 1, 0]

    async def test_a_replayed_letter_is_a_new_copy_on_its_first_attempt_in_its_own_queue(self, broker: Broker) -> None:
        await broker.declare(Subscription("same.key", ("key",)))
        (letter,) = await self._died(broker, b"x", attempt=2)
        assert letter.attempt == 2
        assert await broker.dead_letters.replay(letter.id)
        assert await broker.dead_letters.newest() == []
        hands = Hands(acks=True)
        await broker.consume(WORK, hands)
        (delivery,) = await hands.hold(1, self.deadline_s)
        assert delivery.envelope == letter.envelope
        assert (delivery.attempt, delivery.delivery_count) == (1, 1)
        assert delivery.copy_id != letter.id
        assert await broker.depth("same.key") == 1
        assert not await broker.dead_letters.replay(letter.id)

    async def test_a_discarded_letter_is_gone_and_the_others_stay(self, broker: Broker) -> None:
        first, second = await self._died(broker, b"a", b"b")
        assert await broker.dead_letters.find(first.id) == first
        assert await broker.dead_letters.discard(first.id)
        assert await broker.dead_letters.newest() == [second]
        assert await broker.dead_letters.find(first.id) is None
        assert not await broker.dead_letters.discard(first.id)
        assert await broker.depth("work") == 0

    async def test_a_letter_that_cannot_be_replayed_stays(self, broker: Broker) -> None:
        (letter,) = await self._died(broker, b"x", queue=Subscription("work", ("key",), max_length=2))
        await broker.publish([envelope(b"%d" % number) for number in range(2)])
        assert await _is_full(broker)
        with pytest.raises(QueueFull):
            await broker.dead_letters.replay(letter.id)
        live = Subscription("live", ("news",), durable=False)

        async def give_up(delivery: Delivery) -> None:
            await delivery.dead_letter("no use")

        consumer = await broker.consume(live, give_up)
        await broker.publish([envelope(b"y", "news")])
        await wait_until(lambda: _has_letters(broker, 2), self.deadline_s)
        await consumer.close()
        (homeless,) = await broker.dead_letters.newest("live")
        with pytest.raises(Unroutable):
            await broker.dead_letters.replay(homeless.id)
        assert {item.id for item in await broker.dead_letters.newest()} == {letter.id, homeless.id}

    async def test_looking_at_letters_changes_nothing(self, broker: Broker) -> None:
        letters = await self._died(broker, b"a", b"b", b"c")
        newest = letters[::-1]
        for _ in range(3):
            assert await broker.dead_letters.newest() == newest
        # Several operators at once each see everything.
        looks = await asyncio.gather(*(broker.dead_letters.newest(limit=2) for _ in range(5)))
        assert looks == [newest[:2]] * 5
        assert await broker.dead_letters.find(letters[0].id) == letters[0]
        with pytest.raises(InvalidInput):
            await broker.dead_letters.newest(limit=0)

    async def _died(
        self, broker: Broker, *bodies: bytes, queue: Subscription = WORK, attempt: int = 1
    ) -> list[DeadLetter]:
        """These messages were given up one after the other, on the given attempt."""

        async def on_delivery(delivery: Delivery) -> None:
            await (delivery.retry(0) if delivery.attempt < attempt else delivery.dead_letter("no use"))

        consumer = await broker.consume(queue, on_delivery)
        for number, body in enumerate(bodies, 1):
            await broker.publish([envelope(body)])
            await wait_until(partial(_has_letters, broker, number), self.deadline_s)
        await consumer.close()
        return list(await broker.dead_letters.newest())[::-1]

    async def test_two_consumers_share_one_queue(self, broker: Broker) -> None:
        one, two = Hands(), Hands()
        shared = Subscription("work", ("key",), prefetch=5)
        await broker.consume(shared, one)
        await broker.consume(shared, two)
        await broker.publish([envelope(b"%d" % number) for number in range(10)])
        await one.hold(5, self.deadline_s)
        await two.hold(5, self.deadline_s)
        assert sorted(one.bodies + two.bodies) == [b"%d" % number for number in range(10)]

    async def test_every_subscription_gets_its_own_copy(self, broker: Broker) -> None:
        one, two, deaf = Hands(acks=True), Hands(), Hands()
        await broker.consume(Subscription("one", ("key",)), one)
        await broker.consume(Subscription("two", ("key", "other")), two)
        await broker.consume(Subscription("deaf", ("other",)), deaf)
        await broker.publish([envelope(b"x")])
        (mine,) = await one.hold(1, self.deadline_s)
        (other,) = await two.hold(1, self.deadline_s)
        assert mine.copy_id != other.copy_id
        await wait_until(lambda: _is_empty(broker, "one"), self.deadline_s)
        assert (await broker.depth("two"), deaf.deliveries) == (1, [])

    async def test_prefetch_bounds_unacked(self, broker: Broker) -> None:
        hands = Hands()
        await broker.consume(Subscription("work", ("key",), prefetch=3), hands)
        await broker.publish([envelope(b"%d" % number) for number in range(9)])
        await hands.hold(3, self.deadline_s)
        await stays(lambda: len(hands.deliveries) == 3)
        await hands.deliveries[0].ack()
        await hands.hold(4, self.deadline_s)
        await stays(lambda: len(hands.deliveries) == 4)

    async def test_published_before_first_consumer_is_kept(self, broker: Broker) -> None:
        hands = Hands(acks=True)
        await broker.declare(WORK)
        await broker.publish([envelope(b"early")])
        await broker.declare(WORK)
        await broker.consume(WORK, hands)
        await hands.hold(1, self.deadline_s)
        assert hands.bodies == [b"early"]

    async def test_slow_handler_keeps_its_lease(self, broker: Broker) -> None:
        slow, idle = Hands(), Hands()
        await broker.consume(WORK, slow)
        await broker.publish([envelope()])
        await slow.hold(1, self.deadline_s)
        await broker.consume(WORK, idle)
        await stays(lambda: not idle.deliveries and len(slow.deliveries) == 1, self.slow_s)
        await slow.deliveries[0].ack()
        assert await broker.depth("work") == 0

    async def test_publish_raises_when_not_stored(self, broker: Broker) -> None:
        with pytest.raises(Unroutable):
            await broker.publish([envelope(key="nobody")])
        await broker.declare(Subscription("work", ("key",), max_length=2))
        await broker.publish([envelope(), envelope()])
        with pytest.raises(QueueFull):
            await broker.publish([envelope()])
        hands = Hands(acks=True)
        await broker.consume(Subscription("work", ("key",), max_length=2), hands)
        await hands.hold(2, self.deadline_s)
        await wait_until(lambda: _is_empty(broker, "work"), self.deadline_s)
        await broker.publish([envelope()])

    async def test_what_a_consumer_holds_is_not_waiting(self, broker: Broker) -> None:
        """A handler may publish to its own full queue what takes its own message's place."""
        hands = Hands()
        await broker.consume(Subscription("work", ("key",), prefetch=1, max_length=1), hands)
        await broker.publish([envelope()])
        (delivery,) = await hands.hold(1, self.deadline_s)
        await broker.publish([envelope()])
        with pytest.raises(QueueFull):
            await broker.publish([envelope()])
        await delivery.retry(0)
        await hands.hold(2, self.deadline_s)
        # The place is taken again: by the retried message, or by the first that comes while it is on its way.
        await wait_until(lambda: _is_full(broker), self.deadline_s)

    async def test_nobody_needs_to_listen_to_what_is_not_mandatory(self, broker: Broker) -> None:
        await broker.publish([envelope(key="nobody", mandatory=False)])

    async def test_oversized_body_is_refused_alike(self, broker: Broker) -> None:
        hands = Hands(acks=True)
        await broker.consume(WORK, hands)
        with pytest.raises(TooLarge):
            await broker.publish([envelope(b"x" * (MAX_MESSAGE_BYTES + 1))])
        with pytest.raises(TooLarge):
            await broker.publish([Envelope("key", b"", {"ce-id": "x" * (MAX_HEADERS_BYTES + 1)})])
        await broker.publish([envelope(b"y" * MAX_MESSAGE_BYTES)])
        await hands.hold(1, self.deadline_s)
        assert hands.bodies == [b"y" * MAX_MESSAGE_BYTES]

    async def test_close_is_idempotent_and_gives_back_unacked(self, broker_factory: BrokerFactory) -> None:
        broker = await broker_factory()
        hands, heir = Hands(), Hands()
        consumer = await broker.consume(WORK, hands)
        await broker.publish([envelope(b"x")])
        await hands.hold(1, self.deadline_s)
        await broker.close()
        await broker.close()
        assert not await consumer.close()
        broker = await broker_factory()
        await broker.consume(WORK, heir)
        (delivery,) = await heir.hold(1, self.deadline_s)
        assert (delivery.envelope.body, delivery.copy_id) == (b"x", hands.deliveries[0].copy_id)
        await broker.close()

    async def test_survives_broker_restart(self, broker_factory: BrokerFactory) -> None:
        broker = await broker_factory()
        await broker.declare(Subscription("kept", ("key",)))

        async def on_delivery(delivery: Delivery) -> None:
            await (delivery.dead_letter("bad") if delivery.envelope.body == b"bad" else delivery.retry(self.retry_s))

        consumer = await broker.consume(WORK, on_delivery)
        await broker.publish([envelope(b"bad"), envelope(b"late")])
        await wait_until(lambda: _has_depth(broker, "work", 1), self.deadline_s)
        await consumer.close()
        broker = await broker_factory()
        assert [item.reason for item in await broker.dead_letters.newest()] == ["bad"]
        assert (await broker.depth("work"), await broker.depth("kept")) == (1, 2)
        await broker.publish([envelope(b"bound")])
        hands = Hands(acks=True)
        await broker.consume(WORK, hands)
        await hands.hold(2, self.deadline_s + self.retry_s)
        assert {item.envelope.body: item.attempt for item in hands.deliveries} == {b"late": 2, b"bound": 1}
        await broker.close()

    async def test_a_delivery_is_settled_once(self, broker: Broker) -> None:
        hands = Hands()
        await broker.consume(WORK, hands)
        await broker.publish([envelope()])
        (delivery,) = await hands.hold(1, self.deadline_s)
        await delivery.ack()
        for settle_again in (delivery.ack, lambda: delivery.retry(0), lambda: delivery.dead_letter("late")):
            with pytest.raises(Conflict):
                await settle_again()
        hands.let_go()
        await stays(lambda: len(hands.deliveries) == 1)
        assert not await broker.dead_letters.newest()

    async def test_settling_after_close_is_refused(self, broker: Broker) -> None:
        hands, heir = Hands(), Hands()
        consumer = await broker.consume(WORK, hands)
        await broker.publish([envelope()])
        (delivery,) = await hands.hold(1, self.deadline_s)
        await consumer.close(0)
        with pytest.raises(BackendUnavailable):
            await delivery.ack()
        await broker.consume(WORK, heir)
        await heir.hold(1, self.deadline_s)

    async def test_copy_id_is_stable_over_redelivery_and_retry(self, broker: Broker) -> None:
        first, later = Hands(), Hands()
        consumer = await broker.consume(WORK, first)
        await broker.publish([envelope(b"same"), envelope(b"same")])
        await first.hold(2, self.deadline_s)
        copies = {delivery.copy_id for delivery in first.deliveries}
        assert len(copies) == 2
        await first.deliveries[0].retry(0)
        await first.hold(3, self.deadline_s)
        await consumer.close(0)
        await broker.consume(WORK, later)
        await later.hold(2, self.deadline_s)
        assert {delivery.copy_id for delivery in [*first.deliveries, *later.deliveries]} == copies

    async def test_a_handler_that_raises_or_returns_gives_its_message_back(self, broker: Broker) -> None:
        counts: list[int] = []

        async def on_delivery(delivery: Delivery) -> None:
            counts.append(delivery.delivery_count)
            if len(counts) == 1:
                raise RuntimeError("a bug")
            if len(counts) == 3:
                await delivery.ack()

        await broker.consume(WORK, on_delivery)
        await broker.publish([envelope()])
        await wait_until(lambda: counts == [1, 2, 3], self.deadline_s)
        await wait_until(lambda: _is_empty(broker, "work"), self.deadline_s)

    async def test_close_waits_for_deliveries_in_flight(self, broker: Broker) -> None:
        loop = asyncio.get_running_loop()
        held: list[Delivery] = []

        async def on_delivery(delivery: Delivery) -> None:
            held.append(delivery)
            await asyncio.sleep(0.1)
            await delivery.ack()

        consumer = await broker.consume(Subscription("work", ("key",), prefetch=2), on_delivery)
        await broker.publish([envelope() for _ in range(5)])
        await wait_until(lambda: len(held) == 2, self.deadline_s)
        began = loop.time()
        assert await consumer.close(self.deadline_s)
        assert loop.time() - began < self.deadline_s
        assert (len(held), await broker.depth("work")) == (2, 3)

    async def test_a_queue_that_is_not_durable_belongs_to_one_consumer_and_goes_with_it(self, broker: Broker) -> None:
        live = Subscription("live", ("news",), durable=False)
        with pytest.raises(InvalidInput):
            await broker.declare(live)
        hands = Hands()
        consumer = await broker.consume(live, hands)
        with pytest.raises(Conflict):
            await broker.consume(live, Hands())
        await broker.publish([envelope(key="news")])
        await hands.hold(1, self.deadline_s)
        await consumer.close(0)
        with pytest.raises(Unroutable):
            await broker.publish([envelope(key="news")])
        again = Hands()
        await broker.consume(live, again)
        await stays(lambda: not again.deliveries)

    async def test_a_closed_broker_refuses(self, broker: Broker) -> None:
        await broker.declare(WORK)
        await broker.close()
        with pytest.raises(BackendUnavailable):
            await broker.publish([envelope()])
        with pytest.raises(BackendUnavailable):
            await broker.consume(WORK, Hands())


async def _is_empty(broker: Broker, queue: str) -> bool:
    return await broker.depth(queue) == 0


async def _has_letters(broker: Broker, count: int) -> bool:
    return len(await broker.dead_letters.newest()) == count


async def _is_full(broker: Broker) -> bool:
    try:
        await broker.publish([envelope()])
    except QueueFull:
        return True
    return False


async def _has_depth(broker: Broker, queue: str, depth: int) -> bool:
    return await broker.depth(queue) == depth
