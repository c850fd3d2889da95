"""The fetcher's messages: a sync becomes a chain of page requests per data type, each covering a stretch of pages."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from hub_messaging.handling import Context
from hub_messaging.middleware import RetryPolicy, longest_delay_s
from hub_model.endpoints import Stream
from hub_model.errors import ErrorClass, HubError, PermanentError, RateLimited, SourceError, TransientError
from hub_model.integrations import Integration
from hub_model.messages import (
    Message,
    PageRequested,
    ProbeCheck,
    ProbeFinished,
    ProbeProgressed,
    ProbeRequested,
    RunMessage,
    SyncFinished,
    SyncRequested,
    Trigger,
)
from hub_model.records import DataType
from hub_model.run_transitions import cancel, move, prepare, start, wait
from hub_model.runs import Preparing, Run, RunStatus
from hub_model.waiting import Waiting
from hub_storage.repositories import Chains, Integrations, Runs, Tables
from hub_storage.repositories.handover import end_run
from hub_storage.repositories.tables import TableEnd

from hub_fetcher.opening import Opener, Stretch
from hub_fetcher.planning import Planner
from hub_fetcher.preparing import first_messages, following, keep_rows, lost, still_waiting, table_of
from hub_fetcher.probe import check_connection
from hub_fetcher.responses.verdicts import ASKED_TO_WAIT
from hub_fetcher.walking.ending import failed
from hub_fetcher.walking.reading import Limits

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Fetching:
    """What the handlers work with."""

    integrations: Integrations
    runs: Runs
    chains: Chains
    tables: Tables
    opener: Opener
    planner: Planner
    limits: Limits
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    probe_deadline_s: float = 18.0


async def start_sync(message: SyncRequested, _: Context, *, hub: Fetching) -> Sequence[Message]:
    """Take a run up: one page request per data type. A run nobody wants any more is cancelled."""
    run = await hub.runs.find(message.college_id, message.run_id)
    if run is None or (run.status.is_final and run.status is not RunStatus.CANCELLED):
        log.debug("sync.dropped", known=run is not None)
        return []
    integration = await hub.integrations.find(message.college_id, message.integration_id)
    is_wanted = integration is not None and (run.trigger is Trigger.MANUAL or integration.settings.enabled)
    if integration is None or not is_wanted or run.status is RunStatus.CANCELLED:
        return await _cancel(message, hub)
    run = await hub.runs.change(message.college_id, message.run_id, lambda run: start(run, hub.clock()))
    log.info("sync.started", data_types=list(run.data_types))
    return first_messages(run, integration.settings, run.started_at or run.created_at)


async def fetch_pages(message: PageRequested, context: Context, *, hub: Fetching) -> AsyncIterator[Message]:
    """Fetch a stretch of pages and carry the position on; without a data type, of a table that streams wait for.

    Invariant: one live chain per (run, stream); a stale step is dropped.
    """
    claimed = await hub.chains.claim(
        message.college_id, message.run_id, message.data_type, step=message.step, copy_id=context.copy_id
    )
    run = await hub.runs.find(message.college_id, message.run_id) if claimed else None
    waiting = () if run is None else _waiting(run, message)
    if run is None or not waiting:
        log.debug("page.dropped", step=message.step, **_of(message), claimed=claimed)
        return
    integration = await hub.integrations.find(message.college_id, message.integration_id)
    if integration is None:
        for ended in await _cancel(message, hub):
            yield ended
        return
    go = _go_on if message.data_type is not None else _prepare
    try:
        async with aclosing(go(message, run, waiting, integration, hub)) as messages:
            async for fetched in messages:
                yield fetched
    except TransientError as error:
        await _note_wait(message, waiting, context, error, hub)
        raise


async def _go_on(
    message: PageRequested, run: Run, waiting: Sequence[DataType], integration: Integration, hub: Fetching
) -> AsyncGenerator[Message, None]:
    """One stretch of a stream's own chain."""
    try:
        endpoint = _endpoint_of(message, integration)
        if (planned := await hub.planner.plan(message, integration, endpoint)) is not None:
            yield planned
            return
        stretch = await _open(message, integration, endpoint, hub)
    except PermanentError as error:
        yield failed(message, error, batches=message.sequence, now=hub.clock())
        return
    async with stretch.session, aclosing(stretch.outputs) as outputs:
        async for output in outputs:
            if isinstance(output, PageRequested) and not stretch.walk.has_given:
                # No batch will tell the run of this stretch.
                await hub.runs.change(message.college_id, message.run_id, lambda run: move(run, hub.clock()))
            if isinstance(output, Message):
                yield output
    log.info("stretch.fetched", **_of(message), step=message.step, **stretch.walk.summary())


