"""When an active run is helped along, and when it is left alone."""

from datetime import UTC, datetime, timedelta

from hub_model import runs
from hub_model.messages import Trigger
from hub_model.records import DataType
from hub_model.runs import Run
from hub_scheduler.sightings import Repair, Sightings

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
GRACE_S, STALL_S = 30.0, 1800.0


def queued() -> Run:
    return runs.new_run(
        run_id="r1",
        college_id="c1",
        integration_id="i1",
        trigger=Trigger.INTERVAL,
        data_types=(DataType.MARKS,),
        now=NOW,
    )


def sightings() -> Sightings:
    return Sightings(grace_s=GRACE_S, stall_after_s=STALL_S)


def repairs(run: Run | None, *, until_s: int, tick_s: int = 5) -> list[tuple[int, Repair]]:
    """Which repairs are made when the run looks the same at every tick."""
    seen = sightings()
    found = [(at_s, seen.repair_of("r1", run, float(at_s))) for at_s in range(0, until_s, tick_s)]
    return [(at_s, repair) for at_s, repair in found if repair is not None]


def test_a_run_without_a_document_is_asked_for_at_once() -> None:
    assert sightings().repair_of("r1", None, 0.0) is Repair.REPEAT


def test_a_queued_run_is_asked_for_again_after_ever_longer_pauses() -> None:
    assert [at_s for at_s, _ in repairs(queued(), until_s=1800)] == [0, 30, 90, 210, 450, 930]


def test_a_running_run_is_left_alone_until_it_stalls() -> None:
    found = repairs(runs.start(queued(), NOW), until_s=4000)
    assert found[0] == (1800, Repair.FAIL)
    assert {repair for _, repair in found} == {Repair.FAIL}
    assert len(found) < 10


def test_a_run_that_moves_never_stalls() -> None:
    seen, run = sightings(), runs.start(queued(), NOW)
    for step in range(200):
        run = run.model_copy(update={"progressed_at": NOW + timedelta(seconds=step)})
        assert seen.repair_of("r1", run, step * 60.0) is None


def test_a_queued_run_that_nobody_takes_up_stalls_as_well() -> None:
    assert (1890, Repair.FAIL) in repairs(queued(), until_s=2000)


def test_a_run_that_is_over_is_ended_whatever_it_did_before() -> None:
    seen = sightings()
    assert seen.repair_of("r1", runs.start(queued(), NOW), 0.0) is None
    over = runs.cancel(queued(), NOW)
    assert seen.repair_of("r1", over, 5.0) is None  # whoever ended it is about to let go
    assert seen.repair_of("r1", over, 40.0) is Repair.END


def test_a_run_that_was_just_added_is_not_asked_for_twice() -> None:
    seen = sightings()
    assert seen.repair_of("r1", None, 0.0) is Repair.REPEAT
    assert seen.repair_of("r1", queued(), 5.0) is None


def test_a_forgotten_run_starts_over() -> None:
    seen, running = sightings(), runs.start(queued(), NOW)
    assert seen.repair_of("r1", running, 0.0) is None
    seen.forget_others({"r2"})
    assert seen.repair_of("r1", running, STALL_S) is None
    seen.forget_others({"r1"})
    assert seen.repair_of("r1", running, 2 * STALL_S) is Repair.FAIL
