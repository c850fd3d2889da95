"""What happens to a run, as a pure state machine: each function gives the run as it is afterwards.

    queued ──start──▶ running ──every stream ended──▶ succeeded | partial | failed
      └──────────────────┴──────cancel──────────────▶ cancelled

Events may arrive in any order, twice, or after the end; the result is the same (a property test shuffles them),
but for its moments, and for which of several failures of a stream is told: the one that was heard of first.
A stream ends when it is told how many batches were sent and all of them are written, or when it failed. Counts go
on after the end, so a late batch is never missing from the total. A running stream may be waiting for its source.
A run succeeded only if every stream saw all that the source has, and lost none of it to another record of the same key:
``partial`` is one that may have missed something.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from hub_model.counts import Counts
from hub_model.errors import ErrorClass
from hub_model.intervals import add_number, has_all_below
from hub_model.messages import BatchWritten, StreamFinished, SyncFailed
from hub_model.records import DataType
from hub_model.rivals import Losses
from hub_model.runs import Failure, Preparing, Run, RunStatus, Stream, StreamStatus
from hub_model.waiting import Waiting, joined


def start(run: Run, now: datetime) -> Run:
    """The fetcher took the run up; a repeated start changes nothing."""
    if run.status is not RunStatus.QUEUED:
        return run
    return run.model_copy(update={"status": RunStatus.RUNNING, "started_at": now, "progressed_at": now})


def record_batch(run: Run, event: BatchWritten) -> Run:
    """Count a written batch once, whatever its order."""
    stream = run.streams.get(event.data_type)
    if stream is None:
        return run
    written = add_number(stream.written, event.sequence)
    if written == stream.written:
        return run
    told = [total for total in (stream.expected_records, event.expected_records) if total is not None]
    update: dict[str, object] = {
        "written": written,
        "counts": stream.counts + event.counts,
        "expected_records": max(told, default=None),
        "overruled": stream.overruled + event.overruled,
        "undecided": stream.undecided + event.undecided,
    }
    if is_drift(event.counts):
        update |= {"status": StreamStatus.FAILED, "failure": stream.failure or _drift_failure(event.counts)}
    return _with_stream(run, stream.model_copy(update=update), event.written_at)


def finish_stream(run: Run, event: StreamFinished) -> Run:
    """Learn how many batches the stream had."""
    stream = run.streams.get(event.data_type)
    if stream is None or stream.batches is not None:
        return run
    return _with_stream(
        run,
        stream.model_copy(
            update={
                "batches": event.batches,
                "pages": event.pages,
                "complete": event.complete,
                "warnings": event.warnings,
                "snapshot": event.snapshot,
                "states": event.states,
            }
        ),
        event.finished_at,
    )


def add_losses(run: Run, data_type: DataType, losses: Losses) -> Run:
    """Learn how many of the stream's records were lost to others of other batches; once, for they add up."""
    stream = run.streams[data_type]
    update = {
        "overruled": stream.overruled + losses.overruled,
        "undecided": stream.undecided + losses.undecided,
    }
    return _with_stream(run, stream.model_copy(update=update), run.progressed_at)


def fail(run: Run, event: SyncFailed) -> Run:
    """Fail one stream, some, or every unfinished one; the first failure of a stream is kept."""
    failure = Failure(
        error_class=event.error_class,
        code=event.code,
        stage=event.stage,
        public=event.public,
        detail=event.detail,
    )
    for data_type in [event.data_type] if event.data_type else list(event.data_types or run.streams):
        stream = run.streams.get(data_type)
        if stream is None or stream.status is StreamStatus.SUCCEEDED:
            continue
        update: dict[str, object] = {"failure": stream.failure or failure}
        if stream.batches is None:
            update |= {"batches": event.batches, "states": event.states}
        if event.batches is None:
            update["status"] = StreamStatus.FAILED
        run = _with_stream(run, stream.model_copy(update=update), event.failed_at)
    return run


def wait(run: Run, data_type: DataType, waiting: Waiting) -> Run:
    """Note that a stream waits for its source. That is no progress; progress of the stream ends it."""
    stream = run.streams.get(data_type)
    if stream is None or run.status.is_final:
        return run
    waiting = joined(stream.waiting, waiting)
    if waiting == stream.waiting or _has_gone_on(stream, waiting):
        return run
    return run.model_copy(update={"streams": {**run.streams, data_type: _waiting_as(stream, waiting)}})


