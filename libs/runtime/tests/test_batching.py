"""Joined work: everyone gets their own result, nobody waits for ever."""

import asyncio
from collections.abc import Sequence

import pytest
from hub_model.errors import Unavailable
from hub_runtime.batching import Batcher
from hypothesis import given
from hypothesis import strategies as st


class Work:
    """Doubles numbers; negative ones fail their round; waits while it is held."""

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []
        self.under_way = 0
        self.most_under_way = 0
        self.entered = asyncio.Event()
        self.free = asyncio.Event()
        self.free.set()

    async def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.rounds.append(list(items))
        self.entered.set()
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.free.wait()
            if min(items) < 0:
                raise Unavailable("down")
            return [item * 2 for item in items]
        finally:
            self.under_way -= 1


async def test_what_comes_meanwhile_goes_together_in_the_next_round() -> None:
    work = Work()
    work.free.clear()
    batcher = Batcher(work, max_items=4, max_rounds=1)
    first = asyncio.create_task(batcher.do(1))
    await work.entered.wait()
    rest = [asyncio.create_task(batcher.do(number)) for number in range(2, 8)]
    await asyncio.sleep(0)
    work.free.set()
    assert await asyncio.gather(first, *rest) == [2, 4, 6, 8, 10, 12, 14]
    assert work.rounds == [[1], [2, 3, 4, 5], [6, 7]]


@given(st.lists(st.integers(0, 100), min_size=1, max_size=40), st.integers(1, 5), st.integers(1, 3))
async def test_everyone_gets_their_own_result(numbers: list[int], max_items: int, max_rounds: int) -> None:
    work = Work()
    batcher = Batcher(work, max_items=max_items, max_rounds=max_rounds)
    async with asyncio.timeout(5):
        results = await asyncio.gather(*(batcher.do(number) for number in numbers))
    assert results == [number * 2 for number in numbers]
    assert all(len(items) <= max_items for items in work.rounds)
    assert work.most_under_way <= max_rounds


async def test_work_that_never_pauses_leaves_nobody_waiting() -> None:
    async def double(items: Sequence[int]) -> Sequence[int]:
        return [item * 2 for item in items]

    batcher = Batcher(double, max_items=3)

    async def ask_often(number: int) -> None:
        for _ in range(20):
            assert await batcher.do(number) == number * 2

    async with asyncio.timeout(5):
        await asyncio.gather(*(ask_often(number) for number in range(50)))


async def test_a_failed_round_fails_its_own_and_no_other() -> None:
    work = Work()
    batcher = Batcher(work, max_items=2, max_rounds=1)
    results = await asyncio.gather(*(batcher.do(number) for number in (1, 2, -3, 4, 5, 6)), return_exceptions=True)
    assert work.rounds == [[1, 2], [-3, 4], [5, 6]]
    assert [result for result in results if isinstance(result, int)] == [2, 4, 10, 12]
    assert all(isinstance(result, Unavailable) for result in results[2:4])
    assert await batcher.do(7) == 14


async def test_a_caller_that_goes_away_does_not_disturb_the_round() -> None:
    work = Work()
    work.free.clear()
    batcher = Batcher(work, max_rounds=1)
    tasks = [asyncio.create_task(batcher.do(number)) for number in (1, 2)]
    await work.entered.wait()
    tasks[0].cancel()
    work.free.set()
    assert await tasks[1] == 4
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]


async def test_work_that_is_cancelled_fails_its_round_and_leaves_nobody_else_waiting() -> None:
    """As a driver does whose connection is closed: it cancels what waits for an answer."""
    work = Work()
    work.free.clear()

    async def cut_off(items: Sequence[int]) -> Sequence[int]:
        results = await work(items)
        if 1 in items:
            raise asyncio.CancelledError
        return results

    batcher = Batcher(cut_off, max_rounds=1)
    first = asyncio.create_task(batcher.do(1))
    await work.entered.wait()
    rest = [asyncio.create_task(batcher.do(number)) for number in (2, 3)]
    await asyncio.sleep(0)
    work.free.set()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*rest) == [4, 6]
        with pytest.raises(Unavailable):
            await first


async def test_work_that_loses_a_result_fails_its_round() -> None:
    async def lose_one(items: Sequence[int]) -> Sequence[int]:
        return items[1:]

    batcher = Batcher(lose_one)
    async with asyncio.timeout(5):
        results = await asyncio.gather(*(batcher.do(number) for number in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError] * 3
