"""Brings messages to handlers and settles them by what the handlers did.

    decode -> middleware -> handler -> publish what it gives, confirmed -> acknowledge

Invariant: publish before ack.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from hub_model.errors import Conflict, InvalidInput, PermanentError
from hub_model.messages import Message, SyncFailed

from hub_messaging.broker import Broker, Consumer, Delivery, Subscription
from hub_messaging.clock import Clock, utc_now
from hub_messaging.envelope import message_of, remains_of, sent_at
from hub_messaging.failures import log_failure
from hub_messaging.handling import Context, Done, GiveUp, Handler, Middleware, Outcome, Received, Step, TryAgain
from hub_messaging.middleware import RetryPolicy, deadline, failure_reporting, log_context, retry_policy, tell_run
from hub_messaging.outbox import Outbox
from hub_messaging.publisher import Publisher

log = structlog.get_logger(__name__)

HANDLING_LIMIT_S = 600.0
_NOT_UNDERSTOOD = "An internal error stopped this sync; the operators have been told."


@dataclass(frozen=True, slots=True)
class _Route:
    subscription: Subscription
    handlers: Mapping[type[Message], Handler]
    step: Step


class _Misdirected(InvalidInput):
    """A message that can be read, and that this queue has no handler for."""

    code = "unexpected_message"


class Router:
    """The handlers of one service and the queues they serve."""

    def __init__(
        self,
        broker: Broker,
        *,
        service: str,
        clock: Clock = utc_now,
        policy: RetryPolicy | None = None,
        handling_limit_s: float = HANDLING_LIMIT_S,
        patience_s: float = 60.0,
    ) -> None:
        self._broker = broker
        self._service = service
        self._clock = clock
        self._policy = policy or RetryPolicy()
        self._handling_limit_s = handling_limit_s
        self._publisher = Publisher(broker, source=service, clock=clock)
        self._outbox = Outbox(self._publisher, patience_s=patience_s)
        self._routes: list[_Route] = []
        self._consumers: list[Consumer] = []
        self._counts = Counter(messages_undecodable=0)

    def add(self, subscription: Subscription, handlers: Mapping[type[Message], Handler]) -> None:
        """Serve this queue; every routing key has a handler and every handler a routing key."""
        if self._consumers:
            raise Conflict("handlers are added before the router starts")
        names = {message_type.name for message_type in handlers}
        if names != set(subscription.routing_keys):
            raise InvalidInput(
                f"{subscription.queue}: handlers for {sorted(names)}, but bound to {sorted(subscription.routing_keys)}"
            )
        step: Step = partial(self._handle, handlers)
        for middleware in reversed(self.default_middleware()):
            step = middleware(step)
        self._routes.append(_Route(subscription, handlers, step))

    def default_middleware(self) -> Sequence[Middleware]:
        """Outermost first."""
        return (
            # First, so that every later line carries the ids and the trace, and the final outcome is logged.
            log_context(),
            # Around the policy, because only the policy's verdict says that a message is given up.
            failure_reporting(self._publisher, stage=self._service, clock=self._clock),
            # Around the deadline, because running out of time is one of the errors it decides on.
            retry_policy(self._policy),
            # Innermost, so that it limits the handler and its publishing, and never the reporting of a failure.
            deadline(self._handling_limit_s),
        )

    async def start(self) -> None:
        """Declare every queue, then consume: a service's first message may lead to its own next queue."""
        for route in self._routes:
            if route.subscription.durable:
                await self._broker.declare(route.subscription)
        for route in self._routes:
            self._consumers.append(await self._broker.consume(route.subscription, partial(self._receive, route)))

    async def stop(self, grace_s: float = 25.0) -> bool:
        """Stop taking, finish what is in flight, give back the rest; says whether everything was finished."""
        return all(await asyncio.gather(*(consumer.close(grace_s) for consumer in self._consumers)))

    def counts(self) -> Mapping[str, int]:
        """For ``/metrics``: how many messages could not be decoded. Each is in the dead letters."""
        return self._counts

    async def _receive(self, route: _Route, delivery: Delivery) -> None:
        try:
            received = self._read(route, delivery)
        except PermanentError as error:
            outcome = await self._give_up_unread(route.subscription, delivery, error)
        else:
            outcome = await route.step(received)
        await _settle(delivery, outcome)

    async def _give_up_unread(self, subscription: Subscription, delivery: Delivery, error: PermanentError) -> Outcome:
        """Tell the run, where the message still says whose it was: otherwise it would only be seen to stand still.

        Not of a message that is meant for somebody else: brokers keep bindings that an older version of the hub made.
        """
        envelope = delivery.envelope
        remains = remains_of(envelope)
        ids = {} if remains is None else {"college_id": remains.college_id, "run_id": remains.run_id}
        log_failure(log, "delivery.undecodable", error, queue=subscription.queue, **ids)
        unread = GiveUp(f"{error.code}: {error}", PermanentError(str(error), code=error.code, public=_NOT_UNDERSTOOD))
        # Two versions that cannot read each other's SyncFailed would tell each other of it for ever.
        is_to_tell = subscription.durable and envelope.routing_key != SyncFailed.name
        if remains is not None and is_to_tell and not isinstance(error, _Misdirected):
            told = await tell_run(self._publisher, remains, unread, stage=self._service, now=self._clock())
            if isinstance(told, TryAgain):
                return told
        self._counts["messages_undecodable"] += 1
        return unread

    def _read(self, route: _Route, delivery: Delivery) -> Received:
        message = message_of(delivery.envelope)
        if type(message) not in route.handlers:
            raise _Misdirected(f"no handler for {message.name} on this queue")
        now = self._clock()
        return Received(
            delivery=delivery,
            message=message,
            context=Context(message.message_id, delivery.copy_id, delivery.attempt, now),
            subscription=route.subscription,
            age_s=(now - sent_at(delivery.envelope)).total_seconds(),
        )

    async def _handle(self, handlers: Mapping[type[Message], Handler], received: Received) -> Outcome:
        handler = handlers[type(received.message)]
        await self._outbox.publish_all(handler(received.message, received.context))
        return Done()


async def _settle(delivery: Delivery, outcome: Outcome) -> None:
    match outcome:
        case Done():
            await delivery.ack()
        case TryAgain(delay_s, counted=counted):
            await delivery.retry(delay_s, counted=counted)
        case GiveUp(reason):
            await delivery.dead_letter(reason)