def prepare(run: Run, waiting: Collection[DataType], preparing: Preparing | None, now: datetime) -> Run:
    """Note how far a table is that streams wait for, or with None that none is read any more.

    The tables are read, so these streams no longer wait for the source.
    """
    if run.status.is_final:
        return run
    streams = {name: _waiting_as(stream, None) if name in waiting else stream for name, stream in run.streams.items()}
    progressed_at = max(run.progressed_at, now)
    return run.model_copy(update={"streams": streams, "preparing": preparing, "progressed_at": progressed_at})


def move(run: Run, now: datetime) -> Run:
    """Note that a stream was read on, though no batch says so: where many answers in a row hold no records."""
    return run if run.status.is_final else run.model_copy(update={"progressed_at": max(run.progressed_at, now)})


def cancel(run: Run, now: datetime) -> Run:
    """End a run whose integration was deleted or disabled; a finished run stays as it ended."""
    if run.status.is_final:
        return run
    return run.model_copy(
        update={
            "status": RunStatus.CANCELLED,
            "streams": {data_type: _waiting_as(stream, None) for data_type, stream in run.streams.items()},
            "preparing": None,
            "finished_at": now,
            "progressed_at": now,
        }
    )


def is_drift(counts: Counts) -> bool:
    """Whether so much of one batch was rejected that the source has changed its shape, rather than sent some dirt.

    More than 20 %, and at least five records or all of them: one bad row on a short last page is dirt.
    """
    return counts.rejected * 5 > counts.fetched and (counts.rejected >= 5 or counts.rejected == counts.fetched)


def _drift_failure(counts: Counts) -> Failure:
    return Failure(
        error_class=ErrorClass.DATA,
        code="schema_drift",
        stage="transform",
        public=(
            f"{counts.rejected} of {counts.fetched} records in one page could not be used, so this sync was stopped. "
            "The source has probably changed its format: look at the rejected records and adjust the field mapping."
        ),
    )


def _with_stream(run: Run, stream: Stream, now: datetime) -> Run:
    """The run with this stream in place of its former self, and every status derived anew."""
    stream = stream.model_copy(update={"status": _stream_status(stream)})
    if stream.waiting and _has_gone_on(stream, stream.waiting):
        stream = _waiting_as(stream, None)
    streams = {**run.streams, stream.data_type: stream}
    update: dict[str, object] = {"streams": streams, "progressed_at": max(run.progressed_at, now)}
    if run.status is not RunStatus.CANCELLED:
        # Also after the end: a run that failed and whose late batches arrive yet has brought something.
        update["status"] = status = _run_status(streams)
        update["started_at"] = run.started_at or now
        if status.is_final and run.finished_at is None:
            update |= {"finished_at": max(run.progressed_at, now), "preparing": None}
    return run.model_copy(update=update)


def _waiting_as(stream: Stream, waiting: Waiting | None) -> Stream:
    return stream.model_copy(update={"waiting": waiting})


def _has_gone_on(stream: Stream, waiting: Waiting) -> bool:
    """Whether the stream has been further than the place where it waited, or has come to an end."""
    if stream.status is not StreamStatus.RUNNING or stream.batches is not None or stream.failure is not None:
        return True
    return bool(stream.written) and stream.written[-1][1] >= waiting.sequence


def _stream_status(stream: Stream) -> StreamStatus:
    if stream.status is not StreamStatus.RUNNING:
        return stream.status
    # A stretch fetched again, from a source that had shrunk, leaves batches beyond the last: they do not count.
    if stream.batches is None or not has_all_below(stream.written, stream.batches):
        return StreamStatus.RUNNING
    return StreamStatus.FAILED if stream.failure else StreamStatus.SUCCEEDED


def _run_status(streams: Mapping[DataType, Stream]) -> RunStatus:
    statuses = [stream.status for stream in streams.values()]
    if StreamStatus.RUNNING in statuses:
        return RunStatus.RUNNING
    if StreamStatus.FAILED not in statuses:
        return RunStatus.SUCCEEDED if all(stream.is_whole for stream in streams.values()) else RunStatus.PARTIAL
    written = any(stream.counts.fetched > stream.counts.rejected for stream in streams.values())
    return RunStatus.PARTIAL if StreamStatus.SUCCEEDED in statuses or written else RunStatus.FAILED
