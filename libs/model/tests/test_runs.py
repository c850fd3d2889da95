"""A run is the same whatever order its events come in, and knows which of its streams are waiting."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hub_model.counts import Counts
from hub_model.errors import ErrorClass
from hub_model.messages import BatchWritten, StreamFinished, SyncFailed, Trigger
from hub_model.records import DataType, Origin
from hub_model.run_transitions import cancel, fail, finish_stream, move, prepare, record_batch, start, wait
from hub_model.runs import Preparing, Run, RunStatus, StreamStatus, new_run
from hub_model.waiting import Waiting
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
IDS = {"college_id": "c1", "integration_id": "i1", "run_id": "r1"}
STUDENTS, MARKS = DataType.STUDENTS, DataType.MARKS
BATCHES = 3
Event = Callable[[Run], Run]


def running() -> Run:
    run = new_run(**IDS, trigger=Trigger.MANUAL, data_types=(STUDENTS, MARKS), now=NOW)
    return start(run, NOW)


def written(sequence: int, data_type: DataType = STUDENTS) -> Event:
    event = BatchWritten(
        **IDS,
        data_type=data_type,
        sequence=sequence,
        origin=Origin.POLL,
        counts=Counts(fetched=2, inserted=2),
        written_at=NOW,
    )
    return lambda run: record_batch(run, event)


def finished(data_type: DataType = STUDENTS) -> Event:
    event = StreamFinished(
        **IDS, data_type=data_type, batches=BATCHES, pages=1, records=6, complete=True, finished_at=NOW
    )
    return lambda run: finish_stream(run, event)


def failed(data_type: DataType | None = STUDENTS, batches: int | None = BATCHES) -> Event:
    event = SyncFailed(
        **IDS,
        data_type=data_type,
        stage="fetch",
        error_class=ErrorClass.TRANSIENT,
        code="unavailable",
        public="The source does not answer.",
        batches=batches,
        failed_at=NOW,
    )
    return lambda run: fail(run, event)


def pause(sequence: int = 0, *, at_s: int = 0, for_s: int | None = 3600, code: str = "rate_limited") -> Waiting:
    since = NOW + timedelta(seconds=at_s)
    until = None if for_s is None else since + timedelta(seconds=for_s)
    return Waiting(since=since, until=until, sequence=sequence, code=code, public="Asked to slow down.")


def waits(waiting: Waiting, data_type: DataType = STUDENTS) -> Event:
    return lambda run: wait(run, data_type, waiting)


def after(*events: Event, run: Run | None = None) -> Run:
    run = run or running()
    for event in events:
        run = event(run)
    return run


pauses = st.builds(
    pause,
    st.integers(0, BATCHES),
    at_s=st.integers(0, 4),
    for_s=st.none() | st.integers(0, 9),
    code=st.sampled_from(["rate_limited", "source_unavailable"]),
)
endings = st.sampled_from([finished, failed])


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Some of the events of a run, each of them once or more, with waits among them."""
    events: list[Event] = []
    for data_type in (STUDENTS, MARKS):
        whole = [*(written(sequence, data_type) for sequence in range(BATCHES)), draw(endings)(data_type)]
        events += draw(st.lists(st.sampled_from(whole), unique=True))
        events += [waits(waiting, data_type) for waiting in draw(st.lists(pauses, max_size=4))]
    return events + (draw(st.lists(st.sampled_from(events), max_size=4)) if events else [])


@given(histories().flatmap(lambda events: st.tuples(st.just(events), st.permutations(events))))
def test_the_order_of_events_makes_no_difference_and_waits_are_among_them(orders: tuple[list[Event], ...]) -> None:
    first, second = (after(*events) for events in orders)
    assert first == second


@given(histories(), st.booleans())
def test_a_repeated_event_changes_nothing(events: list[Event], cancelled: bool) -> None:
    run = cancel(running(), NOW) if cancelled else running()
    for event in events:
        run = event(run)
        assert event(run) == run


@given(histories(), st.integers(0, 20))
def test_only_a_running_stream_of_a_run_that_goes_on_waits(events: list[Event], cancelled_after: int) -> None:
    events.insert(cancelled_after, lambda run: cancel(run, NOW))
    run = running()
    for event in events:
        run = event(run)
        for stream in run.streams.values():
            assert not stream.waiting or (stream.status is StreamStatus.RUNNING and not run.status.is_final)


