"""The log speaks plainly, adds up, and never says a thing twice."""

from datetime import UTC, datetime, timedelta

from hub_model import run_transitions, runs
from hub_model.counts import Counts
from hub_model.errors import ErrorClass
from hub_model.logs import LogLevel
from hub_model.messages import BatchTransformed, BatchWritten, StreamFinished, SyncFailed, Trigger
from hub_model.records import DataType, Origin
from hub_model.runs import Run
from hub_writer import log_lines
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
IDS = {"college_id": "c1", "integration_id": "i1", "run_id": "r1"}


def run_of(*data_types: DataType) -> Run:
    return runs.new_run(
        run_id="r1", college_id="c1", integration_id="i1", trigger=Trigger.MANUAL, data_types=data_types, now=NOW
    )


def written(data_type: DataType, **counts: int) -> BatchWritten:
    counts["fetched"] = sum(counts.values())
    return BatchWritten(
        **IDS, data_type=data_type, sequence=0, origin=Origin.POLL, counts=Counts(**counts), written_at=NOW
    )


def finished(
    data_type: DataType, *, batches: int = 1, complete: bool = True, warnings: tuple[str, ...] = ()
) -> StreamFinished:
    return StreamFinished(
        **IDS,
        data_type=data_type,
        batches=batches,
        pages=1,
        records=0,
        complete=complete,
        finished_at=NOW,
        warnings=warnings,
    )


def failed(data_type: DataType | None, *, batches: int | None = None) -> SyncFailed:
    return SyncFailed(
        **IDS,
        data_type=data_type,
        stage="fetch",
        error_class=ErrorClass.AUTH,
        code="credentials_refused",
        public="The source refused the credentials.",
        batches=batches,
        failed_at=NOW,
    )


def ended_run(*events: BatchWritten | StreamFinished | SyncFailed, data_types: tuple[DataType, ...]) -> Run:
    run = run_of(*data_types)
    for event in events:
        match event:
            case BatchWritten():
                run = run_transitions.record_batch(run, event)
            case StreamFinished():
                run = run_transitions.finish_stream(run, event)
            case SyncFailed():
                run = run_transitions.fail(run, event)
    return run


ATTENDANCE, MARKS = DataType.ATTENDANCE, DataType.MARKS


def test_a_finished_stream_says_what_became_of_every_record() -> None:
    run = ended_run(
        written(ATTENDANCE, inserted=19_998, unchanged=1, rejected=1), finished(ATTENDANCE), data_types=(ATTENDANCE,)
    )
    line = log_lines.stream_ended(run, run.streams[ATTENDANCE])
    assert line.message == "Attendance: 20,000 records read: 19,998 new, 1 unchanged, 1 rejected."
    assert (line.event, line.level) == ("stream.finished", LogLevel.WARNING)


def test_a_clean_stream_is_information() -> None:
    run = ended_run(written(MARKS, updated=1), finished(MARKS), data_types=(MARKS,))
    line = log_lines.stream_ended(run, run.streams[MARKS])
    assert (line.message, line.level) == ("Marks: 1 record read: 1 updated.", LogLevel.INFO)


def test_an_empty_stream_says_that_there_were_no_records() -> None:
    run = ended_run(finished(MARKS, batches=0), data_types=(MARKS,))
    assert log_lines.stream_ended(run, run.streams[MARKS]).message == "Marks: no records."


def test_warnings_of_the_walk_are_passed_on() -> None:
    warning = "The source said that there are 9 records and sent 1."
    run = ended_run(
        written(MARKS, inserted=1), finished(MARKS, complete=False, warnings=(warning,)), data_types=(MARKS,)
    )
    line = log_lines.stream_ended(run, run.streams[MARKS])
    assert line.message == f"Marks: 1 record read: 1 new. {warning}"
    assert line.level is LogLevel.WARNING


def test_a_failed_stream_says_why_and_how_far_it_came() -> None:
    run = ended_run(written(MARKS, inserted=1200), failed(MARKS, batches=1), data_types=(MARKS,))
    line = log_lines.stream_ended(run, run.streams[MARKS])
    assert line.message == "Marks: 1,200 records read: 1,200 new. The source refused the credentials."
    assert (line.event, line.level, line.code) == ("stream.failed", LogLevel.ERROR, "credentials_refused")


def test_a_finished_run_counts_all_its_streams() -> None:
    run = ended_run(
        written(ATTENDANCE, inserted=2),
        written(MARKS, unchanged=3),
        finished(ATTENDANCE),
        finished(MARKS),
        data_types=(ATTENDANCE, MARKS),
    )
    line = log_lines.run_ended(run, paused=False)
    assert line.message == "Sync finished: 5 records read: 2 new, 3 unchanged."
    assert (line.event, line.level) == ("sync.finished", LogLevel.INFO)


def test_a_partial_run_names_what_is_not_complete() -> None:
    run = ended_run(
        written(ATTENDANCE, inserted=2), finished(ATTENDANCE), failed(MARKS), data_types=(ATTENDANCE, MARKS)
    )
    line = log_lines.run_ended(run, paused=False)
    assert line.message == (
        "Sync finished in part: 2 records read: 2 new. Not complete: Marks. The source refused the credentials."
    )
    assert (line.event, line.level) == ("sync.partial", LogLevel.WARNING)


