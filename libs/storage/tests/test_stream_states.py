"""How far streams were read: over the embedded store, and over MongoDB's where the contract differs in nothing."""

import asyncio
from datetime import datetime, timedelta

import pytest
from hub_model.intervals import Intervals
from hub_model.stream_states import StreamState
from hub_storage.repositories import StreamStates
from hub_storage.store import Store


@pytest.fixture
def states(store: Store) -> StreamStates:
    return StreamStates(store)


def covering(*windows: tuple[int, int], identity: str = "x", limit: int | None = None) -> StreamState:
    return StreamState(identity=identity, windows=windows, withdrawn_after=limit)


async def windows_of(states: StreamStates) -> Intervals:
    found = await states.find("c1", "i1", "students")
    assert found is not None
    return found.windows


async def test_what_each_walk_covers_adds_up_and_saying_it_twice_changes_nothing(
    states: StreamStates, now: datetime
) -> None:
    assert await states.find("c1", "i1", "students") is None
    for window in ((0, 10), (20, 30), (10, 20), (10, 20)):
        await states.advance("c1", "i1", "students", covering(window), began_at=now)
    assert await windows_of(states) == ((0, 30),)
    assert await states.find("c1", "i1", "marks") is None


async def test_an_older_run_adds_and_takes_nothing_back(states: StreamStates, now: datetime) -> None:
    await states.advance("c1", "i1", "students", covering((0, 50), limit=50), began_at=now)
    await states.advance("c1", "i1", "students", covering((0, 30), limit=30), began_at=now - timedelta(hours=1))
    assert await windows_of(states) == ((0, 50),)


async def test_a_later_run_of_a_changed_endpoint_begins_anew_and_an_older_one_says_nothing(
    states: StreamStates, now: datetime
) -> None:
    await states.advance("c1", "i1", "students", covering((0, 50)), began_at=now)
    await states.advance("c1", "i1", "students", covering((5, 9), identity="y"), began_at=now + timedelta(hours=1))
    await states.advance("c1", "i1", "students", covering((0, 60)), began_at=now)
    assert await states.find("c1", "i1", "students") == covering((5, 9), identity="y")


async def test_two_writers_at_once_lose_nothing(states: StreamStates, now: datetime) -> None:
    windows = [(10 * number, 10 * number + 9) for number in range(12)]
    calls = [states.advance("c1", "i1", "students", covering(window), began_at=now) for window in windows]
    await asyncio.gather(*calls)
    assert await windows_of(states) == ((0, 119),)


async def test_forgetting_is_about_all_streams_of_one_integration(states: StreamStates, now: datetime) -> None:
    for integration, stream in (("i1", "students"), ("i1", "marks"), ("i2", "students")):
        await states.advance("c1", integration, stream, covering((0, 1)), began_at=now)
    await states.forget("c1", "i1")
    assert await states.find("c1", "i1", "students") is None
    assert await states.find("c1", "i1", "marks") is None
    assert await states.find("c1", "i2", "students") is not None


async def test_a_mark_of_a_walk_that_was_under_way_does_not_undo_the_forgetting(
    states: StreamStates, now: datetime
) -> None:
    mark = StreamState(identity="x", token="9")
    await states.advance("c1", "i1", "students", mark, began_at=now)
    assert await states.find("c1", "i1", "students") is None
    whole = mark.model_copy(update={"full_at": now})
    await states.advance("c1", "i1", "students", whole, began_at=now)
    assert await states.find("c1", "i1", "students") == whole
    await states.advance("c1", "i1", "students", mark.model_copy(update={"token": "12"}), began_at=now)
    found = await states.find("c1", "i1", "students")
    assert found is not None
    assert (found.token, found.full_at) == ("12", now)
