"""Syncs that pushes have brought forward: started once, for what they are for, also after a long run or a crash."""

import asyncio
from datetime import timedelta

import pytest
from hub_model.early import brought_forward
from hub_model.messages import Trigger
from hub_model.slots import due_after

DELAY = timedelta(seconds=10)
_HELD = {"active_run_id": "other", "active_since": "2026-03-01T09:00:00Z"}


async def push(world, integration, *data_types):
    return await world.integrations.change(
        integration.college_id,
        integration.id,
        lambda current: brought_forward(current, data_types, world.now, delay=DELAY),
    )


@pytest.fixture
async def waiting(world):
    """An integration whose regular slot is an hour away, and which was pushed to."""
    integration = world.integration(due_s=3600)
    await world.add(integration)
    return await push(world, integration, "marks")


async def test_a_pushed_integration_gets_a_run_for_what_was_pushed(world, waiting) -> None:
    await world.scheduler.tick()
    assert not world.requests()
    world.pass_time(seconds=10)
    await world.scheduler.tick()
    await world.scheduler.tick()
    (request,) = world.requests()
    (run,) = await world.runs_of(waiting)
    assert (request.trigger, request.data_types, run.trigger) == (Trigger.WEBHOOK, ("marks",), Trigger.WEBHOOK)
    assert run.data_types == ("marks",)
    sync = (await world.load(waiting)).sync
    assert sync.next_due_at == due_after(waiting, world.now)
    assert (sync.early_due_at, sync.active_data_types) == (None, ("marks",))


async def test_a_pushed_integration_waits_for_the_run_before_and_is_not_skipped(world) -> None:
    integration = world.integration(due_s=3600, **_HELD)
    await world.add(integration)
    await push(world, integration, "marks")
    world.pass_time(seconds=60)
    await world.scheduler.tick()
    held = await world.load(integration)
    assert held.sync.next_due_at == held.sync.early_due_at
    assert not [line for line in await world.log_lines(integration) if line.event == "sync.skipped"]
    free = {"active_run_id": None, "active_since": None}
    await world.integrations.change(held.college_id, held.id, lambda current: current.with_sync(**free))
    await world.scheduler.tick()
    assert world.requests()[-1].data_types == ("marks",)


async def test_a_regular_slot_waits_for_a_run_that_is_not_for_everything(world) -> None:
    integration = world.integration(due_s=5, **_HELD, active_data_types=("marks",))
    await world.add(integration)
    world.pass_time(seconds=60)
    await world.scheduler.tick()
    held = await world.load(integration)
    assert held.sync.next_due_at == integration.sync.next_due_at
    free = {"active_run_id": None, "active_since": None, "active_data_types": ()}
    await world.integrations.change(held.college_id, held.id, lambda current: current.with_sync(**free))
    await world.scheduler.tick()
    assert set(world.requests()[-1].data_types) == {"students", "marks"}
    assert await world.log_lines(integration) == []


async def test_a_regular_slot_that_is_skipped_leaves_the_early_sync_due(world) -> None:
    integration = world.integration(due_s=5, **_HELD)
    await world.add(integration)
    await push(world, integration, "marks")
    world.pass_time(seconds=7)
    await world.scheduler.tick()
    sync = (await world.load(integration)).sync
    assert sync.next_due_at == sync.early_due_at
    assert [line.event for line in await world.log_lines(integration)] == ["sync.skipped"]


@pytest.mark.parametrize("number", range(1, 9))
async def test_an_early_run_whose_start_was_cut_off_is_made_up_for_and_is_for_the_same(world, waiting, number) -> None:
    world.pass_time(seconds=10)
    mortal = world.new_scheduler()
    mortal.watch.die_at = number
    await asyncio.gather(mortal.tick(), return_exceptions=True)
    heir = world.new_scheduler()
    await heir.tick()
    world.pass_time(seconds=31)
    await heir.tick()
    (run,) = await world.runs_of(waiting)
    assert run.data_types == ("marks",)
    assert {(request.run_id, request.data_types) for request in world.requests()} == {(run.id, ("marks",))}


async def test_a_slot_that_ran_already_is_left_behind_also_when_it_was_early(world, waiting) -> None:
    world.pass_time(seconds=10)
    await world.scheduler.tick()
    await world.finish_active_run(waiting)
    early = {"next_due_at": waiting.sync.early_due_at, "early_due_at": waiting.sync.early_due_at}
    await world.integrations.change(waiting.college_id, waiting.id, lambda current: current.with_sync(**early))
    await world.scheduler.tick()
    assert len(world.requests()) == 1
    sync = (await world.load(waiting)).sync
    assert (sync.next_due_at, sync.early_due_at) == (due_after(waiting, world.now), None)


async def test_two_schedulers_at_once_start_an_early_sync_once(world, waiting) -> None:
    world.pass_time(seconds=10)
    other = world.new_scheduler()
    await other.tick()
    await world.scheduler.tick()
    assert len(world.requests()) == 1
