"""Work that may follow the answer: accepting receipts and telling a college about refused requests."""

import asyncio
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress

import structlog
from hub_model.errors import HubError
from hub_storage.repositories import Receipts

log = structlog.get_logger(__name__)

_ROUND = 50
_MAX_BACKLOG = 50_000


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


class Acceptor:
    """Marks receipts as accepted, unhurriedly, so that a burst of events is answered first.

    A receipt that stays pending, because the process died or the backlog is full, costs nothing but a repeated
    message, should its sender send the event again.
    """

    def __init__(self, receipts: Receipts, background: Background, *, pause_s: float = 0.1) -> None:
        self._receipts = receipts
        self._background = background
        self._pause_s = pause_s
        self._waiting: deque[str] = deque(maxlen=_MAX_BACKLOG)
        self._hurry = asyncio.Event()
        self._is_running = False

    def add(self, receipt_id: str) -> None:
        self._waiting.append(receipt_id)
        if not self._is_running:
            self._is_running = True
            self._background.start(self._accept_all())

    def hurry(self) -> None:
        """Do the rest without pauses: the process stops."""
        self._hurry.set()

    async def _accept_all(self) -> None:
        try:
            while self._waiting:
                await self._pause()
                ids = [self._waiting.popleft() for _ in range(min(_ROUND, len(self._waiting)))]
                await asyncio.gather(*(self._receipts.accept(receipt_id) for receipt_id in ids))
        finally:
            self._is_running = False

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause_s):
                await self._hurry.wait()
