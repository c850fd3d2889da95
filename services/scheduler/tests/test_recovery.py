"""Mending what was left half done, and leaving alone what is only slow."""

from datetime import timedelta

import pytest
from hub_model import run_transitions
from hub_model.errors import BackendUnavailable, ErrorClass, QueueFull
from hub_model.messages import SyncFailed, SyncFinished, Trigger
from hub_model.records import DataType
from hub_model.runs import RunStatus
from hub_model.slots import due_after
from hub_model.waiting import Waiting
from hub_storage.repositories.runs import SPEC


@pytest.fixture
async def claimed(world):
    """An integration whose run was claimed just now, and nothing else."""
    integration = world.integration(active_run_id="r1", active_since=world.now)
    integration = integration.with_sync(next_due_at=due_after(integration, world.now))
    await world.add(integration)
    return integration


async def tick_for(world, *, minutes: float, step_s: float = 60) -> None:
    for _ in range(int(minutes * 60 / step_s)):
        world.pass_time(seconds=step_s)
        await world.scheduler.tick()


async def test_a_claim_without_a_run_is_given_one_after_the_grace(world, claimed) -> None:
    world.pass_time(seconds=29)
    await world.scheduler.tick()
    assert not await world.runs_of(claimed)
    world.pass_time(seconds=2)
    await world.scheduler.tick()
    (run,) = await world.runs_of(claimed)
    (request,) = world.requests()
    assert (run.id, run.status, run.trigger) == ("r1", RunStatus.QUEUED, Trigger.RECOVERY)
    assert (request.run_id, request.trigger, request.data_types) == ("r1", Trigger.RECOVERY, run.data_types)


async def test_a_queued_run_is_asked_for_again(world, claimed) -> None:
    await world.add_run(claimed, "r1")
    world.pass_time(seconds=31)
    await world.scheduler.tick()
    (request,) = world.requests()
    assert (request.run_id, request.trigger) == ("r1", Trigger.RECOVERY)


async def test_a_queued_run_is_not_asked_for_at_every_tick(world, claimed) -> None:
    await world.add_run(claimed, "r1")
    await tick_for(world, minutes=25, step_s=5)
    assert 3 <= len(world.requests()) <= 8


async def test_a_running_run_is_left_alone(world, claimed) -> None:
    await world.add_run(claimed, "r1", status=RunStatus.RUNNING)
    await tick_for(world, minutes=29)
    assert not world.broker.published


async def test_a_run_that_is_over_lets_its_integration_go(world, claimed) -> None:
    await world.add_run(claimed, "r1", status=RunStatus.SUCCEEDED, finished_at=world.now)
    world.pass_time(seconds=31)
    await world.scheduler.tick()
    sync = (await world.load(claimed)).sync
    assert (sync.active_run_id, sync.last_run_status) == (None, "succeeded")
    (finished,) = world.others()
    assert isinstance(finished, SyncFinished)
    world.pass_time(minutes=1)
    await world.scheduler.tick()
    assert len(world.broker.published) == 1


async def test_a_run_without_progress_for_half_an_hour_is_failed(world, claimed) -> None:
    run = await world.add_run(claimed, "r1", status=RunStatus.RUNNING)
    await tick_for(world, minutes=31)
    (failed,) = world.others()
    assert isinstance(failed, SyncFailed)
    assert (failed.code, failed.error_class, failed.data_type, failed.batches) == (
        "stalled",
        ErrorClass.TRANSIENT,
        None,
        None,
    )
    assert failed.public == "Nothing moved for 30 minutes, so this sync was ended. The next one starts on schedule."
    assert run_transitions.fail(run, failed).status is RunStatus.FAILED
    assert await world.broker.depth("writer.progress") == 1


async def test_a_run_with_progress_is_never_failed(world, claimed) -> None:
    await world.add_run(claimed, "r1", status=RunStatus.RUNNING)
    for _ in range(6):
        await tick_for(world, minutes=20)
        await world.runs.change(
            claimed.college_id, "r1", lambda run: run.model_copy(update={"progressed_at": world.now})
        )
    assert not world.others()


