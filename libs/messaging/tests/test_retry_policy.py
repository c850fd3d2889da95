"""The decision how often and how long, as a pure function."""

import random
from dataclasses import dataclass

import pytest
from hub_messaging.handling import GiveUp, TryAgain
from hub_messaging.middleware import RetryPolicy, after_crashes, decide, longest_delay_s
from hub_model.errors import (
    BackendUnavailable,
    ErrorClass,
    HubError,
    InvalidInput,
    PermanentError,
    QueueFull,
    RateLimited,
    SourceError,
    TransientError,
    Unavailable,
)
from hypothesis import given
from hypothesis import strategies as st

POLICY = RetryPolicy()
DAY_S = 24 * 3600

attempts = st.integers(1, 50)
ages = st.floats(0, 3 * DAY_S)
jitters = st.floats(0, 1, exclude_max=True)
kinds = st.sampled_from([TransientError, Unavailable, BackendUnavailable, QueueFull, RateLimited])
waits = st.none() | st.floats(0, 2 * DAY_S)


def decide_at(error: Exception, *, attempt: int = 1, age_s: float = 0, jitter: float = 0.5) -> TryAgain | GiveUp:
    return decide(POLICY, error, attempt=attempt, age_s=age_s, jitter=jitter)


@pytest.mark.parametrize(
    ("attempt", "delay_s"), [(1, 5), (2, 30), (3, 120), (4, 600), (5, 3600), (6, 21600), (7, 21600)]
)
def test_a_transient_error_climbs_the_ladder(attempt: int, delay_s: float) -> None:
    error = Unavailable("down")
    assert decide_at(error, attempt=attempt) == TryAgain(delay_s, error)


def test_a_transient_error_is_given_up_at_the_eighth_attempt() -> None:
    outcome = decide_at(TransientError("down"), attempt=8)
    assert isinstance(outcome, GiveUp)
    assert outcome.reason == "transient: 8 attempts"


@pytest.mark.parametrize(
    "error", [InvalidInput("bad"), SourceError("gone", error_class=ErrorClass.CONFIG, code="not_found")]
)
def test_a_permanent_error_is_given_up_at_once(error: PermanentError) -> None:
    assert decide_at(error) == GiveUp(error.code, error)


@pytest.mark.parametrize("error", [KeyError("x"), HubError("neither branch"), TimeoutError()])
def test_anything_else_is_a_bug_and_gets_three_attempts(error: Exception) -> None:
    assert [type(decide_at(error, attempt=attempt)) for attempt in (1, 2, 3)] == [TryAgain, TryAgain, GiveUp]


@given(attempt=attempts, age_s=st.floats(0, 12 * 3600), retry_after_s=st.floats(0, 11 * 3600), jitter=jitters)
def test_rate_limits_are_bounded_by_age_and_not_by_attempts(
    attempt: int, age_s: float, retry_after_s: float, jitter: float
) -> None:
    outcome = decide_at(RateLimited("slow", retry_after_s=retry_after_s), attempt=attempt, age_s=age_s, jitter=jitter)
    assert isinstance(outcome, TryAgain) == (age_s + retry_after_s * (1 + jitter / 10) <= DAY_S)
    if isinstance(outcome, TryAgain):
        assert not outcome.counted


@given(
    error=st.sampled_from([BackendUnavailable("away"), QueueFull("full")]),
    attempt=attempts,
    age_s=st.floats(-60, DAY_S - 61),
    jitter=jitters,
)
def test_an_outage_of_the_hubs_own_broker_or_store_is_waited_out_a_minute_at_a_time_and_does_not_count(
    error: TransientError, attempt: int, age_s: float, jitter: float
) -> None:
    outcome = decide_at(error, attempt=attempt, age_s=age_s, jitter=jitter)
    assert isinstance(outcome, TryAgain)
    assert not outcome.counted
    assert 4 <= outcome.delay_s <= 60


def test_an_outage_of_a_day_is_the_end_of_a_message() -> None:
    outcome = decide_at(BackendUnavailable("away"), age_s=DAY_S)
    assert isinstance(outcome, GiveUp)
    assert outcome.reason == "unavailable: 24.0 hours"


