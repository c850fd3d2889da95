"""What must hold of a request before its signature is looked at: its headers, and a body of bounded size and time."""

import asyncio
import re
from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from types import coroutine
from typing import Any, TypeVar

from hub_model.errors import TooLarge
from starlette.exceptions import HTTPException
from starlette.types import Receive

RawHeaders = list[tuple[bytes, bytes]]
T = TypeVar("T")

_JSON = re.compile(
    rb'application/(?:json|[a-z0-9!#$&^_.+-]+\+json)(?:\s*;\s*charset\s*=\s*"?utf-?8"?\s*)?', re.IGNORECASE
)


@dataclass(slots=True)
class WebhookHeaders:
    """``signature`` is the legacy one; ``is_standard``: there is any header of Standard Webhooks.

    Not frozen, though nobody changes one: there is one for every request.
    """

    raw: RawHeaders
    signature: bytes | None
    is_standard: bool
    is_json: bool

    def only(self, name: str) -> str | None:
        """A header's value; empty if it came twice, since parsers differ in which one they take.

        Read as UTF-8, which is how secrets beyond ASCII are sent; any other byte stays one that no secret has.
        """
        wanted = name.lower().encode()
        values = [value for key, value in self.raw if key == wanted]
        return None if not values else values[0].decode("utf-8", "surrogateescape") if len(values) == 1 else ""

    def decoded(self) -> list[tuple[str, str]]:
        """All of them, repetitions included."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.raw]

    def require_json(self) -> None:
        """Raise HTTPException 415 for anything but plain JSON."""
        if not self.is_json:
            raise HTTPException(415, "Send Content-Type: application/json, in UTF-8.")


def check_headers(headers: RawHeaders, *, max_bytes: int) -> WebhookHeaders:
    """Raise TooLarge for an announced length over the limit, HTTPException 415 for a body that is encoded."""
    content_type: bytes | None = None
    signature: bytes | None = None
    is_standard = False
    for name, value in headers:
        if name == b"content-type":
            # A second one makes both unusable, as parsers differ in which one they take.
            content_type = value if content_type is None else b""
        elif name == b"content-length" and value.isdigit() and (len(value) > 18 or int(value) > max_bytes):
            raise too_large(max_bytes)
        elif name == b"content-encoding" and value.strip().lower() not in (b"identity", b""):
            raise HTTPException(415, "Send the body as it is signed: without a Content-Encoding.")
        elif name == b"x-webhook-signature":
            signature = value if signature is None else b""
        elif name.startswith(b"webhook-"):
            is_standard = is_standard or name in (b"webhook-id", b"webhook-timestamp", b"webhook-signature")
    is_json = content_type is not None and _JSON.fullmatch(content_type.strip()) is not None
    return WebhookHeaders(headers, signature, is_standard, is_json)


class BodyReader:
    """Reads one request's body, whatever length was announced."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_over = False

    async def read(self, *, max_bytes: int, deadline_s: float) -> bytes | None:
        """The whole body; None if the sender went away.

        Raises TooLarge at the first byte over the limit, and HTTPException 408 at the deadline.
        """
        try:
            return await _within(deadline_s, self._read(max_bytes))
        except TimeoutError:
            raise HTTPException(408, f"The body did not arrive within {deadline_s:g} s.") from None

    async def discard(self, *, max_bytes: int, deadline_s: float) -> bool:
        """Read on, within bounds, what nobody wants; say whether the end of the body was reached.

        A connection that is closed while data comes in is reset, and then its sender never sees the answer.
        """
        discarded = 0
        try:
            async with asyncio.timeout(deadline_s):
                while not self._is_over and discarded <= max_bytes:
                    more = await self._next()
                    if more is None:
                        return False
                    discarded += len(more)
        except TimeoutError:
            return False
        return self._is_over

    async def _read(self, max_bytes: int) -> bytes | None:
        parts: list[bytes] = []
        size = 0
        while not self._is_over:
            part = await self._next()
            if part is None:
                return None
            parts.append(part)
            size += len(part)
            if size > max_bytes:
                raise too_large(max_bytes)
        return b"".join(parts)

    async def _next(self) -> bytes | None:
        message = await self._receive()
        if message["type"] != "http.request":
            return None
        self._is_over = not message.get("more_body", False)
        part: bytes = message.get("body", b"")
        return part


async def _within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` returns; TimeoutError if it takes longer.

    The timer is set when the work first has to wait. Most bodies are there with their headers, and a timer for each,
    which the event loop keeps for a while after it is cancelled, would cost as much as verifying its signature.
    """
    try:
        waits_for = work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    async with asyncio.timeout(seconds):
        return await _go_on(work, waits_for)


@coroutine
def _go_on(work: Coroutine[Any, Any, T], waits_for: object) -> Generator[Any, Any, T]:
    """Await the rest of a coroutine that was begun by hand, and has said what it waits for."""
    try:
        yield waits_for
        result: T = yield from work
        return result
    finally:
        work.close()


def waits_for_leave(headers: RawHeaders) -> bool:
    """Whether the sender sends its body only after a 100: reading one would ask for it."""
    return any(name == b"expect" for name, _ in headers)


def too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"The body is larger than {max_bytes} bytes; send fewer records at a time.")
