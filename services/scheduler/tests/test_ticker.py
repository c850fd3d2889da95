"""The loop goes on whatever happens, one tick at a time, and stops when it is told."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hub_messaging.clock import utc_now
from hub_messaging.testing import wait_until
from hub_model.errors import Unavailable
from hub_scheduler.ticker import Ticker


async def test_ticks_fall_on_multiples_of_the_period() -> None:
    times: list[datetime] = []
    half_off = timedelta(seconds=0.1 - utc_now().timestamp() % 0.2)

    async def tick(now: datetime) -> None:
        times.append(now)

    ticker = Ticker(tick, period_s=0.2, clock=lambda: utc_now() + half_off)
    await ticker.start()
    await wait_until(lambda: len(times) >= 4)
    assert await ticker.stop(1)
    assert times[0].timestamp() % 0.2 > 0.09
    assert max(now.timestamp() % 0.2 for now in times[1:]) < 0.08


async def test_the_first_tick_is_at_once() -> None:
    ticked = asyncio.Event()

    async def tick(now: datetime) -> None:
        ticked.set()

    ticker = Ticker(tick, period_s=60, clock=lambda: datetime(2026, 3, 1, 10, 0, 1, tzinfo=UTC))
    await ticker.start()
    async with asyncio.timeout(2):
        await ticked.wait()
    assert await ticker.stop(1)


async def test_a_tick_that_fails_is_followed_by_another() -> None:
    calls: list[datetime] = []

    async def tick(now: datetime) -> None:
        calls.append(now)
        raise ValueError("a bug") if len(calls) == 1 else Unavailable("the store is away")

    ticker = Ticker(tick, period_s=0.05, clock=utc_now)
    await ticker.start()
    await wait_until(lambda: len(calls) >= 3)
    await ticker.check()
    assert await ticker.stop(1)


async def test_stopping_between_ticks_is_prompt() -> None:
    ticker = Ticker(_nothing, period_s=60, clock=utc_now)
    await ticker.start()
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await ticker.stop(10)
    assert loop.time() - began < 1


async def test_stopping_waits_for_the_tick_under_way() -> None:
    entered, done = asyncio.Event(), asyncio.Event()

    async def tick(now: datetime) -> None:
        entered.set()
        await asyncio.sleep(0.1)
        done.set()

    ticker = Ticker(tick, period_s=60, clock=utc_now)
    await ticker.start()
    await entered.wait()
    assert await ticker.stop(5)
    assert done.is_set()


async def test_a_tick_that_does_not_end_is_cut_off_and_said_so() -> None:
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def tick(now: datetime) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    ticker = Ticker(tick, period_s=60, clock=utc_now)
    await ticker.start()
    await entered.wait()
    assert not await ticker.stop(0.05)
    assert cancelled.is_set()
    assert await ticker.stop(0.05)


async def test_a_scheduler_that_does_not_tick_is_not_ready() -> None:
    ticker = Ticker(_nothing, period_s=60, clock=utc_now)
    with pytest.raises(Unavailable):
        await ticker.check()
    await ticker.start()
    await ticker.check()
    await ticker.stop(1)
    with pytest.raises(Unavailable):
        await ticker.check()


async def _nothing(now: datetime) -> None:
    return
