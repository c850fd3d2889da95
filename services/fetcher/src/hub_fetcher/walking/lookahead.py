"""Asking for pages before their turn, so that a slow source is waited for once and not page by page."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from hub_fetcher.requests.request import SourceRequest
from hub_fetcher.source import Page, Tries
from hub_fetcher.walking.window import Window

Read = Callable[[SourceRequest, Tries], Awaitable[Page]]


class Lookahead:
    """Requests under way, in the order in which their pages will be taken, as many as the window lets.

    What is asked ahead is a guess: a page that is wanted and was not asked for is fetched as ever, and guesses that
    are no longer wanted are dropped. Errors come to light when their page's turn comes, and not at all if it does not;
    meanwhile nothing more is asked.
    """

    def __init__(self, read: Read, window: Window) -> None:
        self._read = read
        self._window = window
        self._ahead: dict[SourceRequest, asyncio.Task[Page]] = {}
        self._moved = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._drop()

    async def ask(self, requests: Sequence[SourceRequest]) -> None:
        """Have these under way, in this order, as far as there is room."""
        wanted = list(dict.fromkeys(requests))
        if list(self._ahead)[: len(wanted)] == wanted:
            return  # a list that was cut short is no wrong guess
        if any(request not in wanted for request in self._ahead):
            await self._drop(keeping=frozenset(wanted))
        if not any(_has_failed(task) for task in self._ahead.values()):
            for request in wanted:
                # The next page is asked for in any case: it may be one that nobody foresaw, before those that were.
                if request not in self._ahead and (len(self._ahead) < self._window.places or request == wanted[0]):
                    self._ahead[request] = asyncio.create_task(self._fetch(request))
        self._ahead = {request: self._ahead[request] for request in wanted if request in self._ahead}

    def has(self, request: SourceRequest) -> bool:
        """Whether this page is the next under way."""
        return next(iter(self._ahead), None) == request

    async def take(self, request: SourceRequest) -> Page:
        """The page of ``request``, asked for ahead or now."""
        if not self.has(request):
            await self._drop()
            return await self._fetch(request)
        task = self._ahead[request]
        if not task.done() and len(self._ahead) >= self._window.size:
            self._window.was_short()
        try:
            return await task
        finally:
            del self._ahead[request]
            self._moved.set()
            self._moved = asyncio.Event()

    async def within_reach(self, request: SourceRequest) -> None:
        """Return when this page is among those that the window lets be under way."""
        while request in list(self._ahead)[self._window.places :]:
            await self._moved.wait()

    async def _fetch(self, request: SourceRequest) -> Page:
        tries = _Tries(self, self._window, request)
        loop = asyncio.get_running_loop()
        started = loop.time()
        page = await self._read(request, tries)
        self._window.arrived(page.size)
        if not tries.were_troubled:
            self._window.answered(loop.time() - started)
        return page

    async def _drop(self, keeping: frozenset[SourceRequest] = frozenset()) -> None:
        tasks = [task for request, task in self._ahead.items() if request not in keeping]
        self._ahead = {request: task for request, task in self._ahead.items() if request in keeping}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Tries(Tries):
    """The tries of one page: trouble narrows the window, and outside of it a page is not tried again yet."""

    def __init__(self, ahead: Lookahead, window: Window, request: SourceRequest) -> None:
        self.were_troubled = False
        self._ahead = ahead
        self._window = window
        self._request = request

    def troubled(self) -> None:
        self.were_troubled = True
        self._window.troubled()

    async def again(self) -> None:
        await self._ahead.within_reach(self._request)


def _has_failed(task: asyncio.Task[Page]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
