"""How often and how long: the decision is a pure function, the middleware only asks it."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from hub_model.errors import BackendUnavailable, PermanentError, QueueFull, RateLimited, TransientError

from hub_messaging.handling import GiveUp, Middleware, Outcome, Received, Step, TryAgain

# Nothing is wrong with the message, so waiting does not count against it.
_WAITS = (RateLimited, BackendUnavailable, QueueFull)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The bounds. ``crash_limit`` lies below the brokers' own delivery limit, so that the run is told first."""

    ladder_s: tuple[float, ...] = (5, 30, 120, 600, 3600, 21600)
    max_attempts: int = 8
    bug_attempts: int = 3
    max_age_s: float = 24 * 3600
    crash_limit: int = 3
    set_aside_s: float = 30
    wait_s: tuple[float, float] = (30, 3600)
    outage_s: tuple[float, float] = (5, 50)


def decide(policy: RetryPolicy, error: Exception, *, attempt: int, age_s: float, jitter: float) -> TryAgain | GiveUp:
    """What becomes of a message whose handling failed. ``jitter`` in [0, 1) spreads retries over +-20 %.

    RateLimited: the message waits as long as it is told (else a quarter of its age, within ``wait_s``), uncounted.
    BackendUnavailable and QueueFull: a quarter of its age, within ``outage_s``, uncounted. So a minute after the hub's
    own broker or store is back everything goes on, however long it was away. Other TransientErrors climb the ladder,
    never faster than the error says. PermanentErrors are given up at once, bugs after ``bug_attempts``. Nothing is
    delayed past ``max_age_s``.
    """
    if isinstance(error, PermanentError):
        return GiveUp(error.code, error)
    if not isinstance(error, TransientError):
        if attempt >= policy.bug_attempts:
            return GiveUp("internal_error", error)
        return TryAgain(_spread(_rung(policy, attempt), jitter), error)
    waits = isinstance(error, _WAITS)
    if attempt >= policy.max_attempts and not waits:
        return GiveUp(f"{error.code}: {attempt} attempts", error)
    delay_s = _delay_s(policy, error, attempt=attempt, age_s=age_s, jitter=jitter)
    if age_s + delay_s > policy.max_age_s:
        return GiveUp(f"{error.code}: {age_s / 3600:.1f} hours", error)
    return TryAgain(delay_s, error, counted=not waits)


def after_crashes(policy: RetryPolicy, delivery_count: int, *, attempt: int, jitter: float) -> TryAgain | GiveUp | None:
    """What becomes of a message that was handed out so often without an end; None: it is handled.

    A process that dies takes all that it holds with it, and nobody can tell which of them was the cause. So they are
    set aside for times that differ: they come back apart, the innocent are done, and only what dies again and again
    uses up its attempts.
    """
    if delivery_count <= policy.crash_limit:
        return None
    error = _CrashLoop(delivery_count)
    if attempt >= policy.max_attempts:
        return GiveUp("crash_loop", error)
    return TryAgain(policy.set_aside_s * jitter, error)


def longest_delay_s(policy: RetryPolicy, error: TransientError, *, attempt: int) -> float:
    """The most that ``decide`` lets a message wait after this error, at any age and jitter."""
    return _delay_s(policy, error, attempt=attempt, age_s=policy.max_age_s, jitter=1.0)


def retry_policy(policy: RetryPolicy, *, jitter: Callable[[], float] = random.random) -> Middleware:
    """Turn an error into the outcome that ``decide`` names."""

    def around(step: Step) -> Step:
        async def run(received: Received) -> Outcome:
            attempt = received.context.attempt
            crashes = after_crashes(policy, received.delivery.delivery_count, attempt=attempt, jitter=jitter())
            if crashes is not None:
                return crashes
            try:
                return await step(received)
            except Exception as error:  # noqa: BLE001 - every error gets a decision, none is lost
                return decide(policy, error, attempt=attempt, age_s=received.age_s, jitter=jitter())

        return run

    return around


class _CrashLoop(PermanentError):
    """The process has died this often while it handled the message."""

    code = "crash_loop"

    def __init__(self, count: int) -> None:
        super().__init__(
            f"handed out {count} times without an end",
            public="An internal error stopped this sync; the operators have been told.",
        )


def _delay_s(policy: RetryPolicy, error: TransientError, *, attempt: int, age_s: float, jitter: float) -> float:
    match error:
        case BackendUnavailable() | QueueFull():
            wanted = _by_age(age_s, policy.outage_s)
        case RateLimited(retry_after_s=None):
            wanted = _by_age(age_s, policy.wait_s)
        case RateLimited():
            wanted = 0.0
        case _:
            wanted = _rung(policy, attempt)
    return max(_spread(wanted, jitter), (error.retry_after_s or 0.0) * (1 + jitter / 10))


def _by_age(age_s: float, bounds_s: tuple[float, float]) -> float:
    least_s, most_s = bounds_s
    return min(max(age_s / 4, least_s), most_s)


def _rung(policy: RetryPolicy, attempt: int) -> float:
    return policy.ladder_s[min(attempt, len(policy.ladder_s)) - 1]


def _spread(delay_s: float, jitter: float) -> float:
    return delay_s * (0.8 + 0.4 * jitter)
