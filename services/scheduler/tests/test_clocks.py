"""Clocks that are wrong: nothing runs twice, nothing runs at once for all the time skipped, nothing stops for long."""

from datetime import timedelta

from hub_model.runs import RunStatus
from hub_model.slots import due_after


async def tick_and_finish(world, integration) -> int:
    """One tick; how many runs it started, each of which ends at once."""
    before = len(world.requests())
    await world.scheduler.tick()
    if (await world.load(integration)).sync.active_run_id:
        await world.finish_active_run(integration)
    return len(world.requests()) - before


async def starts(world, integration, *, minutes: int) -> int:
    """How many runs start while so much time goes by, a tick every minute."""
    started = 0
    for _ in range(minutes):
        world.pass_time(minutes=1)
        started += await tick_and_finish(world, integration)
    return started


async def test_a_clock_that_leaps_ahead_starts_one_run(world) -> None:
    integration = world.integration(due_s=60, sync_interval=5)
    await world.add(integration)
    world.set_clock(days=400)
    assert await tick_and_finish(world, integration) == 1
    assert await tick_and_finish(world, integration) == 0
    assert await starts(world, integration, minutes=60) == 12


async def test_a_clock_that_was_ahead_and_is_put_right_stops_nothing(world) -> None:
    integration = world.integration(due_s=60, sync_interval=5)
    await world.add(integration)
    world.set_clock(days=400)
    await tick_and_finish(world, integration)
    world.set_clock(days=-400)
    assert 11 <= await starts(world, integration, minutes=60) <= 13


async def test_a_clock_set_back_over_time_that_was_lived_through_runs_no_slot_twice(world) -> None:
    integration = world.integration(due_s=60, sync_interval=5)
    await world.add(integration)
    first = await starts(world, integration, minutes=60)
    world.set_clock(minutes=-60)
    again = await starts(world, integration, minutes=75)
    run_ids = [request.run_id for request in world.requests()]
    assert len(run_ids) == len(set(run_ids)) == first + again
    assert again >= 2


async def test_a_leap_ahead_does_not_fail_runs_that_are_under_way(world) -> None:
    integration = world.integration(due_s=3600, active_run_id="r1", active_since=world.now)
    await world.add(integration)
    await world.add_run(integration, "r1", status=RunStatus.RUNNING)
    world.pass_time(minutes=1)
    await world.scheduler.tick()
    world.set_clock(days=2)
    await world.scheduler.tick()
    assert not world.others()


async def test_a_claim_from_the_future_is_repaired_too(world) -> None:
    integration = world.integration(due_s=86_400, active_run_id="r1", active_since=world.now + timedelta(days=1))
    await world.add(integration)
    for _ in range(3):
        await world.scheduler.tick()
        world.pass_time(seconds=31)
    assert [request.run_id for request in world.requests()] == ["r1"]


async def test_due_times_are_gone_through_page_by_page(world) -> None:
    far = [world.integration(number, sync_interval=43_200) for number in range(120)]
    far = [item.with_sync(next_due_at=due_after(item, world.now)) for item in far]
    wrong = world.integration(500, due_s=3400, sync_interval=10)
    await world.add(*far, wrong)
    for _ in range(2):
        await world.scheduler.tick()
        assert await world.load(wrong) == wrong
    await world.scheduler.tick()
    assert (await world.load(wrong)).sync.next_due_at == due_after(wrong, world.now)
    wrong_again = await world.integrations.change(
        wrong.college_id, wrong.id, lambda current: current.with_sync(next_due_at=wrong.sync.next_due_at)
    )
    for _ in range(3):
        await world.scheduler.tick()
    assert await world.load(wrong) != wrong_again


async def test_a_due_time_that_can_be_right_is_left_alone(world) -> None:
    monthly = world.integration(1, sync_interval=43_200)
    monthly = monthly.with_sync(next_due_at=due_after(monthly, world.now))
    await world.add(monthly)
    await world.scheduler.tick()
    assert await world.load(monthly) == monthly
