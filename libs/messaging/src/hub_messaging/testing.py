"""What adapters and services are tested with."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

_PAUSE_S = 0.005


async def wait_until(condition: Callable[[], bool | Awaitable[bool]], deadline_s: float = 5) -> None:
    """Return as soon as ``condition`` holds; fail when it does not within ``deadline_s``."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + deadline_s
    while True:
        holds = condition()
        if inspect.isawaitable(holds):
            holds = await holds
        if holds:
            return
        if loop.time() > deadline:
            raise AssertionError(f"not within {deadline_s:g} s: {inspect.getsource(condition).strip()}")
        await asyncio.sleep(_PAUSE_S)
