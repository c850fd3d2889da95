"""ASGI middleware that refuses a request body over a limit before anybody parses it."""

import asyncio

from hub_model.errors import TooLarge
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_runtime.http import problem_response

_MAX_DISCARDED_BYTES = 16 * 1024 * 1024
_DISCARD_S = 2.0


class BodyLimitMiddleware:
    """Reads the body up to ``max_bytes`` and hands it on whole; one byte more is answered with 413.

    Chunked bodies, which announce no length, are counted as they arrive. A client that goes away while sending is
    not answered.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _announced_length(scope) > self._max_bytes:
            await self._refuse(scope, receive, send, unread=True)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._max_bytes:
                await self._refuse(scope, receive, send, unread=more)
                return
        await self._app(scope, _replay(bytes(body), receive), send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, *, unread: bool) -> None:
        error = TooLarge(f"The body is larger than {self._max_bytes} bytes; send less.")
        # A connection closed on unread bytes is reset, and many clients then never see the answer: a body that is
        # only somewhat too large is read to its end and forgotten.
        if unread:
            await _discard(receive)
        # Closing tells the client to stop sending the rest.
        response = problem_response(error, scope, headers={"connection": "close"})
        await response(scope, receive, send)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the body once and then waits for the disconnect."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def _discard(receive: Receive) -> None:
    discarded, more = 0, True
    try:
        async with asyncio.timeout(_DISCARD_S):
            while more and discarded <= _MAX_DISCARDED_BYTES:
                message = await receive()
                discarded += len(message.get("body", b""))
                more = message.get("more_body", False)
    except TimeoutError:
        return


def _announced_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
