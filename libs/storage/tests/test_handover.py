"""The hand-over of a run: one active run per integration, whatever is repeated, interrupted or raced."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hub_model.errors import ErrorClass, NotFound, Unavailable
from hub_model.integrations import Integration
from hub_model.messages import SyncFailed, Trigger
from hub_model.records import DataType
from hub_model.run_transitions import cancel, fail, start
from hub_model.runs import Run, RunStatus
from hub_model.slots import due_after
from hub_storage.repositories import Integrations, Runs, Tables
from hub_storage.repositories.handover import begin_run, end_run
from hub_storage.store import Store

Begin = Callable[..., Any]


@pytest.fixture
async def integrations(store: Store, an_integration: Callable[..., Integration]) -> Integrations:
    integrations = Integrations(store)
    await integrations.add(an_integration())
    return integrations


@pytest.fixture
def runs(store: Store) -> Runs:
    return Runs(store)


@pytest.fixture
def tables(store: Store) -> Tables:
    return Tables(store)


@pytest.fixture
def begin(integrations: Integrations, runs: Runs, now: datetime) -> Begin:
    def begin(run_id: str = "r1", **changes: Any) -> Any:
        given = {
            "college_id": "c1",
            "integration_id": "i1",
            "trigger": Trigger.MANUAL,
            "now": now,
            **changes,
        }
        return begin_run(integrations, runs, run_id=run_id, **given)

    return begin


async def finish(integrations: Integrations, tables: Tables, runs: Runs, run: Run, now: datetime) -> None:
    """Run to the end, as the writer does."""
    await runs.change("c1", run.id, lambda run: start(run, now))
    ended = await runs.change("c1", run.id, lambda run: cancel(run, now))
    await end_run(integrations, tables, ended, now)


async def test_a_run_begins_by_claiming_its_integration(
    begin: Begin, integrations: Integrations, runs: Runs, now: datetime
) -> None:
    run, is_unannounced = await begin("r1", trigger=Trigger.INTERVAL, slot=now)
    assert is_unannounced
    assert (run.id, run.status, run.trigger, run.slot) == ("r1", RunStatus.QUEUED, Trigger.INTERVAL, now)
    assert run.data_types == (DataType.STUDENTS, DataType.MARKS)
    assert await runs.get("c1", "r1") == run
    held = await integrations.get("c1", "i1")
    assert (held.sync.active_run_id, held.sync.active_since) == ("r1", now)
    assert held.sync.next_due_at == due_after(held, now)


async def test_a_second_run_joins_the_active_one(begin: Begin, runs: Runs, now: datetime) -> None:
    await begin("r1")
    await runs.change("c1", "r1", lambda run: start(run, now))
    run, is_unannounced = await begin("r2", now=now + timedelta(minutes=1))
    assert (run.id, is_unannounced) == ("r1", False)
    assert await runs.find("c1", "r2") is None


async def test_joining_a_run_does_not_move_the_schedule(
    begin: Begin, integrations: Integrations, now: datetime
) -> None:
    await begin("r1")
    before = await integrations.get("c1", "i1")
    await begin("r2", now=now + timedelta(days=9))
    assert await integrations.get("c1", "i1") == before


async def test_a_queued_run_is_announced_again_by_whoever_joins_it(begin: Begin) -> None:
    await begin("r1")
    run, is_unannounced = await begin("r2")
    assert (run.id, is_unannounced) == ("r1", True)


async def test_beginning_a_run_again_changes_nothing(begin: Begin, integrations: Integrations, now: datetime) -> None:
    first, _ = await begin("r1")
    before = await integrations.get("c1", "i1")
    again, is_unannounced = await begin("r1", now=now + timedelta(seconds=9))
    assert (again, is_unannounced) == (first, True)
    assert await integrations.get("c1", "i1") == before


async def test_of_many_runs_begun_at_once_one_is_active_and_all_join_it(
    begin: Begin, integrations: Integrations, runs: Runs
) -> None:
    begun = await asyncio.gather(*(begin(f"r{n}") for n in range(10)))
    (active,) = {run.id for run, _ in begun}
    assert (await integrations.get("c1", "i1")).sync.active_run_id == active
    assert [run.id for run in (await runs.page("c1", "i1")).items] == [active]


class Interrupted(Runs):
    """Runs whose first ``add`` never happens, as when the process dies before it."""

    is_broken = True

    async def add(self, run: Run) -> bool:
        if self.is_broken:
            raise Unavailable("the process died here")
        return await super().add(run)


@pytest.mark.parametrize("run_id", ["r1", "r2"], ids=["by the same run", "by another run"])
async def test_a_claim_whose_run_was_never_stored_is_completed(
    integrations: Integrations, store: Store, now: datetime, run_id: str
) -> None:
    runs = Interrupted(store)
    given: dict[str, Any] = {"college_id": "c1", "integration_id": "i1", "trigger": Trigger.MANUAL, "now": now}
    with pytest.raises(Unavailable):
        await begin_run(integrations, runs, run_id="r1", **given)
    runs.is_broken = False
    run, is_unannounced = await begin_run(integrations, runs, run_id=run_id, slot=now, **given)
    assert (run.id, is_unannounced) == ("r1", True)
    assert run.slot == (now if run_id == "r1" else None)
    assert (await runs.get("c1", "r1")).status is RunStatus.QUEUED


async def test_a_run_that_is_over_does_not_begin_again(
    begin: Begin, integrations: Integrations, tables: Tables, runs: Runs, now: datetime
) -> None:
    run, _ = await begin("r1")
    await finish(integrations, tables, runs, run, now)
    before = await integrations.get("c1", "i1")
    again, is_unannounced = await begin("r1", now=now + timedelta(days=9))
    assert (again.status, is_unannounced) == (RunStatus.CANCELLED, False)
    assert await integrations.get("c1", "i1") == before
    fresh, is_unannounced = await begin("r2")
    assert (fresh.id, is_unannounced) == ("r2", True)


async def test_a_run_that_ends_while_it_is_begun_a_second_time_does_not_keep_the_claim(
    begin: Begin, integrations: Integrations, tables: Tables, store: Store, now: datetime
) -> None:
    run, _ = await begin("r1")

    class Late(Runs):
        """Does not see the run at first, as if it had been looked for before it was there."""

        async def find(self, college_id: str, run_id: str) -> Run | None:
            found = await super().find(college_id, run_id)
            if found is not None and not found.status.is_final:
                await finish(integrations, tables, runs, found, now)
                return None
            return found

    runs = Late(store)
    given: dict[str, Any] = {"college_id": "c1", "integration_id": "i1", "trigger": Trigger.MANUAL, "now": now}
    again, is_unannounced = await begin_run(integrations, runs, run_id=run.id, **given)
    assert (again.status, is_unannounced) == (RunStatus.CANCELLED, False)
    sync = (await integrations.get("c1", "i1")).sync
    assert (sync.active_run_id, sync.active_since, sync.last_run_id) == (None, None, "r1")


async def test_a_new_run_records_the_end_of_one_that_was_cut_off_before_it_could(
    begin: Begin, integrations: Integrations, runs: Runs, now: datetime
) -> None:
    await begin("r1")
    await runs.change("c1", "r1", lambda run: cancel(run, now))
    run, is_unannounced = await begin("r2")
    assert (run.id, is_unannounced) == ("r2", True)
    sync = (await integrations.get("c1", "i1")).sync
    assert (sync.active_run_id, sync.last_run_id, sync.last_run_status) == ("r2", "r1", "cancelled")


async def test_a_run_of_a_missing_integration_is_not_found(begin: Begin, runs: Runs) -> None:
    for ids in ({"integration_id": "i9"}, {"college_id": "c2"}):
        with pytest.raises(NotFound):
            await begin("r1", **ids)
    assert await runs.find("c1", "r1") is None


async def test_the_end_of_a_run_lets_its_integration_go_and_says_how_it_ended(
    begin: Begin, integrations: Integrations, tables: Tables, runs: Runs, now: datetime
) -> None:
    await begin("r1")
    failed = await runs.change("c1", "r1", lambda run: fail(run, credentials_refused(now)))
    settled = await end_run(integrations, tables, failed, now)
    assert settled == await integrations.get("c1", "i1")
    assert settled is not None
    assert (settled.sync.active_run_id, settled.sync.last_run_status, settled.sync.paused) == (None, "failed", True)
    assert await end_run(integrations, tables, failed, now + timedelta(days=1)) == settled


async def test_a_late_end_does_not_touch_a_newer_run(
    begin: Begin, integrations: Integrations, tables: Tables, runs: Runs, now: datetime
) -> None:
    run, _ = await begin("r1")
    await finish(integrations, tables, runs, run, now)
    await begin("r2")
    before = await integrations.get("c1", "i1")
    await end_run(integrations, tables, await runs.get("c1", "r1"), now)
    assert await integrations.get("c1", "i1") == before


async def test_the_end_of_a_run_whose_integration_is_gone_is_none(
    begin: Begin, integrations: Integrations, tables: Tables, runs: Runs, now: datetime
) -> None:
    run, _ = await begin("r1")
    await integrations.remove("c1", "i1")
    assert await end_run(integrations, tables, cancel(run, now), now) is None


def credentials_refused(now: datetime) -> SyncFailed:
    return SyncFailed(
        college_id="c1",
        integration_id="i1",
        run_id="r1",
        stage="fetch",
        error_class=ErrorClass.AUTH,
        code="unauthorized",
        public="The source refused the credentials.",
        detail="401",
        batches=0,
        failed_at=now,
    )
