"""Joins work that many ask for at once: one write for a hundred events costs little more than one for one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from hub_model.errors import Unavailable

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Runs ``work`` on what has gathered, in at most ``max_rounds`` rounds at once; the rest gathers for the next.

    ``work`` returns one result per item, in order. What it raises is raised to everyone of its round; if it is
    cancelled, that is Unavailable.
    """

    def __init__(
        self,
        work: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        max_items: int = 64,
        max_rounds: int = 2,
    ) -> None:
        self._work = work
        self._max_items = max_items
        self._max_rounds = max_rounds
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = 0

    async def do(self, item: T) -> R:
        """The item's result. A caller that is cancelled does not stop the round."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._begin()
        return await future

    def _begin(self) -> None:
        if self._running < self._max_rounds:
            self._running += 1
            task = asyncio.create_task(self._run_rounds())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run_rounds(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._max_items], self._waiting[self._max_items :]
                await self._run_round(batch)
        finally:
            # Here and not when the task is done: an item that comes between the two would wait for ever.
            self._running -= 1
            # Work that was cancelled ends this task. Who waits behind it has not been cancelled.
            if any(not future.done() for _, future in self._waiting):
                self._begin()

    async def _run_round(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._work([item for item, _ in batch])
            settled = list(zip(batch, results, strict=True))
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(_as_told(error))
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), result in settled:
            if not future.done():
                future.set_result(result)


def _as_told(error: BaseException) -> BaseException:
    # A caller that is told CancelledError takes it for its own, and whoever handles it would do nothing more.
    return Unavailable("what was asked for was cut off") if isinstance(error, asyncio.CancelledError) else error
