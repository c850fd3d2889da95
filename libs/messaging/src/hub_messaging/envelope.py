"""Messages as bytes and back: CloudEvents 1.0 in binary mode, in the form Knative uses on RabbitMQ.

Attributes are ``ce-`` headers, the body is the data as JSON. Batches hold hundreds of records, so the body is
written from the model's own fields in one pass, without a dumped copy of the records.
"""

from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
from hub_model.base import format_datetime, parse_datetime
from hub_model.encoded import Encoded
from hub_model.errors import InvalidInput
from hub_model.messages import REGISTRY, Message, RunMessage
from hub_model.records import DataType
from pydantic import BaseModel, ValidationError

from hub_messaging.broker import Envelope
from hub_messaging.clock import utc_now

_TYPE_PREFIX = "io.studenthub."
# The default knows how instants are written (orjson's own form differs in the last digits), and whose text is known.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def encode(
    message: Message, *, source: str = "hub", now: datetime | None = None, traceparent: str | None = None
) -> Envelope:
    """The message as CloudEvents; ``now`` becomes its time, from which its age is counted."""
    at = now or utc_now()
    time = format_datetime(at)

    def default(value: object) -> object:
        # Many a message tells of the instant at which it is sent, and writing one costs as much as the rest of it.
        return time if value is at else _default(value)

    headers = {
        "ce-specversion": "1.0",
        "ce-id": message.message_id,
        "ce-type": event_type(type(message)),
        "ce-source": f"/studenthub/{source}",
        "ce-subject": message.subject,
        "ce-time": time,
        "content-type": "application/json",
    }
    if traceparent is not None:
        headers["traceparent"] = traceparent
    return Envelope(
        routing_key=message.name,
        body=orjson.dumps(_data(message), default=default, option=_OPTIONS),
        headers=headers,
        mandatory=message.mandatory,
        message=message,
    )


def message_of(envelope: Envelope) -> Message:
    """The message itself where the envelope still carries it, else the one in its bytes; raises as ``decode`` does."""
    return decode(envelope) if envelope.message is None else envelope.message


def decode(envelope: Envelope) -> Message:
    """The message in the envelope; InvalidInput if its type is unknown or its body is not of that type.

    The error names the fields and never their values: a body holds student data.
    """
    event = envelope.headers.get("ce-type", "")
    message_type = _types().get(event)
    if message_type is None:
        raise InvalidInput(f"unknown message type {event!r}", code="unknown_message_type")
    try:
        return message_type.model_validate(orjson.loads(envelope.body))
    except orjson.JSONDecodeError:
        raise InvalidInput(f"the body of {event} is not JSON", code="undecodable_message") from None
    except ValidationError as error:
        issues = error.errors(include_url=False, include_context=False, include_input=False)
        places = sorted({".".join(str(part) for part in issue["loc"][:2]) for issue in issues})
        raise InvalidInput(f"the body is not a {event}: see {', '.join(places)}", code="undecodable_message") from None


class _StreamMessage(RunMessage):
    data_type: DataType


def remains_of(envelope: Envelope) -> RunMessage | None:
    """College, run and stream of a message that cannot be decoded, as far as its body still tells; None if it does not.

    A message of another version of the hub is JSON with the same ids, whatever else is in it.
    """
    for kind in (_StreamMessage, RunMessage):
        try:
            return kind.model_validate(orjson.loads(envelope.body))
        except (orjson.JSONDecodeError, ValidationError):
            continue
    return None


def sent_at(envelope: Envelope) -> datetime:
    """When the message was first published; InvalidInput if the envelope does not say."""
    try:
        return parse_datetime(envelope.headers["ce-time"])
    except (KeyError, ValueError):
        raise InvalidInput("the message has no usable ce-time", code="undecodable_message") from None


def event_type(message_type: type[Message]) -> str:
    """The CloudEvents type, such as ``io.studenthub.batch.fetched.v1``."""
    return f"{_TYPE_PREFIX}{message_type.name}.v{message_type.version}"


@lru_cache(maxsize=1)
def _types() -> dict[str, type[Message]]:
    return {event_type(message_type): message_type for message_type in REGISTRY.values()}


@lru_cache(maxsize=256)
def _fields(model: type[BaseModel]) -> tuple[tuple[str, str], ...]:
    return tuple((name, info.serialization_alias or name) for name, info in model.model_fields.items())


def _data(model: BaseModel) -> dict[str, Any]:
    values = model.__dict__
    return {alias: values[name] for name, alias in _fields(type(model))}


def _default(value: object) -> object:
    if isinstance(value, datetime):
        return format_datetime(value)
    if isinstance(value, BaseModel):
        return _data(value)
    if isinstance(value, Encoded):
        return orjson.Fragment(value.json)
    raise TypeError(f"{type(value).__name__} has no JSON form")
