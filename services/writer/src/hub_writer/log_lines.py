"""What an integration's log says, in words a principal understands. Pure; ids are derived, so no line comes twice."""

from datetime import datetime, timedelta

from hub_model.counts import Counts
from hub_model.ids import derived_id
from hub_model.logs import WEBHOOK_WRITTEN, LogEntry, LogLevel
from hub_model.messages import BatchTransformed, RunMessage, SyncFailed
from hub_model.records import DataType
from hub_model.runs import Run, RunStatus, Stream, StreamStatus

_FATES = (
    ("inserted", "new"),
    ("updated", "updated"),
    ("replaced", "replaced by another row"),
    ("unchanged", "unchanged"),
    ("deleted", "deleted"),
    ("stale", "older than what is stored"),
    ("duplicate", "repeated"),
    ("skipped", "left out by the mapping"),
    ("rejected", "rejected"),
)
_RUN_ENDS = {
    RunStatus.SUCCEEDED: ("Sync finished", LogLevel.INFO),
    RunStatus.PARTIAL: ("Sync finished in part", LogLevel.WARNING),
    RunStatus.FAILED: ("Sync failed", LogLevel.ERROR),
    RunStatus.CANCELLED: ("Sync cancelled", LogLevel.WARNING),
}
_PAUSE = "Automatic syncs pause until the integration is edited, switched on again or synced by hand."


def stream_ended(run: Run, stream: Stream) -> LogEntry:
    """The line of one data type whose stream succeeded or failed."""
    failed = stream.status is StreamStatus.FAILED
    doubtful = bool(stream.counts.rejected or stream.doubts or not stream.is_whole)
    parts = [f"{label(stream.data_type)}: {describe(stream.counts)}."]
    if stream.failure:
        parts.append(stream.failure.public)
    parts.extend(stream.doubts)
    return LogEntry(
        id=derived_id(run.id, "log", "stream", stream.data_type),
        college_id=run.college_id,
        integration_id=run.integration_id,
        at=run.progressed_at,
        level=LogLevel.ERROR if failed else LogLevel.WARNING if doubtful else LogLevel.INFO,
        event="stream.failed" if failed else "stream.finished",
        message=" ".join(parts),
        run_id=run.id,
        data_type=stream.data_type,
        counts=stream.counts,
        error_class=stream.failure.error_class if stream.failure else None,
        code=stream.failure.code if stream.failure else None,
    )


def run_ended(run: Run, *, paused: bool) -> LogEntry:
    """The line that closes a run. ``paused``: its failure asks for a person.

    It is dated just after the lines of its streams, so that lists show it on top.
    """
    title, level = _RUN_ENDS[run.status]
    parts = [f"{title}: {describe(run.counts)}."]
    unread = [label(stream.data_type) for stream in run.streams.values() if not stream.is_whole or stream.failure]
    if unread and run.status in (RunStatus.SUCCEEDED, RunStatus.PARTIAL):
        parts.append(f"Not complete: {', '.join(unread)}.")
        level = LogLevel.WARNING
    if run.failure and run.status is not RunStatus.CANCELLED:
        parts.append(run.failure.public)
    if paused:
        parts.append(_PAUSE)
    return LogEntry(
        id=derived_id(run.id, "log", "run"),
        college_id=run.college_id,
        integration_id=run.integration_id,
        at=(run.finished_at or run.progressed_at) + timedelta(microseconds=1),
        level=level,
        event="sync.finished" if run.status is RunStatus.SUCCEEDED else f"sync.{run.status}",
        message=" ".join(parts),
        run_id=run.id,
        counts=run.counts,
        error_class=run.failure.error_class if run.failure else None,
        code=run.failure.code if run.failure else None,
    )


def webhook_written(batch: BatchTransformed, counts: Counts, at: datetime) -> LogEntry:
    """The line of one pushed batch."""
    return LogEntry(
        id=derived_id(batch.message_id, "log"),
        college_id=batch.college_id,
        integration_id=batch.integration_id,
        at=at,
        level=LogLevel.WARNING if counts.rejected else LogLevel.INFO,
        event=WEBHOOK_WRITTEN,
        message=f"Webhook: {label(batch.data_type)}: {describe(counts)}.",
        run_id=batch.run_id,
        data_type=batch.data_type,
        counts=counts,
    )


def failed_without_run(event: SyncFailed) -> LogEntry:
    """The line of a failure whose run has no document: a pushed event, or a sync whose integration is gone."""
    subject = f"{label(event.data_type)}: " if event.data_type else ""
    return LogEntry(
        id=derived_id(event.message_id, "log"),
        college_id=event.college_id,
        integration_id=event.integration_id,
        at=event.failed_at,
        level=LogLevel.ERROR,
        event="batch.failed",
        message=f"{subject}Received data could not be stored. {event.public}",
        run_id=event.run_id,
        data_type=event.data_type,
        error_class=event.error_class,
        code=event.code,
    )


def run_unknown(event: RunMessage, at: datetime) -> LogEntry:
    """The one line for any number of polled batches whose run is not stored."""
    return LogEntry(
        id=derived_id(event.run_id, "log", "unknown"),
        college_id=event.college_id,
        integration_id=event.integration_id,
        at=at,
        level=LogLevel.ERROR,
        event="run.unknown",
        message="Data of a sync that is no longer known was stored; its numbers are missing from the list of syncs.",
        run_id=event.run_id,
        code="run_unknown",
    )


def describe(counts: Counts) -> str:
    """What became of the records: "20,000 records read: 19,998 new, 1 unchanged, 1 rejected"."""
    if not counts.fetched:
        return "no records"
    fates = [f"{number:,} {words}" for name, words in _FATES if (number := getattr(counts, name))]
    return f"{counts.fetched:,} {'record' if counts.fetched == 1 else 'records'} read: {', '.join(fates)}"


def label(data_type: DataType) -> str:
    """The data type as people write it."""
    return data_type.value.capitalize()
