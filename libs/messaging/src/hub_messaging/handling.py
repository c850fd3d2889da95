"""What a handler is, and what middleware is."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub_model.messages import Message


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
Handler = Callable[[Any, Context], Awaitable[Sequence[Message]] | AsyncIterator[Message]]
