"""Waiting without sleeping, and what stands in for handlers and messages in tests of brokers and services."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from functools import partial

from hub_messaging.broker import Delivery, Envelope, Subscription

_PAUSE_S = 0.005


async def wait_until(condition: Callable[[], bool | Awaitable[bool]], deadline_s: float = 5) -> None:
    """Return as soon as ``condition`` holds; fail when it does not within ``deadline_s``."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + deadline_s
    while not await _holds(condition):
        if loop.time() > deadline:
            raise AssertionError(f"not within {deadline_s:g} s: {_source(condition)}")
        await asyncio.sleep(_PAUSE_S)


async def stays(condition: Callable[[], bool | Awaitable[bool]], for_s: float = 0.15) -> None:
    """Fail as soon as ``condition`` stops holding; for what must not happen."""
    loop = asyncio.get_running_loop()
    end = loop.time() + for_s
    while loop.time() < end:
        assert await _holds(condition), f"ended: {_source(condition)}"
        await asyncio.sleep(_PAUSE_S)


async def _holds(condition: Callable[[], bool | Awaitable[bool]]) -> bool:
    value = condition()
    return await value if inspect.isawaitable(value) else bool(value)


def _source(condition: Callable[[], bool | Awaitable[bool]]) -> str:
    return repr(condition) if isinstance(condition, partial) else inspect.getsource(condition).strip()


class Hands:
    """An ``on_delivery`` that keeps what it is handed until the test lets go.

    With ``acks`` it acknowledges at once; otherwise it holds each delivery, as a handler at work does.
    """

    def __init__(self, *, acks: bool = False) -> None:
        self.deliveries: list[Delivery] = []
        self._acks = acks
        self._release = asyncio.Event()

    async def __call__(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        if self._acks:
            await delivery.ack()
        else:
            await self._release.wait()

    @property
    def bodies(self) -> list[bytes]:
        return sorted(delivery.envelope.body for delivery in self.deliveries)

    async def hold(self, count: int, deadline_s: float = 5) -> list[Delivery]:
        """Wait until this many were handed over in all."""
        await wait_until(lambda: len(self.deliveries) >= count, deadline_s)
        return self.deliveries

    def let_go(self) -> None:
        """Let the handlers return."""
        self._release.set()


def envelope(body: bytes = b"", key: str = "key", *, mandatory: bool = True) -> Envelope:
    return Envelope(key, body, {"ce-id": "1"}, mandatory)


WORK = Subscription("work", ("key",))
