"""What is particular to the broker on SQLite: clocks, crash loops, failing disks, and what it costs."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest
from hub_messaging.adapters.sqlite import SqliteBroker
from hub_messaging.broker import Broker, Delivery, Envelope, Subscription
from hub_messaging.testing import WORK, Hands, envelope, stays, wait_until
from hub_model.errors import QueueFull, Unavailable
from hub_sqlite import SqliteDatabase

BODY = b"x" * 200_000


async def is_empty(broker: Broker, queue: str = "work") -> bool:
    return await broker.depth(queue) == 0


async def test_a_message_that_is_handed_out_twenty_times_in_vain_is_dead_lettered(broker: Any) -> None:
    counts: list[int] = []

    async def crash(delivery: Delivery) -> None:
        counts.append(delivery.delivery_count)
        raise RuntimeError

    await broker.consume(WORK, crash)
    await broker.publish([envelope(b"poison")])
    await wait_until(lambda: is_empty(broker))
    assert counts == list(range(1, 21))
    (letter,) = await broker.dead_letters.newest()
    assert (letter.reason, letter.envelope.body) == ("delivery_limit", b"poison")
    await broker.publish([envelope(b"the queue goes on")])
    await wait_until(lambda: len(counts) > 20)


async def test_many_messages_of_one_publish_keep_their_bodies_and_their_order(broker: Any) -> None:
    hands = Hands()
    await broker.declare(WORK)
    await broker.publish([envelope(b"%d" % number) for number in range(150)])
    await broker.consume(replace(WORK, prefetch=150), hands)
    deliveries = await hands.hold(150)
    assert [delivery.envelope.body for delivery in deliveries] == [b"%d" % number for number in range(150)]


async def test_a_clean_close_is_not_counted_as_a_crash(
    broker_factory: Callable[[], Awaitable[Broker]],
) -> None:
    for _ in range(25):
        broker = await broker_factory()
        hands = Hands()
        await broker.consume(WORK, hands)
        if not await broker.depth("work"):
            await broker.publish([envelope()])
        (delivery,) = await hands.hold(1)
        assert delivery.delivery_count == 1


async def test_whenever_a_consumer_closes_its_messages_are_given_back(broker: Any) -> None:
    await broker.declare(WORK)
    await broker.publish([envelope(b"%d" % number) for number in range(4)])
    for pause in itertools.chain(range(12), [0.0005, 0.001, 0.002, 0.004]):
        consumer = await broker.consume(WORK, Hands())
        if isinstance(pause, float):
            await asyncio.sleep(pause)
        for _ in range(int(pause)):
            await asyncio.sleep(0)
        await consumer.close(0)
    hands = Hands(acks=True)
    await broker.consume(WORK, hands)
    await hands.hold(4)
    assert hands.bodies == [b"0", b"1", b"2", b"3"]
    assert {delivery.delivery_count for delivery in hands.deliveries} == {1}


async def test_a_handler_that_ignores_being_cancelled_loses_its_message(broker: Any) -> None:
    began, release = asyncio.Event(), asyncio.Event()
    outcomes: list[Exception] = []

    async def stubborn(delivery: Delivery) -> None:
        began.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        try:
            await delivery.ack()
        except Unavailable as error:
            outcomes.append(error)

    heir = Hands()
    consumer = await broker.consume(WORK, stubborn)
    await broker.publish([envelope()])
    await began.wait()
    try:
        assert not await consumer.close(0)
        await broker.consume(WORK, heir)
        await heir.hold(1)
    finally:
        release.set()
    await wait_until(lambda: len(outcomes) == 1)
    assert await broker.depth("work") == 1


async def test_a_wall_clock_that_jumps_changes_no_delay(database: Any) -> None:
    now = [datetime(2026, 3, 1, tzinfo=UTC)]
    broker = SqliteBroker(database, clock=lambda: now[0])
    await broker.open()
    for jump in (timedelta(hours=5), timedelta(hours=-9)):
        seen: list[int] = []

        async def on_delivery(delivery: Delivery, seen: list[int] = seen) -> None:
            seen.append(delivery.attempt)
            await (delivery.retry(0.15) if delivery.attempt == 1 else delivery.ack())

        consumer = await broker.consume(WORK, on_delivery)
        await broker.publish([envelope()])
        await wait_until(lambda seen=seen: seen == [1])
        now[0] += jump
        await stays(lambda seen=seen: seen == [1], 0.1)
        await wait_until(lambda seen=seen: seen == [1, 2], 1)
        await consumer.close()
    await broker.close()


async def test_a_clock_set_back_between_two_starts_delays_no_longer_than_was_asked(database: Any) -> None:
    before, after = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 6, tzinfo=UTC)
    broker = SqliteBroker(database, clock=lambda: before)
    await broker.open()

    async def postpone(delivery: Delivery) -> None:
        await delivery.retry(0.1)

    await broker.consume(Subscription("work", ("key",), prefetch=1), postpone)
    await broker.publish([envelope()])
    await broker.declare(Subscription("fresh", ("fresh",)))
    await broker.publish([envelope(key="fresh")])
    await broker.close()
    broker = SqliteBroker(database, clock=lambda: after)
    await broker.open()
    hands = Hands(acks=True)
    await broker.consume(WORK, hands)
    await broker.consume(Subscription("fresh", ("fresh",)), hands)
    await hands.hold(2, 2)
    await broker.close()


async def test_an_idle_consumer_does_not_touch_the_file(broker: Any, database: Any) -> None:
    hands = Hands()
    await broker.consume(WORK, hands)
    await broker.publish([envelope()])
    (delivery,) = await hands.hold(1)
    await delivery.retry(60)
    await stays(lambda: len(hands.deliveries) == 1, 0.05)
    writes = database.writes
    await stays(lambda: database.writes == writes, 0.3)


async def test_publishing_many_messages_is_one_write(broker: Any, database: Any) -> None:
    await broker.declare(WORK)
    await broker.declare(Subscription("copy", ("key",)))
    writes = database.writes
    await broker.publish([envelope() for _ in range(50)])
    assert (database.writes - writes, await broker.depth("work"), await broker.depth("copy")) == (1, 50, 50)


async def test_acks_gather_into_few_writes(broker: Any, database: Any) -> None:
    await broker.declare(WORK)
    await broker.publish([envelope() for _ in range(200)])
    writes = database.writes
    await broker.consume(Subscription("work", ("key",), prefetch=20), Hands(acks=True))
    await wait_until(lambda: is_empty(broker))
    assert database.writes - writes < 100


async def test_nothing_is_published_when_one_queue_is_full(broker: Any) -> None:
    await broker.declare(Subscription("small", ("key",), max_length=1))
    await broker.declare(Subscription("large", ("key",)))
    with pytest.raises(QueueFull):
        await broker.publish([envelope(), envelope()])
    assert (await broker.depth("small"), await broker.depth("large")) == (0, 0)
    await broker.publish([envelope()])


async def test_a_publish_that_failed_takes_no_room_in_the_queue(broker: Any, database: Any) -> None:
    await broker.declare(Subscription("work", ("key",), max_length=1))
    database.is_failing = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            await broker.publish([envelope()])
    database.is_failing = False
    await broker.publish([envelope()])


async def test_waiting_messages_are_counted_again_after_a_restart(
    broker_factory: Callable[[], Awaitable[Broker]],
) -> None:
    small = Subscription("work", ("key",), max_length=2)
    broker = await broker_factory()
    await broker.declare(small)
    await broker.publish([envelope()])
    broker = await broker_factory()
    await broker.publish([envelope()])
    with pytest.raises(QueueFull):
        await broker.publish([envelope()])


async def test_a_cancelled_publisher_does_not_strand_its_message(broker: Any) -> None:
    hands = Hands(acks=True)
    await broker.consume(WORK, hands)
    publishing = asyncio.create_task(broker.publish([envelope(b"x")]))
    await asyncio.sleep(0)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    await hands.hold(1)
    assert hands.bodies == [b"x"]


async def test_a_settlement_that_was_not_written_can_be_tried_again(broker: Any, database: Any) -> None:
    outcomes: list[str] = []

    async def on_delivery(delivery: Delivery) -> None:
        database.is_failing = True
        try:
            await delivery.ack()
        except Unavailable:
            outcomes.append("refused")
        database.is_failing = False
        await delivery.ack()
        outcomes.append("acked")

    await broker.consume(WORK, on_delivery)
    await broker.publish([envelope()])
    await wait_until(lambda: outcomes == ["refused", "acked"])
    assert await is_empty(broker)


async def test_a_consumer_outlives_a_disk_that_fails_for_a_while(broker: Any, database: Any) -> None:
    handled: list[int] = []

    async def on_delivery(delivery: Delivery) -> None:
        handled.append(delivery.delivery_count)
        database.is_failing = len(handled) == 1
        await delivery.ack()

    await broker.consume(WORK, on_delivery)
    await broker.publish([envelope()])
    await wait_until(lambda: database.is_failing)
    await stays(lambda: len(handled) == 1, 0.05)
    database.is_failing = False
    await wait_until(lambda: is_empty(broker))
    assert handled == [1, 2]


async def test_closing_on_a_failed_disk_ends(broker: Any, database: Any) -> None:
    hands = Hands()
    await broker.consume(WORK, hands)
    await broker.consume(Subscription("live", ("live",), durable=False), hands)
    await broker.publish([envelope()])
    await hands.hold(1)
    database.is_failing = True
    async with asyncio.timeout(5):
        await broker.close()


async def test_a_live_queue_left_by_a_dead_process_is_dropped_at_open(database: Any, tmp_path: Path) -> None:
    dead = SqliteBroker(database)
    await dead.open()
    await dead.consume(Subscription("live", ("news",), durable=False), Hands())
    await dead.publish([envelope(key="news")])
    heir = SqliteBroker(database)
    await heir.open()
    assert await heir.depth("live") == 0
    await heir.publish([envelope(key="news", mandatory=False)])
    assert await heir.depth("live") == 0
    assert await database.read(lambda connection: connection.execute("SELECT count(*) FROM broker_bodies").get) == 0


async def test_the_file_does_not_grow_while_messages_flow(broker: Any, database: Any) -> None:
    hands = Hands(acks=True)
    await broker.consume(WORK, hands)
    pages = []
    for round_number in range(1, 9):
        await broker.publish([Envelope("key", BODY) for _ in range(8)])
        await hands.hold(8 * round_number)
        await wait_until(lambda: is_empty(broker))
        pages.append(await database.read(lambda connection: connection.execute("PRAGMA page_count").get))
    assert pages[-1] <= 1.2 * max(pages[:4])
    assert await database.read(lambda connection: connection.execute("SELECT count(*) FROM broker_bodies").get) == 0


async def test_a_claim_costs_the_same_however_many_messages_wait(broker: Any, database: Any) -> None:
    def plan(connection: apsw.Connection) -> str:
        rows = connection.execute(
            "EXPLAIN QUERY PLAN SELECT seq FROM broker_messages WHERE queue = 'work' AND claimed = 0 "
            "AND available_at <= 1 ORDER BY available_at, seq LIMIT 8"
        )
        return " ".join(str(row[-1]) for row in rows)

    explained = await database.read(plan)
    assert "USING COVERING INDEX broker_messages_waiting (queue=? AND available_at<?)" in explained
    assert "TEMP B-TREE" not in explained


async def test_two_tasks_may_declare_one_queue_at_once(database: SqliteDatabase) -> None:
    broker = SqliteBroker(database)
    await broker.open()
    await asyncio.gather(*(broker.declare(WORK) for _ in range(5)))
    await broker.publish([envelope()])
    assert await broker.depth("work") == 1
    await broker.close()


async def test_a_letter_stays_when_its_replay_cannot_be_written(broker: Any, database: Any) -> None:
    async def give_up(delivery: Delivery) -> None:
        await delivery.dead_letter("no use")

    consumer = await broker.consume(Subscription("work", ("key",), max_length=1), give_up)
    await broker.publish([envelope(b"x")])
    await wait_until(lambda: is_empty(broker))
    await consumer.close()
    (letter,) = await broker.dead_letters.newest()
    database.is_failing = True
    with pytest.raises(Unavailable):
        await broker.dead_letters.replay(letter.id)
    database.is_failing = False
    assert (await broker.dead_letters.newest(), await broker.depth("work")) == ([letter], 0)
    # The place that was reserved for it is free again.
    assert await broker.dead_letters.replay(letter.id)
    assert await broker.depth("work") == 1
