"""A loop that calls one thing at a time, at every multiple of its period, until it is stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog
from hub_messaging.failures import log_failure
from hub_model.errors import Unavailable

log = structlog.get_logger(__name__)


class Ticker:
    """Calls ``tick(now)`` for as long as the process lives. A tick that fails is logged; the next one tries again."""

    def __init__(
        self, tick: Callable[[datetime], Awaitable[None]], *, period_s: float, clock: Callable[[], datetime]
    ) -> None:
        self._tick = tick
        self._period_s = period_s
        self._clock = clock
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; the first tick is at once, so that a restart does not wait."""
        self._stopping.clear()
        self._task = asyncio.create_task(self._run(), name="scheduler-ticker")

    async def stop(self, grace_s: float) -> bool:
        """Let the tick under way finish, for up to ``grace_s``; says whether it did."""
        if self._task is None:
            return True
        self._stopping.set()
        _, pending = await asyncio.wait([self._task], timeout=grace_s)
        for task in pending:
            task.cancel()
            await asyncio.wait([task])
        self._task = None
        return not pending

    async def check(self) -> None:
        """Return if it ticks; raise Unavailable if not."""
        if self._task is None or self._task.done():
            raise Unavailable("the scheduler does not tick")

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._tick(self._clock())
            except Exception as error:  # noqa: BLE001 - whatever it is, integrations must not stop being synced
                log_failure(log, "scheduler.tick_failed", error)
            await self._wait()

    async def _wait(self) -> None:
        """Until the next multiple of the period, or until the end is asked for."""
        pause_s = self._period_s - self._clock().timestamp() % self._period_s
        try:
            async with asyncio.timeout(pause_s):
                await self._stopping.wait()
        except TimeoutError:
            return
