"""A run's whole life: whatever order its events come in, and however often, it ends the same and its counts add up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hub_model.counts import Counts
from hub_model.errors import ErrorClass
from hub_model.messages import BatchWritten, StreamFinished, SyncFailed, Trigger
from hub_model.records import DataType, Origin, Outcome
from hub_model.rivals import Losses
from hub_model.run_transitions import add_losses, cancel, fail, finish_stream, is_drift, record_batch, start
from hub_model.runs import Run, RunStatus, StreamStatus, new_run
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
IDS = {"college_id": "c1", "integration_id": "i1", "run_id": "r1"}
STUDENTS, MARKS, FACULTY = DataType.STUDENTS, DataType.MARKS, DataType.FACULTY
Event = BatchWritten | StreamFinished | SyncFailed


def queued(*data_types: DataType) -> Run:
    return new_run(**IDS, trigger=Trigger.MANUAL, data_types=data_types or (STUDENTS, MARKS), now=NOW)


def written(sequence: int, counts: Counts | None = None, data_type: DataType = STUDENTS, at_s: int = 0) -> BatchWritten:
    return BatchWritten(
        **IDS,
        data_type=data_type,
        sequence=sequence,
        origin=Origin.POLL,
        counts=counts or Counts(fetched=2, inserted=2),
        written_at=NOW + timedelta(seconds=at_s),
    )


def finished(batches: int, data_type: DataType = STUDENTS, at_s: int = 0) -> StreamFinished:
    return StreamFinished(
        **IDS,
        data_type=data_type,
        batches=batches,
        pages=batches,
        records=batches * 2,
        complete=True,
        finished_at=NOW + timedelta(seconds=at_s),
    )


def failed(
    batches: int | None, data_type: DataType | None = STUDENTS, at_s: int = 0, code: str = "not_found"
) -> SyncFailed:
    return SyncFailed(
        **IDS,
        data_type=data_type,
        stage="fetch",
        error_class=ErrorClass.CONFIG,
        code=code,
        public="There is nothing at this path.",
        batches=batches,
        failed_at=NOW + timedelta(seconds=at_s),
    )


def applied(run: Run, *events: Event) -> Run:
    for event in events:
        if isinstance(event, BatchWritten):
            run = record_batch(run, event)
        elif isinstance(event, StreamFinished):
            run = finish_stream(run, event)
        else:
            run = fail(run, event)
    return run


@dataclass(frozen=True)
class History:
    """All events of a run, with the fate that each of its streams must meet."""

    events: tuple[Event, ...]
    fates: dict[DataType, StreamStatus]


counts = st.builds(
    Counts.of_outcomes,
    st.lists(st.sampled_from(Outcome), max_size=8),
    rejected=st.integers(0, 8),
    skipped=st.integers(0, 2),
)


@st.composite
def stream_histories(draw: st.DrawFn, data_type: DataType) -> tuple[list[Event], StreamStatus]:
    """One stream that ends well, fails at the source, or loses a batch further down."""
    totals = draw(st.lists(counts, max_size=4))
    events: list[Event] = [
        written(sequence, total, data_type, draw(st.integers(0, 50))) for sequence, total in enumerate(totals)
    ]
    drifts = any(map(is_drift, totals))
    ending = draw(st.sampled_from(["finished", "failed", "lost"]))
    at_s = draw(st.integers(0, 50))
    if ending == "failed" and not drifts:
        return [*events, failed(len(totals), data_type, at_s)], StreamStatus.FAILED
    if ending == "lost" and not drifts:
        return [*events, finished(len(totals) + 1, data_type, at_s), failed(None, data_type, at_s)], StreamStatus.FAILED
    return [*events, finished(len(totals), data_type, at_s)], (
        StreamStatus.FAILED if drifts else StreamStatus.SUCCEEDED
    )


@st.composite
def histories(draw: st.DrawFn) -> History:
    events: list[Event] = []
    fates = {}
    for data_type in (STUDENTS, MARKS, FACULTY):
        stream_events, fates[data_type] = draw(stream_histories(data_type))
        events += stream_events
    return History(tuple(events), fates)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[History, Sequence[Event]]:
    """A history, and its events in any order with any of them repeated."""
    history = draw(histories())
    repeated = draw(st.lists(st.sampled_from(history.events), max_size=6))
    return history, draw(st.permutations([*history.events, *repeated]))


def outcome_of(run: Run) -> dict[str, Any]:
    """Everything but when it began and ended, and which of several drifting batches is told."""
    return run.model_dump(
        exclude={"started_at": True, "finished_at": True, "streams": {"__all__": {"failure": {"public"}}}}
    )


@given(deliveries())
def test_shuffled_and_repeated_events_end_in_the_same_run(delivered: tuple[History, Sequence[Event]]) -> None:
    history, events = delivered
    run = queued(STUDENTS, MARKS, FACULTY)
    assert outcome_of(applied(run, *events)) == outcome_of(applied(run, *history.events))


@given(deliveries())
def test_a_run_ends_when_every_stream_has_and_each_meets_its_fate(
    delivered: tuple[History, Sequence[Event]],
) -> None:
    history, events = delivered
    run = applied(queued(STUDENTS, MARKS, FACULTY), *events)
    assert {data_type: stream.status for data_type, stream in run.streams.items()} == history.fates
    fates = set(history.fates.values())
    if fates == {StreamStatus.SUCCEEDED}:
        assert run.status is RunStatus.SUCCEEDED
        assert run.failure is None
    else:
        brought = StreamStatus.SUCCEEDED in fates or run.counts.fetched > run.counts.rejected
        assert run.status is (RunStatus.PARTIAL if brought else RunStatus.FAILED)
        assert run.failure is not None
    assert run.finished_at is not None
    assert run.started_at is not None
    assert run.finished_at <= run.progressed_at


@given(deliveries())
def test_the_counts_of_a_run_are_those_of_its_batches_each_once_and_add_up(
    delivered: tuple[History, Sequence[Event]],
) -> None:
    history, events = delivered
    run = applied(queued(STUDENTS, MARKS, FACULTY), *events)
    batches = [event.counts for event in history.events if isinstance(event, BatchWritten)]
    assert run.counts == sum(batches, Counts())
    assert run.counts.settled == run.counts.fetched


@given(deliveries(), st.integers(0, 30))
def test_a_cancelled_run_stays_cancelled_and_counts_on(
    delivered: tuple[History, Sequence[Event]], cancelled_after: int
) -> None:
    history, events = delivered
    before = applied(queued(STUDENTS, MARKS, FACULTY), *events[:cancelled_after])
    run = applied(cancel(before, NOW), *events[cancelled_after:])
    batches = [event.counts for event in history.events if isinstance(event, BatchWritten)]
    assert run.counts == sum(batches, Counts())
    if before.status is RunStatus.FAILED:
        # It was over, and what comes late may yet be something that it has brought.
        assert run.status in (RunStatus.FAILED, RunStatus.PARTIAL)
    else:
        assert run.status is (before.status if before.status.is_final else RunStatus.CANCELLED)


@given(deliveries())
def test_a_run_is_stored_and_read_back_as_it_is(delivered: tuple[History, Sequence[Event]]) -> None:
    run = applied(queued(STUDENTS, MARKS, FACULTY), *delivered[1])
    assert Run.model_validate(run.model_dump(mode="json", by_alias=True)) == run


def test_a_run_starts_once() -> None:
    later = NOW + timedelta(minutes=1)
    run = start(queued(), later)
    assert (run.status, run.started_at, run.progressed_at) == (RunStatus.RUNNING, later, later)
    assert start(run, NOW + timedelta(hours=1)) is run
    assert start(cancel(run, later), later).status is RunStatus.CANCELLED


def test_a_batch_that_overtakes_the_start_starts_the_run() -> None:
    run = applied(queued(), written(0, at_s=5))
    assert (run.status, run.started_at) == (RunStatus.RUNNING, NOW + timedelta(seconds=5))
    assert start(run, NOW + timedelta(seconds=9)) is run


def test_a_repeated_event_returns_the_same_run() -> None:
    run = applied(queued(), written(0), finished(2))
    assert applied(run, written(0, at_s=9)) is run
    assert applied(run, finished(2, at_s=9)) is run


def test_events_of_a_stream_the_run_has_not_got_change_nothing() -> None:
    run = queued(STUDENTS)
    assert applied(run, written(0, data_type=MARKS), finished(1, MARKS), failed(None, MARKS)) is run


def test_a_stream_without_batches_ends_at_once() -> None:
    run = applied(queued(STUDENTS), finished(0))
    assert (run.status, run.counts) == (RunStatus.SUCCEEDED, Counts())


def test_a_run_whose_stream_may_have_missed_something_has_not_succeeded() -> None:
    incomplete = finished(1, MARKS).model_copy(update={"complete": False, "warnings": ("3 are missing.",)})
    run = applied(queued(STUDENTS, MARKS), written(0), finished(1), written(0, data_type=MARKS), incomplete)
    assert (run.status, run.failure) == (RunStatus.PARTIAL, None)
    assert {stream.status for stream in run.streams.values()} == {StreamStatus.SUCCEEDED}


def test_a_run_that_lost_records_to_others_of_their_key_has_not_succeeded() -> None:
    run = applied(queued(STUDENTS), written(0).model_copy(update={"overruled": 2}), written(1), finished(2))
    assert run.status is RunStatus.PARTIAL
    run = add_losses(run, STUDENTS, Losses(overruled=3))
    assert run.streams[STUDENTS].overruled == 5
    assert "say something else: 5." in run.streams[STUDENTS].doubts[-1]
    whole = applied(queued(STUDENTS), written(0), finished(1))
    assert add_losses(whole, STUDENTS, Losses()).status is RunStatus.SUCCEEDED
    assert add_losses(whole, STUDENTS, Losses(overruled=1)).status is RunStatus.PARTIAL


def test_records_of_which_nobody_can_tell_whether_they_are_lost_make_the_run_partial() -> None:
    run = applied(queued(STUDENTS), written(0).model_copy(update={"undecided": 2}), written(1), finished(2))
    run = add_losses(run, STUDENTS, Losses(undecided=1_000))
    stream = run.streams[STUDENTS]
    (doubt,) = stream.doubts
    assert "Records that may be lost" in doubt
    assert "at another time: 1,002." in doubt
    assert "Map 'sourceId'" in doubt
    assert "Map what tells them apart" in doubt
    assert (run.status, stream.is_whole) == (RunStatus.PARTIAL, False)


def test_what_was_lost_and_what_may_have_been_are_told_together_and_what_to_do_once() -> None:
    counts = Counts(fetched=3, updated=1, replaced=2)
    event = written(0).model_copy(update={"counts": counts, "undecided": 2})
    (doubt,) = applied(queued(STUDENTS), event, finished(1)).streams[STUDENTS].doubts
    assert "at another time: 2." in doubt
    assert "than before: 2." in doubt
    (doubt,) = (
        applied(queued(STUDENTS), event.model_copy(update={"overruled": 3}), finished(1)).streams[STUDENTS].doubts
    )
    assert "say something else: 3." in doubt
    assert "at another time: 2." in doubt
    assert "than before" not in doubt, "those that overrule each other look replaced"
    assert doubt.count("Map what tells them apart") == 1


def test_a_stream_that_an_older_version_stored_has_nothing_undecided() -> None:
    run = applied(queued(STUDENTS), written(0), finished(1))
    document = run.model_dump(mode="json")
    del document["streams"][STUDENTS]["undecided"]
    assert Run.model_validate(document) == run


def test_records_that_another_row_has_replaced_are_told_and_leave_the_run_as_it_is() -> None:
    counts = Counts(fetched=3, updated=1, replaced=2)
    run = applied(queued(STUDENTS), written(0).model_copy(update={"counts": counts}), finished(1))
    (doubt,) = run.streams[STUDENTS].doubts
    assert "come from another row of the source than before: 2." in doubt
    assert "Map what tells them apart" in doubt
    assert (run.status, run.counts.changed) == (RunStatus.SUCCEEDED, 3)


def test_a_failure_of_some_streams_leaves_the_others_alone() -> None:
    event = failed(None, data_type=None).model_copy(update={"data_types": (MARKS, FACULTY)})
    run = applied(queued(STUDENTS, MARKS, FACULTY), event)
    assert {name for name, stream in run.streams.items() if stream.failure} == {MARKS, FACULTY}
    assert run.status is RunStatus.RUNNING
    assert applied(run, written(0), finished(1)).status is RunStatus.PARTIAL


def test_a_failed_stream_ends_only_when_the_batches_it_sent_are_written() -> None:
    run = applied(queued(STUDENTS), failed(2), written(1))
    assert run.status is RunStatus.RUNNING
    run = applied(run, written(0))
    assert (run.status, run.counts.inserted) == (RunStatus.PARTIAL, 4)


def test_a_lost_batch_fails_its_stream_at_once() -> None:
    run = applied(queued(STUDENTS), written(0), failed(None))
    assert (run.status, run.streams[STUDENTS].status) == (RunStatus.PARTIAL, StreamStatus.FAILED)


def test_a_failure_of_the_whole_run_fails_every_stream_that_has_not_ended() -> None:
    run = applied(queued(STUDENTS, MARKS, FACULTY), written(0), finished(1), failed(None, data_type=None))
    statuses = {data_type: stream.status for data_type, stream in run.streams.items()}
    assert statuses == {
        STUDENTS: StreamStatus.SUCCEEDED,
        MARKS: StreamStatus.FAILED,
        FACULTY: StreamStatus.FAILED,
    }
    assert run.status is RunStatus.PARTIAL


def test_a_run_that_brought_nothing_and_failed_has_failed() -> None:
    run = applied(queued(STUDENTS), failed(0))
    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert (run.failure.code, run.failure.error_class) == ("not_found", ErrorClass.CONFIG)


def test_a_run_of_which_every_record_was_rejected_has_brought_nothing() -> None:
    run = applied(queued(STUDENTS), written(0, Counts(fetched=40, rejected=40)), finished(1))
    assert run.status is RunStatus.FAILED


def test_batches_beyond_the_last_do_not_stand_in_for_those_that_are_missing() -> None:
    """A stretch was fetched twice, and the source had shrunk in between."""
    run = applied(queued(STUDENTS), written(2), written(3), finished(2))
    assert run.status is RunStatus.RUNNING
    assert applied(run, written(0), written(1)).status is RunStatus.SUCCEEDED


def test_the_first_failure_of_a_stream_is_kept() -> None:
    run = applied(queued(STUDENTS), failed(1, code="first"), failed(None, code="second"))
    assert run.failure is not None
    assert run.failure.code == "first"


def test_a_late_batch_of_a_run_that_is_over_counts_and_leaves_the_end_as_it_was() -> None:
    over = applied(queued(STUDENTS), written(0), failed(None))
    run = applied(over, written(1, at_s=60))
    assert run.counts.fetched == 4
    assert (run.status, run.finished_at) == (over.status, over.finished_at)


def test_a_failed_run_whose_late_batches_arrive_yet_has_brought_something() -> None:
    over = applied(queued(STUDENTS), failed(None))
    run = applied(over, written(0, at_s=60))
    assert (over.status, run.status) == (RunStatus.FAILED, RunStatus.PARTIAL)
    assert run.finished_at == over.finished_at


@pytest.mark.parametrize(
    ("rejected", "fetched", "drifts"),
    [
        (0, 0, False),
        (1, 1, True),
        (1, 2, False),
        (4, 5, False),
        (5, 5, True),
        (5, 24, True),
        (5, 25, False),
        (6, 25, True),
        (100, 500, False),
        (101, 500, True),
    ],
)
def test_a_batch_drifts_when_more_than_a_fifth_and_five_or_all_of_it_are_rejected(
    rejected: int, fetched: int, drifts: bool
) -> None:
    total = Counts(fetched=fetched, rejected=rejected, inserted=fetched - rejected)
    assert is_drift(total) is drifts
    run = applied(queued(STUDENTS), written(0, total))
    assert (run.streams[STUDENTS].status is StreamStatus.FAILED) is drifts
    if drifts:
        assert run.failure is not None
        assert (run.failure.code, run.failure.error_class) == ("schema_drift", ErrorClass.DATA)
        assert f"{rejected} of {fetched}" in run.failure.public


@given(st.permutations([None, 100, 90, 120]))
def test_how_many_records_are_expected_does_not_depend_on_the_order_of_batches(expected: list[int | None]) -> None:
    events = [
        written(sequence).model_copy(update={"expected_records": total}) for sequence, total in enumerate(expected)
    ]
    assert applied(queued(STUDENTS), *events).streams[STUDENTS].expected_records == 120


def test_a_new_run_is_queued_with_an_empty_stream_per_data_type() -> None:
    run = queued(STUDENTS, MARKS)
    assert (run.status, run.data_types, run.counts) == (RunStatus.QUEUED, (STUDENTS, MARKS), Counts())
    assert not run.status.is_final
