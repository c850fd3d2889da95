"""A host in trouble is left alone for a while; a run repeats only so many of its requests."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from hub_fetcher.limits.budget import RetryBudget, RetryBudgets
from hub_fetcher.limits.circuit import Circuits
from hub_fetcher.requests.request import SourceRequest
from hub_fetcher.source import Source
from hub_fetcher.sources import Sources
from hub_fetcher.transport import Patience, Transport
from hub_model.errors import SourceError, Unavailable
from hub_model.records import DataType
from hub_security.egress import open_client

HOST = "https://erp.example.edu:443"


@dataclass
class Time:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def circuits(time: Time) -> Circuits:
    return Circuits(monotonic=time, jitter=lambda: 0)


def fail(circuits: Circuits, host: str = HOST) -> None:
    with circuits.attempt(host) as attempt:
        attempt.failed()


def answer(circuits: Circuits, *, insists: bool = False) -> None:
    with circuits.attempt(HOST, insists=insists) as attempt:
        attempt.answered()


def left_alone_s(circuits: Circuits) -> float:
    """0 if the host may be asked."""
    try:
        with circuits.attempt(HOST):
            return 0.0
    except Unavailable as error:
        return error.retry_after_s or 0.0


def open_up(circuits: Circuits, time: Time) -> None:
    for _ in range(5):
        fail(circuits)
        time.now += 1


def test_a_host_that_fails_again_and_again_is_left_alone(circuits: Circuits, time: Time) -> None:
    for _ in range(4):
        fail(circuits)
        time.now += 1
        assert left_alone_s(circuits) == 0
    fail(circuits)
    assert left_alone_s(circuits) == 15
    time.now += 5
    assert left_alone_s(circuits) == 10


def test_requests_that_fail_together_are_one_failure(circuits: Circuits, time: Time) -> None:
    for _ in range(50):
        fail(circuits)
        time.now += 0.01
    assert left_alone_s(circuits) == 0


def test_an_answer_in_between_forgets_the_failures(circuits: Circuits, time: Time) -> None:
    for _ in range(20):
        fail(circuits)
        fail(circuits)
        time.now += 10
        answer(circuits)
    assert left_alone_s(circuits) == 0
    assert circuits._troubles == {}


def test_what_says_nothing_of_the_host_changes_nothing(circuits: Circuits, time: Time) -> None:
    open_up(circuits, time)
    time.now += 15
    for _ in range(3):
        with circuits.attempt(HOST):
            pass
        with pytest.raises(ZeroDivisionError), circuits.attempt(HOST):
            raise ZeroDivisionError
    answer(circuits)
    assert left_alone_s(circuits) == 0


def test_after_the_pause_one_request_tries_it(circuits: Circuits, time: Time) -> None:
    open_up(circuits, time)
    time.now += 15
    with circuits.attempt(HOST) as trial:
        assert left_alone_s(circuits) == 1
        trial.answered()
    assert left_alone_s(circuits) == 0


def test_each_pause_that_does_not_help_is_followed_by_a_longer_one(circuits: Circuits, time: Time) -> None:
    open_up(circuits, time)
    time.now -= 1
    pauses = []
    for _ in range(7):
        pauses.append(left_alone_s(circuits))
        time.now += pauses[-1]
        fail(circuits)
    assert pauses == [15, 30, 60, 120, 300, 300, 300]


def test_requests_that_were_under_way_do_not_make_the_pause_longer(circuits: Circuits, time: Time) -> None:
    with circuits.attempt(HOST) as late:
        open_up(circuits, time)
        time.now -= 1
        late.failed()
    assert left_alone_s(circuits) == 15


def test_other_hosts_are_asked_as_ever(circuits: Circuits, time: Time) -> None:
    open_up(circuits, time)
    for _ in range(3):
        fail(circuits, "https://other.example.edu:443")


def test_who_insists_asks_anyway_and_its_answer_counts(circuits: Circuits, time: Time) -> None:
    open_up(circuits, time)
    answer(circuits, insists=True)
    assert left_alone_s(circuits) == 0


def test_a_tenth_of_the_requests_may_be_repeated_and_always_ten() -> None:
    budget = RetryBudget("run")
    assert [budget.may_repeat() for _ in range(12)] == [True] * 10 + [False] * 2
    for _ in range(200):
        budget.asked()
    assert [budget.may_repeat() for _ in range(12)] == [True] * 10 + [False] * 2


def test_each_run_has_a_budget_of_its_own() -> None:
    budgets = RetryBudgets()
    while budgets.of("run-1").may_repeat():
        pass
    assert budgets.of("run-2").may_repeat()
    assert not budgets.of("run-1").may_repeat()


def source_of(sources: Sources, make_integration: Any, **bounds: Any) -> Source:
    integration = make_integration()
    return sources.open(integration, integration.settings.endpoints[DataType.STUDENTS], **bounds)


async def test_a_run_whose_budget_is_spent_asks_a_failing_source_once_for_each_page(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    college.answer = lambda asked: college.json({}, 500)
    source = source_of(sources, make_integration, run_id="run-1")
    for _ in range(8):
        with pytest.raises(Unavailable):
            await source.read(SourceRequest(source.plan.url))
    assert len(college.asked) == 8 + 10


@pytest.mark.parametrize(("status", "is_left_alone"), [(500, True), (503, True), (501, False), (404, False)])
async def test_a_host_that_says_it_is_in_trouble_is_left_alone(
    college: Any,
    sources: Sources,
    make_integration: Any,
    opener: Any,
    pacing: Any,
    time: Time,
    status: int,
    is_left_alone: bool,
) -> None:
    college.answer = lambda asked: college.json({}, status)
    async with open_client(allowed_networks=["127.0.0.0/8"]) as client:
        transport = Transport(client, clock=pacing.clock, circuits=Circuits(monotonic=time, jitter=lambda: 0))
        for _ in range(5):
            assert (await transport.reach(college.url, patience=Patience())).status == status
            time.now += 1
        asked = len(college.asked)
        if is_left_alone:
            with pytest.raises(Unavailable) as caught:
                await transport.reach(college.url, patience=Patience())
            assert caught.value.retry_after_s == pytest.approx(14)
            assert "by itself" in caught.value.public
            assert len(college.asked) == asked
        assert (await transport.reach(college.url, patience=Patience(insists=True))).status == status


async def test_a_host_that_cannot_be_reached_is_left_alone_and_a_refused_address_is_not_its_failure(
    pacing: Any, time: Time
) -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with open_client(allowed_networks=["127.0.0.0/8"]) as client:
        transport = Transport(client, clock=pacing.clock, circuits=Circuits(monotonic=time, jitter=lambda: 0))
        for url, kind in ((f"http://127.0.0.1:{port}", Unavailable), ("http://10.0.0.1", SourceError)):
            for _ in range(6):
                with pytest.raises(kind) as caught:
                    await transport.reach(url, patience=Patience())
                time.now += 1
            assert ("left alone" in str(caught.value)) is (kind is Unavailable)


async def test_a_long_pause_is_not_waited_for_in_place(
    college: Any, make_integration: Any, sources: Sources, sleeps: list[float]
) -> None:
    class Resting(Transport):
        async def exchange(self, *_: Any, **__: Any) -> Any:
            raise Unavailable("left alone", retry_after_s=15)

    source = source_of(sources, make_integration)
    source._transport.__class__ = Resting
    with pytest.raises(Unavailable):
        await source.read(SourceRequest(source.plan.url))
    assert sleeps == []