async def park(world, integration, *, hours: float) -> None:
    """What the fetcher stores when the source asks it to wait."""
    waiting = Waiting(since=world.now, until=world.now + timedelta(hours=hours), code="rate_limited", public="x")
    await world.runs.change(
        integration.college_id, "r1", lambda run: run_transitions.wait(run, DataType.MARKS, waiting)
    )


async def test_a_run_parked_by_a_rate_limit_is_not_failed_as_stalled(world, claimed) -> None:
    await world.add_run(claimed, "r1", status=RunStatus.RUNNING)
    await park(world, claimed, hours=6)
    await tick_for(world, minutes=6 * 60 + 29, step_s=100)
    assert not world.others()
    await tick_for(world, minutes=15, step_s=100)
    assert isinstance(world.others()[0], SyncFailed)


async def test_a_run_that_waits_again_and_again_is_not_failed_as_stalled(world, claimed) -> None:
    """The ladder's attempts: each finds the source in the same state."""
    await world.add_run(claimed, "r1", status=RunStatus.RUNNING)
    for _ in range(5):
        await park(world, claimed, hours=2)
        await tick_for(world, minutes=125, step_s=100)
    assert not world.others()


async def test_a_restart_during_a_wait_does_not_end_the_run(world, claimed) -> None:
    await world.add_run(claimed, "r1", status=RunStatus.RUNNING)
    await park(world, claimed, hours=6)
    world.pass_time(hours=3)
    world.scheduler = world.new_scheduler()
    await tick_for(world, minutes=180, step_s=100)
    assert not world.others()


async def test_a_restart_gives_every_run_its_half_hour(world, claimed) -> None:
    """Everything was down together: the run's messages are in their queues and will go on."""
    await world.add_run(claimed, "r1", status=RunStatus.RUNNING)
    world.pass_time(hours=9)
    world.scheduler = world.new_scheduler()
    await tick_for(world, minutes=29)
    assert not world.others()


async def test_a_stalled_run_is_failed_again_if_the_failure_was_lost(world, claimed) -> None:
    await world.add_run(claimed, "r1", status=RunStatus.RUNNING)
    await tick_for(world, minutes=36)
    assert len(world.others()) > 1
    assert len({failed.message_id for failed in world.others()}) == 1


async def tick_blindly_for(world, *, minutes: float) -> None:
    """Ticks that fail because store or broker are away."""
    for _ in range(int(minutes)):
        world.pass_time(minutes=1)
        with pytest.raises(BackendUnavailable):
            await world.scheduler.tick()


class Away:
    """Store or broker go away, and come back."""

    def __init__(self, world, place: str) -> None:
        self._world, self._place = world, place

    def __enter__(self) -> None:
        self._set(BackendUnavailable(f"the {self._place} is away"))

    def __exit__(self, *_: object) -> None:
        self._set(None)

    def _set(self, error: Exception | None) -> None:
        if self._place == "store":
            self._world.scheduler.watch.outage = error
        else:
            self._world.broker.error = error


@pytest.mark.parametrize("place", ["store", "broker"])
async def test_no_run_is_failed_because_the_store_or_the_broker_was_away(world, claimed, place) -> None:
    await world.add_run(claimed, "r1", status=RunStatus.RUNNING)
    await tick_for(world, minutes=25)
    with Away(world, place):
        await tick_blindly_for(world, minutes=60)
    await tick_for(world, minutes=29)
    assert not world.others()
    await tick_for(world, minutes=2)
    assert [failed.code for failed in world.others()] == ["stalled"]


@pytest.mark.parametrize("place", ["store", "broker"])
async def test_an_outage_of_one_tick_is_an_outage(world, claimed, place) -> None:
    await world.add_run(claimed, "r1", status=RunStatus.RUNNING)
    await tick_for(world, minutes=30)
    with Away(world, place):
        await tick_blindly_for(world, minutes=1)
    await tick_for(world, minutes=29)
    assert not world.others()


async def test_a_failure_that_cannot_be_published_is_an_outage_of_the_broker(world, claimed) -> None:
    await world.add_run(claimed, "r1", status=RunStatus.RUNNING)
    await tick_for(world, minutes=30)
    world.broker.answers_pings = True
    with Away(world, "broker"):
        await tick_for(world, minutes=2)
    await tick_for(world, minutes=29)
    assert not world.others()


