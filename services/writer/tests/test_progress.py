"""Which endings an event answers for."""

from datetime import UTC, datetime

from hub_model import run_transitions, runs
from hub_model.counts import Counts
from hub_model.errors import ErrorClass
from hub_model.messages import BatchWritten, StreamFinished, SyncFailed, Trigger
from hub_model.records import DataType, Origin
from hub_model.rivals import Losses
from hub_model.runs import Run, StreamStatus
from hub_writer.progress import ProgressEvent, Recorded, apply, apply_each, ended_by
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
IDS = {"college_id": "c1", "integration_id": "i1", "run_id": "r1"}
TYPES = (DataType.STUDENTS, DataType.MARKS)
BATCHES = 3


def new_run() -> Run:
    return runs.new_run(
        run_id="r1", college_id="c1", integration_id="i1", trigger=Trigger.MANUAL, data_types=TYPES, now=NOW
    )


def written(data_type: DataType, sequence: int) -> BatchWritten:
    return BatchWritten(
        **IDS,
        data_type=data_type,
        sequence=sequence,
        origin=Origin.POLL,
        counts=Counts(fetched=2, inserted=2),
        written_at=NOW,
    )


def finished(data_type: DataType) -> StreamFinished:
    return StreamFinished(
        **IDS, data_type=data_type, batches=BATCHES, pages=1, records=6, complete=True, finished_at=NOW
    )


def failed(data_type: DataType | None) -> SyncFailed:
    return SyncFailed(
        **IDS,
        data_type=data_type,
        stage="fetch",
        error_class=ErrorClass.TRANSIENT,
        code="unavailable",
        public="The source does not answer.",
        failed_at=NOW,
    )


WHOLE: list[ProgressEvent] = [
    *(written(data_type, sequence) for data_type in TYPES for sequence in range(BATCHES)),
    *(finished(data_type) for data_type in TYPES),
]
histories = st.permutations(WHOLE).flatmap(
    lambda events: st.tuples(
        st.just(events),
        st.lists(st.sampled_from([*WHOLE, failed(None), failed(DataType.MARKS)]), max_size=8),
        st.integers(0, len(WHOLE)),
    ).map(lambda parts: [*parts[0][: parts[2]], *parts[1], *parts[0][parts[2] :]])
)


@given(histories)
def test_every_end_is_answered_for_by_exactly_one_event_that_changed_something(history: list[ProgressEvent]) -> None:
    run, announced, run_ends = new_run(), [], 0
    for event in history:
        after = apply(run, event)
        if after != run:
            ended = ended_by(run, after)
            announced += [stream.data_type for stream in ended.streams]
            run_ends += ended.run
        run = after
    assert sorted(announced) == sorted(TYPES)
    assert run_ends == 1


@given(histories)
def test_a_repeated_event_answers_for_everything_that_is_over(history: list[ProgressEvent]) -> None:
    run = new_run()
    for event in history:
        run = apply(run, event)
        repeated = apply(run, event)
        assert repeated == run
        ended = ended_by(run, repeated)
        over = {stream.data_type for stream in run.streams.values() if stream.status is not StreamStatus.RUNNING}
        assert {stream.data_type for stream in ended.streams} == over
        assert ended.run == run.status.is_final


@given(histories, st.integers(1, 9))
def test_events_that_go_together_do_what_they_do_one_after_the_other(history: list[ProgressEvent], size: int) -> None:
    run, alone = new_run(), []
    for event in history:
        after = apply(run, event)
        alone.append(Recorded(after, ended_by(run, after)))
        run = after
    together, begun = [], new_run()
    for first in range(0, len(history), size):
        together += apply_each(begun, history[first : first + size], dict.fromkeys(TYPES, Losses()))
        begun = together[-1].run
    assert together == alone


def test_a_late_batch_of_a_cancelled_run_moves_the_counts_and_announces_nothing() -> None:
    cancelled = run_transitions.cancel(new_run(), NOW)
    after = apply(cancelled, written(DataType.MARKS, 0))
    assert (after.status, after.counts.inserted) == (runs.RunStatus.CANCELLED, 2)
    assert ended_by(cancelled, after) == ended_by(after, apply(after, written(DataType.STUDENTS, 0)))
    assert not ended_by(cancelled, after).run
