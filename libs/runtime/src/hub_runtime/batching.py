"""Joins work that many ask for at once: one write for a hundred events costs little more than one for one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Runs ``work`` on what has gathered, in at most ``max_rounds`` rounds at once; the rest gathers for the next.

    ``work`` returns one result per item, in order. What it raises is raised to everyone of its round.
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
        if self._running < self._max_rounds:
            self._running += 1
            task = asyncio.create_task(self._run_rounds())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _run_rounds(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._max_items], self._waiting[self._max_items :]
                await self._run_round(batch)
        finally:
            # Here and not when the task is done: an item that comes between the two would wait for ever.
            self._running -= 1

    async def _run_round(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._work([item for item, _ in batch])
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
