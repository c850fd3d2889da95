"""Starting what is due: once per slot, whoever ticks, whatever fails."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hub_messaging.publisher import Publisher
from hub_model.base import format_datetime
from hub_model.errors import QueueFull, Unavailable, Unroutable
from hub_model.ids import derived_id
from hub_model.messages import Trigger
from hub_model.runs import RunStatus
from hub_model.slots import due_after
from hub_scheduler.backend import Backend
from hub_scheduler.tick import move_on, slot_run_id
from hub_storage.adapters.sqlite.selection import selections
from hub_storage.collection import Query, Range
from hub_storage.repositories import Tables
from hub_storage.repositories.integrations import SPEC

DAY_S = 86_400


async def test_a_due_integration_gets_a_run_of_its_slot(world) -> None:
    integration = world.integration(due_s=-2)
    await world.add(integration)
    await world.scheduler.tick()
    (request,) = world.requests()
    (run,) = await world.runs_of(integration)
    sync = (await world.load(integration)).sync
    slot = integration.sync.next_due_at
    assert run.id == request.run_id == sync.active_run_id == slot_run_id(integration.id, slot)
    assert run.id == derived_id(integration.id, "slot", format_datetime(slot))
    assert (run.trigger, run.status, run.slot) == (Trigger.INTERVAL, RunStatus.QUEUED, slot)
    assert (request.trigger, set(request.data_types)) == (Trigger.INTERVAL, {"students", "marks"})
    assert sync.next_due_at == due_after(integration, world.now)
    assert await world.broker.depth("fetcher.syncs") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"due_s": 0.001},
        {"due_s": None},
        {"enabled": False},
        {"paused": True},
        {"active_run_id": "other", "active_since": "2026-03-01T10:00:00Z"},
    ],
    ids=["not yet due", "never due", "disabled", "paused", "active"],
)
async def test_nothing_is_started_that_is(world, changes) -> None:
    integration = world.integration(**changes)
    await world.add(integration)
    await world.scheduler.tick()
    assert not world.requests()
    assert await world.load(integration) == integration


async def test_after_downtime_each_integration_catches_up_exactly_once(world) -> None:
    integrations = [world.integration(number, due_s=-30 * DAY_S, sync_interval=5) for number in range(3)]
    await world.add(*integrations)
    for _ in range(4):
        await world.scheduler.tick()
        for integration in integrations:
            if (await world.load(integration)).sync.active_run_id:
                await world.finish_active_run(integration)
        world.pass_time(seconds=1)
    assert len(world.requests()) == 3
    for integration in integrations:
        assert (await world.load(integration)).sync.next_due_at > world.now


async def test_more_than_a_page_is_started_in_one_tick(world) -> None:
    integrations = [world.integration(number, due_s=-number) for number in range(230)]
    await world.add(*integrations)
    await world.scheduler.tick()
    assert {request.integration_id for request in world.requests()} == {item.id for item in integrations}


async def test_two_schedulers_at_once_start_each_slot_once(world) -> None:
    integrations = [world.integration(number, due_s=-1) for number in range(20)]
    await world.add(*integrations)
    schedulers = [world.scheduler, world.new_scheduler(), world.new_scheduler()]
    await asyncio.gather(*(scheduler.tick() for scheduler in schedulers))
    assert {request.run_id for request in world.requests()} == {
        slot_run_id(item.id, item.sync.next_due_at) for item in integrations
    }
    for integration in integrations:
        (run,) = await world.runs_of(integration)
        assert (await world.load(integration)).sync.active_run_id == run.id


async def test_a_run_that_another_scheduler_made_is_not_announced_again(world) -> None:
    integration, other = world.integration(due_s=-1), world.new_scheduler()
    await world.add(integration)

    async def be_faster() -> None:
        now, world.now = world.now, world.now - timedelta(milliseconds=5)
        await other.tick()
        world.now = now

    world.scheduler.watch.after["find integrations"] = be_faster
    await world.scheduler.tick()
    assert len(world.requests()) == len(await world.runs_of(integration)) == 1


async def test_a_scheduler_that_read_before_another_finished_the_run_starts_nothing(world) -> None:
    integration, other = world.integration(due_s=-1), world.new_scheduler()
    await world.add(integration)

    async def run_to_its_end() -> None:
        await other.tick()
        await world.finish_active_run(integration)

    world.scheduler.watch.after["find integrations"] = run_to_its_end
    await world.scheduler.tick()
    assert len(await world.runs_of(integration)) == len(world.requests()) == 1
    sync = (await world.load(integration)).sync
    assert (sync.active_run_id, sync.next_due_at) == (None, due_after(integration, world.now))


@pytest.mark.parametrize("error", [Unavailable("away"), QueueFull("full"), Unroutable("no queue"), ValueError("a bug")])
async def test_a_failing_publish_leaves_what_a_later_tick_repairs(world, error) -> None:
    integration = world.integration()
    await world.add(integration)
    world.broker.error = error
    await world.scheduler.tick()
    world.broker.error = None
    world.pass_time(seconds=31)
    await world.scheduler.tick()
    (request,) = world.requests()
    (run,) = await world.runs_of(integration)
    assert (request.run_id, request.trigger) == (run.id, Trigger.RECOVERY)


async def test_a_broker_that_is_away_stops_the_claiming(world) -> None:
    await world.add(*(world.integration(number) for number in range(150)))
    world.broker.error = Unavailable("away")
    await world.scheduler.tick()
    world.broker.error = None
    await world.scheduler.tick()
    assert len(world.requests()) == 50  # the second page was left for this tick


async def test_one_integration_that_cannot_be_started_does_not_hold_up_the_others(world) -> None:
    integrations = [world.integration(number) for number in range(3)]
    await world.add(*integrations)

    async def remove() -> None:
        await world.integrations.remove(integrations[1].college_id, integrations[1].id)

    world.scheduler.watch.after["find integrations"] = remove
    await world.scheduler.tick()
    assert {request.integration_id for request in world.requests()} == {"i0", "i2"}


async def test_a_scheduler_that_dies_at_any_call_leaves_what_the_next_repairs(world) -> None:
    alone = world.integration(0)
    await world.add(alone)
    await world.scheduler.tick()
    calls = len(world.scheduler.watch.calls)
    assert calls >= 4
    for number in range(1, calls + 1):
        integration, mortal = world.integration(number), world.new_scheduler()
        await world.add(integration)
        mortal.watch.die_at = number
        await asyncio.gather(mortal.tick(), return_exceptions=True)
        heir = world.new_scheduler()
        await heir.tick()
        world.pass_time(seconds=31)
        await heir.tick()
        (run,) = await world.runs_of(integration)
        assert (await world.load(integration)).sync.active_run_id == run.id, f"died at call {number}"
        assert run.id in {request.run_id for request in world.requests()}, f"died at call {number}"


async def test_a_slot_that_ran_is_not_run_again_when_the_clock_comes_by_once_more(world) -> None:
    integration = world.integration(due_s=0)
    await world.add(integration)
    await world.scheduler.tick()
    await world.finish_active_run(integration)
    await world.integrations.change(
        integration.college_id,
        integration.id,
        lambda current: current.with_sync(next_due_at=integration.sync.next_due_at),
    )
    await world.scheduler.tick()
    sync = (await world.load(integration)).sync
    assert (sync.active_run_id, sync.next_due_at) == (None, due_after(integration, world.now))
    assert len(world.requests()) == 1


async def test_only_the_slot_that_is_left_behind_moves_on(world) -> None:
    integration = world.integration(due_s=-10)
    await world.add(integration)
    backend = Backend(
        integrations=world.integrations,
        runs=world.runs,
        tables=Tables(world.store),
        logs=world.logs,
        publisher=Publisher(world.broker),
    )
    assert not await move_on(backend, integration, world.now - timedelta(hours=1), world.now)
    assert await world.load(integration) == integration
    assert await move_on(backend, integration, integration.sync.next_due_at, world.now)
    assert (await world.load(integration)).sync.next_due_at == due_after(integration, world.now)


async def test_the_cost_of_a_tick_depends_on_what_is_due(world) -> None:
    async def calls_of_a_tick() -> list[str]:
        scheduler = world.new_scheduler()
        await scheduler.tick()
        return sorted(scheduler.watch.calls)

    await world.add(*(world.integration(number) for number in range(3)))
    few = await calls_of_a_tick()
    world.pass_time(seconds=1)
    idle = [world.integration(number, due_s=None) for number in range(100, 5100)]
    idle = [item.with_sync(next_due_at=due_after(item, world.now)) for item in idle]
    documents = {
        item.id: item.model_dump(mode="json", by_alias=True) | {"nameKey": item.settings.name} for item in idle
    }
    await world.store.collection(SPEC).insert(documents)
    await world.add(*(world.integration(number) for number in range(3, 6)))
    many = await calls_of_a_tick()
    assert len(world.requests()) == 6
    assert many == few


@pytest.mark.parametrize(
    "query",
    [
        Query(
            filter={
                "settings.enabled": True,
                "sync.paused": False,
                "sync.activeRunId": None,
                "sync.nextDueAt": Range(lte="2026"),
            },
            sort="sync.nextDueAt",
        ),
        Query(filter={"sync.activeSince": Range(lt="2026")}, sort="sync.activeSince", after=("2025", "i1")),
        Query(
            filter={"settings.enabled": True, "sync.nextDueAt": Range(gt="2026")},
            sort="sync.nextDueAt",
            descending=True,
            after=("2027", "i1"),
        ),
    ],
    ids=["due", "active", "scheduled"],
)
async def test_each_question_of_a_tick_is_answered_from_an_index(world, query: Query) -> None:
    (selection, *_) = selections(SPEC, query)
    plan = await world.database.read(
        lambda connection: [
            row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {selection.sql}", selection.values)
        ]
    )
    assert len(plan) == 1, plan
    assert plan[0].startswith("SEARCH"), plan


def test_the_ids_of_slots_differ_by_integration_and_time() -> None:
    slot = datetime(2026, 3, 1, tzinfo=UTC)
    ids = {slot_run_id(name, slot + timedelta(minutes=5 * number)) for name in ("i1", "i2") for number in range(3)}
    assert len(ids) == 6
