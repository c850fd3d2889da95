"""Recording progress: exact counts in any order, and one end of a run whatever is repeated."""

import asyncio

import pytest
from hub_model import run_transitions
from hub_model.counts import Counts
from hub_model.errors import ErrorClass
from hub_model.messages import SyncFinished
from hub_model.records import DataType, Origin
from hub_model.runs import RunStatus
from hub_model.stream_states import StreamState
from hub_storage.repositories import StreamStates, Tables
from hub_storage.repositories.tables import Piece

STUDENTS, MARKS = DataType.STUDENTS, DataType.MARKS


async def test_a_run_ends_when_every_stream_has(world) -> None:
    await world.begin(STUDENTS, MARKS)
    assert await world.deliver(world.written(STUDENTS)) == []
    assert await world.deliver(world.finished(STUDENTS)) == []
    assert await world.deliver(world.finished(MARKS)) == []
    (finished,) = await world.deliver(world.written(MARKS))
    assert isinstance(finished, SyncFinished)
    assert (finished.status, finished.counts) == ("succeeded", Counts(fetched=20, inserted=18, rejected=2))
    sync = (await world.integration()).sync
    assert (sync.active_run_id, sync.last_run_id, sync.last_run_status) == (None, "r1", "succeeded")
    assert sync.last_success_at == (await world.run()).finished_at
    assert [line.event for line in await world.log_lines()] == ["stream.finished", "stream.finished", "sync.finished"]


async def test_progress_that_ends_nothing_leaves_no_line(world) -> None:
    await world.begin(STUDENTS)
    await world.deliver(world.written(STUDENTS))
    assert not await world.log_lines()
    assert (await world.run()).status is RunStatus.RUNNING


async def test_many_batches_at_once_are_all_counted(world) -> None:
    await world.begin(STUDENTS, MARKS)
    messages = [world.written(data_type, number) for data_type in (STUDENTS, MARKS) for number in range(40)]
    messages += [world.finished(STUDENTS, batches=40), world.finished(MARKS, batches=40)]
    results = await asyncio.gather(*(world.deliver(message) for message in messages + messages[::3]))
    run = await world.run()
    assert run.counts == Counts(fetched=800, inserted=720, rejected=80)
    assert run.status is RunStatus.SUCCEEDED
    assert {news.message_id for result in results for news in result} == {
        SyncFinished.model_construct(run_id="r1").message_id
    }
    assert len(await world.log_lines()) == 3


async def test_a_run_whose_credentials_were_refused_pauses_its_integration(world) -> None:
    await world.begin(STUDENTS)
    (finished,) = await world.deliver(world.failed(None))
    assert finished.status == "failed"
    sync = (await world.integration()).sync
    assert (sync.paused, sync.last_error.code) == (True, "credentials_refused")
    *_, line = await world.log_lines()
    assert "Automatic syncs pause" in line.message


async def test_a_run_that_stalled_does_not_pause_its_integration(world) -> None:
    await world.begin(STUDENTS)
    await world.deliver(world.failed(None, error_class=ErrorClass.TRANSIENT))
    sync = (await world.integration()).sync
    assert (sync.paused, sync.last_error.error_class) == (False, ErrorClass.TRANSIENT)
    *_, line = await world.log_lines()
    assert "pause" not in line.message


async def test_a_failed_stream_waits_for_the_batches_it_had_sent(world) -> None:
    await world.begin(STUDENTS)
    assert await world.deliver(world.failed(STUDENTS, batches=2)) == []
    assert await world.deliver(world.written(STUDENTS, 1)) == []
    (finished,) = await world.deliver(world.written(STUDENTS, 0))
    assert (finished.status, finished.counts.fetched) == ("partial", 20)


async def test_a_late_batch_of_an_ended_run_moves_the_counts_alone(world) -> None:
    await world.begin(STUDENTS)
    await world.deliver(world.failed(None))
    lines = await world.log_lines()
    assert await world.deliver(world.written(STUDENTS)) == []
    assert (await world.run()).counts.fetched == 10
    assert await world.log_lines() == lines


async def test_an_ended_run_does_not_let_go_of_the_next(world) -> None:
    await world.begin(STUDENTS)
    await world.deliver(world.failed(None))
    await world.integrations.change("c1", "i1", lambda current: current.with_sync(active_run_id="r2"))
    (again,) = await world.deliver(world.failed(None))
    assert isinstance(again, SyncFinished)
    assert (await world.integration()).sync.active_run_id == "r2"