@given(age_s=st.floats(0, 20 * 3600), jitter=jitters)
def test_a_rate_limit_without_a_time_waits_longer_the_older_the_message(age_s: float, jitter: float) -> None:
    outcome = decide_at(RateLimited("slow"), age_s=age_s, jitter=jitter)
    assert isinstance(outcome, TryAgain)
    assert 0.8 * min(max(30, age_s / 4), 3600) <= outcome.delay_s <= 1.2 * min(max(30, age_s / 4), 3600)


@given(error_type=kinds, attempt=attempts, age_s=ages, retry_after_s=waits, jitter=jitters)
def test_a_retry_is_never_sooner_than_asked_nor_later_than_the_age_limit(
    error_type: type[TransientError], attempt: int, age_s: float, retry_after_s: float | None, jitter: float
) -> None:
    outcome = decide_at(error_type("x", retry_after_s=retry_after_s), attempt=attempt, age_s=age_s, jitter=jitter)
    if isinstance(outcome, TryAgain):
        assert outcome.delay_s >= (retry_after_s or 0)
        assert age_s + outcome.delay_s <= DAY_S


@given(error=st.sampled_from([TransientError("x"), RuntimeError("x")]), attempt=st.integers(1, 7), jitter=jitters)
def test_jitter_spreads_retries_by_a_fifth(error: Exception, attempt: int, jitter: float) -> None:
    outcome = decide_at(error, attempt=attempt, jitter=jitter)
    if isinstance(outcome, TryAgain):
        rung = POLICY.ladder_s[min(attempt, 6) - 1]
        assert 0.8 * rung <= outcome.delay_s <= 1.2 * rung


@given(error_type=kinds, attempt=attempts, age_s=ages, retry_after_s=waits, jitter=jitters)
def test_no_retry_is_later_than_the_longest_delay_that_was_foretold(
    error_type: type[TransientError], attempt: int, age_s: float, retry_after_s: float | None, jitter: float
) -> None:
    error = error_type("x", retry_after_s=retry_after_s)
    outcome = decide_at(error, attempt=attempt, age_s=age_s, jitter=jitter)
    if isinstance(outcome, TryAgain):
        assert outcome.delay_s <= longest_delay_s(POLICY, error, attempt=attempt)


def test_the_longest_delay_is_close_to_what_the_source_asked_for() -> None:
    assert longest_delay_s(POLICY, RateLimited("x", retry_after_s=600), attempt=1) == pytest.approx(660)


def test_eight_attempts_fit_into_a_day() -> None:
    """So that the attempts are what ends an outage, and the age only what ends endless waiting."""
    slowest = sum(1.2 * POLICY.ladder_s[min(attempt, 6) - 1] for attempt in range(1, POLICY.max_attempts))
    assert slowest < POLICY.max_age_s


@dataclass
class Held:
    """A message of a service whose process dies of one of them, and finishes nothing else before it dies."""

    kills: bool
    ready_at: float = 0.0
    attempt: int = 1
    handed_out: int = 0


def live(queue: list[Held], now: float, rng: random.Random, *, prefetch: int) -> tuple[bool, list[Held]]:
    """One life of the process: whether it died, and what it gave up. What it finished or gave up leaves the queue."""
    held = [message for message in queue if message.ready_at <= now][:prefetch]
    handled, given_up = [], []
    for message in held:
        message.handed_out += 1
        outcome = after_crashes(POLICY, message.handed_out, attempt=message.attempt, jitter=rng.random())
        if outcome is None:
            handled.append(message)
        elif isinstance(outcome, GiveUp):
            given_up.append(message)
        else:
            message.ready_at, message.handed_out = now + outcome.delay_s, 0
            message.attempt += outcome.counted
    died = any(message.kills for message in handled)
    for message in [*given_up, *([] if died else handled)]:
        queue.remove(message)
    return died, given_up


@given(seed=st.integers(0, 2**32), prefetch=st.integers(1, 50), place=st.floats(0, 1))
def test_a_message_that_kills_its_process_is_given_up_and_takes_no_other_with_it(
    seed: int, prefetch: int, place: float
) -> None:
    rng = random.Random(seed)
    queue = [Held(kills=False) for _ in range(60)]
    queue.insert(round(place * 60), Held(kills=True))
    deaths, lost = 0, []
    for second in range(2000):
        died, given_up = live(queue, float(second), rng, prefetch=prefetch)
        deaths += died
        lost += given_up
    assert [message.kills for message in lost] == [True]
    assert queue == []
    assert deaths <= POLICY.max_attempts * POLICY.crash_limit
