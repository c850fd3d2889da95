"""Asking for pages before their turn, so that a slow source is waited for once and not page by page."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from hub_fetcher.source import Page


class Lookahead:
    """Requests under way, in the order in which their pages will be taken.

    What is asked ahead is a guess: a page that is wanted and was not asked for is fetched as ever, and the guesses
    are dropped. Errors come to light when their page's turn comes, and not at all if it does not.
    """

    def __init__(self, read: Callable[[str], Awaitable[Page]]) -> None:
        self._read = read
        self._ahead: dict[str, asyncio.Task[Page]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._drop()

    async def ask(self, urls: Sequence[str]) -> None:
        """Have these under way, in this order."""
        expected = list(self._ahead)
        if list(urls[: len(expected)]) != expected:
            await self._drop()
        for url in urls:
            if url not in self._ahead:
                self._ahead[url] = asyncio.create_task(self._fetch(url))

    def has(self, url: str) -> bool:
        """Whether this page is the next under way."""
        return next(iter(self._ahead), None) == url

    async def take(self, url: str) -> Page:
        """The page at ``url``, asked for ahead or now."""
        if self.has(url):
            return await self._ahead.pop(url)
        await self._drop()
        return await self._read(url)

    async def _fetch(self, url: str) -> Page:
        return await self._read(url)

    async def _drop(self) -> None:
        tasks = list(self._ahead.values())
        self._ahead.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
