"""When an active run is helped along, and when it is left alone."""

from datetime import UTC, datetime, timedelta

import pytest
from hub_model import run_transitions, runs
from hub_model.messages import Trigger
from hub_model.records import DataType
from hub_model.runs import Run
from hub_model.waiting import Waiting
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


def waiting(*, until_s: float | None, since_s: float = 0, data_type: DataType = DataType.MARKS) -> Run:
    """A running run whose stream waits, from and until so many seconds after NOW."""
    wait = Waiting(since=at(since_s), until=None if until_s is None else at(until_s), code="rate_limited", public="x")
    return run_transitions.wait(run_transitions.start(queued(), NOW), data_type, wait)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def repairs(run: Run | None, *, until_s: int, tick_s: int = 5) -> list[tuple[int, Repair]]:
    """Which repairs are made when the run looks the same at every tick."""
    seen = sightings()
    found = [(at_s, seen.repair_of("r1", run, float(at_s), at(at_s))) for at_s in range(0, until_s, tick_s)]
    return [(at_s, repair) for at_s, repair in found if repair is not None]


def test_a_run_without_a_document_is_asked_for_at_once() -> None:
    assert sightings().repair_of("r1", None, 0.0, NOW) is Repair.REPEAT


def test_a_queued_run_is_asked_for_again_after_ever_longer_pauses() -> None:
    assert [at_s for at_s, _ in repairs(queued(), until_s=1800)] == [0, 30, 90, 210, 450, 930]


def test_a_running_run_is_left_alone_until_it_stalls() -> None:
    found = repairs(run_transitions.start(queued(), NOW), until_s=4000)
    assert found[0] == (1800, Repair.FAIL)
    assert {repair for _, repair in found} == {Repair.FAIL}
    assert len(found) < 10


def test_a_run_that_moves_never_stalls() -> None:
    seen, run = sightings(), run_transitions.start(queued(), NOW)
    for step in range(200):
        run = run.model_copy(update={"progressed_at": NOW + timedelta(seconds=step)})
        assert seen.repair_of("r1", run, step * 60.0, at(step * 60)) is None


def test_a_queued_run_that_nobody_takes_up_stalls_as_well() -> None:
    assert (1890, Repair.FAIL) in repairs(queued(), until_s=2000)


def test_a_run_that_is_over_is_ended_whatever_it_did_before() -> None:
    seen = sightings()
    assert seen.repair_of("r1", run_transitions.start(queued(), NOW), 0.0, NOW) is None
    over = run_transitions.cancel(queued(), NOW)
    assert seen.repair_of("r1", over, 5.0, NOW) is None  # whoever ended it is about to let go
    assert seen.repair_of("r1", over, 40.0, NOW) is Repair.END


def test_a_run_that_was_just_added_is_not_asked_for_twice() -> None:
    seen = sightings()
    assert seen.repair_of("r1", None, 0.0, NOW) is Repair.REPEAT
    assert seen.repair_of("r1", queued(), 5.0, NOW) is None


def test_a_forgotten_run_starts_over() -> None:
    seen, running = sightings(), run_transitions.start(queued(), NOW)
    assert seen.repair_of("r1", running, 0.0, NOW) is None
    seen.forget_others({"r2"})
    assert seen.repair_of("r1", running, STALL_S, NOW) is None
    seen.forget_others({"r1"})
    assert seen.repair_of("r1", running, 2 * STALL_S, NOW) is Repair.FAIL


def test_an_outage_gives_a_run_its_whole_time_again() -> None:
    seen, running = sightings(), run_transitions.start(queued(), NOW)
    assert seen.repair_of("r1", running, 0.0, NOW) is None
    seen.excuse(STALL_S)
    assert seen.repair_of("r1", running, 2 * STALL_S - 1, NOW) is None
    assert seen.repair_of("r1", running, 2 * STALL_S, NOW) is Repair.FAIL


def test_an_outage_does_not_shorten_a_wait_for_the_source() -> None:
    seen, run = sightings(), waiting(until_s=6 * H)
    assert seen.repair_of("r1", run, 0.0, NOW) is None
    seen.excuse(H)
    assert seen.repair_of("r1", run, 6 * H + STALL_S - 1, NOW) is None


H = 3600


def first_failure(run: Run, *, until_s: int, tick_s: int = 60) -> int | None:
    return next((at_s for at_s, repair in repairs(run, until_s=until_s, tick_s=tick_s) if repair is Repair.FAIL), None)


def test_a_wait_for_the_source_is_not_counted_as_standing_still() -> None:
    assert first_failure(waiting(until_s=6 * H), until_s=8 * H) == 6 * H + STALL_S


def test_a_wait_without_a_known_end_is_given_no_more_than_the_stall_limit() -> None:
    assert first_failure(waiting(until_s=None), until_s=H) == STALL_S


@pytest.mark.parametrize("hours", [24.5, 25, 100, 24 * 365])
def test_no_wait_is_believed_for_longer_than_25_hours(hours: float) -> None:
    """A message lives for 24 hours at most: after that nobody comes back to this stream."""
    assert first_failure(waiting(until_s=hours * H), until_s=27 * H, tick_s=300) == 25 * H


def test_a_scheduler_that_starts_during_a_wait_waits_for_the_rest_of_it() -> None:
    seen, run = sightings(), waiting(until_s=6 * H)
    assert seen.repair_of("r1", run, 0.0, at(5 * H)) is None
    assert seen.repair_of("r1", run, H + STALL_S - 1, at(6 * H + STALL_S - 1)) is None
    assert seen.repair_of("r1", run, H + STALL_S, at(6 * H + STALL_S)) is Repair.FAIL


def test_a_scheduler_that_starts_after_a_wait_gives_the_run_its_half_hour() -> None:
    seen, run = sightings(), waiting(until_s=6 * H)
    assert seen.repair_of("r1", run, 0.0, at(30 * H)) is None
    assert seen.repair_of("r1", run, STALL_S - 1, at(30 * H)) is None
    assert seen.repair_of("r1", run, STALL_S, at(30 * H)) is Repair.FAIL


@pytest.mark.parametrize("leap_h", [-400, 400])
def test_a_wall_clock_that_leaps_during_a_wait_makes_it_neither_longer_nor_shorter(leap_h: int) -> None:
    seen, run = sightings(), waiting(until_s=6 * H)
    assert seen.repair_of("r1", run, 0.0, NOW) is None
    assert seen.repair_of("r1", run, 6 * H + STALL_S - 1, at(leap_h * H)) is None
    assert seen.repair_of("r1", run, 6 * H + STALL_S, at(leap_h * H)) is Repair.FAIL


def test_a_wait_that_seems_to_begin_in_the_future_is_no_longer_than_it_is() -> None:
    seen, run = sightings(), waiting(since_s=400 * H, until_s=402 * H)
    assert seen.repair_of("r1", run, 0.0, NOW) is None
    assert seen.repair_of("r1", run, 2 * H + STALL_S, at(2 * H)) is Repair.FAIL


def test_a_wait_that_is_over_is_forgotten() -> None:
    seen = sightings()
    assert seen.repair_of("r1", waiting(until_s=6 * H), 0.0, NOW) is None
    went_on = run_transitions.start(queued(), NOW).model_copy(update={"progressed_at": at(60)})
    assert seen.repair_of("r1", went_on, 60.0, at(60)) is None
    assert seen.repair_of("r1", went_on, 60 + STALL_S, at(60 + STALL_S)) is Repair.FAIL