async def _prepare(
    message: PageRequested, run: Run, waiting: Sequence[DataType], integration: Integration, hub: Fetching
) -> AsyncGenerator[Message, None]:
    """One stretch of the chain that reads tables."""
    settings = integration.settings

    async def give_up(error: HubError) -> Sequence[Message]:
        return await _leave(message, waiting, lost(message, run, settings, waiting, error=error, now=hub.clock()), hub)

    try:
        stream = table_of(message, run, settings)
        if await hub.tables.find(message.college_id, message.run_id, str(message.table)) is not None:
            # An earlier handling came this far, and streams may be reading the table already: it stays as it is.
            for given in await _leave(message, waiting, following(message, run, settings, waiting), hub):
                yield given
            return
        progress = Preparing(table=str(message.table), pages=message.pages, rows=message.records)
        await _note_table(message, waiting, progress, hub)
        if (planned := await hub.planner.plan(message, integration, stream)) is not None:
            yield planned.model_copy(update={"data_types": tuple(waiting)})
            return
        stretch = await _open(message, integration, stream, hub)
    except PermanentError as error:
        for given in await give_up(error):
            yield given
        return
    async with aclosing(keep_rows(message, stretch, hub.tables)) as outputs:
        async for output in outputs:
            match output:
                case PageRequested():
                    yield output.model_copy(update={"data_types": tuple(waiting)})
                case TableEnd():
                    for given in await _leave(message, waiting, following(message, run, settings, waiting), hub):
                        yield given
                case HubError():
                    for given in await give_up(output):
                        yield given
    log.info("stretch.fetched", **_of(message), step=message.step, **stretch.walk.summary())


async def run_probe(message: ProbeRequested, _: Context, *, hub: Fetching) -> AsyncIterator[Message]:
    """Test a connection and tell each step; whatever is wrong with it, there is an answer."""
    integration = await hub.integrations.find(message.college_id, message.integration_id)
    probe = {
        "college_id": message.college_id,
        "integration_id": message.integration_id,
        "probe_id": message.probe_id,
    }
    done: list[ProbeCheck] = []
    async with aclosing(check_connection(integration, hub.opener.sources, deadline_s=hub.probe_deadline_s)) as checks:
        async for check in checks:
            yield ProbeProgressed(**probe, sequence=len(done), check=check)
            done.append(check)
    is_ok = all(check.ok for check in done)
    log.info("probe.finished", ok=is_ok, failed=[check.name for check in done if not check.ok])
    yield ProbeFinished(**probe, ok=is_ok, checks=tuple(done), finished_at=hub.clock())


async def _open(message: PageRequested, integration: Integration, stream: Stream, hub: Fetching) -> Stretch:
    """The stretch; RateLimited while the source still wants to be left alone."""
    stretch = await hub.opener.open(message, integration, stream, hub.limits, clock=hub.clock, monotonic=hub.monotonic)
    if wait_s := stretch.walk.wait_s(hub.clock()):
        raise RateLimited("the source asked us to wait", retry_after_s=wait_s, public=ASKED_TO_WAIT)
    return stretch


def _endpoint_of(message: PageRequested, integration: Integration) -> Stream:
    endpoint = integration.settings.endpoints.get(message.data_type) if message.data_type is not None else None
    if endpoint is None:
        raise SourceError(
            f"there is no endpoint for {message.data_type} any more",
            error_class=ErrorClass.CONFIG,
            code="endpoint_missing",
            public=f"The endpoint for {message.data_type} was removed while it was being synced.",
        )
    return endpoint


async def _note_wait(
    message: PageRequested, waiting: Sequence[DataType], context: Context, error: TransientError, hub: Fetching
) -> None:
    """Tell the run that these streams wait, so that it does not count as stalled; why they wait matters more."""
    now = hub.clock()
    wait_for = Waiting(
        since=now,
        until=now + timedelta(seconds=longest_delay_s(hub.policy, error, attempt=context.attempt)),
        sequence=message.sequence if message.data_type is not None else 0,
        code=error.code,
        public=error.public,
    )

    def all_wait(run: Run) -> Run:
        for data_type in waiting:
            run = wait(run, data_type, wait_for)
        return run

    try:
        await hub.runs.change(message.college_id, message.run_id, all_wait)
    except HubError as unstored:
        log.warning("wait.not_stored", **_of(message), error_code=unstored.code)


async def _leave(
    message: PageRequested, waiting: Sequence[DataType], given: Sequence[Message], hub: Fetching
) -> Sequence[Message]:
    """What is given after a table; where that is no further table, the run is told that none is read any more."""
    if not any(isinstance(onward, PageRequested) and onward.data_type is None for onward in given):
        await _note_table(message, waiting, None, hub)
    return given


async def _note_table(
    message: PageRequested, waiting: Sequence[DataType], preparing: Preparing | None, hub: Fetching
) -> None:
    """Tell the run which table is read for it, and how far it is."""
    await hub.runs.change(message.college_id, message.run_id, lambda run: prepare(run, waiting, preparing, hub.clock()))


def _waiting(run: Run, message: PageRequested) -> tuple[DataType, ...]:
    """The streams that this message is for, as far as they still want it."""
    if message.data_type is None:
        return still_waiting(run, message)
    stream = run.streams.get(message.data_type)
    is_over = run.status.is_final or stream is None or stream.failure is not None
    return () if is_over else (message.data_type,)


def _of(message: PageRequested) -> dict[str, str | None]:
    """What is read, for the log."""
    return {"table": message.table} if message.data_type is None else {"data_type": message.data_type}


async def _cancel(message: RunMessage, hub: Fetching) -> Sequence[Message]:
    """End a run whose integration is gone or switched off, and let the integration have another. Repeatable."""
    run = await hub.runs.change(message.college_id, message.run_id, lambda run: cancel(run, hub.clock()))
    await end_run(hub.integrations, hub.tables, run, hub.clock())
    log.info("sync.cancelled")
    return [
        SyncFinished(
            college_id=message.college_id,
            integration_id=message.integration_id,
            run_id=run.id,
            status=run.status,
            counts=run.counts,
            finished_at=run.finished_at or hub.clock(),
        )
    ]
