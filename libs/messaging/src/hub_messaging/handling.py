"""What a handler is, what middleware is, and what becomes of a delivery."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub_model.messages import Message

from hub_messaging.broker import Delivery, Subscription


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler may know of its delivery.

    ``copy_id`` stays the same over redeliveries and retries of one stored copy; two copies of one message differ.
    """

    message_id: str
    copy_id: str
    attempt: int
    received_at: datetime


# A handler returns the messages to publish, or is an async generator that yields them as it goes. They are
# published and confirmed before its own message is acknowledged.
#
# A handler never changes a message or anything in it, neither the one it gets nor one it has given: within a process
# a message may be the very object that another handler gave, and other handlers may be reading it.
Handler = Callable[[Any, Context], Awaitable[Sequence[Message]] | AsyncIterator[Message]]


@dataclass(frozen=True, slots=True)
class Received:
    """A decoded delivery on its way through the middleware. ``age_s`` counts from the message's first publish."""

    delivery: Delivery
    message: Message
    context: Context
    subscription: Subscription
    age_s: float


@dataclass(frozen=True, slots=True)
class Done:
    """Everything the handler wanted published is confirmed: acknowledge."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Deliver again after ``delay_s``. Not ``counted``: the message waits, its attempts stay as they are."""

    delay_s: float
    error: Exception
    counted: bool = True


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Dead-letter with this reason."""

    reason: str
    error: Exception


Outcome = Done | TryAgain | GiveUp
Step = Callable[[Received], Awaitable[Outcome]]
Middleware = Callable[[Step], Step]
