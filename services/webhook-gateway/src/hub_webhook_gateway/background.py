"""Work that may follow the answer, such as telling a college about refused requests."""

import asyncio
from collections.abc import Coroutine

import structlog
from hub_model.errors import HubError

log = structlog.get_logger(__name__)


class Background:
    """Tasks that nobody waits for, until the process stops. A failure is logged: none of this work may be needed."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._run(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self, grace_s: float) -> bool:
        """Wait up to ``grace_s`` for what is under way; say whether all of it was done."""
        if not self._tasks:
            return True
        _, late = await asyncio.wait(self._tasks, timeout=grace_s)
        for task in late:
            task.cancel()
        return not late

    async def _run(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except HubError as error:
            log.warning("webhook.background_failed", error_code=error.code, exc_info=error)