async def test_a_cancelled_run_stays_cancelled_and_counts_go_on(world) -> None:
    await world.begin(STUDENTS)
    await world.runs.change("c1", "r1", lambda run: run_transitions.cancel(run, world.clock()))
    assert await world.deliver(world.written(STUDENTS)) == []
    assert await world.deliver(world.finished(STUDENTS)) == []
    run = await world.run()
    assert (run.status, run.counts.fetched) == (RunStatus.CANCELLED, 10)


async def test_a_run_ends_although_its_integration_is_gone(world) -> None:
    await world.begin(STUDENTS)
    await world.integrations.remove("c1", "i1")
    await world.deliver(world.written(STUDENTS))
    (finished,) = await world.deliver(world.finished(STUDENTS))
    assert finished.status == "succeeded"
    assert (await world.run()).status is RunStatus.SUCCEEDED


async def test_a_pushed_batch_needs_no_run(world) -> None:
    assert await world.deliver(world.written(STUDENTS, origin=Origin.WEBHOOK)) == []
    assert not await world.log_lines()


async def test_a_failure_without_a_run_leaves_one_error_line(world) -> None:
    for _ in range(2):
        assert await world.deliver(world.failed(STUDENTS)) == []
    (line,) = await world.log_lines()
    assert (line.event, line.code) == ("batch.failed", "credentials_refused")


async def test_polled_batches_without_a_run_leave_one_error_line_together(world) -> None:
    for sequence in range(3):
        assert await world.deliver(world.written(STUDENTS, sequence)) == []
        (line,) = await world.log_lines()
        assert line.event == "run.unknown"
    assert await world.deliver(world.finished(STUDENTS)) == []
    assert len(await world.log_lines()) == 1


async def test_news_from_another_college_does_not_touch_the_run(world) -> None:
    await world.begin(STUDENTS)
    foreign = world.failed(None).model_copy(update={"college_id": "c2"})
    assert await world.deliver(foreign) == []
    assert (await world.run()).status is RunStatus.RUNNING


@pytest.mark.parametrize("order", [0, 1])
async def test_a_stream_of_another_data_type_is_ignored(world, order: int) -> None:
    await world.begin(STUDENTS)
    messages = [world.written(MARKS), world.finished(MARKS)]
    for message in messages[:: -1 if order else 1]:
        assert await world.deliver(message) == []
    assert (await world.run()).counts == Counts()


COVERED = {"students": StreamState(identity="x", windows=((0, 9),))}


def with_states(message):
    return message.model_copy(update={"states": COVERED})


async def known(world) -> StreamState | None:
    return await StreamStates(world.store).find("c1", "i1", "students")


@pytest.mark.parametrize("is_last", ["batch", "end"])
async def test_what_a_walk_covered_is_remembered_once_every_batch_is_written(world, is_last: str) -> None:
    await world.begin(STUDENTS)
    messages = [
        world.written(STUDENTS, 0),
        world.written(STUDENTS, 1),
        with_states(world.finished(STUDENTS, batches=2)),
    ]
    for message in messages if is_last == "end" else [messages[0], messages[2], messages[1]]:
        assert await known(world) is None
        await world.deliver(message)
    assert await known(world) == COVERED["students"]


async def test_windows_read_before_a_failure_are_remembered_and_nothing_of_a_stream_that_lost_a_batch(world) -> None:
    await world.begin(STUDENTS, MARKS)
    await world.deliver(with_states(world.failed(STUDENTS, batches=1)))
    assert await known(world) is None
    await world.deliver(world.written(STUDENTS))
    assert await known(world) == COVERED["students"]


async def test_nothing_is_remembered_of_a_stream_whose_records_were_of_no_use(world) -> None:
    await world.begin(STUDENTS)
    written = world.written(STUDENTS)
    await world.deliver(written.model_copy(update={"counts": Counts(fetched=10, rejected=10)}))
    await world.deliver(with_states(world.finished(STUDENTS)))
    assert (await world.run()).status is RunStatus.FAILED
    assert await known(world) is None


async def test_the_tables_of_a_run_are_gone_when_it_has_ended_and_not_before(world) -> None:
    await world.begin(STUDENTS, MARKS)
    tables = Tables(world.store)
    await tables.write("c1", "r1", "courses", [Piece(0, [{"id": 1}])])
    await tables.write("c1", "another run", "courses", [Piece(0, [{"id": 1}])])
    await world.deliver(world.written(STUDENTS))
    await world.deliver(world.finished(STUDENTS))
    assert await tables.next_run_anywhere("another run") == ("c1", "r1")
    await world.deliver(world.written(MARKS))
    await world.deliver(world.finished(MARKS))
    assert await tables.next_run_anywhere("another run") is None
    assert await tables.next_run_anywhere() == ("c1", "another run")
