"""Runs and the log, without the details that are for operators."""

from hub_model.base import Instant, Value
from hub_model.counts import Counts
from hub_model.errors import ErrorClass
from hub_model.logs import LogEntry, LogLevel
from hub_model.messages import Trigger
from hub_model.records import DataType
from hub_model.runs import Failure, Preparing, Run, RunStatus, Stream, StreamStatus
from hub_model.waiting import Waiting


class SyncView(Value):
    """The run that was started. ``coalesced``: one was active already, and this is it."""

    run_id: str
    status: RunStatus
    coalesced: bool


class FailureView(Value):
    error_class: ErrorClass
    code: str
    stage: str
    message: str


class WaitingView(Value):
    """A pause because the source asked for one or is in trouble. ``until``: then at the latest it is asked again."""

    since: Instant
    until: Instant | None
    code: str
    message: str


class StreamView(Value):
    """The progress of one data type. ``batches`` is unknown until every page was fetched."""

    status: StreamStatus
    counts: Counts
    pages: int
    batches: int | None
    complete: bool
    snapshot: bool
    expected_records: int | None
    failure: FailureView | None
    waiting: WaitingView | None
    warnings: list[str]


class PreparingView(Value):
    """A stream that others need is being read, before those that wait for it: which one, and how far it is."""

    stream: str
    pages: int
    rows: int


class RunView(Value):
    id: str
    integration_id: str
    trigger: Trigger
    status: RunStatus
    counts: Counts
    failure: FailureView | None
    streams: dict[DataType, StreamView]
    preparing: PreparingView | None
    created_at: Instant
    started_at: Instant | None
    finished_at: Instant | None
    progressed_at: Instant


class RunPage(Value):
    items: list[RunView]
    next_cursor: str | None


class LogView(Value):
    id: str
    at: Instant
    level: LogLevel
    event: str
    message: str
    run_id: str | None
    data_type: DataType | None
    counts: Counts | None
    error_class: ErrorClass | None
    code: str | None


class LogPage(Value):
    items: list[LogView]
    next_cursor: str | None


def run_view(run: Run) -> RunView:
    """A run without the details that are for operators."""
    return RunView(
        id=run.id,
        integration_id=run.integration_id,
        trigger=run.trigger,
        status=run.status,
        counts=run.counts,
        failure=_failure_view(run.failure),
        streams={data_type: _stream_view(stream) for data_type, stream in run.streams.items()},
        preparing=_preparing_view(run.preparing),
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        progressed_at=run.progressed_at,
    )


def log_view(entry: LogEntry) -> LogView:
    return LogView(**{name: getattr(entry, name) for name in LogView.model_fields})


def _stream_view(stream: Stream) -> StreamView:
    return StreamView(
        status=stream.status,
        counts=stream.counts,
        pages=stream.pages,
        batches=stream.batches,
        complete=stream.complete,
        snapshot=stream.snapshot,
        expected_records=stream.expected_records,
        failure=_failure_view(stream.failure),
        waiting=_waiting_view(stream.waiting),
        warnings=list(stream.doubts),
    )


def _preparing_view(preparing: Preparing | None) -> PreparingView | None:
    if preparing is None:
        return None
    return PreparingView(stream=preparing.table, pages=preparing.pages, rows=preparing.rows)


def _failure_view(failure: Failure | None) -> FailureView | None:
    if failure is None:
        return None
    return FailureView(error_class=failure.error_class, code=failure.code, stage=failure.stage, message=failure.public)


def _waiting_view(waiting: Waiting | None) -> WaitingView | None:
    if waiting is None:
        return None
    return WaitingView(since=waiting.since, until=waiting.until, code=waiting.code, message=waiting.public)