@pytest.mark.parametrize("due_s", [0, 400 * 24 * 3600], ids=["due", "wrongly due"])
async def test_a_store_that_answers_and_takes_no_writes_is_away(world, claimed, due_s) -> None:
    """Such as a replica set without a majority: whoever would move the run cannot."""
    await world.add_run(claimed, "r1", status=RunStatus.RUNNING)
    await tick_for(world, minutes=20)
    await world.add(world.integration(2, due_s=due_s))
    world.scheduler.watch.answers_reads = True
    with Away(world, "store"):
        await tick_for(world, minutes=15)
    await tick_for(world, minutes=20)
    assert not world.others()


async def test_a_full_queue_of_another_run_does_not_excuse_one_that_stands_still(world, claimed) -> None:
    """What a broker that can be reached refuses says nothing about whether others could move."""
    await world.add_run(claimed, "r1", status=RunStatus.RUNNING)
    await tick_for(world, minutes=20)
    queued = world.integration(2, due_s=None, active_run_id="r2", active_since=world.now)
    await world.add(queued)
    await world.add_run(queued, "r2")
    world.broker.answers_pings = True
    world.broker.error = QueueFull("fetcher.syncs is full")
    await tick_for(world, minutes=5)
    world.broker.error = None
    await tick_for(world, minutes=6)
    assert [failed.run_id for failed in world.others()] == ["r1"]


async def test_a_scheduler_that_was_stopped_for_long_judges_no_run_by_what_it_did_not_see(world, claimed) -> None:
    """The machine, and everything on it, was paused."""
    await world.add_run(claimed, "r1", status=RunStatus.RUNNING)
    await tick_for(world, minutes=20)
    world.pass_time(hours=5)
    await tick_for(world, minutes=29)
    assert not world.others()


async def test_an_outage_of_the_broker_holds_up_nothing_that_does_not_need_it(world, claimed) -> None:
    wrong = world.integration(2, due_s=400 * 24 * 3600)
    await world.add(wrong)
    with Away(world, "broker"):
        await tick_blindly_for(world, minutes=2)
    assert (await world.load(wrong)).sync.next_due_at < world.now + timedelta(days=2)


async def test_an_active_run_means_no_second_one_and_the_due_time_moves_on(world, claimed) -> None:
    await world.add_run(claimed, "r1", status=RunStatus.RUNNING)
    for _ in range(3):
        world.pass_time(minutes=61)
        await world.runs.change(
            claimed.college_id, "r1", lambda run: run.model_copy(update={"progressed_at": world.now})
        )
        await world.scheduler.tick()
        sync = (await world.load(claimed)).sync
        assert (sync.active_run_id, sync.next_due_at) == ("r1", due_after(claimed, world.now))
    assert not world.requests()
    lines = await world.log_lines(claimed)
    assert [line.event for line in lines] == ["sync.skipped"] * 3


async def test_a_paused_integration_skips_nothing(world) -> None:
    integration = world.integration(due_s=0, active_run_id="r1", active_since=world.now, paused=True)
    await world.add(integration)
    await world.add_run(integration, "r1", status=RunStatus.RUNNING)
    world.pass_time(minutes=61)
    await world.scheduler.tick()
    assert not await world.log_lines(integration)


async def test_a_repair_that_fails_does_not_hold_up_the_others(world) -> None:
    since = world.now - timedelta(minutes=1)
    broken = world.integration(1, due_s=3600, active_run_id="r1", active_since=since)
    sound = world.integration(2, due_s=3600, active_run_id="r2", active_since=since)
    await world.add(broken, sound)
    await world.add_run(sound, "r2")
    scheduler = world.new_scheduler()
    await world.store.collection(SPEC).insert({"r1": {"collegeId": broken.college_id, "id": "r1"}})
    await scheduler.tick()
    assert [request.run_id for request in world.requests()] == ["r2"]


async def test_more_than_a_page_of_active_runs_is_looked_after(world) -> None:
    since = world.now - timedelta(minutes=1)
    integrations = [
        world.integration(number, due_s=3600, active_run_id=f"r{number}", active_since=since) for number in range(420)
    ]
    await world.add(*integrations)
    await world.scheduler.tick()
    assert len(world.requests()) == 420
