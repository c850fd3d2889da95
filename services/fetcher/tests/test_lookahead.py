"""Asking ahead: in order, bounded to what was asked, and nothing left running."""

import asyncio

import pytest
from hub_fetcher.lookahead import Lookahead
from hub_fetcher.source import Page
from hub_messaging.testing import wait_until
from hub_model.errors import Unavailable


class Reads:
    """Answers when it is let; knows what is under way."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.gate = asyncio.Event()

    async def __call__(self, url: str) -> Page:
        self.begun.append(url)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(url)
            raise
        if url == "bad":
            raise Unavailable("bad")
        return Page(body=url, size=1)


async def test_pages_are_under_way_together_and_taken_in_order() -> None:
    reads = Reads()
    async with Lookahead(reads) as ahead:
        await ahead.ask(["a", "b", "c"])
        await wait_until(lambda: reads.begun == ["a", "b", "c"])
        reads.gate.set()
        assert [(await ahead.take(url)).body for url in "abc"] == ["a", "b", "c"]
    assert reads.begun == ["a", "b", "c"]


async def test_asking_for_more_keeps_what_is_under_way() -> None:
    reads = Reads()
    async with Lookahead(reads) as ahead:
        await ahead.ask(["a", "b"])
        await ahead.ask(["a", "b", "c"])
        await wait_until(lambda: len(reads.begun) == 3)
    assert reads.begun == ["a", "b", "c"]


async def test_a_wrong_guess_is_given_up_as_soon_as_it_shows() -> None:
    reads = Reads()
    async with Lookahead(reads) as ahead:
        await ahead.ask(["a", "b"])
        await wait_until(lambda: len(reads.begun) == 2)
        await ahead.ask(["x", "y"])
        assert reads.cancelled == ["a", "b"]
        await wait_until(lambda: len(reads.begun) == 4)
        reads.gate.set()
        assert (await ahead.take("z")).body == "z"
        assert not ahead.has("x")


async def test_an_error_comes_to_light_when_its_turn_comes() -> None:
    reads = Reads()
    reads.gate.set()
    async with Lookahead(reads) as ahead:
        await ahead.ask(["a", "bad", "b"])
        assert (await ahead.take("a")).body == "a"
        with pytest.raises(Unavailable):
            await ahead.take("bad")


async def test_nothing_is_left_running() -> None:
    reads = Reads()
    async with Lookahead(reads) as ahead:
        await ahead.ask(["a", "b"])
        await wait_until(lambda: len(reads.begun) == 2)
    assert reads.cancelled == ["a", "b"]
