"""Envelopes as AMQP messages and back.

Beside the envelope's own headers travel ours, ``x-hub-...``: a message changes queues and routing keys on its way, so
it says itself where it belongs. Headers of the broker, such as ``x-death``, are never sent back to it: RabbitMQ
3.10 would count on from them.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage
from hub_model.base import format_datetime
from hub_model.ids import derived_id, new_id

from hub_messaging.broker import DeadLetter, Envelope

_CONTENT_TYPE = "content-type"
_OURS = "x-hub-"
_KEY, _COPY, _ATTEMPT, _LEFT = "x-hub-key", "x-hub-copy", "x-hub-attempt", "x-hub-left-s"
_QUEUE, _REASON, _DIED_AT = "x-hub-queue", "x-hub-reason", "x-hub-died-at"
_OF_THE_BROKER = ("x-death", "x-delivery-count", "x-acquired-count", "x-first-death-", "x-last-death-", "x-opt-")
_MAX_REASON = 2000


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message and where it goes."""

    exchange: str
    routing_key: str
    message: Message
    mandatory: bool
    about: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a delivered AMQP message says. ``left_s``: it has to wait this long before it is handed out."""

    envelope: Envelope
    copy: str
    attempt: int
    redeliveries: int
    left_s: float


def outgoing(exchange: str, envelope: Envelope) -> Outgoing:
    """A fresh copy of the message for every queue bound to its routing key."""
    message = _message(envelope, {_COPY: new_id()})
    return Outgoing(exchange, envelope.routing_key, message, envelope.mandatory, envelope.routing_key)


def again(queue: str, incoming: Incoming, *, attempt: int, left_s: float) -> Outgoing:
    """The same copy on its way through ``queue``, which is a work queue or a rung of its ladder."""
    ours: dict[str, str | int] = {_COPY: incoming.copy, _ATTEMPT: attempt, **({_LEFT: str(left_s)} if left_s else {})}
    return Outgoing("", queue, _message(incoming.envelope, ours), True, queue)


def dead(dead_queue: str, incoming: Incoming, *, queue: str, reason: str, died_at: datetime) -> Outgoing:
    """The same copy for the dead letters, with where it died, why and when."""
    ours: dict[str, str | int] = {
        _COPY: incoming.copy,
        _ATTEMPT: incoming.attempt,
        _QUEUE: queue,
        _REASON: reason[:_MAX_REASON],
        _DIED_AT: format_datetime(died_at),
    }
    return Outgoing("", dead_queue, _message(incoming.envelope, ours), True, dead_queue)


def anew(queue: str, envelope: Envelope) -> Outgoing:
    """A fresh copy for one queue alone."""
    return Outgoing("", queue, _message(envelope, {_COPY: new_id()}), True, queue)


def read(message: AbstractIncomingMessage) -> Incoming:
    """What the message says, also if it was published by somebody who does not know our headers."""
    headers = message.headers
    return Incoming(
        envelope=Envelope(str(headers.get(_KEY, message.routing_key or "")), message.body, _own_headers(message)),
        copy=str(headers.get(_COPY) or message.message_id or hashlib.sha256(message.body).hexdigest()),
        attempt=_number(headers, _ATTEMPT, 1),
        redeliveries=_number(headers, "x-delivery-count", int(bool(message.redelivered))),
        left_s=_seconds(headers.get(_LEFT)),
    )


def copy_id(incoming: Incoming, queue: str) -> str:
    """Each queue has a copy of its own, though they were published as one."""
    return derived_id(incoming.copy, queue)


def read_dead(message: AbstractIncomingMessage) -> DeadLetter:
    """The dead letter, whether we or the broker put it there."""
    headers, incoming = message.headers, read(message)
    deaths: Any = headers.get("x-death") or [{}]
    by_broker: Mapping[str, Any] = deaths[0]
    queue = str(headers.get(_QUEUE) or by_broker.get("queue") or "unknown")
    time = by_broker.get("time")
    return DeadLetter(
        id=copy_id(incoming, queue),
        queue=queue,
        envelope=incoming.envelope,
        reason=str(headers.get(_REASON) or by_broker.get("reason") or "unknown"),
        attempt=incoming.attempt,
        died_at=str(headers.get(_DIED_AT) or (format_datetime(time) if isinstance(time, datetime) else "")),
    )


def _message(envelope: Envelope, ours: Mapping[str, str | int]) -> Message:
    headers = {name: value for name, value in envelope.headers.items() if name != _CONTENT_TYPE}
    return Message(
        envelope.body,
        headers={**headers, _KEY: envelope.routing_key, **ours},
        content_type=envelope.headers.get(_CONTENT_TYPE),
        delivery_mode=DeliveryMode.PERSISTENT,
    )


def _own_headers(message: AbstractIncomingMessage) -> dict[str, str]:
    headers = {
        name: str(value)
        for name, value in message.headers.items()
        if isinstance(value, str | int | float) and not name.startswith((_OURS, *_OF_THE_BROKER))
    }
    if message.content_type is not None:
        headers[_CONTENT_TYPE] = message.content_type
    return headers


def _seconds(value: object) -> float:
    try:
        seconds = float(str(value)) if value is not None else 0.0
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0


def _number(headers: Mapping[str, Any], name: str, default: int) -> int:
    value = headers.get(name, default)
    return value if isinstance(value, int) else default