def test_a_run_whose_walk_did_not_see_everything_does_not_call_itself_complete() -> None:
    run = ended_run(
        written(MARKS, inserted=1), finished(MARKS, complete=False, warnings=("3 are missing.",)), data_types=(MARKS,)
    )
    line = log_lines.run_ended(run, paused=False)
    assert line.message == "Sync finished in part: 1 record read: 1 new. Not complete: Marks."
    assert line.level is LogLevel.WARNING


def test_a_failed_run_says_why_and_that_the_schedule_pauses() -> None:
    run = ended_run(failed(None), data_types=(ATTENDANCE, MARKS))
    line = log_lines.run_ended(run, paused=True)
    assert line.message == (
        "Sync failed: no records. The source refused the credentials. "
        "Automatic syncs pause until the integration is edited, switched on again or synced by hand."
    )
    assert (line.event, line.level) == ("sync.failed", LogLevel.ERROR)


def test_a_cancelled_run_has_a_line_of_its_own() -> None:
    line = log_lines.run_ended(run_transitions.cancel(run_of(MARKS), NOW), paused=False)
    assert (line.message, line.event) == ("Sync cancelled: no records.", "sync.cancelled")


def test_the_line_of_a_run_is_later_than_those_of_its_streams() -> None:
    run = ended_run(written(MARKS, inserted=1), finished(MARKS), data_types=(MARKS,))
    stream_line = log_lines.stream_ended(run, run.streams[MARKS])
    assert log_lines.run_ended(run, paused=False).at > stream_line.at


def test_a_pushed_batch_has_one_line_with_its_counts() -> None:
    batch = BatchTransformed(
        **IDS, data_type=ATTENDANCE, sequence=0, origin=Origin.WEBHOOK, observed_at=NOW, records=[]
    )
    line = log_lines.webhook_written(batch, Counts(fetched=3, inserted=2, stale=1), NOW)
    assert line.message == "Webhook: Attendance: 3 records read: 2 new, 1 older than what is stored."
    assert line.id == log_lines.webhook_written(batch, Counts(), NOW + timedelta(hours=1)).id


def test_a_failure_without_a_run_says_what_was_lost_and_why() -> None:
    line = log_lines.failed_without_run(failed(MARKS))
    assert line.message == "Marks: Received data could not be stored. The source refused the credentials."
    assert line.level is LogLevel.ERROR


def test_the_lines_of_a_run_have_ids_of_their_own() -> None:
    run = ended_run(failed(None), data_types=(ATTENDANCE, MARKS))
    lines = [log_lines.stream_ended(run, stream) for stream in run.streams.values()]
    lines += [log_lines.run_ended(run, paused=False), log_lines.run_unknown(failed(None), NOW)]
    lines.append(log_lines.failed_without_run(failed(None)))
    assert len({line.id for line in lines}) == len(lines)


fates = st.dictionaries(
    st.sampled_from([name for name in Counts.model_fields if name != "fetched"]), st.integers(1, 10_000)
)


@given(fates)
def test_the_numbers_in_a_line_add_up(numbers: dict[str, int]) -> None:
    text = log_lines.describe(Counts(fetched=sum(numbers.values()), **numbers))
    spoken = [int(word.replace(",", "")) for word in text.replace(", ", " ").split() if word[0].isdigit()]
    assert sum(spoken[1:]) == (spoken[0] if spoken else 0) == sum(numbers.values())


def test_records_that_were_lost_to_others_of_the_same_key_are_a_warning_that_says_what_to_do() -> None:
    run = run_transitions.start(run_of(DataType.ATTENDANCE), NOW)
    event = written(DataType.ATTENDANCE, inserted=60, duplicate=60).model_copy(update={"overruled": 60})
    run = run_transitions.finish_stream(run_transitions.record_batch(run, event), finished(DataType.ATTENDANCE))
    line = log_lines.stream_ended(run, run.streams[DataType.ATTENDANCE])
    assert line.level is LogLevel.WARNING
    assert "Records lost to others" in line.message
    assert "say something else: 60." in line.message
    assert "'period'" in line.message


def test_records_that_may_have_been_lost_are_a_warning_and_the_sync_is_partial() -> None:
    run = run_transitions.start(run_of(DataType.ATTENDANCE), NOW)
    event = written(DataType.ATTENDANCE, inserted=60, duplicate=60).model_copy(update={"undecided": 60})
    run = run_transitions.finish_stream(run_transitions.record_batch(run, event), finished(DataType.ATTENDANCE))
    line = log_lines.stream_ended(run, run.streams[DataType.ATTENDANCE])
    assert line.level is LogLevel.WARNING
    assert "Records that may be lost to others" in line.message
    assert "at another time: 60." in line.message
    assert "'sourceId'" in line.message
    end = log_lines.run_ended(run, paused=False)
    assert (end.level, end.event) == (LogLevel.WARNING, "sync.partial")
    assert "Not complete: Attendance" in end.message
