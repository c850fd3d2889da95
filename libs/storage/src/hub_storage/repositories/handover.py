"""Beginning and ending a run: the hand-over between an integration and its one active run.

Each step is atomic and repeatable, and a crash between two leaves what a repetition, or the scheduler's repair,
completes: the claim first, then the run's document, then (by the caller) its SyncRequested.
"""

from datetime import datetime

from hub_model.claims import claim_run, release_run, settle_run
from hub_model.errors import NotFound
from hub_model.integrations import Integration
from hub_model.messages import Trigger
from hub_model.runs import Run, RunStatus, new_run

from hub_storage.repositories.integrations import Integrations
from hub_storage.repositories.runs import Runs
from hub_storage.repositories.tables import Tables


async def begin_run(
    integrations: Integrations,
    runs: Runs,
    *,
    college_id: str,
    integration_id: str,
    trigger: Trigger,
    run_id: str,
    now: datetime,
    slot: datetime | None = None,
) -> tuple[Run, bool]:
    """Claim the integration for this run, or join the run that is active already.

    Returns the run, and whether its SyncRequested is to be published: it is new, or it is still queued, which may
    mean that an earlier call was cut off before it could publish; repeating the message does no harm. Raises NotFound.
    """
    done = await runs.find(college_id, run_id)
    if done is not None and done.status.is_final:
        return done, False
    while True:
        integration = await integrations.change(
            college_id,
            integration_id,
            lambda integration: claim_run(integration, run_id=run_id, now=now, is_scheduled=slot is not None),
        )
        active_id = integration.sync.active_run_id or run_id
        claimed = new_run(
            run_id=active_id,
            college_id=college_id,
            integration_id=integration_id,
            trigger=trigger,
            data_types=integration.active_data_types,
            now=now,
            slot=slot if active_id == run_id else None,
        )
        if await runs.add(claimed):
            return claimed, True
        run = await runs.get(college_id, active_id)
        if not run.status.is_final:
            return run, run.status is RunStatus.QUEUED
        if active_id == run_id:
            # It began and ended between our first look and our claim: what we hold now is nobody's.
            await integrations.change(college_id, integration_id, lambda held: release_run(held, run_id))
            return run, False
        await _let_go(integrations, run, now)  # cut off before it let the integration go: claim again


async def end_run(integrations: Integrations, tables: Tables, run: Run, now: datetime) -> Integration | None:
    """Let the integration go, keep how its run ended, and drop what was kept for the run alone.

    None if the integration is gone. Repeating it, or calling it for a run that is not the active one, changes nothing.
    """
    integration = await _let_go(integrations, run, now)
    if run.status.is_final:
        await tables.drop(run.college_id, run.id)
    return integration


async def _let_go(integrations: Integrations, run: Run, now: datetime) -> Integration | None:
    try:
        return await integrations.change(
            run.college_id, run.integration_id, lambda integration: settle_run(integration, run, now)
        )
    except NotFound:
        return None
