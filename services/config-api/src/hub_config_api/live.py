"""Live events: what happened lately, and who is listening. Knows nothing of HTTP.

Memory is bounded on both sides: the feed keeps a fixed number of events, and a listener that does not keep up loses
what waits for it and is told to start over.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from hub_messaging.handling import Context
from hub_model.errors import RateLimited
from hub_model.ids import new_id
from hub_model.messages import (
    BatchWritten,
    IntegrationChanged,
    Message,
    RecordsChanged,
    SyncFinished,
)

LIVE_MESSAGES = (BatchWritten, SyncFinished, RecordsChanged, IntegrationChanged)
RESET = "reset"
_WAITING = 256


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event as a listener gets it. ``id`` is opaque: it names a place in this feed of this process."""

    id: str
    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class _Entry:
    number: int
    college_id: str
    event: LiveEvent


class LiveStream:
    """One listener's events, in order. Ends when the feed closes."""

    def __init__(self, *, waiting: int = _WAITING) -> None:
        self._waiting: deque[LiveEvent] = deque()
        self._limit = waiting
        self._wake = asyncio.Event()
        self.closed = False

    def offer(self, event: LiveEvent, *, reset: LiveEvent) -> None:
        """Add an event; a listener that has fallen behind gets ``reset`` in place of everything it missed."""
        if len(self._waiting) >= self._limit:
            self._waiting.clear()
            self._waiting.append(reset)
        else:
            self._waiting.append(event)
        self._wake.set()

    def close(self) -> None:
        self.closed = True
        self._wake.set()

    async def next(self, timeout_s: float) -> LiveEvent | None:
        """The next event, or None when none came in time or the stream is closed."""
        if not self._waiting and not self.closed:
            self._wake.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._wake.wait()
            except TimeoutError:
                return None
        return self._waiting.popleft() if self._waiting else None


class LiveFeed:
    """Hands each event to the streams of its college, and remembers the last ``backlog`` of them."""

    def __init__(self, *, backlog: int, streams_per_college: int) -> None:
        self._epoch = new_id()[:8]
        self._number = 0
        self._recent: deque[_Entry] = deque(maxlen=backlog)
        self._streams: dict[str, set[LiveStream]] = {}
        self._streams_per_college = streams_per_college
        self._closed = False

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return sum(map(len, self._streams.values()))

    async def show_event(self, message: Message, _: Context) -> Sequence[Message]:
        """The handler of every live message."""
        self.add(message)
        return []

    def add(self, message: Message) -> None:
        """Remember the message and offer it to whoever listens in its college."""
        self._number += 1
        event = LiveEvent(self._id(self._number), message.name, _data(message))
        self._recent.append(_Entry(self._number, message.college_id, event))
        for stream in self._streams.get(message.college_id, ()):
            stream.offer(event, reset=self._reset())

    def open(self, college_id: str, *, after: str | None = None) -> LiveStream:
        """A stream from now on, or from behind the event ``after``.

        When that event is no longer remembered, or another process gave it, the stream begins with a reset.
        """
        streams = self._streams.setdefault(college_id, set())
        if len(streams) >= self._streams_per_college:
            raise RateLimited(
                f"{college_id} has {len(streams)} live streams open",
                retry_after_s=15,
                public="Too many live views are open; close one and try again.",
            )
        stream = LiveStream()
        for event in self._missed(college_id, after):
            stream.offer(event, reset=self._reset())
        if self._closed:
            stream.close()
        streams.add(stream)
        return stream

    def leave(self, college_id: str, stream: LiveStream) -> None:
        """Forget a stream whose listener is gone."""
        streams = self._streams.get(college_id, set())
        streams.discard(stream)
        if not streams:
            self._streams.pop(college_id, None)

    def close(self) -> None:
        """End every stream; later ones end at once."""
        self._closed = True
        for streams in self._streams.values():
            for stream in streams:
                stream.close()

    def _missed(self, college_id: str, after: str | None) -> list[LiveEvent]:
        if after is None:
            return []
        epoch, _, number = after.partition("-")
        oldest = self._number - len(self._recent)
        if epoch != self._epoch or not number.isdecimal() or not oldest <= int(number) <= self._number:
            return [self._reset()]
        return [entry.event for entry in self._recent if entry.number > int(number) and entry.college_id == college_id]

    def _reset(self) -> LiveEvent:
        return LiveEvent(self._id(self._number), RESET, b"{}")

    def _id(self, number: int) -> str:
        return f"{self._epoch}-{number}"


def _data(message: Message) -> bytes:
    """The message as JSON, without the college, which is the listener's own."""
    data: dict[str, Any] = message.model_dump(mode="json", by_alias=True, exclude={"college_id"})
    return orjson.dumps(data)
