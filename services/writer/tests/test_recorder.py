"""Events of one run that are in hand at once: one write, and to each event as if it had come alone."""

import asyncio
import gc
from collections.abc import Sequence

import pytest
from hub_model import run_transitions, runs
from hub_model.errors import InvalidInput, TooLarge, Unavailable
from hub_model.messages import Message, RunMessage, SyncFinished, Trigger
from hub_model.records import DataType, Origin
from hub_model.runs import Run, RunStatus
from hub_runtime.batching import Batcher
from hub_storage.repositories.runs import SPEC

STUDENTS, MARKS = DataType.STUDENTS, DataType.MARKS


async def together(world, messages: Sequence[RunMessage]) -> list[Sequence[Message] | BaseException]:
    """What comes of each of these, which are all in hand before the first is written."""
    return await asyncio.gather(*(world.deliver(message) for message in messages), return_exceptions=True)


async def second_run(world) -> Run:
    run = runs.new_run(
        run_id="r2",
        college_id="c1",
        integration_id="i1",
        trigger=Trigger.MANUAL,
        data_types=(STUDENTS,),
        now=world.clock(),
    )
    await world.runs.add(run_transitions.start(run, world.clock()))
    return run


def of_second_run(message: RunMessage) -> RunMessage:
    return message.model_copy(update={"run_id": "r2"})


def written(world, count: int) -> list[RunMessage]:
    return [world.written(STUDENTS, sequence) for sequence in range(count)]


async def test_events_of_one_run_go_in_one_write(world) -> None:
    await world.begin(STUDENTS)
    world.faults.arm(0)
    assert await together(world, written(world, 30)) == [[]] * 30
    assert world.faults.calls == 1
    assert (await world.run()).counts.fetched == 300


async def test_events_of_two_runs_go_in_two_writes(world) -> None:
    await world.begin(STUDENTS)
    await second_run(world)
    world.faults.arm(0)
    events = written(world, 5)
    await together(world, [message for event in events for message in (event, of_second_run(event))])
    assert world.faults.calls == 2
    assert [(await world.runs.get("c1", run_id)).counts.fetched for run_id in ("r1", "r2")] == [50, 50]


async def test_colleges_do_not_meet_in_a_group(world) -> None:
    await world.begin(STUDENTS)
    event = world.written(STUDENTS)
    foreign = event.model_copy(update={"college_id": "c2"})
    assert await together(world, [foreign, event]) == [[], []]
    assert (await world.run()).counts.fetched == 10
    assert not await world.log_lines()


async def test_the_ends_within_a_group_are_told_once(world) -> None:
    await world.begin(STUDENTS, MARKS)
    events = [world.finished(STUDENTS), world.finished(MARKS), world.written(STUDENTS), world.written(MARKS)]
    *others, news = await together(world, events)
    assert others == [[], [], []]
    (finished,) = news
    assert isinstance(finished, SyncFinished)
    assert (finished.status, finished.counts.fetched) == ("succeeded", 20)
    assert [line.event for line in await world.log_lines()] == ["stream.finished", "stream.finished", "sync.finished"]
    assert (await world.integration()).sync.last_run_status == "succeeded"


async def test_an_event_that_comes_twice_within_a_group_counts_once(world) -> None:
    await world.begin(STUDENTS)
    twice = world.written(STUDENTS)
    first, again, end, end_again = await together(world, [twice, twice, *[world.finished(STUDENTS)] * 2])
    assert (first, again) == ([], [])
    # Who repeats an event says again what it led to, under the same id.
    assert [news.message_id for news in (*end, *end_again)] == [end[0].message_id] * 2
    assert (await world.run()).counts.fetched == 10
    assert len(await world.log_lines()) == 2


async def test_a_group_that_brings_nothing_new_writes_nothing(world) -> None:
    await world.begin(STUDENTS, MARKS)
    events = [*written(world, 3), world.failed(MARKS)]
    await together(world, events)
    collection = world.store.collection(SPEC)
    before = await collection.get("r1")
    assert await together(world, events) == [[]] * 4
    assert await collection.get("r1") == before


BAD = {
    "it cannot be applied": (
        lambda world: world.written(STUDENTS, 7).model_copy(update={"counts": None}),
        AttributeError,
    ),
    "it cannot be stored": (
        lambda world: world.finished(STUDENTS).model_copy(update={"warnings": ("x" * 20_000_000,)}),
        TooLarge,
    ),
    "it is no text": (
        lambda world: world.failed(MARKS).model_copy(update={"public": "\ud800"}),
        (InvalidInput, ValueError),
    ),
}


@pytest.mark.parametrize("place", [0, 2, 4], ids=["first", "among them", "last"])
@pytest.mark.parametrize("reason", BAD)
async def test_a_bad_event_fails_alone(world, reason: str, place: int) -> None:
    await world.begin(STUDENTS, MARKS)
    make, error = BAD[reason]
    events = written(world, 4)
    events.insert(place, make(world))
    results = await together(world, events)
    assert isinstance(results.pop(place), error)
    assert results == [[]] * 4
    run = await world.run()
    assert (run.counts.fetched, run.status) == (40, RunStatus.RUNNING)
    assert run.streams[STUDENTS].written == ((0, 3),)


class Away(Unavailable):
    def __init__(self) -> None:
        super().__init__("the store is away")


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
async def test_a_group_that_met_a_store_that_is_away_comes_again_as_a_whole(world, after: bool) -> None:
    await world.begin(STUDENTS)
    events = [*written(world, 3), world.finished(STUDENTS, batches=3)]
    world.faults.error = Away
    world.faults.arm(1, after=after)
    assert [type(result) for result in await together(world, events)] == [Away] * 4
    assert world.faults.calls == 1
    news = [message for result in await together(world, events) for message in result]
    assert {message.name for message in news} == {"sync.finished"}
    run = await world.run()
    assert (run.status, run.counts.fetched) == (RunStatus.SUCCEEDED, 30)
    assert len(await world.log_lines()) == 2


async def test_an_event_whose_handler_was_cancelled_is_completed_when_it_comes_again(world) -> None:
    """So does a lost connection to the broker: the group is written all the same."""
    await world.begin(STUDENTS)
    batch, end = world.written(STUDENTS), world.finished(STUDENTS)
    tasks = [asyncio.create_task(world.deliver(event)) for event in (batch, end)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    assert await tasks[0] == []
    assert (await world.run()).status is RunStatus.SUCCEEDED
    assert not await world.log_lines()
    (finished,) = await world.deliver(end)
    assert (finished.status, finished.counts.fetched) == ("succeeded", 10)
    assert len(await world.log_lines()) == 2
    assert (await world.integration()).sync.active_run_id is None


async def test_a_group_without_a_run_is_looked_for_once(world) -> None:
    world.faults.arm(0)
    assert await together(world, written(world, 5)) == [[]] * 5
    assert world.faults.calls == 1 + 5  # and each sees to it that there is the line
    (line,) = await world.log_lines()
    assert line.event == "run.unknown"


async def test_a_pushed_batch_asks_the_store_for_no_run(world) -> None:
    world.faults.arm(0)
    await world.deliver(world.written(STUDENTS, origin=Origin.WEBHOOK))
    assert world.faults.calls == 0


async def test_what_is_over_takes_no_memory(world) -> None:
    def batchers() -> int:
        gc.collect()
        return sum(type(each) is Batcher for each in gc.get_objects())

    await world.begin(STUDENTS)
    before = batchers()  # services of other tests may have some yet
    await together(world, written(world, 3))
    assert batchers() == before
