"""Messages that stay in memory between their publisher and their consumer, and those that do not."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hub_messaging.adapters.sqlite.carried import Carried
from hub_messaging.adapters.sqlite.rows import NewRow
from hub_messaging.broker import Broker, Delivery, Envelope, Subscription
from hub_messaging.envelope import encode, message_of
from hub_messaging.handling import Context
from hub_messaging.publisher import Publisher
from hub_messaging.router import Router
from hub_messaging.testing import Hands, wait_until
from hub_model.errors import Unavailable
from hub_model.messages import BatchFetched, Message
from hub_model.records import DataType, Origin

BATCHES = Subscription("batches", ("batch.fetched",))
BATCH = BatchFetched(
    college_id="c",
    integration_id="i",
    run_id="r",
    data_type=DataType.MARKS,
    sequence=0,
    origin=Origin.POLL,
    observed_at=datetime(2026, 3, 1, tzinfo=UTC),
    records=[{"marks": 12.7, "nested": {"a": [1, None, "x"]}}],
)


def row(copy_id: str, queue: str = "batches", message: Message | None = BATCH) -> NewRow:
    return NewRow(queue, copy_id, b"{}", Envelope("batch.fetched", b"x" * 1000, message=message))


async def test_a_message_reaches_a_handler_of_the_same_process_as_it_is(broker: Any) -> None:
    handled: list[Message] = []

    async def handle(message: Message, _: Context) -> Sequence[Message]:
        handled.append(message)
        return []

    router = Router(broker, service="test")
    router.add(BATCHES, {BatchFetched: handle})
    await router.start()
    await Publisher(broker).publish(BATCH)
    await wait_until(lambda: bool(handled))
    assert handled[0] is BATCH


async def test_a_message_published_before_its_consumer_came_is_read_from_the_file(broker: Any) -> None:
    await broker.declare(BATCHES)
    await broker.publish([encode(BATCH)])
    assert await received(broker) == BATCH


async def test_a_message_of_a_former_process_is_read_from_the_file(
    broker_factory: Callable[[], Awaitable[Broker]],
) -> None:
    broker = await broker_factory()
    hands = Hands()
    await broker.consume(BATCHES, hands)
    await broker.publish([encode(BATCH)])
    (delivery,) = await hands.hold(1)
    assert delivery.envelope.message is BATCH
    assert await received(await broker_factory()) == BATCH


async def test_a_message_that_is_delivered_again_is_read_from_the_file(broker: Any) -> None:
    deliveries: list[Delivery] = []

    async def retry_once(delivery: Delivery) -> None:
        deliveries.append(delivery)
        await (delivery.retry(0) if len(deliveries) == 1 else delivery.ack())

    await broker.consume(BATCHES, retry_once)
    await broker.publish([encode(BATCH)])
    await wait_until(lambda: len(deliveries) == 2)
    first, again = (delivery.envelope for delivery in deliveries)
    assert (first.message is BATCH, again.message) == (True, None)
    assert again == first
    assert message_of(again) == BATCH


async def test_each_queue_gets_its_copy_of_a_carried_message(broker: Any) -> None:
    one, other = Hands(acks=True), Hands(acks=True)
    await broker.consume(BATCHES, one)
    await broker.consume(Subscription("live", ("batch.fetched",), durable=False), other)
    await broker.publish([encode(BATCH)])
    (first,), (second,) = await one.hold(1), await other.hold(1)
    assert first.envelope.message is second.envelope.message is BATCH


async def test_what_could_not_be_written_is_not_carried(broker: Any, database: Any) -> None:
    hands = Hands(acks=True)
    await broker.consume(BATCHES, hands)
    database.is_failing = True
    with pytest.raises(Unavailable):
        await broker.publish([encode(BATCH)] * 3)
    assert not broker.carried.has_any
    database.is_failing = False
    await broker.publish([encode(BATCH)])
    await hands.hold(1)
    assert not broker.carried.has_any


async def test_what_waits_for_a_consumer_that_closed_is_not_carried(broker: Any) -> None:
    hands = Hands()
    consumer = await broker.consume(Subscription("batches", ("batch.fetched",), prefetch=1), hands)
    await broker.publish([encode(BATCH)] * 3)
    await hands.hold(1)
    assert broker.carried.has_any
    await consumer.close(0)
    assert not broker.carried.has_any


def test_an_envelope_is_handed_out_once() -> None:
    carried = Carried()
    carried.keep([row("a"), row("b", queue="others")])
    assert carried.take("batches", "a") is not None
    assert carried.take("batches", "a") is None
    assert carried.take("batches", "b") is None
    assert carried.has_any


def test_what_comes_first_is_kept_and_what_finds_no_room_is_not() -> None:
    carried = Carried(max_bytes=5000)
    carried.keep(row(copy_id) for copy_id in "abc")
    assert [carried.take("batches", copy_id) is not None for copy_id in "abc"] == [True, True, False]


@pytest.mark.parametrize("leave", ["take", "drop", "forget"])
def test_what_leaves_makes_room(leave: str) -> None:
    carried = Carried(max_bytes=5000)
    for number in range(20):
        rows = [row(f"{number}{place}") for place in "ab"]
        carried.keep(rows)
        match leave:
            case "take":
                assert all(carried.take("batches", item.copy_id) for item in rows)
            case "drop":
                carried.drop(rows)
            case "forget":
                carried.forget("batches")
    assert not carried.has_any


def test_bytes_without_a_message_are_not_kept() -> None:
    carried = Carried()
    carried.keep([row("a", message=None)])
    assert not carried.has_any


async def received(broker: Broker) -> Message:
    """What a new consumer gets, which the envelope must not carry."""
    hands = Hands(acks=True)
    await broker.consume(BATCHES, hands)
    (delivery,) = await hands.hold(1)
    assert delivery.envelope.message is None
    return message_of(delivery.envelope)
