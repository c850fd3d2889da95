"""The scheduler as it runs: it ticks by itself, and stops when it is told."""

import pytest
from hub_messaging.testing import wait_until
from hub_model.errors import Unavailable
from hub_scheduler.main import build_service
from hub_scheduler.settings import SchedulerSettings
from pydantic import ValidationError


async def test_a_started_scheduler_starts_what_is_due_and_goes_on(world) -> None:
    await world.add(world.integration(1))
    service = build_service(SchedulerSettings(tick_s=0.05), broker=world.broker, store=world.store, clock=world.clock)
    await service.start()
    await wait_until(lambda: len(world.requests()) == 1)
    await service.ready()
    await world.add(world.integration(2))
    await wait_until(lambda: len(world.requests()) == 2)
    assert await service.stop(5)
    with pytest.raises(Unavailable):
        await service.ready()


async def test_a_scheduler_outlives_a_broker_that_is_away(world) -> None:
    await world.add(world.integration(1))
    world.broker.error = Unavailable("away")
    service = build_service(SchedulerSettings(tick_s=0.05), broker=world.broker, store=world.store, clock=world.clock)
    await service.start()
    # The claim alone says nothing: its request may still be on its way.
    await wait_until(lambda: world.broker.refused > 0)
    assert (await world.load(world.integration(1))).sync.active_run_id is not None
    world.broker.error = None
    world.pass_time(seconds=31)
    await wait_until(lambda: len(world.requests()) == 1)
    assert await service.stop(5)


@pytest.mark.parametrize("field", [{"tick_s": 0}, {"stall_after_s": 5}, {"handover_grace_s": -1}])
def test_settings_that_would_flood_are_refused(field) -> None:
    with pytest.raises(ValidationError):
        SchedulerSettings(**field)