@given(st.lists(pauses, min_size=1, max_size=6))
def test_a_wait_lasts_from_its_first_attempt_to_its_latest_end(found: list[Waiting]) -> None:
    found = [waiting.model_copy(update={"sequence": 1}) for waiting in found]
    waiting = after(*map(waits, found)).streams[STUDENTS].waiting
    assert waiting is not None
    assert waiting.since == min(each.since for each in found)
    assert waiting.until == max((each.until for each in found if each.until), default=None)


def test_a_wait_is_no_progress_and_no_start() -> None:
    queued = new_run(**IDS, trigger=Trigger.MANUAL, data_types=(STUDENTS,), now=NOW)
    waiting = wait(queued, STUDENTS, pause(at_s=60))
    assert waiting.streams[STUDENTS].waiting == pause(at_s=60)
    unmoved = ("status", "started_at", "progressed_at")
    assert [getattr(waiting, name) for name in unmoved] == [getattr(queued, name) for name in unmoved]


@pytest.mark.parametrize(
    "event",
    [written(1), written(2), finished(), failed(), failed(None, None)],
    ids=["batch", "later batch", "finish", "failure", "failed run"],
)
def test_progress_of_a_stream_ends_its_wait(event: Event) -> None:
    run = after(waits(pause(1)), waits(pause(1), MARKS))
    assert run.streams[STUDENTS].waiting
    assert after(event, run=run).streams[STUDENTS].waiting is None
    assert after(written(1, MARKS), run=run).streams[STUDENTS].waiting


def test_a_batch_that_was_sent_before_the_wait_and_is_written_during_it_does_not_end_it() -> None:
    run = after(waits(pause(2)), written(0), written(1))
    assert run.streams[STUDENTS].waiting == pause(2)


def test_a_wait_that_becomes_known_after_the_stream_went_on_is_over() -> None:
    assert after(written(2), waits(pause(2))).streams[STUDENTS].waiting is None


def test_a_later_place_in_the_stream_is_a_wait_of_its_own() -> None:
    later = pause(1, at_s=60, for_s=1)
    for order in ((pause(0), later), (later, pause(0))):
        assert after(*map(waits, order)).streams[STUDENTS].waiting == later


def test_nobody_waits_for_a_stream_the_run_has_not_got_or_a_run_that_is_over() -> None:
    assert after(waits(pause(), DataType.FACULTY)) == running()
    cancelled = after(waits(pause()), lambda run: cancel(run, NOW), waits(pause()))
    assert (cancelled.status, cancelled.streams[STUDENTS].waiting) == (RunStatus.CANCELLED, None)


def test_a_wait_is_kept_in_the_written_form() -> None:
    run = after(waits(pause(1)), waits(pause(0, for_s=None), MARKS))
    assert Run.model_validate_json(run.model_dump_json(by_alias=True)) == run


def test_a_run_stored_before_there_were_waits_is_read() -> None:
    document = running().model_dump(mode="json", by_alias=True)
    for stream in document["streams"].values():
        stream.pop("waiting", None)
    assert Run.model_validate(document) == running()


def test_reading_a_table_is_progress_and_ends_the_wait_of_the_streams_that_need_it() -> None:
    waiting = after(waits(pause(0)), waits(pause(0), MARKS))
    later = NOW + timedelta(minutes=9)
    run = prepare(waiting, (STUDENTS,), Preparing(table="courses", pages=3, rows=60), later)
    assert (run.preparing, run.progressed_at) == (Preparing(table="courses", pages=3, rows=60), later)
    assert run.streams[STUDENTS].waiting is None
    assert run.streams[MARKS].waiting is not None
    assert prepare(run, (), None, NOW).preparing is None
    assert prepare(run, (), None, NOW).progressed_at == later


def test_a_run_that_is_over_prepares_nothing_and_does_not_move() -> None:
    preparing = prepare(running(), (STUDENTS,), Preparing(table="courses"), NOW)
    over = cancel(preparing, NOW)
    assert over.preparing is None
    later = NOW + timedelta(minutes=9)
    assert prepare(over, (STUDENTS,), Preparing(table="courses"), later) is over
    assert move(over, later) is over
    assert move(preparing, later).progressed_at == later
    ended = after(failed(None, None), run=preparing)
    assert (ended.status.is_final, ended.preparing) == (True, None)
