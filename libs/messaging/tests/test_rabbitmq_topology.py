"""What is declared on RabbitMQ: the plan, and what the broker has of it."""

import json
from itertools import pairwise

import pytest
from hub_messaging.adapters.rabbitmq.topology import (
    DEAD,
    DEAD_QUEUE,
    DELIVERY_LIMIT,
    EXCHANGE,
    MAX_BYTES,
    MAX_BYTES_OF_A_RUNG,
    MAX_BYTES_OF_DEAD_LETTERS,
    MAX_DEAD_LETTERS,
    next_hop,
    queue_names,
    queues_of,
)
from hub_messaging.broker import Envelope, Subscription
from hub_messaging.middleware import RetryPolicy
from hub_messaging.opening import open_broker
from hub_messaging.testing import Hands, wait_until
from hub_messaging.testing.rabbitmq_node import RabbitNode
from hub_model.errors import InvalidInput, QueueFull
from hub_model.messages import MAX_MESSAGE_BYTES

WORK = Subscription("work", ("batch.fetched", "sync.failed"), max_length=500)
RUNGS_S = {
    queue.name: int(queue.arguments["x-message-ttl"]) / 1000
    for queue in queues_of(WORK)
    if "x-message-ttl" in queue.arguments
}


def hops(delay_s: float) -> list[float]:
    """How long the message stays in each queue until it is back in its own."""
    stays, left_s = [], delay_s
    while left_s > 0:
        hop = next_hop("work", left_s)
        stays.append(RUNGS_S[hop.queue])
        left_s = hop.left_s
    return stays


@pytest.mark.parametrize(
    "delay_s", [0.001, 1, 1.01, 4, 5, 6, 24, 36, 100, 119.9, 599, 720, 3600, 4321, 21_600, 100_000]
)
def test_a_message_waits_as_long_as_it_was_told_and_little_longer(delay_s: float) -> None:
    stays = hops(delay_s)
    assert delay_s <= sum(stays) <= max(delay_s * 1.25, delay_s + 1)
    assert all(earlier >= later for earlier, later in pairwise(stays))
    assert len(stays) <= 30


def test_the_retries_of_the_ladder_take_one_hop_each_when_they_are_not_spread_upwards() -> None:
    assert [len(hops(delay_s)) for delay_s in RetryPolicy().ladder_s] == [1] * 6
    assert [len(hops(delay_s * 0.8)) for delay_s in RetryPolicy().ladder_s] == [1] * 6


def test_no_delay_leads_straight_to_the_queue() -> None:
    assert next_hop("work", 0).queue == "work"


def test_what_is_longer_than_the_longest_rung_goes_through_it_again() -> None:
    assert hops(3 * 21_600)[:2] == [21_600, 21_600]


def test_crash_loops_are_told_to_the_run_before_the_broker_gives_up() -> None:
    assert RetryPolicy().crash_limit < DELIVERY_LIMIT


def test_a_dead_queue_leads_nowhere_and_its_letters_fit_in_one_look() -> None:
    assert not [name for name in DEAD.arguments if name.startswith("x-dead-letter") or name == "x-message-ttl"]
    assert MAX_DEAD_LETTERS < 2**16


def test_a_queue_holds_at_least_one_message() -> None:
    with pytest.raises(InvalidInput, match="at least one"):
        queues_of(Subscription("work", ("key",), max_length=0))


def test_protections_need_each_other() -> None:
    """At-least-once dead-lettering degrades without a word unless publishing is refused at the limit."""
    for queue in [*queues_of(WORK), DEAD]:
        assert queue.arguments["x-queue-type"] == "quorum"
        assert queue.arguments["x-overflow"] == "reject-publish"
        assert int(queue.arguments["x-max-length"]) >= 0
        assert (queue.arguments.get("x-dead-letter-strategy") == "at-least-once") is (queue.name != DEAD_QUEUE)
    assert queues_of(WORK)[0].arguments["x-delivery-limit"] == DELIVERY_LIMIT


