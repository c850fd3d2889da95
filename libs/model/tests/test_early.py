"""A sync before its time: when it is due, what it is for, and that no news is forgotten whatever runs meanwhile."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hub_model.claims import claim_run, settle_run
from hub_model.early import brought_forward, is_early, put_off, read_at, soonest_due
from hub_model.errors import ErrorClass
from hub_model.integrations import Integration, IntegrationDraft, LastError
from hub_model.messages import SyncFailed, Trigger
from hub_model.records import DataType
from hub_model.run_transitions import fail
from hub_model.runs import Run, RunStatus, new_run
from hub_model.slots import due_after
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
DELAY, LAG, PAUSE = timedelta(seconds=10), timedelta(seconds=31), timedelta(minutes=5)
MARKS, ATTENDANCE, STUDENTS = DataType.MARKS, DataType.ATTENDANCE, DataType.STUDENTS
MODIFIED = {"type": "datetime", "startTimeParam": "since", "endTimeParam": "until"}


def integration(
    *,
    incremental: bool | dict[str, Any] = False,
    webhook: dict[str, Any] | None = None,
    every_min: int = 600,
    **sync: Any,
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
            "syncInterval": every_min,
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
    before = integration(early_due_at=wrong, news_at=wrong, early_data_types=(MARKS,))
    assert pushed(before, MARKS).sync.early_due_at == NOW + DELAY


def test_a_run_for_some_data_types_does_not_make_the_others_well() -> None:
    error = LastError(error_class=ErrorClass.DATA, code="drift", message="Most records do not fit.", at=NOW)
    running = claimed(pushed(integration(last_error=error), MARKS), NOW + DELAY)
    settled = settle_run(running, over(every=False, at=NOW), NOW)
    assert settled is not None
    assert (settled.sync.last_error, settled.sync.last_success_at, settled.sync.last_sync_at) == (error, None, NOW)
    assert settled.sync.active_data_types == ()


moments = st.integers(0, 1200)
pushes = st.lists(st.tuples(moments, st.sampled_from([(MARKS,), (ATTENDANCE,), ()])), min_size=1, max_size=8)


@given(
    pushes=pushes,
    by_hand=st.lists(moments, max_size=3),
    lengths=st.lists(st.integers(1, 400), min_size=1, max_size=5),
    every_min=st.sampled_from([5, 11, 600]),
    incremental=st.booleans(),
)
def test_all_news_is_read_soon_and_no_slot_is_lost_whatever_runs_meanwhile(
    pushes: list[tuple[int, tuple[DataType, ...]]],
    by_hand: list[int],
    lengths: list[int],
    every_min: int,
    incremental: bool,
) -> None:
    """A scheduler that ticks every second, runs of any length, pushes and runs by hand at any time."""
    now = integration(incremental=incremental, every_min=every_min)
    every = set(now.settings.endpoints)
    begun: list[tuple[int, int, set[DataType]]] = []
    slots: list[int] = []
    ends_s = 0
    for second in range(4000):
        at = NOW + timedelta(seconds=second)
        if (due_after(now, at - timedelta.resolution) or at) - at < timedelta(seconds=1):
            slots.append(second)
        for moment, data_types in pushes:
            if moment == second:
                now = brought_forward(now, data_types, at, delay=DELAY) or now
        if now.sync.active_run_id is not None and second >= ends_s:
            free = {"active_run_id": None, "active_data_types": (), "last_sync_at": at}
            now = now.with_sync(**free, **put_off(now, at))
        due = now.sync.next_due_at
        assert due is not None
        if now.sync.active_run_id is not None:
            if due <= at and not is_early(now) and not now.sync.active_data_types:
                now = now.with_sync(next_due_at=soonest_due(now, at))
        elif due <= at or second in by_hand:
            now = claimed(now, at, is_scheduled=second not in by_hand)
            ends_s = second + lengths[len(begun) % len(lengths)]
            begun.append((second, ends_s, set(now.active_data_types)))
    pause_s, longest_s = PAUSE.total_seconds(), max(lengths)
    readable_s = DELAY.total_seconds() + (LAG.total_seconds() if incremental else 0) - 2
    for moment, data_types in pushes:
        wanted = set(data_types or every)
        read = [second for second, _, read in begun if second >= moment + readable_s and wanted <= read]
        assert read
        assert read[0] <= moment + readable_s + 2 * (longest_s + pause_s) + 5
    whole = [(begin, end) for begin, end, read in begun if read == every]
    for slot in slots:
        is_read = any(begin <= slot + longest_s + 2 and slot < end for begin, end in whole)
        assert is_read or slot > 3000, (slot, slots, pushes, by_hand, lengths, every_min)
    gaps = [(begin, end) for (_, end, _), (begin, _, read) in pairwise(begun) if read != every]
    assert all(begin - end >= pause_s for begin, end in gaps)


def test_the_pause_begins_at_the_end_of_a_run_that_took_longer_than_the_news_waited() -> None:
    running = claimed(integration(), NOW)
    waiting = pushed(running, MARKS, at=NOW + timedelta(seconds=1))
    ended_at = NOW + timedelta(minutes=5)
    settled = settle_run(waiting, over(every=True, at=ended_at), ended_at)
    assert settled is not None
    assert settled.sync.early_due_at == ended_at + PAUSE
    assert settled.sync.early_data_types == (MARKS,)


def test_a_slot_that_an_early_sync_stood_before_makes_it_one_for_everything() -> None:
    early = pushed(claimed(pushed(integration(), MARKS), NOW + DELAY), MARKS, at=NOW + DELAY)
    slot = due_after(early, NOW + DELAY)
    assert slot is not None
    settled = settle_run(early, over(every=False, at=slot), slot)
    assert settled is not None
    assert (settled.sync.next_due_at, settled.sync.early_data_types) == (slot, ())


def test_a_slot_that_came_during_a_run_for_everything_is_left_out() -> None:
    early = pushed(claimed(integration(), NOW), MARKS)
    slot = due_after(early, NOW)
    assert slot is not None
    ended_at = slot + timedelta(seconds=1)
    settled = settle_run(early, over(every=True, at=ended_at), ended_at)
    assert settled is not None
    assert (settled.sync.next_due_at, settled.sync.early_data_types) == (ended_at + PAUSE, (MARKS,))


def test_a_slot_at_the_very_time_of_an_early_sync_is_for_everything() -> None:
    slot = due_after(integration(), NOW)
    early = integration(next_due_at=slot, early_due_at=slot, news_at=slot, early_data_types=(MARKS,))
    assert slot is not None
    assert claimed(early, slot).active_data_types == (STUDENTS, ATTENDANCE, MARKS)


def test_a_failed_run_for_some_data_types_does_not_pause_the_others() -> None:
    running = claimed(pushed(integration(), MARKS), NOW + DELAY)
    failed = failing(running, (MARKS,))
    settled = settle_run(running, failed, NOW)
    assert settled is not None
    assert (settled.sync.paused, settled.sync.last_error and settled.sync.last_error.code) == (False, "not_found")
    everything = claimed(integration(), NOW)
    settled = settle_run(everything, failing(everything, everything.active_data_types), NOW)
    assert settled is not None
    assert settled.sync.paused


@pytest.mark.parametrize("data_types", [(), (STUDENTS, ATTENDANCE, MARKS)])
def test_an_early_run_for_everything_is_as_good_as_any(data_types: tuple[DataType, ...]) -> None:
    error = LastError(error_class=ErrorClass.DATA, code="drift", message="Most records do not fit.", at=NOW)
    running = claimed(pushed(integration(last_error=error), *data_types), NOW + DELAY)
    assert running.sync.active_data_types == ()
    settled = settle_run(running, over(every=True, at=NOW), NOW)
    assert settled is not None
    assert (settled.sync.last_error, settled.sync.last_success_at) == (None, NOW)


def test_a_later_word_with_less_delay_does_not_make_earlier_news_readable_sooner() -> None:
    early = pushed(integration(), MARKS)
    asked = brought_forward(early, (), NOW + timedelta(seconds=1), delay=timedelta(0))
    assert asked is not None
    assert asked.sync.news_at == early.sync.news_at


def test_a_lag_that_an_edit_has_made_longer_counts_for_news_that_is_waiting() -> None:
    early = pushed(integration(), MARKS)
    longer = {**MODIFIED, "safetyLag": "PT10M"}
    slow = integration(incremental={"path": "/marks", "incremental": longer})
    edited = early.model_copy(update={"settings": slow.settings})
    assert claimed(edited, NOW + DELAY).sync.early_due_at == NOW + DELAY + timedelta(seconds=601)


def test_a_last_sync_of_a_clock_that_was_ahead_does_not_keep_pushes_waiting() -> None:
    assert pushed(integration(last_sync_at=NOW + timedelta(days=3)), MARKS).sync.early_due_at == NOW + PAUSE


def test_the_sync_that_reads_the_news_is_told() -> None:
    early = pushed(integration(), MARKS)
    assert read_at(early) == NOW + DELAY
    assert read_at(pushed(early, MARKS, at=NOW + timedelta(seconds=9))) == NOW + DELAY + PAUSE
    assert read_at(integration()) is None
    soon = NOW + timedelta(seconds=3)
    assert read_at(pushed(integration(next_due_at=soon), MARKS)) == soon + PAUSE, "a regular sync takes its place"


def test_a_run_for_some_data_types_ends_no_pause_and_a_cancelled_one_puts_nothing_off() -> None:
    running = claimed(pushed(integration(), MARKS), NOW + DELAY).with_sync(paused=True)
    settled = settle_run(running, over(every=False, at=NOW), NOW)
    assert settled is not None
    assert settled.sync.paused
    waiting = pushed(claimed(integration(), NOW), MARKS)
    cancelled = over(every=True, at=NOW).model_copy(update={"status": RunStatus.CANCELLED})
    settled = settle_run(waiting, cancelled, NOW)
    assert settled is not None
    assert settled.sync.early_due_at == waiting.sync.early_due_at


def over(*, every: bool, at: datetime) -> Run:
    data_types = (STUDENTS, ATTENDANCE, MARKS) if every else (MARKS,)
    run = new_run(
        run_id="r1", college_id="c1", integration_id="i1", trigger=Trigger.WEBHOOK, data_types=data_types, now=NOW
    )
    return run.model_copy(update={"status": RunStatus.SUCCEEDED, "finished_at": at})


def failing(running: Integration, data_types: tuple[DataType, ...]) -> Run:
    run = new_run(
        run_id="r1", college_id="c1", integration_id="i1", trigger=Trigger.WEBHOOK, data_types=data_types, now=NOW
    )
    event = SyncFailed(
        college_id="c1",
        integration_id="i1",
        run_id="r1",
        stage="fetch",
        error_class=ErrorClass.CONFIG,
        code="not_found",
        public="There is nothing at this path.",
        batches=0,
        failed_at=NOW,
    )
    return fail(run, event)
