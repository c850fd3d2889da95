"""The fetcher's messages: a sync becomes a chain of page requests per data type, each covering a stretch of pages."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from hub_messaging.handling import Context
from hub_messaging.middleware import RetryPolicy, longest_delay_s
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
from hub_model.runs import Run, RunStatus, cancel, start, wait
from hub_model.waiting import Waiting
from hub_storage.repositories import Chains, Integrations, Runs, Tables
from hub_storage.repositories.handover import end_run

from hub_fetcher.auth.credentials import secret_params
from hub_fetcher.probe import check_connection
from hub_fetcher.responses.verdicts import ASKED_TO_WAIT
from hub_fetcher.source import Source
from hub_fetcher.sources import Sources
from hub_fetcher.walking.stretch import fetch_stretch
from hub_fetcher.walking.walk import Limits, Walk, failed

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Fetching:
    """What the handlers work with."""

    integrations: Integrations
    runs: Runs
    chains: Chains
    tables: Tables
    sources: Sources
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
    if not is_wanted or run.status is RunStatus.CANCELLED:
        return await _cancel(message, hub)
    run = await hub.runs.change(message.college_id, message.run_id, lambda run: start(run, hub.clock()))
    log.info("sync.started", data_types=list(run.data_types))
    return [
        PageRequested(
            college_id=run.college_id,
            integration_id=run.integration_id,
            run_id=run.id,
            data_type=data_type,
            # The same for every delivery of this message: it is part of what the records are compared by.
            observed_at=run.started_at or run.created_at,
        )
        for data_type in run.data_types
    ]


async def fetch_pages(message: PageRequested, context: Context, *, hub: Fetching) -> AsyncIterator[Message]:
    """Fetch a stretch of pages and carry the position on.

    Invariant: one live chain per (run, stream); a stale step is dropped.
    """
    claimed = await hub.chains.claim(
        message.college_id, message.run_id, message.data_type, step=message.step, copy_id=context.copy_id
    )
    run = await hub.runs.find(message.college_id, message.run_id) if claimed else None
    if run is None or _is_over(run, message):
        log.debug("page.dropped", step=message.step, data_type=message.data_type, claimed=claimed)
        return
    integration = await hub.integrations.find(message.college_id, message.integration_id)
    if integration is None:
        for ended in await _cancel(message, hub):
            yield ended
        return
    try:
        walk, source = _open_walk(message, integration, hub)
    except PermanentError as error:
        yield failed(message, error, batches=message.sequence, now=hub.clock())
        return
    try:
        _check_pause(walk, source, hub)
        stretch = fetch_stretch(walk, source.read, hub.limits, monotonic=hub.monotonic)
        async with source.session(), aclosing(stretch) as messages:
            async for fetched in messages:
                yield fetched
    except TransientError as error:
        await _note_wait(message, context, error, hub)
        raise
    log.info("stretch.fetched", data_type=message.data_type, step=message.step, **walk.summary())


async def run_probe(message: ProbeRequested, _: Context, *, hub: Fetching) -> AsyncIterator[Message]:
    """Test a connection and tell each step; whatever is wrong with it, there is an answer."""
    integration = await hub.integrations.find(message.college_id, message.integration_id)
    probe = {
        "college_id": message.college_id,
        "integration_id": message.integration_id,
        "probe_id": message.probe_id,
    }
    done: list[ProbeCheck] = []
    async with aclosing(check_connection(integration, hub.sources, deadline_s=hub.probe_deadline_s)) as checks:
        async for check in checks:
            yield ProbeProgressed(**probe, sequence=len(done), check=check)
            done.append(check)
    is_ok = all(check.ok for check in done)
    log.info("probe.finished", ok=is_ok, failed=[check.name for check in done if not check.ok])
    yield ProbeFinished(**probe, ok=is_ok, checks=tuple(done), finished_at=hub.clock())


def _open_walk(message: PageRequested, integration: Integration, hub: Fetching) -> tuple[Walk, Source]:
    """The walk and what it reads from; PermanentError if the integration does not allow it as it is."""
    endpoint = integration.settings.endpoints.get(message.data_type)
    if endpoint is None:
        raise SourceError(
            f"there is no endpoint for {message.data_type} any more",
            error_class=ErrorClass.CONFIG,
            code="endpoint_missing",
            public=f"The endpoint for {message.data_type} was removed while it was being synced.",
        )
    source = hub.sources.open(integration, endpoint, run_id=message.run_id)
    walk = Walk(message, endpoint, source.plan, clock=hub.clock, secret_params=secret_params(integration))
    return walk, source


def _check_pause(walk: Walk, source: Source, hub: Fetching) -> None:
    """Raise RateLimited while the source still wants to be left alone."""
    if wait_s := walk.wait_s(hub.clock()):
        raise RateLimited(f"{source.plan.label} asked us to wait", retry_after_s=wait_s, public=ASKED_TO_WAIT)


async def _note_wait(message: PageRequested, context: Context, error: TransientError, hub: Fetching) -> None:
    """Tell the run that this stream waits, so that it does not count as stalled; why it waits matters more."""
    now = hub.clock()
    waiting = Waiting(
        since=now,
        until=now + timedelta(seconds=longest_delay_s(hub.policy, error, attempt=context.attempt)),
        sequence=message.sequence,
        code=error.code,
        public=error.public,
    )
    try:
        await hub.runs.change(message.college_id, message.run_id, lambda run: wait(run, message.data_type, waiting))
    except HubError as unstored:
        log.warning("wait.not_stored", data_type=message.data_type, error_code=unstored.code)


def _is_over(run: Run, message: PageRequested) -> bool:
    stream = run.streams.get(message.data_type)
    return run.status.is_final or stream is None or stream.failure is not None


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
