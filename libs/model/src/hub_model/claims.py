"""An integration has one run at a time: how a run takes it, and what the run's end means for it. Pure functions.

Only the run that holds the integration may settle it, so a repeated or late ending never overwrites a newer one.
"""

from datetime import datetime

from hub_model.early import data_types_due, left_for_later, put_off, soonest_due
from hub_model.errors import ErrorClass
from hub_model.integrations import Integration, LastError
from hub_model.runs import Run, RunStatus

_ASKS_FOR_A_PERSON = frozenset([ErrorClass.CONFIG, ErrorClass.AUTH])


def claim_run(integration: Integration, *, run_id: str, now: datetime, is_scheduled: bool) -> Integration | None:
    """The integration held by this run, with its next due time; None if a run holds it already.

    A run that is not scheduled is for all data types.
    """
    if integration.sync.active_run_id is not None:
        return None
    kept = left_for_later(integration, now)
    return integration.with_sync(
        active_run_id=run_id,
        active_since=now,
        active_data_types=data_types_due(integration, now) if is_scheduled else (),
        **kept,
        next_due_at=soonest_due(integration.with_sync(**kept), now),
    )


def release_run(integration: Integration, run_id: str) -> Integration | None:
    """The integration no longer held by this run; None if it did not hold it."""
    if integration.sync.active_run_id != run_id:
        return None
    return integration.with_sync(active_run_id=None, active_since=None, active_data_types=())


def settle_run(integration: Integration, run: Run, now: datetime) -> Integration | None:
    """The integration after this run; None if the run goes on, or does not hold the integration.

    A run that failed altogether because of credentials or configuration pauses the integration; one that brought
    anything lifts the pause. A cancelled run says nothing about the source: it leaves health and times as they are.
    A run for some of the data types does not say how the others are: it clears no error, and does not pause them.
    """
    if not run.status.is_final or integration.sync.active_run_id != run.id:
        return None
    ended_at = run.finished_at or now
    is_for_all = not integration.sync.active_data_types or run.streams.keys() >= integration.settings.endpoints.keys()
    changes: dict[str, object] = {
        "active_run_id": None,
        "active_since": None,
        "active_data_types": (),
        "last_run_id": run.id,
        "last_run_status": run.status.value,
    }
    if run.status is not RunStatus.CANCELLED:
        changes |= put_off(integration, ended_at)
        failure = run.failure
        changes["last_sync_at"] = ended_at
        if failure or is_for_all:
            changes["last_error"] = failure and LastError(
                error_class=failure.error_class, code=failure.code, message=failure.public, at=ended_at
            )
        if is_for_all and run.status is not RunStatus.FAILED:
            changes["paused"] = False
        elif is_for_all and failure and failure.error_class in _ASKS_FOR_A_PERSON:
            changes["paused"] = True
    if run.status is RunStatus.SUCCEEDED and is_for_all:
        changes["last_success_at"] = ended_at
    return integration.with_sync(**changes)
