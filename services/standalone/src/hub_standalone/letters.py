"""A dead letter in words an operator may see: ids, counts and field names, never what a field holds.

A message carries student data (``records``, ``rejects``) and where a source is to be asked on (``position``, which
may hold a token). So values are shown only of fields that are one plain value: ids, numbers, instants, and the texts
that the hub itself wrote. Of anything else it is shown how much there is and what its fields are called.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from hub_messaging.broker import DeadLetter
from hub_messaging.envelope import decode
from hub_model.base import format_datetime
from hub_model.errors import InvalidInput
from hub_model.messages import Message, Reject
from pydantic import BaseModel

_KNOWN_HEADERS = re.compile(r"ce-(specversion|id|type|source|subject|time)|content-type|traceparent")
# A name that is none of these may be a value: objects are also used as tables from a roll number to a mark.
_FIELD_NAME = re.compile(r"(?!.*\d.*\d)[A-Za-z_][\w.-]{0,39}", re.ASCII)
_SUBJECT = "ce-subject"
_MAX_NAMES = 40
_MAX_TEXT = 500


@dataclass(frozen=True, slots=True)
class Facts:
    """What a letter is about. Without a ``college_id`` nobody can say whose message it was."""

    letter_id: str
    queue: str
    died_at: str
    attempt: int
    reason: str
    message_name: str
    college_id: str | None
    integration_id: str | None

    @property
    def about(self) -> str:
        return f"{self.college_id}/{self.integration_id}" if self.college_id else "unknown"


def facts_of(letter: DeadLetter) -> Facts:
    """Read from the message, or where it cannot be read from the subject its envelope names."""
    message = _message(letter)
    if message is not None:
        college_id, integration_id = message.college_id, message.integration_id
    else:
        college_id, _, integration_id = letter.envelope.headers.get(_SUBJECT, "").rpartition("/")
    return Facts(
        letter_id=letter.id,
        queue=plain(letter.queue),
        died_at=plain(letter.died_at),
        attempt=letter.attempt,
        reason=plain(letter.reason),
        message_name=plain(letter.envelope.routing_key),
        college_id=plain(college_id) or None,
        integration_id=plain(integration_id) or None,
    )


def describe(letter: DeadLetter) -> list[str]:
    """The letter in lines: where and why it died, its headers, its message."""
    facts = facts_of(letter)
    lines = [
        f"id        {facts.letter_id}",
        f"died      {facts.died_at} in {facts.queue}, on attempt {facts.attempt}",
        f"about     {facts.about}",
        f"reason    {facts.reason}",
        "headers",
    ]
    for name, value in sorted(letter.envelope.headers.items()):
        shown = plain(value) if _KNOWN_HEADERS.fullmatch(name) else f"({len(value)} characters)"
        lines.append(f"  {plain(name)}: {shown}")
    message = _message(letter)
    if message is None:
        kind = plain(letter.envelope.headers.get("ce-type", "")) or "of no type"
        lines.append(f"message   cannot be read: {kind}, {len(letter.envelope.body)} bytes")
        return lines
    lines.append(f"message   {message.name}, {len(letter.envelope.body)} bytes")
    lines += [f"  {name}: {_shown(getattr(message, name))}" for name in type(message).model_fields]
    return lines


def plain(text: str, *, most: int = _MAX_TEXT) -> str:
    """The text on one line, cut after ``most`` characters; what would steer a terminal is left out."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return line if len(line) <= most else f"{line[:most]}..."


def _message(letter: DeadLetter) -> Message | None:
    try:
        return decode(letter.envelope)
    except InvalidInput:
        return None


def _shown(value: Any) -> str:
    match value:
        case str():
            return plain(value)
        case datetime():
            return format_datetime(value)
        case BaseModel():
            return ", ".join(f"{name} {_shown(getattr(value, name))}" for name in type(value).model_fields)
        case dict() | list() | tuple():
            return _outline(value)
        case _:
            return str(value) if value is None or isinstance(value, int | float) else type(value).__name__


def _outline(values: Collection[Any]) -> str:
    """How much there is, and what its fields are called. Members of an enum are the hub's own words."""
    if values and all(isinstance(value, Enum) for value in values):
        return ", ".join(values)
    if isinstance(values, dict):
        return f"{_number(len(values), 'field')}{_names(values)}"
    return f"{_number(len(values), 'item')}{_names(name for value in values for name in _fields(value))}"


def _fields(item: Any) -> Iterable[str]:
    """A reject's fields are those of the raw record in it."""
    raw = item.raw if isinstance(item, Reject) else item
    return raw if isinstance(raw, dict) else ()


def _names(names: Iterable[str]) -> str:
    found = list(Counter(names))
    shown = [name for name in found if _FIELD_NAME.fullmatch(name)][:_MAX_NAMES]
    if hidden := len(found) - len(shown):
        shown.append(f"and {hidden} more")
    return _listed(shown)


def _listed(names: Sequence[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
