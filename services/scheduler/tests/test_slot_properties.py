"""Over any sequence of ticks, finished runs and moved clocks."""

import asyncio
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

INTERVALS = (5, 7, 60)

steps = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.floats(0.001, 7200)),
        st.tuples(st.just("set"), st.sampled_from([-86_400.0, -3600.0, -90.0, 90.0, 3600.0, 86_400.0])),
        st.tuples(st.just("finish"), st.integers(0, len(INTERVALS) - 1)),
        st.tuples(st.just("tick"), st.integers(1, 2)),
    ),
    min_size=4,
    max_size=24,
)


@settings(max_examples=25, deadline=None)
@given(steps)
def test_each_slot_runs_at_most_once_and_whatever_is_due_runs_within_one_tick(new_world, steps) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(play(new_world, Path(folder), steps))


async def play(new_world, folder: Path, steps) -> None:
    async with new_world(folder / "hub.db") as world:
        integrations = [
            world.integration(number, due_s=100.0 * number, sync_interval=minutes)
            for number, minutes in enumerate(INTERVALS)
        ]
        await world.add(*integrations)
        schedulers = [world.scheduler, world.new_scheduler()]
        for action, value in [*steps, ("tick", 2)]:
            if action == "pass":
                world.pass_time(seconds=value)
            elif action == "set":
                world.set_clock(seconds=value)
            elif action == "finish":
                await finish(world, integrations[value])
            else:
                await tick_and_check(world, schedulers[:value], integrations)
        await check_slots(world, integrations)


async def finish(world, integration) -> None:
    if (await world.load(integration)).sync.active_run_id:
        await world.finish_active_run(integration)


async def tick_and_check(world, schedulers, integrations) -> None:
    due, ran = [], {run.slot for item in integrations for run in await world.runs_of(item)}
    for item in integrations:
        sync = (await world.load(item)).sync
        if sync.active_run_id is None and sync.next_due_at <= world.now and sync.next_due_at not in ran:
            due.append(item)
    await asyncio.gather(*(scheduler.tick() for scheduler in schedulers))
    requested = {request.run_id for request in world.requests()}
    for item in due:
        assert (await world.load(item)).sync.active_run_id in requested
    for item in integrations:
        assert (await world.load(item)).sync.next_due_at is not None


async def check_slots(world, integrations) -> None:
    for item in integrations:
        slots = Counter(run.slot for run in await world.runs_of(item))
        assert max(slots.values(), default=0) <= 1
    by_scheduler = Counter(request.run_id for request in world.requests() if request.trigger == "interval")
    assert len(by_scheduler) == sum([len(await world.runs_of(item)) for item in integrations])