def test_every_durable_queue_is_bounded_in_bytes() -> None:
    """Dead letters have the most room: when they have none, those who would give up a message stand still."""
    work, *rungs = queues_of(WORK)
    assert int(work.arguments["x-max-length-bytes"]) == MAX_BYTES
    assert {rung.arguments["x-max-length-bytes"] for rung in rungs} == {MAX_BYTES_OF_A_RUNG}
    assert int(DEAD.arguments["x-max-length-bytes"]) == MAX_BYTES_OF_DEAD_LETTERS
    assert 100 * MAX_MESSAGE_BYTES < MAX_BYTES_OF_A_RUNG <= MAX_BYTES <= MAX_BYTES_OF_DEAD_LETTERS


@pytest.mark.slow
async def test_a_queue_with_too_many_bytes_refuses_and_takes_again_when_there_is_room(rabbitmq: RabbitNode) -> None:
    vhost = rabbitmq.fresh_vhost()
    rabbitmq.ctl("set_policy", "-p", vhost, "less", "^work$", '{"max-length-bytes": 300000}', "--apply-to", "queues")
    hands = Hands()
    async with open_broker(rabbitmq.url(vhost)) as broker:
        await broker.declare(WORK)

        async def is_taken() -> bool:
            try:
                await broker.publish([Envelope("batch.fetched", bytes(100_000))])
            except QueueFull:
                return False
            return True

        taken = 0
        while taken < 20 and await is_taken():
            taken += 1
        assert 3 <= taken <= 5
        await broker.consume(WORK, hands)
        for delivery in await hands.hold(taken):
            await delivery.ack()
        await wait_until(is_taken)


@pytest.mark.slow
async def test_a_live_view_leaves_nothing_behind(rabbitmq: RabbitNode) -> None:
    vhost = rabbitmq.fresh_vhost()
    async with open_broker(rabbitmq.url(vhost)) as broker:
        consumer = await broker.consume(Subscription("live", ("batch.written",), durable=False), Hands())
        await consumer.close()
        assert rabbitmq.ctl("list_queues", "-p", vhost, "--no-table-headers", "name").split() == [DEAD_QUEUE]


@pytest.mark.slow
async def test_the_broker_has_exactly_what_was_planned(rabbitmq: RabbitNode) -> None:
    vhost = rabbitmq.fresh_vhost()
    live = Subscription("live", ("batch.written",), durable=False)
    async with open_broker(rabbitmq.url(vhost)) as broker:
        await broker.declare(WORK)
        await broker.consume(live, Hands())
        columns = ["name", "durable", "exclusive", "auto_delete", "arguments", "policy"]
        queues = json.loads(rabbitmq.ctl("list_queues", "-p", vhost, "--formatter", "json", *columns))
        bindings = json.loads(rabbitmq.ctl("list_bindings", "-p", vhost, "--formatter", "json"))
        exchanges = json.loads(
            rabbitmq.ctl("list_exchanges", "-p", vhost, "--formatter", "json", "name", "type", "durable", "arguments")
        )
    found = {
        queue["name"]: (
            queue["durable"],
            bool(queue["exclusive"]),  # '' for a quorum queue
            queue["auto_delete"],
            {name: value for name, _, value in queue["arguments"]},
        )
        for queue in queues
    }
    assert found == {
        queue.name: (queue.durable, not queue.durable, queue.auto_delete, dict(queue.arguments))
        for queue in [*queues_of(WORK), *queues_of(live), DEAD]
    }
    assert {item["source_name"]: [] for item in bindings if item["source_name"]} == {EXCHANGE: []}
    assert sorted((item["routing_key"], item["destination_name"]) for item in bindings if item["source_name"]) == [
        ("batch.fetched", "work"),
        ("batch.written", "live"),
        ("sync.failed", "work"),
    ]
    [exchange] = [item for item in exchanges if item["name"] == EXCHANGE]
    assert (exchange["type"], exchange["durable"], exchange["arguments"]) == ("direct", True, [])
    assert set(queue_names("work")) <= set(found)
