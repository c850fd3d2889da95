"""A run is told when one of its messages is given up, so that it fails where a principal can see it."""

from datetime import datetime

import structlog
from hub_model.errors import PermanentError
from hub_model.messages import RunMessage, SyncFailed, failure_of

from hub_messaging.clock import Clock
from hub_messaging.failures import log_failure
from hub_messaging.handling import GiveUp, Middleware, Outcome, Received, Step, TryAgain
from hub_messaging.publisher import Publisher

log = structlog.get_logger(__name__)

_PAUSE_S = 30.0


def failure_reporting(publisher: Publisher, *, stage: str, clock: Clock) -> Middleware:
    """Publish ``failure_of`` the message before it is dead-lettered.

    Invariant: a message is not given up before its run has been told.

    If that cannot be published now, the message waits and is tried again. Left out are queues that are not durable
    (a live view that stumbles is no failure of the run) and SyncFailed itself (a failure that cannot be recorded
    would report itself for ever; the scheduler fails a run that stands still).
    """

    def around(step: Step) -> Step:
        async def run(received: Received) -> Outcome:
            outcome = await step(received)
            message = received.message
            if not isinstance(outcome, GiveUp) or not isinstance(message, RunMessage):
                return outcome
            if isinstance(message, SyncFailed) or not received.subscription.durable:
                return outcome
            return await tell_run(publisher, message, outcome, stage=stage, now=clock())

        return run

    return around


async def tell_run(
    publisher: Publisher, message: RunMessage, outcome: GiveUp, *, stage: str, now: datetime
) -> GiveUp | TryAgain:
    """``outcome``, once the message's run has heard of it; until then the message waits."""
    try:
        await publisher.publish(failure_of(message, stage=stage, error=outcome.error, now=now))
    except PermanentError as error:
        log_failure(log, "delivery.failure_unreportable", error)
    except Exception as error:  # noqa: BLE001 - whatever kept the run from being told, the message stays and is tried again
        log_failure(log, "delivery.failure_not_reported", error)
        return TryAgain(_PAUSE_S, error)
    return outcome
