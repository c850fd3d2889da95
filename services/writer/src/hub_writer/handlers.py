"""What the writer does with a batch, and with news of a run. Every step may be repeated after a crash."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import structlog
from hub_messaging.handling import Context
from hub_model.counts import Counts
from hub_model.errors import NotFound
from hub_model.messages import BatchTransformed, BatchWritten, Message, RecordsChanged, SyncFailed, SyncFinished
from hub_model.records import Origin
from hub_model.runs import Run, Stream
from hub_storage.records import RecordStore
from hub_storage.repositories import Integrations, Logs, Rejects, Runs, StreamStates, Tables
from hub_storage.repositories.handover import end_run
from hub_storage.store import Store

from hub_writer import log_lines
from hub_writer.batches import counts_of, merge_of, rejected_records
from hub_writer.connected import Connected
from hub_writer.gone_rows import merge_all
from hub_writer.progress import Ended, ProgressEvent
from hub_writer.recorder import Recorder
from hub_writer.rivals import Rivals

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Backend:
    """Where the writer puts things."""

    records: RecordStore
    rejects: Rejects
    recorder: Recorder
    integrations: Integrations
    connected: Connected
    rivals: Rivals
    tables: Tables
    states: StreamStates
    logs: Logs
    clock: Callable[[], datetime]

    @classmethod
    def over(cls, store: Store, clock: Callable[[], datetime]) -> Self:
        """All of it in one store."""
        integrations, tables = Integrations(store), Tables(store)
        rivals = Rivals(tables)
        return cls(
            records=store.records,
            rejects=Rejects(store),
            recorder=Recorder(Runs(store), rivals),
            integrations=integrations,
            connected=Connected(integrations, clock),
            rivals=rivals,
            tables=tables,
            states=StreamStates(store),
            logs=Logs(store),
            clock=clock,
        )


async def write_batch(message: BatchTransformed, _: Context, *, backend: Backend) -> Sequence[Message]:
    """Merge the records, keep the rejects, say what became of each.

    A batch that comes again reports what its first merge did, so its counts are the same.
    """
    now = backend.clock()
    connected = await backend.connected.of(message.college_id, message.integration_id)
    outcomes = await merge_all(backend.records, merge_of(message, now, connected))
    if message.rejects:
        await backend.rejects.add(rejected_records(message, now))
    await backend.rivals.note(message)
    counts = counts_of(message, outcomes)
    if message.origin is Origin.WEBHOOK:
        await backend.logs.add(log_lines.webhook_written(message, counts, now))
    log.debug("batch.written", data_type=message.data_type, sequence=message.sequence, **counts.model_dump())
    return _news_of(message, counts, now)


def _news_of(batch: BatchTransformed, counts: Counts, now: datetime) -> list[Message]:
    news: list[Message] = [
        BatchWritten(
            college_id=batch.college_id,
            integration_id=batch.integration_id,
            run_id=batch.run_id,
            data_type=batch.data_type,
            sequence=batch.sequence,
            origin=batch.origin,
            counts=counts,
            written_at=now,
            expected_records=batch.expected_records,
            overruled=batch.overruled,
            undecided=batch.undecided,
        )
    ]
    if counts.changed:
        news.append(
            RecordsChanged(
                college_id=batch.college_id,
                integration_id=batch.integration_id,
                run_id=batch.run_id,
                data_type=batch.data_type,
                sequence=batch.sequence,
                counts=counts,
                changed_at=now,
            )
        )
    return news


async def record_progress(message: ProgressEvent, _: Context, *, backend: Backend) -> Sequence[Message]:
    """Move the run on; announce the streams that ended, and close the run when it is over."""
    if isinstance(message, BatchWritten) and message.origin is Origin.WEBHOOK:
        return []  # a pushed batch has no run, and its line was written with it
    try:
        recorded = await backend.recorder.record(message)
    except NotFound:
        await _record_without_run(message, backend)
        return []
    return await _announce(recorded.run, recorded.ended, backend)


async def _announce(run: Run, ended: Ended, backend: Backend) -> Sequence[Message]:
    lines = [log_lines.stream_ended(run, stream) for stream in ended.streams]
    for stream in ended.streams:
        await _remember(run, stream, backend.states)
    if ended.run:
        integration = await end_run(backend.integrations, backend.tables, run, backend.clock())
        lines.append(log_lines.run_ended(run, paused=integration is not None and integration.sync.paused))
    if lines:
        await backend.logs.add(*lines)
    return [_end_of(run)] if ended.run else []


async def _remember(run: Run, stream: Stream, states: StreamStates) -> None:
    """Keep what the stream has covered. A run whose batches are lost has covered nothing."""
    for name, state in stream.covered.items():
        began_at = run.started_at or run.created_at
        await states.advance(run.college_id, run.integration_id, name, state, began_at=began_at)


def _end_of(run: Run) -> SyncFinished:
    finished_at = run.finished_at or run.progressed_at
    log.info(
        "run.finished",
        status=run.status,
        duration_ms=round((finished_at - run.created_at).total_seconds() * 1000),
        error_code=run.failure.code if run.failure else None,
        **run.counts.model_dump(),
    )
    return SyncFinished(
        college_id=run.college_id,
        integration_id=run.integration_id,
        run_id=run.id,
        status=run.status,
        counts=run.counts,
        finished_at=finished_at,
    )


async def _record_without_run(event: ProgressEvent, backend: Backend) -> None:
    """News of a run that is not stored is an error, and leaves a line."""
    if isinstance(event, SyncFailed):
        line = log_lines.failed_without_run(event)
    else:
        line = log_lines.run_unknown(event, backend.clock())
    log.warning("run.unknown", event_name=event.name, error_code=line.code)
    await backend.logs.add(line)
