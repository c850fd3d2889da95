"""What runs have left behind: their tables."""

from hub_model.runs import RunStatus
from hub_storage.repositories import Tables
from hub_storage.repositories.tables import Piece


async def test_tables_of_runs_that_are_over_or_gone_are_dropped_and_no_others(world) -> None:
    tables = Tables(world.store)
    integration = world.integration(active_run_id="running", active_since=world.now)
    await world.add(integration)
    await world.add_run(integration, "running", status=RunStatus.RUNNING)
    await world.add_run(integration, "over", status=RunStatus.PARTIAL, finished_at=world.now)
    for run_id in ("running", "over", "gone"):
        for number in range(3):
            await tables.write(integration.college_id, run_id, "courses", [Piece(number, [{"id": 1}])])
    await world.scheduler.tick()
    left = []
    run_id = ""
    while found := await tables.next_run_anywhere(run_id):
        left.append(found)
        run_id = found[1]
    assert left == [(integration.college_id, "running")]


async def test_leftovers_are_looked_for_every_ten_minutes_alone(world) -> None:
    tables = Tables(world.store)
    await world.scheduler.tick()
    await tables.write("c1", "gone", "courses", [Piece(0, [{"id": 1}])])
    world.pass_time(minutes=9)
    await world.scheduler.tick()
    assert await tables.next_run_anywhere() is not None
    world.pass_time(minutes=1)
    await world.scheduler.tick()
    assert await tables.next_run_anywhere() is None
