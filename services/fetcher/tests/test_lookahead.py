"""Asking ahead: in order, bounded to what was asked, and nothing left running."""

import asyncio

import pytest
from hub_fetcher.source import Page, Tries
from hub_fetcher.walking.lookahead import Lookahead
from hub_fetcher.walking.window import Window
from hub_messaging.testing import wait_until
from hub_model.errors import Unavailable


class Reads:
    """Answers when it is let; knows what is under way."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.gate = asyncio.Event()
        self.let_late = asyncio.Event()
        self.sizes: dict[str, int] = {}
        self.refused: set[str] = set()

    async def __call__(self, url: str, tries: Tries) -> Page:
        self.begun.append(url)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(url)
            raise
        if url == "late":
            await self.let_late.wait()
        if url == "bad":
            raise Unavailable("bad")
        if url in self.refused:
            self.refused.discard(url)
            tries.troubled()
            await tries.again()
            self.begun.append(url)
        return Page(body=url, size=self.sizes.get(url, 1))


def window(size: int = 4) -> Window:
    return Window(size, most=16, most_bytes=1000)


async def test_pages_are_under_way_together_and_taken_in_order() -> None:
    reads = Reads()
    async with Lookahead(reads, window()) as ahead:
        await ahead.ask(["a", "b", "c"])
        await wait_until(lambda: reads.begun == ["a", "b", "c"])
        reads.gate.set()
        assert [(await ahead.take(url)).body for url in "abc"] == ["a", "b", "c"]
    assert reads.begun == ["a", "b", "c"]


async def test_asking_for_more_keeps_what_is_under_way() -> None:
    reads = Reads()
    async with Lookahead(reads, window()) as ahead:
        await ahead.ask(["a", "b"])
        await ahead.ask(["a", "b", "c"])
        await wait_until(lambda: len(reads.begun) == 3)
    assert reads.begun == ["a", "b", "c"]


async def test_a_wrong_guess_is_given_up_as_soon_as_it_shows() -> None:
    reads = Reads()
    async with Lookahead(reads, window()) as ahead:
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
    async with Lookahead(reads, window()) as ahead:
        await ahead.ask(["a", "bad", "b"])
        assert (await ahead.take("a")).body == "a"
        with pytest.raises(Unavailable):
            await ahead.take("bad")


async def test_nothing_is_left_running() -> None:
    reads = Reads()
    async with Lookahead(reads, window()) as ahead:
        await ahead.ask(["a", "b"])
        await wait_until(lambda: len(reads.begun) == 2)
    assert reads.cancelled == ["a", "b"]


async def test_no_more_is_under_way_or_waiting_for_its_turn_than_the_window_lets() -> None:
    reads = Reads()
    reads.gate.set()
    async with Lookahead(reads, window(2)) as ahead:
        await ahead.ask(["a", "b", "c", "d"])
        await wait_until(lambda: reads.begun == ["a", "b"])
        await ahead.ask(["a", "b", "c", "d"])
        await ahead.take("a")
        await ahead.ask(["b", "c", "d"])
        await wait_until(lambda: len(reads.begun) == 3)
    assert reads.begun == ["a", "b", "c"]


async def test_pages_larger_than_expected_leave_room_for_fewer() -> None:
    reads = Reads()
    reads.sizes = dict.fromkeys("abcdefgh", 400)
    reads.gate.set()
    async with Lookahead(reads, window(4)) as ahead:
        await ahead.ask(list("abcd"))
        await ahead.take("a")
        for taken, wanted in (("b", "bcdefgh"), ("c", "cdefgh")):
            await ahead.ask(list(wanted))
            await ahead.take(taken)
        assert reads.begun == list("abcd")
        await ahead.ask(list("defgh"))
        await wait_until(lambda: len(reads.begun) == 5)
        assert (await ahead.take("d")).body == "d"
    assert reads.begun == list("abcde")


async def test_a_narrower_window_keeps_what_is_under_way_and_asks_for_no_more() -> None:
    reads = Reads()
    narrowed = window(4)
    async with Lookahead(reads, narrowed) as ahead:
        await ahead.ask(list("abcd"))
        await wait_until(lambda: len(reads.begun) == 4)
        narrowed.troubled()
        reads.gate.set()
        for index, url in enumerate("ab"):
            await ahead.take(url)
            await ahead.ask(list("abcdefgh")[index + 1 :])
        assert reads.begun == list("abcd")
        await ahead.take("c")
        await ahead.ask(list("defgh"))
        await wait_until(lambda: len(reads.begun) == 5)
    assert reads.cancelled == []


async def test_a_list_cut_short_is_no_wrong_guess() -> None:
    reads = Reads()
    async with Lookahead(reads, window()) as ahead:
        await ahead.ask(["a", "b", "c"])
        await wait_until(lambda: len(reads.begun) == 3)
        await ahead.ask(["a", "b"])
        assert reads.cancelled == []
    assert reads.begun == ["a", "b", "c"]


async def test_refused_pages_are_tried_again_in_their_order_and_no_more_at_once_than_the_window_lets() -> None:
    reads = Reads()
    reads.refused = set("abcd")
    narrowed = window(4)
    async with Lookahead(reads, narrowed) as ahead:
        await ahead.ask(list("abcd"))
        await wait_until(lambda: len(reads.begun) == 4)
        reads.gate.set()
        await wait_until(lambda: not reads.refused)
        assert narrowed.size == 1
        assert reads.begun == list("abcda")  # the first was within reach when it was refused
        assert (await ahead.take("a")).body == "a"
        assert (await ahead.take("b")).body == "b"
        await wait_until(lambda: len(reads.begun) == 7)
        assert [(await ahead.take(url)).body for url in "cd"] == ["c", "d"]
    assert reads.begun == list("abcdabcd")


async def test_once_a_page_ahead_has_failed_nothing_more_is_asked() -> None:
    reads = Reads()
    reads.gate.set()
    async with Lookahead(reads, window()) as ahead:
        await ahead.ask(["a", "bad", "late", "b"])
        await ahead.take("a")
        await ahead.ask(["bad", "late", "b", "c"])
        with pytest.raises(Unavailable):
            await ahead.take("bad")
        taking = asyncio.create_task(ahead.take("late"))
        reads.let_late.set()
        assert (await taking).body == "late"
    assert reads.begun == ["a", "bad", "late", "b"]


async def test_a_page_that_comes_in_between_leaves_under_way_what_follows_it() -> None:
    reads = Reads()
    async with Lookahead(reads, window(3)) as ahead:
        await ahead.ask(["a", "b", "c"])
        await wait_until(lambda: len(reads.begun) == 3)
        reads.gate.set()
        await ahead.take("a")
        await ahead.ask(["a2", "b", "c", "d"])
        assert [(await ahead.take(url)).body for url in ("a2", "b", "c")] == ["a2", "b", "c"]
    assert [reads.begun.count(url) for url in ("a2", "b", "c")] == [1, 1, 1]
    assert reads.cancelled == []


async def test_the_next_page_is_asked_for_though_the_window_is_full_and_what_is_not_wanted_any_more_is_dropped() -> (
    None
):
    reads = Reads()
    async with Lookahead(reads, window(2)) as ahead:
        await ahead.ask(["a", "b"])
        await wait_until(lambda: len(reads.begun) == 2)
        await ahead.ask(["x", "b", "c"])
        await wait_until(lambda: len(reads.begun) == 3)
        assert (reads.begun, reads.cancelled) == (["a", "b", "x"], ["a"])
        await ahead.ask(["y", "x", "b"])
        await wait_until(lambda: reads.begun == ["a", "b", "x", "y"])
        assert (ahead.has("y"), reads.cancelled) == (True, ["a"])
