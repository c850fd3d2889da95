"""Every line logged while a message is handled names the message, its college and its run, and joins its trace."""

import asyncio

import structlog
from hub_model.messages import RunMessage

from hub_messaging.failures import facts_of
from hub_messaging.handling import Done, GiveUp, Middleware, Outcome, Received, Step, TryAgain
from hub_messaging.publisher import new_traceparent

log = structlog.get_logger(__name__)


def log_context() -> Middleware:
    """Bind the ids and the ``traceparent`` to structlog's context, and log what became of the message."""

    def around(step: Step) -> Step:
        async def run(received: Received) -> Outcome:
            loop = asyncio.get_running_loop()
            began = loop.time()
            with structlog.contextvars.bound_contextvars(**_fields(received)):
                outcome = await step(received)
                _log_outcome(outcome, duration_ms=round((loop.time() - began) * 1000, 1))
                return outcome

        return run

    return around


def _fields(received: Received) -> dict[str, object]:
    message = received.message
    fields: dict[str, object] = {
        "message_name": message.name,
        "message_id": received.context.message_id,
        "attempt": received.context.attempt,
        "queue": received.subscription.queue,
        "college_id": message.college_id,
        "integration_id": message.integration_id,
        "traceparent": received.delivery.envelope.headers.get("traceparent") or new_traceparent(),
    }
    if isinstance(message, RunMessage):
        fields["run_id"] = message.run_id
    return fields


def _log_outcome(outcome: Outcome, *, duration_ms: float) -> None:
    match outcome:
        case Done():
            log.debug("delivery.done", duration_ms=duration_ms)
        case TryAgain(delay_s, error):
            log.warning("delivery.retried", delay_s=round(delay_s, 1), duration_ms=duration_ms, **facts_of(error))
        case GiveUp(reason, error):
            log.error("delivery.dead_lettered", reason=reason, duration_ms=duration_ms, **facts_of(error))
