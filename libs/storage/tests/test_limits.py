"""What all workers together ask of one source: slots of a minute, places at a time, and waits it asked for."""

import asyncio
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hub_storage.repositories import Claim, SourceLimits
from hub_storage.store import Store
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def claim(worker: str = "a", at_s: float = 0, **changes: Any) -> Claim:
    return Claim(worker_id=worker, now=after(at_s), **changes)


async def test_slots_are_granted_up_to_the_minutes_number_and_again_when_it_is_over(store: Store) -> None:
    limits = SourceLimits(store)
    first = await limits.claim("c1", "s", claim(slots=6, per_minute=10))
    second = await limits.claim("c1", "s", claim("b", slots=6, per_minute=10))
    assert (first.slots, second.slots) == (6, 4)
    none = await limits.claim("c1", "s", claim("b", 1, slots=6, per_minute=10))
    assert none.slots == 0
    assert none.slots_again_at is not None
    assert after(60) < none.slots_again_at <= after(75)
    assert (await limits.claim("c1", "s", claim("b", 75, slots=20, per_minute=10))).slots == 10


async def test_what_was_not_used_is_given_back_and_counts_from_when_it_was_used(store: Store) -> None:
    limits = SourceLimits(store)
    first = await limits.claim("c1", "s", claim(slots=8, per_minute=10))
    settling = claim(at_s=3, settles=first.slots_until, used=3, used_at=after(2))
    again = await limits.claim("c1", "s", replace(settling, slots=20, per_minute=10))
    assert again.slots == 7
    await limits.settle("c1", "s", claim(at_s=4, settles=again.slots_until, used=0))
    assert (await limits.claim("c1", "s", claim("b", 5, slots=20, per_minute=10))).slots == 7
    full = await limits.claim("c1", "s", claim("b", 6, slots=1, per_minute=10))
    assert full.slots_again_at is not None
    assert after(62) <= full.slots_again_at <= after(65)


async def test_what_a_worker_does_not_account_for_counts_as_used(store: Store) -> None:
    limits = SourceLimits(store)
    await limits.claim("c1", "s", claim(slots=10, per_minute=10))
    await limits.settle("c1", "s", claim(at_s=1))
    assert (await limits.claim("c1", "s", claim("b", 2, slots=5, per_minute=10))).slots == 0


async def test_places_are_shared_and_free_when_given_back_or_when_their_time_is_over(store: Store) -> None:
    limits = SourceLimits(store)
    assert (await limits.claim("c1", "s", claim(places=2, concurrency=3))).places == 2
    assert (await limits.claim("c1", "s", claim("b", places=3, concurrency=3))).places == 1
    assert (await limits.claim("c1", "s", claim("c", places=1, concurrency=3))).places == 0
    assert (await limits.claim("c1", "s", claim(places=2, concurrency=3))).places == 2, "its own do not count twice"
    await limits.settle("c1", "s", claim())
    assert (await limits.claim("c1", "s", claim("c", places=3, concurrency=3))).places == 2
    assert (await limits.claim("c1", "s", claim("d", 121, places=3, concurrency=3))).places == 3, "the others died"


async def test_of_several_waits_the_latest_end_counts_for_every_worker(store: Store) -> None:
    limits = SourceLimits(store)
    assert await limits.blocked_until("c1", "s") is None
    for seconds in (30, 90, 60):
        await limits.block("c1", "s", after(seconds))
    assert await limits.blocked_until("c1", "s") == after(90)
    assert (await limits.claim("c1", "s", claim("b", slots=1, per_minute=5))).blocked_until == after(90)


async def test_sources_and_colleges_have_limits_of_their_own(store: Store) -> None:
    limits = SourceLimits(store)
    await limits.block("c1", "s", after(30))
    await limits.claim("c1", "s", claim(slots=5, per_minute=5))
    assert await limits.blocked_until("c1", "t") is None
    assert await limits.blocked_until("c2", "s") is None
    assert (await limits.claim("c2", "s", claim(slots=5, per_minute=5))).slots == 5


async def test_of_many_workers_at_once_no_more_than_allowed_is_granted(store: Store) -> None:
    limits = SourceLimits(store)
    wanted = claim(slots=3, per_minute=10, places=1, concurrency=4)
    granted = await asyncio.gather(
        *(limits.claim("c1", "s", replace(wanted, worker_id=f"w{number}")) for number in range(8))
    )
    assert sum(one.slots for one in granted) == 10
    assert sum(one.places for one in granted) == 4


class Remembered(SourceLimits):
    """One document, in memory."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {}

    async def _change(self, college_id: str, source: str, change: Any) -> None:
        self.document = change(self.document) or self.document


async def test_settling_one_of_two_grants_of_one_moment_gives_nothing_of_the_other_back() -> None:
    limits = Remembered()
    await limits.claim("c", "s", claim("a", 0, slots=2, per_minute=3))  # whose answer was lost
    second = await limits.claim("c", "s", claim("a", 0, slots=1, per_minute=3))
    settling = claim("a", 0, slots=1, per_minute=3, settles=second.slots_until, used=1, used_at=after(0))
    assert (await limits.claim("c", "s", settling)).slots == 0


@given(
    per_minute=st.integers(1, 30),
    steps=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(1, 40), st.floats(0, 30), st.integers(0, 40)), max_size=60
    ),
)
async def test_in_any_minute_no_more_slots_are_used_than_allowed(
    per_minute: int, steps: list[tuple[str, int, float, int]]
) -> None:
    """Whoever claims, however much, however late it is used within its time, and whether or not it is accounted for."""
    limits = Remembered()
    now = 0.0
    held: dict[str, tuple[datetime | None, int, datetime | None]] = {}
    sent: list[float] = []
    for worker, slots, pause, used in steps:
        until, count, at = held.get(worker, (None, 0, None))
        wanted = claim(worker, now, slots=slots, per_minute=per_minute, settles=until, used=count, used_at=at)
        granted = await limits.claim("c", "s", wanted)
        count = min(used, granted.slots)
        used_at = now + min(pause, 10)
        sent += [used_at] * count
        held[worker] = (granted.slots_until, count, after(used_at)) if used % 3 else (None, 0, None)
        now = used_at if worker == "a" else now + pause / 4
    window: deque[float] = deque()
    for moment in sorted(sent):
        window.append(moment)
        while window[0] <= moment - 60:
            window.popleft()
        assert len(window) <= per_minute
    assert len(limits.document.get("grants", [])) <= len(steps)


@pytest.mark.parametrize("workers", [1, 3])
async def test_a_document_stays_small(workers: int) -> None:
    limits = Remembered()
    for number in range(2000):
        worker = f"w{number % workers}"
        await limits.claim("c", "s", claim(worker, number, slots=2, per_minute=100, places=1, concurrency=9))
    assert len(str(limits.document)) < 20_000
