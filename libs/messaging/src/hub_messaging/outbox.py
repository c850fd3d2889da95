"""Publishing what a handler gives, while it goes on giving: in a window, so memory stays flat."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from hub_model.messages import Message

from hub_messaging.publisher import Publisher

_WINDOW = 4
_PATIENCE_S = 60.0


class Outbox:
    """Publishes one handler's results. Full queues are waited for here, so the handler is not run again for them."""

    def __init__(self, publisher: Publisher, *, window: int = _WINDOW, patience_s: float = _PATIENCE_S) -> None:
        self._publisher = publisher
        self._window = window
        self._patience_s = patience_s

    async def publish_all(self, result: Awaitable[Sequence[Message]] | AsyncIterator[Message]) -> None:
        """Return when everything the handler returned or yielded is confirmed; raise the first error otherwise.

        At most ``window`` yielded messages are unconfirmed; then the generator waits.

        Invariant: a message that hands the work over is published after everything before it is confirmed.
        """
        if isinstance(result, Awaitable):
            messages = await result
            for hands_over in (False, True):
                if group := [message for message in messages if message.hands_over is hands_over]:
                    await self._publisher.publish_patiently(group, patience_s=self._patience_s)
            return
        await self._publish_as_yielded(result)

    async def _publish_as_yielded(self, messages: AsyncIterator[Message]) -> None:
        unconfirmed: set[asyncio.Task[None]] = set()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(_end_all, unconfirmed)
            stack.push_async_callback(_close, messages)
            async for message in messages:
                if message.hands_over:
                    await _confirm(unconfirmed, at_most=0)
                unconfirmed.add(
                    asyncio.create_task(self._publisher.publish_patiently([message], patience_s=self._patience_s))
                )
                await _confirm(unconfirmed, at_most=self._window - 1)
            await _confirm(unconfirmed, at_most=0)


async def _confirm(unconfirmed: set[asyncio.Task[None]], *, at_most: int) -> None:
    """Wait until no more than ``at_most`` are unconfirmed; raise what one of them raised."""
    while True:
        for task in [task for task in unconfirmed if task.done()]:
            unconfirmed.discard(task)
            task.result()
        if len(unconfirmed) <= at_most:
            return
        await asyncio.wait(unconfirmed, return_when=asyncio.FIRST_COMPLETED)


async def _end_all(unconfirmed: set[asyncio.Task[None]]) -> None:
    """Leave nothing running behind. What was handed to the broker goes on there; receivers know repetitions."""
    for task in unconfirmed:
        task.cancel()
    await asyncio.gather(*unconfirmed, return_exceptions=True)


async def _close(messages: Any) -> None:
    """End a generator that was left early, so that its ``finally`` runs now."""
    if hasattr(messages, "aclose"):
        await messages.aclose()
