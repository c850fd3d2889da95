"""Publishing messages: what services use outside handlers, and the router for what handlers return."""

import asyncio
import secrets
from collections.abc import Sequence

import structlog
from hub_model.errors import QueueFull
from hub_model.messages import Message

from hub_messaging.broker import Broker, Envelope
from hub_messaging.clock import Clock, utc_now
from hub_messaging.envelope import encode

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0


class Publisher:
    """Encodes messages and publishes them confirmed.

    A message joins the trace of what is being handled (``traceparent`` in structlog's context), or begins one.
    """

    def __init__(self, broker: Broker, *, source: str = "hub", clock: Clock = utc_now) -> None:
        self._broker = broker
        self._source = source
        self._clock = clock

    async def publish(self, *messages: Message) -> None:
        """Return when every message is confirmed; errors are those of ``Broker.publish``."""
        await self._broker.publish(self._encode(messages))

    async def publish_patiently(self, messages: Sequence[Message], *, patience_s: float) -> None:
        """Publish; while a queue is full, wait and try again for up to ``patience_s``, then raise QueueFull."""
        envelopes = self._encode(messages)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return await self._broker.publish(envelopes)
            except QueueFull:
                if loop.time() + pause_s > deadline:
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _encode(self, messages: Sequence[Message]) -> list[Envelope]:
        traceparent = structlog.contextvars.get_contextvars().get("traceparent") or new_traceparent()
        now = self._clock()
        return [encode(message, source=self._source, now=now, traceparent=traceparent) for message in messages]


def new_traceparent() -> str:
    """The header of a fresh W3C trace."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
