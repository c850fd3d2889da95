"""The fetcher's messages: a sync becomes a chain of page requests per data type, each covering a stretch of pages."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from datetime import timedelta

import structlog
from hub_messaging.handling import Context
from hub_messaging.middleware import longest_delay_s
from hub_model.endpoints import Stream
from hub_model.errors import ErrorClass, HubError, PermanentError, SourceError, TransientError
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
from hub_model.run_transitions import cancel, move, start, wait
from hub_model.runs import Run, RunStatus
from hub_model.waiting import Waiting
from hub_storage.repositories.handover import end_run

from hub_fetcher.fetching import Fetching, open_stretch, what_of
from hub_fetcher.preparing import first_messages, prepare_table, still_waiting
from hub_fetcher.probe import check_connection
from hub_fetcher.walking.ending import failed

log = structlog.get_logger(__name__)


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
        log.debug("page.dropped", step=message.step, **what_of(message), claimed=claimed)
        return
    integration = await hub.integrations.find(message.college_id, message.integration_id)
    if integration is None:
        for ended in await _cancel(message, hub):
            yield ended
        return
    go = _go_on if message.data_type is not None else prepare_table
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
        stretch = await open_stretch(message, integration, endpoint, hub)
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
    log.info("stretch.fetched", **what_of(message), step=message.step, **stretch.walk.summary())


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
        log.warning("wait.not_stored", **what_of(message), error_code=unstored.code)


def _waiting(run: Run, message: PageRequested) -> tuple[DataType, ...]:
    """The streams that this message is for, as far as they still want it."""
    if message.data_type is None:
        return still_waiting(run, message)
    stream = run.streams.get(message.data_type)
    is_over = run.status.is_final or stream is None or stream.failure is not None
    return () if is_over else (message.data_type,)


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
