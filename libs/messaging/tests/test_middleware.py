"""Middleware on its own, around a step that the test plays."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hub_messaging.broker import Delivery, Envelope, Subscription
from hub_messaging.envelope import decode, encode
from hub_messaging.handling import Context, Done, GiveUp, Outcome, Received, TryAgain
from hub_messaging.middleware import RetryPolicy, failure_reporting, retry_policy
from hub_messaging.publisher import Publisher
from hub_model.errors import ErrorClass, SourceError, Unavailable, Unroutable
from hub_model.messages import IntegrationChanged, Message, StreamFinished, SyncFailed

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GONE = SourceError("404", error_class=ErrorClass.CONFIG, code="endpoint_missing", public="Check the address.")
STREAM = StreamFinished(
    college_id="c",
    integration_id="i",
    run_id="r",
    data_type="marks",
    batches=1,
    pages=1,
    records=1,
    complete=True,
    finished_at=NOW,
)
FAILED = SyncFailed(
    college_id="c", integration_id="i", run_id="r", stage="s", error_class="bug", code="x", public="x", failed_at=NOW
)
CHANGED = IntegrationChanged(college_id="c", integration_id="i", change="created", revision=1, changed_at=NOW)


class Unsettled(Delivery):
    """A delivery nobody may settle: that is the router's business."""

    def __init__(self, message: Message, delivery_count: int = 1) -> None:
        self.envelope = encode(message)
        self.attempt = 1
        self.copy_id = "copy"
        self.delivery_count = delivery_count

    async def ack(self) -> None:
        raise AssertionError

    async def retry(self, delay_s: float, *, counted: bool = True) -> None:
        raise AssertionError

    async def dead_letter(self, reason: str) -> None:
        raise AssertionError


class Wire:
    """Where a publisher's envelopes go; raises ``error`` instead, if there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[Message] = []
        self._error = error

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        if self._error is not None:
            raise self._error
        self.sent.extend(decode(envelope) for envelope in envelopes)


def received(message: Message, *, durable: bool = True, delivery_count: int = 1, attempt: int = 1) -> Received:
    return Received(
        delivery=Unsettled(message, delivery_count),
        message=message,
        context=Context(message.message_id, "copy", attempt, NOW),
        subscription=Subscription("queue", (message.name,), durable=durable),
        age_s=0,
    )


async def report(wire: Any, outcome: Outcome, delivery: Received) -> Outcome:
    async def step(_: Received) -> Outcome:
        return outcome

    return await failure_reporting(Publisher(wire), stage="writer", clock=lambda: NOW)(step)(delivery)


GIVEN_UP = GiveUp("endpoint_missing", GONE)


async def test_a_run_is_told_of_a_message_that_is_given_up() -> None:
    wire = Wire()
    assert await report(wire, GIVEN_UP, received(STREAM)) == GIVEN_UP
    (failure,) = wire.sent
    assert isinstance(failure, SyncFailed)
    assert (failure.run_id, failure.data_type, failure.stage) == ("r", "marks", "writer")
    assert (failure.error_class, failure.code, failure.public) == ("config", "endpoint_missing", "Check the address.")


@pytest.mark.parametrize("error", [Unavailable("down"), RuntimeError("a bug")])
async def test_a_message_is_not_given_up_before_its_run_has_been_told(error: Exception) -> None:
    assert isinstance(await report(Wire(error), GIVEN_UP, received(STREAM)), TryAgain)


async def test_a_failure_that_can_never_be_told_does_not_keep_the_message() -> None:
    assert await report(Wire(Unroutable("nobody")), GIVEN_UP, received(STREAM)) == GIVEN_UP


@pytest.mark.parametrize(
    ("outcome", "delivery"),
    [
        (Done(), received(STREAM)),
        (TryAgain(5, GONE), received(STREAM)),
        (GIVEN_UP, received(CHANGED)),
        (GIVEN_UP, received(FAILED)),
        (GIVEN_UP, received(STREAM, durable=False)),
    ],
    ids=["done", "tried again", "no run", "itself a failure", "a live view"],
)
async def test_nothing_else_is_reported(outcome: Outcome, delivery: Received) -> None:
    wire = Wire()
    assert await report(wire, outcome, delivery) == outcome
    assert wire.sent == []


async def test_a_message_that_kills_the_process_is_given_up_before_the_broker_does() -> None:
    handled: list[Received] = []

    async def step(delivery: Received) -> Outcome:
        handled.append(delivery)
        return Done()

    run = retry_policy(RetryPolicy(), jitter=lambda: 0.5)(step)
    assert await run(received(STREAM, delivery_count=3)) == Done()
    outcome = await run(received(STREAM, delivery_count=4))
    assert isinstance(outcome, TryAgain)
    assert (outcome.delay_s, outcome.counted) == (15, True)
    outcome = await run(received(STREAM, delivery_count=4, attempt=8))
    assert isinstance(outcome, GiveUp)
    assert (outcome.reason, len(handled)) == ("crash_loop", 1)
