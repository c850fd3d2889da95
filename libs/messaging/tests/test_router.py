"""The router's promises, on the SQLite broker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import structlog
from hub_messaging.broker import Envelope, Subscription
from hub_messaging.envelope import decode, encode
from hub_messaging.handling import Context
from hub_messaging.middleware import RetryPolicy
from hub_messaging.publisher import Publisher
from hub_messaging.router import Router
from hub_messaging.testing import Hands, stays, wait_until
from hub_model.errors import (
    BackendUnavailable,
    Conflict,
    ErrorClass,
    InvalidInput,
    QueueFull,
    RateLimited,
    SourceError,
    TransientError,
    Unavailable,
)
from hub_model.messages import BatchFetched, Message, SyncFailed, SyncRequested, failure_of
from hub_model.records import DataType, Origin

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SYNCS = Subscription("syncs", ("sync.requested",))
BATCHES = Subscription("batches", ("batch.fetched",), prefetch=100)
FAILURES = Subscription("failures", ("sync.failed",))
AT_ONCE = RetryPolicy(ladder_s=(0.0,), wait_s=(0.0, 0.0), outage_s=(0.0, 0.0))

SYNC = SyncRequested(
    college_id="c", integration_id="i", run_id="r", trigger="manual", data_types=("marks",), requested_at=NOW
)


def batch(sequence: int) -> BatchFetched:
    return BatchFetched(
        college_id="c",
        integration_id="i",
        run_id="r",
        data_type=DataType.MARKS,
        sequence=sequence,
        origin=Origin.POLL,
        observed_at=NOW,
        records=[],
    )


class Syncs:
    """A router whose sync handler does what the test says; ``contexts`` are the deliveries it saw."""

    def __init__(self, broker: Any, *outcomes: Any, subscription: Subscription = SYNCS, **options: Any) -> None:
        self.broker = broker
        self.contexts: list[Context] = []
        self.bound: list[dict[str, Any]] = []
        self._outcomes = list(outcomes)
        self.router = Router(broker, service="fetcher", policy=AT_ONCE, **options)
        self.router.add(subscription, {SyncRequested: self.start_sync})

    async def start_sync(self, message: SyncRequested, context: Context) -> Sequence[Message]:
        self.contexts.append(context)
        self.bound.append(structlog.contextvars.get_contextvars())
        outcome = self._outcomes.pop(0) if self._outcomes else []
        if isinstance(outcome, BaseException):
            raise outcome
        return await outcome() if callable(outcome) else outcome

    @property
    def attempts(self) -> list[int]:
        return [context.attempt for context in self.contexts]

    async def run(self, *messages: Message) -> None:
        """Start, publish, and wait until the queue is empty."""
        await self.router.start()
        await Publisher(self.broker).publish(*(messages or [SYNC]))
        await self.finish()

    async def finish(self) -> None:
        await wait_until(self.is_idle)
        assert await self.router.stop(5)

    async def is_idle(self) -> bool:
        return await self.broker.depth("syncs") == 0


async def sequences_in(broker: Any, queue: str = "batches", count: int | None = None) -> list[int]:
    """The sequence numbers of the batches waiting in the queue; they are put back."""
    hands = Hands()
    consumer = await broker.consume(BATCHES, hands)
    await hands.hold(await broker.depth(queue) if count is None else count)
    await consumer.close(0)
    return sorted(decode(delivery.envelope).sequence for delivery in hands.deliveries)


async def test_publish_before_ack(broker: Any) -> None:
    await broker.declare(BATCHES)
    syncs = Syncs(broker, [batch(0)])
    await syncs.router.start()
    await Publisher(broker).publish(SYNC)
    broker.gate.clear()
    await wait_until(lambda: len(syncs.contexts) == 1)

    async def is_unacked_and_unpublished() -> bool:
        return (await broker.depth("syncs"), await broker.depth("batches")) == (1, 0)

    await stays(is_unacked_and_unpublished)
    broker.gate.set()
    await syncs.finish()
    assert await sequences_in(broker) == [0]


async def test_a_failed_publish_leaves_the_message_unacked_and_retried(broker: Any) -> None:
    await broker.declare(BATCHES)
    broker.errors["batch.fetched"] = [Unavailable("down"), Unavailable("down")]
    syncs = Syncs(broker, [batch(0)], [batch(0)], [batch(0)])
    await syncs.run()
    assert (syncs.attempts, await sequences_in(broker)) == ([1, 2, 3], [0])


@pytest.mark.parametrize("error", [BackendUnavailable("the store is away"), QueueFull("full")])
async def test_an_outage_of_our_own_uses_up_no_attempts(broker: Any, error: Exception) -> None:
    syncs = Syncs(broker, *[error] * 20)
    await syncs.run()
    assert syncs.attempts == [1] * 21
    assert not await broker.dead_letters.newest()


async def test_a_handler_error_after_some_yields_leaves_the_message_unacked_and_retried(broker: Any) -> None:
    await broker.declare(BATCHES)
    attempts: list[int] = []

    async def start_sync(message: SyncRequested, context: Context) -> AsyncIterator[Message]:
        attempts.append(context.attempt)
        for sequence in range(3):
            yield batch(sequence)
            if sequence == 1 and context.attempt == 1:
                await wait_until(lambda: has_depth(broker, "batches", 2))
                raise TransientError("the source hung up")

    router = Router(broker, service="fetcher", policy=AT_ONCE)
    router.add(SYNCS, {SyncRequested: start_sync})
    await router.start()
    await Publisher(broker).publish(SYNC)
    await wait_until(lambda: has_depth(broker, "syncs", 0))
    assert attempts == [1, 2]
    assert await sequences_in(broker) == [0, 0, 1, 1, 2]
    assert not await broker.dead_letters.newest()


async def test_at_most_four_yielded_messages_are_unconfirmed(broker: Any) -> None:
    await broker.declare(BATCHES)
    yielded: list[int] = []

    async def start_sync(message: SyncRequested, context: Context) -> AsyncIterator[Message]:
        for sequence in range(20):
            yielded.append(sequence)
            yield batch(sequence)

    router = Router(broker, service="fetcher")
    router.add(SYNCS, {SyncRequested: start_sync})
    await router.start()
    await Publisher(broker).publish(SYNC)
    broker.gate.clear()
    await wait_until(lambda: len(yielded) == 4)
    await stays(lambda: len(yielded) == 4)
    broker.gate.set()
    await wait_until(lambda: has_depth(broker, "syncs", 0))
    assert await sequences_in(broker) == list(range(20))


async def test_a_generator_whose_publish_failed_is_closed(broker: Any) -> None:
    await broker.declare(BATCHES)
    broker.errors["batch.fetched"] = [Unavailable("down")]
    ends: list[str] = []

    async def start_sync(message: SyncRequested, context: Context) -> AsyncIterator[Message]:
        try:
            for sequence in range(9):
                yield batch(sequence)
                await asyncio.sleep(0.01)
            ends.append("finished")
        finally:
            ends.append("closed")

    router = Router(broker, service="fetcher", policy=AT_ONCE)
    router.add(SYNCS, {SyncRequested: start_sync})
    await router.start()
    await Publisher(broker).publish(SYNC)
    await wait_until(lambda: has_depth(broker, "syncs", 0))
    assert ends == ["closed", "finished", "closed"]


async def test_a_full_queue_is_waited_for_without_running_the_handler_again(broker: Any) -> None:
    await broker.declare(BATCHES)
    broker.errors["batch.fetched"] = [QueueFull("full"), QueueFull("full")]
    syncs = Syncs(broker, [batch(0), batch(1)])
    await syncs.run()
    assert (syncs.attempts, await sequences_in(broker)) == ([1], [0, 1])


async def test_a_queue_that_stays_full_uses_up_no_attempts(broker: Any) -> None:
    await broker.declare(BATCHES)
    broker.errors["batch.fetched"] = [QueueFull("full")] * 4
    syncs = Syncs(broker, [batch(0)], [batch(0)], patience_s=0.2)
    await syncs.run()
    assert (syncs.attempts, await sequences_in(broker)) == ([1, 1], [0])


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (SourceError("gone", error_class=ErrorClass.CONFIG, code="endpoint_missing"), [1]),
        (TransientError("down"), [1, 2, 3, 4, 5, 6, 7, 8]),
        (ZeroDivisionError("Asha Rao"), [1, 2, 3]),
    ],
)
async def test_what_is_given_up_is_dead_lettered_and_its_run_is_told(
    broker: Any, error: Exception, attempts: list[int]
) -> None:
    await broker.declare(FAILURES)
    syncs = Syncs(broker, *[error] * 8)
    await syncs.run()
    assert syncs.attempts == attempts
    (letter,) = await broker.dead_letters.newest()
    assert decode(letter.envelope) == SYNC
    (failure,) = [decode(item) for item in broker.published if item.routing_key == "sync.failed"]
    assert isinstance(failure, SyncFailed)
    assert (failure.run_id, failure.stage) == ("r", "fetcher")
    assert "Asha" not in failure.model_dump_json() + letter.reason


async def test_rate_limits_do_not_use_up_attempts(broker: Any) -> None:
    syncs = Syncs(broker, *[RateLimited("slow down")] * 30, TransientError("down"))
    await syncs.run()
    assert syncs.attempts == [1] * 31 + [2]
    assert not await broker.dead_letters.newest()


async def test_an_undecodable_message_is_dead_lettered_with_the_reason(broker: Any) -> None:
    syncs = Syncs(broker)
    await syncs.router.start()
    good = encode(SYNC)
    foreign = encode(batch(0))
    await broker.publish(
        [
            Envelope("sync.requested", b"{", good.headers),
            Envelope("sync.requested", good.body, {}),
            Envelope("sync.requested", good.body, {**good.headers, "ce-time": "soon"}),
            Envelope("sync.requested", foreign.body, foreign.headers),
        ]
    )
    await syncs.finish()
    assert syncs.contexts == []
    reasons = [letter.reason.partition(":")[0] for letter in await broker.dead_letters.newest()]
    assert sorted(reasons) == [
        "undecodable_message",
        "undecodable_message",
        "unexpected_message",
        "unknown_message_type",
    ]


def changed(message: Message, **fields: Any) -> Envelope:
    """The message as another version of the hub might send it."""
    sent = encode(message)
    return Envelope(sent.routing_key, orjson.dumps({**orjson.loads(sent.body), **fields}), sent.headers)


def failures_in(broker: Any) -> list[SyncFailed]:
    return [decode(item) for item in broker.published if item.routing_key == "sync.failed" and item.message]


class Batches(Syncs):
    """Takes batches and failures, and expects to decode none."""

    def __init__(self, broker: Any, **subscription: Any) -> None:
        super().__init__(broker)
        queue = Subscription("unread", ("batch.fetched", "sync.failed"), **subscription)
        self.router.add(queue, dict.fromkeys((BatchFetched, SyncFailed), self.start_sync))

    async def give_up(self, envelope: Envelope) -> None:
        await self.router.start()
        await self.broker.publish([envelope])
        await wait_until(lambda: has_letters(self.broker, 1))
        assert await self.router.stop(5)


async def has_letters(broker: Any, count: int) -> bool:
    return await broker.dead_letters.count() == count


async def test_a_run_is_told_of_a_message_that_cannot_be_decoded(broker: Any) -> None:
    await broker.declare(FAILURES)
    batches = Batches(broker)
    await batches.give_up(changed(batch(0), origin="Asha", rows=[{"name": "Asha"}]))
    (failure,) = failures_in(broker)
    assert (failure.college_id, failure.integration_id, failure.run_id, failure.data_type) == ("c", "i", "r", "marks")
    assert (failure.error_class, failure.code) == (ErrorClass.BUG, "undecodable_message")
    assert failure.public == "An internal error stopped this sync; the operators have been told."
    assert "Asha" not in failure.model_dump_json()
    assert batches.router.counts() == {"messages_undecodable": 1}


async def test_a_message_of_an_unknown_type_fails_the_run_that_it_names(broker: Any) -> None:
    await broker.declare(FAILURES)
    sent = changed(SYNC, dataType="hostels")
    await Batches(broker).give_up(Envelope("batch.fetched", sent.body, {"ce-type": "io.studenthub.batch.fetched.v9"}))
    (failure,) = failures_in(broker)
    assert (failure.run_id, failure.data_type, failure.code) == ("r", None, "unknown_message_type")


async def test_a_message_by_a_binding_that_an_older_version_left_fails_no_run(broker: Any) -> None:
    """Brokers keep bindings; whoever is meant by the message has it in a queue of their own."""
    await broker.declare(FAILURES)
    await broker.declare(Subscription("unread", ("sync.requested",)))
    batches = Batches(broker)
    await batches.give_up(encode(SYNC))
    assert not failures_in(broker)
    assert [letter.reason.partition(":")[0] for letter in await broker.dead_letters.newest()] == ["unexpected_message"]
    assert batches.router.counts() == {"messages_undecodable": 1}


async def test_a_message_that_cannot_be_decoded_is_not_given_up_before_its_run_has_been_told(broker: Any) -> None:
    await broker.declare(FAILURES)
    broker.errors["sync.failed"] = [Unavailable("down")]
    batches = Batches(broker)
    await batches.router.start()
    await broker.publish([changed(batch(0), origin="Asha")])
    await wait_until(lambda: not broker.errors["sync.failed"])
    await stays(lambda: not failures_in(broker))
    assert (await broker.depth("unread"), await broker.dead_letters.count()) == (1, 0)
    assert batches.router.counts() == {"messages_undecodable": 0}
    assert await batches.router.stop(5)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"collegeId": "c"}', b'"text"'])
async def test_a_message_that_names_no_run_is_counted_and_in_the_log(broker: Any, body: bytes) -> None:
    batches = Batches(broker)
    with structlog.testing.capture_logs() as lines:
        await batches.give_up(Envelope("batch.fetched", body, encode(batch(0)).headers))
    assert not failures_in(broker)
    assert batches.router.counts() == {"messages_undecodable": 1}
    (line,) = [line for line in lines if line["event"] == "delivery.undecodable"]
    assert (line["log_level"], line["queue"]) == ("error", "unread")


async def test_a_failure_that_cannot_be_decoded_does_not_report_itself(broker: Any) -> None:
    failure = failure_of(SYNC, stage="fetcher", error=TransientError("down"), now=NOW)
    await Batches(broker).give_up(changed(failure, stage=7))
    assert not failures_in(broker)


async def test_a_live_view_that_cannot_decode_a_message_fails_no_run(broker: Any) -> None:
    await broker.declare(FAILURES)
    await Batches(broker, durable=False).give_up(changed(batch(0), origin="Asha"))
    assert not failures_in(broker)


async def test_a_handler_that_hangs_is_stopped_and_retried(broker: Any) -> None:
    async def hang() -> Sequence[Message]:
        await asyncio.Event().wait()
        return []

    syncs = Syncs(broker, hang, handling_limit_s=0.05)
    await syncs.run()
    assert syncs.attempts == [1, 2]


async def test_a_handlers_own_timeout_is_a_bug_and_not_the_deadline(broker: Any) -> None:
    await broker.declare(FAILURES)
    syncs = Syncs(broker, *[TimeoutError()] * 3)
    await syncs.run()
    assert syncs.attempts == [1, 2, 3]
    assert [letter.reason for letter in await broker.dead_letters.newest()] == ["internal_error"]


async def test_stop_finishes_what_is_in_flight_and_gives_back_the_rest(broker: Any) -> None:
    release = asyncio.Event()

    async def wait() -> Sequence[Message]:
        await release.wait()
        return []

    syncs = Syncs(broker, wait, subscription=Subscription("syncs", ("sync.requested",), prefetch=1))
    await syncs.router.start()
    await Publisher(broker).publish(SYNC, SYNC, SYNC)
    await wait_until(lambda: len(syncs.contexts) == 1)
    stopping = asyncio.create_task(syncs.router.stop(5))
    await stays(lambda: not stopping.done(), 0.05)
    release.set()
    assert await stopping
    assert (len(syncs.contexts), await broker.depth("syncs")) == (1, 2)


async def test_stop_says_so_when_a_handler_did_not_finish(broker: Any) -> None:
    async def hang() -> Sequence[Message]:
        await asyncio.Event().wait()
        return []

    syncs = Syncs(broker, hang)
    await syncs.router.start()
    await Publisher(broker).publish(SYNC)
    await wait_until(lambda: len(syncs.contexts) == 1)
    assert not await syncs.router.stop(0.05)
    assert await broker.depth("syncs") == 1
    again = Syncs(broker)
    await again.router.start()
    await again.finish()
    assert again.attempts == [1]


async def test_one_run_shares_one_trace(broker: Any) -> None:
    await broker.declare(BATCHES)
    syncs = Syncs(broker, [batch(0)])
    await syncs.run()
    first, second = broker.published
    assert first.headers["traceparent"] == second.headers["traceparent"] == syncs.bound[0]["traceparent"]
    assert len(first.headers["traceparent"]) == 55
    await Publisher(broker).publish(batch(1))
    assert broker.published[-1].headers["traceparent"] != first.headers["traceparent"]


async def test_what_is_published_while_handling_a_request_joins_its_trace(broker: Any) -> None:
    await broker.declare(BATCHES)
    with structlog.contextvars.bound_contextvars(traceparent="00-a-b-01"):
        await Publisher(broker).publish(batch(0))
    assert broker.published[0].headers["traceparent"] == "00-a-b-01"


async def test_a_handlers_log_lines_carry_the_ids(broker: Any) -> None:
    syncs = Syncs(broker)
    await syncs.run()
    bound = syncs.bound[0]
    assert {key: bound[key] for key in ("college_id", "integration_id", "run_id", "message_id", "queue")} == {
        "college_id": "c",
        "integration_id": "i",
        "run_id": "r",
        "message_id": SYNC.message_id,
        "queue": "syncs",
    }
    assert structlog.contextvars.get_contextvars() == {}


async def test_logs_never_hold_the_text_of_an_unexpected_error(broker: Any) -> None:
    await broker.declare(FAILURES)
    name = "Asha Rao"

    async def stumble() -> Sequence[Message]:
        try:
            return {}[name]
        except KeyError as error:
            raise ZeroDivisionError(f"no marks of {name}") from error

    syncs = Syncs(broker, *[stumble] * 3)
    with structlog.testing.capture_logs() as lines:
        await syncs.run()
    events = [line["event"] for line in lines]
    assert events.count("delivery.retried") == 2
    assert events.count("delivery.dead_lettered") == 1
    assert "Asha" not in repr(lines)
    for part in ("stumble", "ZeroDivisionError", "KeyError"):
        assert part in repr(lines)


async def test_every_routing_key_has_a_handler(broker: Any) -> None:
    router = Router(broker, service="fetcher")

    async def handle(message: Message, context: Context) -> Sequence[Message]:
        return []

    for keys in [("sync.requested", "batch.fetched"), ("batch.fetched",), ()]:
        with pytest.raises(InvalidInput):
            router.add(Subscription("syncs", keys), {SyncRequested: handle})
    router.add(SYNCS, {SyncRequested: handle})
    await router.start()
    with pytest.raises(Conflict):
        router.add(SYNCS, {SyncRequested: handle})
    await router.stop()


async def has_depth(broker: Any, queue: str, depth: int) -> bool:
    return bool(await broker.depth(queue) == depth)
