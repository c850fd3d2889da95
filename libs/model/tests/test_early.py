"""A sync before its time: when it is due, what it is for, and that no news is forgotten whatever runs meanwhile."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hub_model.claims import claim_run, settle_run
from hub_model.early import brought_forward, is_early, soonest_due
from hub_model.errors import ErrorClass
from hub_model.integrations import Integration, IntegrationDraft, LastError
from hub_model.messages import Trigger
from hub_model.records import DataType
from hub_model.runs import RunStatus, new_run
from hub_model.slots import due_after
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
DELAY, LAG, PAUSE = timedelta(seconds=10), timedelta(seconds=31), timedelta(minutes=5)
MARKS, ATTENDANCE, STUDENTS = DataType.MARKS, DataType.ATTENDANCE, DataType.STUDENTS
MODIFIED = {"type": "datetime", "startTimeParam": "since", "endTimeParam": "until"}


def integration(
    *, incremental: bool | dict[str, Any] = False, webhook: dict[str, Any] | None = None, **sync: Any
) -> Integration:
    marks: Any = {"path": "/marks", "incremental": MODIFIED} if incremental is True else incremental or "/marks"
    settings = IntegrationDraft.model_validate(
        {
            "name": "ERP",
            "type": "erp",
            "baseUrl": "https://erp.example.edu",
            "authType": "bearer",
            "endpoints": {"students": "/students", "attendance": "/attendance", "marks": marks},
            "webhook": {"syncs": [{}], **(webhook or {})},
            "syncInterval": 600,
            "enabled": True,
        }
    )
    made = Integration(
        id="i1",
        college_id="c1",
        settings=settings,
        created_at=NOW,
        created_by="p",
        updated_at=NOW,
        updated_by="p",
    )
    return made.with_sync(**{"next_due_at": due_after(made, NOW), **sync})


def pushed(before: Integration, *data_types: DataType, at: datetime = NOW) -> Integration:
    after = brought_forward(before, data_types, at, delay=DELAY)
    assert after is not None
    return after


def claimed(before: Integration, at: datetime, *, is_scheduled: bool = True) -> Integration:
    after = claim_run(before, run_id="r1", now=at, is_scheduled=is_scheduled)
    assert after is not None
    return after


def test_a_push_brings_the_due_time_forward_and_leaves_the_regular_slot() -> None:
    before = integration()
    early = pushed(before, MARKS)
    assert early.sync.next_due_at == early.sync.early_due_at == NOW + DELAY
    running = claimed(early, NOW + DELAY)
    assert running.active_data_types == (MARKS,)
    assert running.sync.next_due_at == before.sync.next_due_at
    assert running.sync == before.sync.model_copy(
        update={"active_run_id": "r1", "active_since": NOW + DELAY, "active_data_types": (MARKS,)}
    )


def test_what_a_source_tells_only_after_its_lag_is_waited_for() -> None:
    assert pushed(integration(incremental=True), MARKS).sync.next_due_at == NOW + DELAY + LAG


def test_a_lag_that_leaves_out_no_rows_is_not_waited_for() -> None:
    unbounded = {"path": "/marks", "incremental": {"type": "datetime", "startTimeParam": "since"}}
    assert pushed(integration(incremental=unbounded), MARKS).sync.next_due_at == NOW + DELAY
    within = {**unbounded, "params": {"filter": "modified < {{ window.end }}"}}
    assert pushed(integration(incremental=within), MARKS).sync.next_due_at == NOW + DELAY + LAG


def test_a_sync_by_push_comes_a_pause_after_the_last_one() -> None:
    just_now = NOW - timedelta(seconds=1)
    assert pushed(integration(last_sync_at=just_now), MARKS).sync.next_due_at == just_now + PAUSE
    long_ago = NOW - PAUSE
    assert pushed(integration(last_sync_at=long_ago), MARKS).sync.next_due_at == NOW + DELAY
    shorter = integration(webhook={"pause": "PT1M"}, last_sync_at=just_now)
    assert pushed(shorter, MARKS).sync.next_due_at == just_now + timedelta(minutes=1)


def test_pushes_join_one_sync_and_at_once_they_write_nothing() -> None:
    first = pushed(integration(), MARKS)
    assert brought_forward(first, [MARKS], NOW + timedelta(seconds=1), delay=DELAY) is None
    both = pushed(first, ATTENDANCE, at=NOW + timedelta(seconds=1))
    assert (both.sync.early_due_at, both.sync.early_data_types) == (NOW + DELAY, (ATTENDANCE, MARKS))
    everything = pushed(both, at=NOW + timedelta(seconds=2))
    assert everything.sync.early_data_types == ()
    assert claimed(everything, NOW + DELAY).active_data_types == (STUDENTS, ATTENDANCE, MARKS)
    assert pushed(everything, MARKS, at=NOW + timedelta(seconds=5)).sync.early_data_types == ()


@pytest.mark.parametrize("is_scheduled", [True, False])
def test_news_that_is_not_readable_when_a_run_begins_has_a_sync_after_it(is_scheduled: bool) -> None:
    late = NOW + timedelta(seconds=9)
    early = pushed(pushed(integration(), MARKS), MARKS, at=late)
    running = claimed(early, NOW + DELAY, is_scheduled=is_scheduled)
    assert running.sync.next_due_at == running.sync.early_due_at == NOW + DELAY + PAUSE
    assert running.sync.early_data_types == (MARKS,)


def test_a_regular_run_that_begins_before_the_news_is_readable_does_not_count_for_it() -> None:
    soon = NOW + timedelta(seconds=3)
    early = pushed(integration(next_due_at=soon), MARKS)
    assert (early.sync.next_due_at, early.sync.early_due_at) == (soon, NOW + DELAY)
    assert not is_early(early)
    running = claimed(early, soon)
    assert running.active_data_types == (STUDENTS, ATTENDANCE, MARKS)
    assert running.sync.early_due_at == soon + PAUSE


def test_an_early_sync_that_starts_after_a_regular_slot_makes_up_for_it() -> None:
    early = pushed(integration(), MARKS)
    slot = due_after(early, NOW + DELAY)
    assert slot is not None
    assert claimed(early, slot - timedelta(seconds=1)).active_data_types == (MARKS,)
    assert claimed(early, slot).active_data_types == (STUDENTS, ATTENDANCE, MARKS)


def test_a_run_by_hand_is_for_everything_also_when_an_early_one_is_due() -> None:
    early = pushed(integration(), MARKS)
    assert claimed(early, NOW + DELAY, is_scheduled=False).active_data_types == (STUDENTS, ATTENDANCE, MARKS)


def test_a_disabled_integration_has_nothing_brought_forward() -> None:
    assert brought_forward(integration(next_due_at=None), [MARKS], NOW, delay=DELAY) is None


def test_a_clock_that_was_ahead_does_not_keep_pushes_waiting() -> None:
    wrong = NOW + timedelta(days=3)
    before = integration(early_due_at=wrong, news_readable_at=wrong, early_data_types=(MARKS,))
    assert pushed(before, MARKS).sync.early_due_at == NOW + DELAY


def test_a_run_for_some_data_types_does_not_make_the_others_well() -> None:
    error = LastError(error_class=ErrorClass.DATA, code="drift", message="Most records do not fit.", at=NOW)
    running = claimed(pushed(integration(last_error=error), MARKS), NOW + DELAY)
    run = new_run(
        run_id="r1", college_id="c1", integration_id="i1", trigger=Trigger.WEBHOOK, data_types=(MARKS,), now=NOW
    )
    over = run.model_copy(update={"status": RunStatus.SUCCEEDED, "finished_at": NOW})
    settled = settle_run(running, over, NOW)
    assert settled is not None
    assert (settled.sync.last_error, settled.sync.last_success_at, settled.sync.last_sync_at) == (error, None, NOW)
    assert settled.sync.active_data_types == ()


moments = st.integers(0, 1200)
pushes = st.lists(st.tuples(moments, st.sampled_from([(MARKS,), (ATTENDANCE,), ()])), min_size=1, max_size=8)


@given(
    pushes=pushes,
    by_hand=st.lists(moments, max_size=3),
    lengths=st.lists(st.integers(1, 400), min_size=1, max_size=5),
    regular_s=st.integers(1, 36_000),
    incremental=st.booleans(),
)
def test_all_news_is_read_soon_whatever_runs_meanwhile(
    pushes: list[tuple[int, tuple[DataType, ...]]],
    by_hand: list[int],
    lengths: list[int],
    regular_s: int,
    incremental: bool,
) -> None:
    """A scheduler that ticks every second, runs of any length, pushes and runs by hand at any time."""
    now = integration(incremental=incremental, next_due_at=NOW + timedelta(seconds=regular_s))
    begun: list[tuple[int, tuple[DataType, ...]]] = []
    ends_s = 0
    for second in range(3000):
        at = NOW + timedelta(seconds=second)
        for moment, data_types in pushes:
            if moment == second:
                now = brought_forward(now, data_types, at, delay=DELAY) or now
        if now.sync.active_run_id is not None and second >= ends_s:
            now = now.with_sync(active_run_id=None, active_data_types=(), last_sync_at=at)
        due = now.sync.next_due_at
        assert due is not None
        if now.sync.active_run_id is not None:
            if due <= at and not is_early(now):
                now = now.with_sync(next_due_at=soonest_due(now, at))
        elif due <= at or second in by_hand:
            now = claimed(now, at, is_scheduled=second not in by_hand)
            begun.append((second, now.active_data_types))
            ends_s = second + lengths[len(begun) % len(lengths)]
    readable_s = DELAY.total_seconds() + (LAG.total_seconds() if incremental else 0) - 2
    for moment, data_types in pushes:
        wanted = set(data_types or now.settings.endpoints)
        read = [second for second, read in begun if second >= moment + readable_s and wanted <= set(read)]
        assert read
        assert read[0] <= moment + readable_s + 2 * (max(lengths) + PAUSE.total_seconds()) + 5
