"""One run at a time: claims, and what a run's end says of the integration's health."""

from datetime import UTC, datetime, timedelta

import pytest
from hub_model.claims import claim_run, release_run, settle_run
from hub_model.errors import ErrorClass
from hub_model.integrations import Health, Integration, IntegrationDraft, LastError, SyncState
from hub_model.messages import SyncFailed, Trigger
from hub_model.records import DataType
from hub_model.run_transitions import cancel, fail, start
from hub_model.runs import Run, RunStatus, new_run
from hub_model.slots import due_after

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=9)
OLD_ERROR = LastError(error_class=ErrorClass.AUTH, code="unauthorized", message="Refused.", at=NOW)


def integration(**sync: object) -> Integration:
    settings = IntegrationDraft.model_validate(
        {
            "name": "ERP",
            "type": "erp",
            "baseUrl": "https://erp.example.edu",
            "authType": "bearer",
            "endpoints": {"students": "/students"},
            "enabled": True,
        }
    )
    return Integration(
        id="i1",
        college_id="c1",
        settings=settings,
        sync=SyncState.model_validate(sync),
        created_at=NOW,
        created_by="p",
        updated_at=NOW,
        updated_by="p",
    )


def held(**sync: object) -> Integration:
    return integration(active_run_id="r1", active_since=NOW, next_due_at=LATER, **sync)


def running() -> Run:
    run = new_run(
        run_id="r1",
        college_id="c1",
        integration_id="i1",
        trigger=Trigger.MANUAL,
        data_types=(DataType.STUDENTS,),
        now=NOW,
    )
    return start(run, NOW)


def over(status: RunStatus, error_class: ErrorClass = ErrorClass.TRANSIENT) -> Run:
    """A run that ended so, with its failure where it has one."""
    run = running()
    if status in (RunStatus.FAILED, RunStatus.PARTIAL):
        event = SyncFailed(
            college_id="c1",
            integration_id="i1",
            run_id="r1",
            stage="fetch",
            error_class=error_class,
            code="broken",
            public="It is broken.",
            batches=0,
            failed_at=LATER,
        )
        run = fail(run, event)
    return run.model_copy(update={"status": status, "finished_at": LATER})


def test_a_free_integration_is_claimed_and_due_again_later() -> None:
    claimed = claim_run(integration(next_due_at=NOW), run_id="r1", now=NOW, is_scheduled=True)
    assert claimed is not None
    assert (claimed.sync.active_run_id, claimed.sync.active_since) == ("r1", NOW)
    assert claimed.sync.next_due_at == due_after(claimed, NOW)


@pytest.mark.parametrize("run_id", ["r1", "r2"])
def test_a_held_integration_is_not_claimed(run_id: str) -> None:
    assert claim_run(held(), run_id=run_id, now=LATER, is_scheduled=True) is None


def test_only_the_run_that_holds_an_integration_releases_it() -> None:
    assert release_run(held(), "r2") is None
    assert release_run(integration(), "r1") is None
    released = release_run(held(), "r1")
    assert released is not None
    assert (released.sync.active_run_id, released.sync.active_since, released.sync.last_run_id) == (None, None, None)


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.RUNNING])
def test_a_run_that_goes_on_settles_nothing(status: RunStatus) -> None:
    assert settle_run(held(), running().model_copy(update={"status": status}), NOW) is None


def test_a_run_that_does_not_hold_the_integration_settles_nothing() -> None:
    for other in (integration(), integration(active_run_id="r2"), integration(last_run_id="r1")):
        assert settle_run(other, over(RunStatus.FAILED), NOW) is None


def test_settling_twice_is_settling_once() -> None:
    settled = settle_run(held(), over(RunStatus.SUCCEEDED), NOW)
    assert settled is not None
    assert settle_run(settled, over(RunStatus.SUCCEEDED), NOW) is None


def test_a_success_clears_the_error_and_the_pause() -> None:
    settled = settle_run(held(last_error=OLD_ERROR, paused=True), over(RunStatus.SUCCEEDED), NOW)
    assert settled is not None
    assert settled.sync == SyncState(
        next_due_at=LATER, last_run_id="r1", last_run_status="succeeded", last_sync_at=LATER, last_success_at=LATER
    )
    assert settled.health is Health.ACTIVE


@pytest.mark.parametrize(
    ("error_class", "pauses"),
    [
        (ErrorClass.CONFIG, True),
        (ErrorClass.AUTH, True),
        (ErrorClass.TRANSIENT, False),
        (ErrorClass.RATE, False),
        (ErrorClass.DATA, False),
        (ErrorClass.BUG, False),
    ],
)
def test_a_failure_is_shown_and_pauses_when_only_a_person_can_mend_it(error_class: ErrorClass, pauses: bool) -> None:
    settled = settle_run(held(last_success_at=NOW), over(RunStatus.FAILED, error_class), NOW)
    assert settled is not None
    assert settled.sync.last_error == LastError(
        error_class=error_class, code="broken", message="It is broken.", at=LATER
    )
    assert settled.sync.paused is pauses
    assert (settled.sync.last_run_status, settled.sync.last_sync_at) == ("failed", LATER)
    assert settled.sync.last_success_at == NOW
    assert settled.health is Health.ERROR


def test_a_failure_that_says_nothing_new_leaves_a_pause() -> None:
    settled = settle_run(held(paused=True), over(RunStatus.FAILED, ErrorClass.TRANSIENT), NOW)
    assert settled is not None
    assert settled.sync.paused


@pytest.mark.parametrize("error_class", [ErrorClass.AUTH, ErrorClass.TRANSIENT])
def test_a_run_that_brought_something_does_not_pause_the_rest_and_shows_its_error(error_class: ErrorClass) -> None:
    settled = settle_run(held(paused=True), over(RunStatus.PARTIAL, error_class), NOW)
    assert settled is not None
    assert not settled.sync.paused
    assert settled.sync.last_error is not None
    assert (settled.sync.last_sync_at, settled.sync.last_success_at) == (LATER, None)
    assert settled.health is Health.ERROR


def test_a_cancelled_run_says_nothing_about_the_source() -> None:
    before = held(last_error=OLD_ERROR, paused=True, last_sync_at=NOW, last_success_at=NOW)
    settled = settle_run(before, cancel(running(), LATER), NOW)
    assert settled is not None
    assert settled.sync == before.sync.model_copy(
        update={
            "active_run_id": None,
            "active_since": None,
            "last_run_id": "r1",
            "last_run_status": "cancelled",
        }
    )


def test_a_disabled_integration_is_inactive_whatever_its_last_sync_said() -> None:
    broken = integration(last_error=OLD_ERROR)
    disabled = broken.model_copy(update={"settings": broken.settings.model_copy(update={"enabled": False})})
    assert (broken.health, disabled.health) == (Health.ERROR, Health.INACTIVE)
