"""Runs: added once, changed atomically, listed newest first."""

import asyncio
from datetime import datetime, timedelta

import pytest
from hub_model.counts import Counts
from hub_model.errors import InvalidInput, NotFound
from hub_model.messages import BatchWritten, Trigger
from hub_model.records import DataType, Origin
from hub_model.run_transitions import record_batch, start
from hub_model.runs import Run, new_run
from hub_storage.repositories import Runs
from hub_storage.repositories import runs as module
from hub_storage.store import Store


@pytest.fixture
def runs(store: Store) -> Runs:
    return Runs(store)


def a_run(now: datetime, run_id: str = "r1", college_id: str = "c1", integration_id: str = "i1") -> Run:
    return new_run(
        run_id=run_id,
        college_id=college_id,
        integration_id=integration_id,
        trigger=Trigger.MANUAL,
        data_types=(DataType.STUDENTS, DataType.MARKS),
        now=now,
    )


def written(sequence: int, now: datetime) -> BatchWritten:
    return BatchWritten(
        college_id="c1",
        integration_id="i1",
        run_id="r1",
        data_type=DataType.STUDENTS,
        sequence=sequence,
        origin=Origin.POLL,
        counts=Counts(fetched=10, inserted=10),
        written_at=now,
    )


async def test_a_run_is_added_once(runs: Runs, now: datetime) -> None:
    run = a_run(now)
    assert await runs.add(run) is True
    await runs.change("c1", "r1", lambda run: start(run, now))
    assert await runs.add(run) is False
    assert (await runs.get("c1", "r1")).started_at == now


async def test_a_run_with_progress_is_read_back_as_it_was(runs: Runs, now: datetime) -> None:
    run = a_run(now)
    for sequence in (0, 1, 2, 7, 5):
        run = record_batch(run, written(sequence, now))
    await runs.add(run)
    assert await runs.get("c1", "r1") == run
    assert (await runs.get("c1", "r1")).streams[DataType.STUDENTS].written == ((0, 2), (5, 5), (7, 7))


async def test_progress_at_once_all_counts(runs: Runs, now: datetime) -> None:
    await runs.add(a_run(now))
    events = [written(sequence, now) for sequence in range(30)] * 2
    await asyncio.gather(
        *(runs.change("c1", "r1", lambda run, event=event: record_batch(run, event)) for event in events)
    )
    stream = (await runs.get("c1", "r1")).streams[DataType.STUDENTS]
    assert stream.written == ((0, 29),)
    assert stream.counts.inserted == 300


async def test_a_change_that_changes_nothing_writes_nothing(runs: Runs, now: datetime, store: Store) -> None:
    await runs.add(a_run(now))
    run = await runs.change("c1", "r1", lambda run: record_batch(run, written(0, now)))
    assert await runs.change("c1", "r1", lambda run: record_batch(run, written(0, now))) == run
    assert await runs.change("c1", "r1", lambda _: None) == run
    stored = await store.collection(module.SPEC).get("r1")
    assert stored is not None
    assert stored.version == 2


async def test_a_missing_run_is_not_found(runs: Runs) -> None:
    assert await runs.find("c1", "r1") is None
    for call in (runs.get("c1", "r1"), runs.change("c1", "r1", lambda run: run)):
        with pytest.raises(NotFound) as caught:
            await call
        assert caught.value.code == "run_not_found"


async def test_a_run_keeps_its_id_and_its_college(runs: Runs, now: datetime) -> None:
    await runs.add(a_run(now))
    for update in ({"id": "r2"}, {"college_id": "c2"}):
        with pytest.raises(InvalidInput):
            await runs.change("c1", "r1", lambda run, update=update: run.model_copy(update=update))


async def test_a_page_lists_the_integrations_runs_newest_first(runs: Runs, now: datetime) -> None:
    for number in range(7):
        await runs.add(a_run(now + timedelta(minutes=number), f"r{number}"))
    await runs.add(a_run(now, "of another", integration_id="i2"))
    first = await runs.page("c1", "i1", limit=3)
    await runs.add(a_run(now + timedelta(hours=1), "newer"))
    second = await runs.page("c1", "i1", limit=3, cursor=first.next_cursor)
    third = await runs.page("c1", "i1", limit=3, cursor=second.next_cursor)
    assert [run.id for page in (first, second, third) for run in page.items] == [f"r{n}" for n in range(6, -1, -1)]
    assert third.next_cursor is None
