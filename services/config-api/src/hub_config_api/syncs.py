"""Starting a run, the same way for a person's request and for enabling."""

from dataclasses import dataclass

import structlog
from hub_model.errors import HubError
from hub_model.ids import derived_id
from hub_model.integrations import Integration
from hub_model.messages import IntegrationChanged, SyncRequested, Trigger
from hub_model.runs import Run
from hub_storage.repositories.handover import begin_run

from hub_config_api.backend import Backend

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StartedSync:
    """The run that was asked for. ``coalesced``: it was under way already, and is shared."""

    run: Run
    coalesced: bool


async def begin_sync(backend: Backend, integration: Integration, *, trigger: Trigger, request_id: str) -> StartedSync:
    """Begin a run, or join the one that is active. Attempts with one ``request_id`` begin one run.

    A new one ends a pause. Once the run is stored it will start: if the broker cannot take the request now, the
    scheduler repeats it.
    """
    now = backend.clock()
    run_id = derived_id(integration.id, trigger, request_id)
    # Where an earlier attempt has begun the run, the pause is how that run ended.
    if integration.sync.paused and await backend.runs.find(integration.college_id, run_id) is None:
        integration = await backend.integrations.change(
            integration.college_id, integration.id, lambda current: current.with_sync(paused=False)
        )
    run, is_unannounced = await begin_run(
        backend.integrations,
        backend.runs,
        college_id=integration.college_id,
        integration_id=integration.id,
        trigger=trigger,
        run_id=run_id,
        now=now,
    )
    if is_unannounced:
        request = SyncRequested(
            college_id=integration.college_id,
            integration_id=integration.id,
            run_id=run.id,
            trigger=run.trigger,
            data_types=run.data_types,
            requested_at=now,
        )
        try:
            await backend.publisher.publish(request)
        except HubError as error:
            log.warning("sync.handover_delayed", run_id=run.id, integration_id=integration.id, error_code=error.code)
    if integration.settings.endpoints.keys() - run.streams.keys():
        # It was started by a push, for some of the data types: one for all follows it at once.
        await backend.integrations.change(
            integration.college_id,
            integration.id,
            lambda current: current.with_sync(next_due_at=now) if current.sync.next_due_at else None,
        )
    return StartedSync(run=run, coalesced=run.id != run_id)


async def announce_change(backend: Backend, integration: Integration, change: str) -> None:
    """Tell live views. They may miss it, so a broker that is down does not undo what is stored."""
    notice = IntegrationChanged(
        college_id=integration.college_id,
        integration_id=integration.id,
        change=change,
        revision=integration.revision,
        changed_at=backend.clock(),
    )
    log.info("integration.changed", integration_id=integration.id, change=change, revision=integration.revision)
    try:
        await backend.publisher.publish(notice)
    except HubError as error:
        log.warning("integration.notice_lost", integration_id=integration.id, error_code=error.code)
