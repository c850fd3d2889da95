"""Starting what is due. Any number of schedulers may do so on one store: the claim is atomic, the run's id derived."""

from collections.abc import Sequence
from datetime import datetime

import structlog
from hub_model.base import format_datetime
from hub_model.early import NO_NEWS, is_early, soonest_due
from hub_model.errors import TransientError
from hub_model.ids import derived_id
from hub_model.integrations import Integration
from hub_model.messages import SyncRequested, Trigger
from hub_model.runs import Run
from hub_storage.repositories.handover import begin_run

from hub_scheduler.backend import Backend, for_each

log = structlog.get_logger(__name__)

PAGE = 100


async def start_due(backend: Backend, now: datetime) -> Sequence[Exception]:
    """Start a run for every integration that is due, however long it has been: one, for the slot it was due for.

    When the store or the broker falters, the rest stays due and waits for the next tick. Returns what failed.
    """
    seen: set[str] = set()
    failed: list[Exception] = []
    while True:
        due = await backend.integrations.due_anywhere(now, PAGE)
        fresh = [integration for integration in due if integration.id not in seen]
        seen.update(integration.id for integration in fresh)
        errors = await for_each(
            fresh, lambda integration: _start(backend, integration, now), failed="run.handover_failed"
        )
        failed += errors
        if len(due) < PAGE or not fresh or any(isinstance(error, TransientError) for error in errors):
            return failed


async def _start(backend: Backend, integration: Integration, now: datetime) -> None:
    slot = integration.sync.next_due_at
    if slot is None:
        return
    trigger = Trigger.WEBHOOK if is_early(integration) else Trigger.INTERVAL
    run_id = slot_run_id(integration.id, slot)
    run, is_open = await begin_run(
        backend.integrations,
        backend.runs,
        college_id=integration.college_id,
        integration_id=integration.id,
        trigger=trigger,
        run_id=run_id,
        now=now,
        slot=slot,
    )
    if is_open and run.id == run_id and run.created_at == now:
        # A run that another scheduler made is for that one to announce; Recovery steps in if it could not.
        await backend.publisher.publish(request_for(run, trigger=trigger, now=now))
        log.info("run.requested", **ids_of(run), late_s=round((now - slot).total_seconds(), 1))
    elif run.id == run_id and run.status.is_final:
        # Another scheduler was faster by a whole run, or the clock was set back over time that had passed already.
        await move_on(backend, integration, slot, now)


async def move_on(backend: Backend, integration: Integration, slot: datetime, now: datetime) -> bool:
    """Leave this slot behind, if the integration is still due for it; says whether this call did."""
    moved: list[bool] = []

    def change(current: Integration) -> Integration | None:
        moved[:] = [current.sync.next_due_at == slot]
        if current.sync.early_due_at == slot:
            current = current.with_sync(**NO_NEWS)
        return current.with_sync(next_due_at=soonest_due(current, now)) if moved[0] else None

    await backend.integrations.change(integration.college_id, integration.id, change)
    return moved[0]


def slot_run_id(integration_id: str, slot: datetime) -> str:
    """The id of the one run of this slot.

    Invariant: no slot runs twice.
    """
    return derived_id(integration_id, "slot", format_datetime(slot))


def request_for(run: Run, *, trigger: Trigger, now: datetime) -> SyncRequested:
    """The message that starts the run. Repeating it starts nothing twice."""
    return SyncRequested(
        college_id=run.college_id,
        integration_id=run.integration_id,
        run_id=run.id,
        trigger=trigger,
        data_types=run.data_types,
        requested_at=now,
    )


def ids_of(run: Run) -> dict[str, str]:
    """The fields that name a run in the log."""
    return {"college_id": run.college_id, "integration_id": run.integration_id, "run_id": run.id}
