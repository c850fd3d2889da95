"""One limiter for each credential at each host, over all workers; time passes only where somebody waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hub_fetcher.auth.tokens import TokenCache
from hub_fetcher.limits.headers import Quota
from hub_fetcher.limits.pace import Held, Pace, Paces, Pacing, source_of
from hub_fetcher.requests.request import SourceRequest
from hub_fetcher.source import Source
from hub_fetcher.sources import Sources
from hub_fetcher.transport import Patience, Transport
from hub_model.errors import RateLimited, Unavailable
from hub_model.integrations import RateLimits
from hub_model.records import DataType
from hub_security.egress import open_client
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.repositories import SPECS, SourceLimits, Tokens


@dataclass
class Time:
    """A clock that whoever sleeps moves on."""

    now: datetime
    slept: list[float] = field(default_factory=list)

    def clock(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_s(seconds)


@pytest.fixture
def time(NOW: datetime) -> Time:
    return Time(NOW)


def pacing_of(limits: SourceLimits, time: Time, worker: str) -> Pacing:
    return Pacing(limits=limits, worker_id=worker, clock=time.clock, sleep=time.sleep, jitter=lambda: 0)


@pytest.fixture
def pacing(shared_limits: SourceLimits, time: Time) -> Pacing:
    return pacing_of(shared_limits, time, "a")


@pytest.fixture
def pace(pacing: Pacing) -> Pace:
    return Pace(pacing, "college-1", "source")


def other_worker(pacing: Pacing) -> Pace:
    return Pace(replace(pacing, worker_id="b"), "college-1", "source")


async def ask(pace: Pace, limits: RateLimits | None = None, quota: Quota | None = None) -> None:
    async with pace.turn(limits or RateLimits()):
        pass
    await pace.heard(quota, None)


def refusal(retry_after_s: float | None) -> RateLimited:
    return RateLimited("too many", retry_after_s=retry_after_s)


async def test_a_source_without_limits_costs_one_look_for_a_session_and_nothing_for_a_request(
    pace: Pace, shared_limits: Any
) -> None:
    async with pace.session():
        for _ in range(50):
            await ask(pace, quota=Quota(100, 60))
    assert (shared_limits.looks, shared_limits.writes) == (1, 0)


async def test_a_limited_source_costs_far_fewer_accesses_than_requests(pace: Pace, shared_limits: Any) -> None:
    async with pace.session():
        for _ in range(160):
            await ask(pace, RateLimits(requests_per_minute=160, concurrency=4))
    assert shared_limits.writes <= 8 + 1 + 1


async def test_a_wait_that_one_worker_was_told_holds_for_the_others_at_once(pace: Pace, pacing: Pacing) -> None:
    await pace.heard(None, refusal(600))
    other = other_worker(pacing)
    with pytest.raises(Held) as caught:
        async with other.session():
            raise AssertionError("a session began")
    assert caught.value.retry_after_s == 600
    assert caught.value.code == "rate_limited"


async def test_a_worker_in_the_middle_of_a_stretch_learns_of_it_after_its_next_wait(
    pace: Pace, pacing: Pacing, time: Time
) -> None:
    other = other_worker(pacing)
    async with other.session():
        await ask(other)
        await pace.heard(None, refusal(600))
        await other.heard(None, refusal(2))
        with pytest.raises(Held) as caught:
            await ask(other)
        assert caught.value.retry_after_s == 598
    assert time.slept == [2]


async def test_short_waits_are_slept_and_long_ones_raised(pace: Pace, time: Time) -> None:
    await pace.heard(None, refusal(5))
    await ask(pace)
    assert time.slept == [5]
    await pace.heard(None, refusal(5.1))
    with pytest.raises(Held):
        await ask(pace)
    assert time.slept == [5]


async def test_waits_are_spread_and_never_shorter_than_asked(pacing: Pacing, time: Time) -> None:
    pace = Pace(replace(pacing, jitter=lambda: 0.5), "college-1", "source")
    for asked_s, expected_s in ((4, 4.2), (1, 1.05)):
        await pace.heard(None, refusal(asked_s))
        await ask(pace)
        assert time.slept.pop() == pytest.approx(expected_s)


async def test_nothing_left_slows_down_before_the_source_refuses(pace: Pace, time: Time) -> None:
    await ask(pace, quota=Quota(1, 4))
    await ask(pace, quota=Quota(0, 3))
    await ask(pace)
    assert time.slept == [3]
    await ask(pace, quota=Quota(0, 300))
    with pytest.raises(Held) as caught:
        await ask(pace)
    assert caught.value.retry_after_s == 300


async def test_a_quota_of_a_whole_day_is_asked_again_in_a_quarter_of_an_hour(pace: Pace) -> None:
    await ask(pace, quota=Quota(0, 20_000))
    with pytest.raises(Held) as caught:
        await ask(pace)
    assert caught.value.retry_after_s == 900


async def test_a_quota_without_an_end_is_a_short_pause(pace: Pace, time: Time) -> None:
    await ask(pace, quota=Quota(0, None))
    await ask(pace)
    assert time.slept == [1]


async def test_no_more_are_under_way_than_are_left(pace: Pace, time: Time) -> None:
    most = at_once = 0
    await ask(pace, quota=Quota(3, 60))
    left = 3

    async def one() -> None:
        nonlocal most, at_once, left
        async with pace.turn():
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            left -= 1
            at_once -= 1
        await pace.heard(Quota(left, 60), None)

    results = await asyncio.gather(*(one() for _ in range(8)), return_exceptions=True)
    assert most <= 3
    assert sum(result is None for result in results) == 3
    assert all(result is None or isinstance(result, Held) for result in results)


async def test_requests_under_way_may_not_be_counted_by_the_source_yet(pace: Pace) -> None:
    async with pace.turn():
        async with pace.turn():
            await pace.heard(Quota(2, 60), None)
            third = asyncio.create_task(ask(pace))
            await asyncio.wait([third], timeout=0.01)
            assert not third.done()
        await pace.heard(Quota(2, 60), None)
        await third


async def test_a_source_that_does_not_say_for_how_long_is_left_alone_twice_as_long_each_time(
    pace: Pace, time: Time
) -> None:
    waits = []
    for _ in range(9):
        await pace.heard(None, refusal(None))
        waits.append(pace._blocked_s())
        time.pass_s(waits[-1])
    assert waits == [2, 4, 8, 16, 32, 64, 120, 120, 120]
    await ask(pace)
    await pace.heard(None, refusal(None))
    assert pace._blocked_s() == 2


async def test_requests_are_let_through_in_the_order_in_which_they_came(pace: Pace) -> None:
    order: list[int] = []

    async def one(number: int) -> None:
        async with pace.turn(RateLimits(concurrency=2, requests_per_minute=100)):
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(one(number) for number in range(20)))
    assert order == list(range(20))


async def test_no_more_are_under_way_than_allowed_over_all_workers(pace: Pace, pacing: Pacing) -> None:
    two = RateLimits(concurrency=2)
    most = at_once = 0

    async def one(of: Pace) -> None:
        nonlocal most, at_once
        async with of.turn(two):
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.001)
            at_once -= 1

    other = other_worker(pacing)
    async with pace.session(), other.session():
        results = await asyncio.gather(*(one(of) for of in (pace, other) for _ in range(10)), return_exceptions=True)
    assert most == 2
    assert [isinstance(result, Held) for result in results] == [False] * 10 + [True] * 10
    await ask(other, two)  # the first gave its places back at the end of its session


async def test_places_of_a_worker_that_died_are_free_in_time(pace: Pace, pacing: Pacing, time: Time) -> None:
    one = RateLimits(concurrency=1)
    dead = pace.turn(one)
    await dead.__aenter__()
    other = other_worker(pacing)
    with pytest.raises(Held):
        await ask(other, one)
    time.pass_s(181)
    await ask(other, one)
    await dead.__aexit__(None, None, None)


async def test_a_request_that_is_cancelled_or_fails_gives_its_place_back(pace: Pace) -> None:
    one = RateLimits(concurrency=1)
    with pytest.raises(ZeroDivisionError):
        async with pace.turn(one):
            raise ZeroDivisionError
    holding = asyncio.create_task(asyncio.Event().wait())
    async with pace.turn(one):
        waiting = asyncio.create_task(ask(pace, one))
        await asyncio.sleep(0)
        waiting.cancel()
    await ask(pace, one)
    holding.cancel()


async def test_a_store_that_fails_keeps_no_wait_from_this_worker(pacing: Pacing, shared_limits: Any) -> None:
    async def fail(*_: Any) -> None:
        raise Unavailable("the store is away")

    shared_limits.block = fail
    pace = Pace(pacing, "college-1", "source")
    await pace.heard(None, refusal(600))
    with pytest.raises(Held):
        await ask(pace)


async def test_a_clock_that_stands_still_ends_in_a_wait_and_not_in_a_loop(pacing: Pacing, NOW: datetime) -> None:
    async def no_sleep(_: float) -> None:
        return

    pace = Pace(replace(pacing, clock=lambda: NOW, sleep=no_sleep), "college-1", "source")
    await pace.heard(None, refusal(3))
    with pytest.raises(Held):
        await ask(pace)


def test_integrations_with_one_credential_share_a_pace(make_integration: Any, pacing: Pacing) -> None:
    paces = Paces(pacing)
    key, other = {"apiKey": "k" * 30 + "last"}, {"apiKey": "k" * 30 + "more"}
    mine = make_integration(secrets=key)
    again = make_integration(secrets=key, endpoints={"marks": "/marks"})
    assert paces.of(mine) is paces.of(again)
    for different in (
        make_integration(secrets=other),
        make_integration(secrets=key, baseUrl="http://127.0.0.1:1"),
        make_integration(secrets=key, authType="api-key"),
        make_integration(secrets=key).model_copy(update={"college_id": "college-2"}),
    ):
        assert paces.of(mine) is not paces.of(different)
    assert "kkkk" not in source_of(mine)


# Two workers and a real server.


@dataclass
class Worker:
    """One process of the fetcher: a transport and paces of its own over the store that all share."""

    source: Source
    resumes_at: datetime


@pytest.fixture
async def two_workers(
    tmp_path: Path, time: Time, opener: Any, make_integration: Any
) -> AsyncIterator[tuple[Any, SourceLimits]]:
    async with AsyncExitStack() as stack:
        store = SqliteStore(await stack.enter_async_context(SqliteDatabase(tmp_path / "hub.db")))
        await store.open(SPECS)
        limits = SourceLimits(store)

        async def start(**rate: int) -> list[Worker]:
            integration = make_integration(limits=rate)
            workers = []
            for worker in "ab":
                client = await stack.enter_async_context(open_client(allowed_networks=["127.0.0.0/8"]))
                transport = Transport(client, clock=time.clock, sleep=time.sleep)
                paces = Paces(pacing_of(limits, time, worker))
                tokens = TokenCache(Tokens(store), opener, clock=time.clock, monotonic=lambda: 0)
                sources = Sources(transport, opener, tokens, Patience(), paces)
                source = sources.open(integration, integration.settings.endpoints[DataType.STUDENTS])
                workers.append(Worker(source, time.now))
            return workers

        yield start, limits
        await store.close()


async def stretch(worker: Worker, time: Time, most: int) -> int:
    """How many requests were answered before the worker was told to come back later."""
    answered = 0
    try:
        async with worker.source.session():
            for _ in range(most):
                await worker.source.read(SourceRequest(worker.source.plan.url))
                time.pass_s(0.2)
                answered += 1
    except RateLimited as error:
        worker.resumes_at = time.now + timedelta(seconds=error.retry_after_s or 30)
    return answered


@pytest.mark.parametrize("per_minute", [6, 20, 90])
async def test_two_workers_never_ask_more_than_allowed_and_use_most_of_it(
    college: Any, two_workers: Any, time: Time, per_minute: int
) -> None:
    start, _ = two_workers
    arrivals: list[datetime] = []

    def answer(asked: Any) -> Any:
        arrivals.append(time.now)
        return college.json([{"id": 1}])

    college.answer = answer
    workers = await start(requestsPerMinute=per_minute)
    began, wanted = time.now, per_minute * 4
    while len(arrivals) < wanted:
        for worker in workers:
            if worker.resumes_at <= time.now:
                await stretch(worker, time, most=per_minute // 3)
        if all(worker.resumes_at > time.now for worker in workers):
            time.now = min(worker.resumes_at for worker in workers)
    for moment in arrivals:
        assert sum(moment <= other < moment + timedelta(minutes=1) for other in arrivals) <= per_minute
    # Four minutes' worth: the first at once, the others after a little more than a minute each.
    assert (time.now - began).total_seconds() < 3 * 75 + 60


async def test_two_workers_keep_a_wait_that_one_of_them_was_told(college: Any, two_workers: Any, time: Time) -> None:
    start, _ = two_workers
    first, second = await start()
    college.answer = lambda asked: college.json({}, 429, Retry_After="3600")
    assert await stretch(first, time, 1) == 0
    assert await stretch(second, time, 1) == 0
    assert len(college.asked) == 1
    assert second.resumes_at == first.resumes_at == time.now + timedelta(hours=1)
    college.answer = lambda asked: college.json([{"id": 1}])
    time.now = second.resumes_at
    assert await stretch(second, time, 3) == 3


async def test_two_workers_use_a_credential_that_bears_one_request_at_a_time(
    college: Any, two_workers: Any, time: Time
) -> None:
    start, _ = two_workers

    async def answer(asked: Any) -> Any:
        await asyncio.sleep(0.002)
        return college.json([{"id": 1}])

    college.answer = answer
    workers = await start(concurrency=1)
    for _ in range(5):
        results = await asyncio.gather(*(stretch(worker, time, 5) for worker in workers))
        assert sorted(results) == [0, 5]
        time.now = max(worker.resumes_at for worker in workers) + timedelta(seconds=1)
    assert college.most_at_once == 1


async def test_canvas_that_is_throttled_with_403_is_waited_for(
    college: Any, two_workers: Any, time: Time, answer: Any
) -> None:
    start, _ = two_workers
    first, second = await start()
    college.answer = lambda asked: answer(b"403 Forbidden (Rate Limit Exceeded)", 403)
    assert await stretch(first, time, 1) == 0
    asked = len(college.asked)
    assert asked == 3
    assert sum(time.slept) == pytest.approx(2 + 4)
    assert await stretch(second, time, 1) == 0
    assert len(college.asked) == asked
