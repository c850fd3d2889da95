"""Which windows a walk asks for: the cursor cases of Airbyte, dlt and Singer, and a source that changes meanwhile."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hub_fetcher.walking.incremental import (
    FORGOTTEN,
    NOT_YET,
    WENT_BACK,
    Plan,
    bounds,
    microseconds,
    params,
    plan_times,
    plan_token,
    plan_versions,
    usable,
)
from hub_model.errors import SourceError
from hub_model.incremental import ChangeVersionIncremental, DatetimeIncremental, TokenIncremental
from hub_model.stream_states import StreamState
from hypothesis import given
from hypothesis import strategies as st

KOLKATA = ZoneInfo("Asia/Kolkata")
NOW = datetime(2026, 7, 20, 12, tzinfo=UTC)


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 7, day, hour, minute, tzinfo=UTC)


def us(*moments: datetime) -> tuple[int, ...]:
    return tuple(microseconds(moment) for moment in moments)


def spec(**fields: Any) -> DatetimeIncremental:
    exact: dict[str, Any] = {"lookback_window": timedelta(0), "safety_lag": timedelta(0)}
    return DatetimeIncremental(**{"start_time_param": "since", "end_time_param": "until", **exact, **fields})


def state(first: tuple[datetime, datetime], *windows: tuple[datetime, datetime], **fields: Any) -> StreamState:
    """What was covered; everything before the end of the first window."""
    pairs = [(0, microseconds(first[1])), *((us(*pair)[0], us(*pair)[1]) for pair in windows)]
    return StreamState(identity="x", windows=tuple(pairs), **fields)


def planned(incremental: DatetimeIncremental, known: StreamState | None, now: datetime = NOW, **fields: Any) -> Plan:
    return plan_times(incremental, known, **{"source_now": now, "began_at": now, "zone": KOLKATA, **fields})


def windows(*pairs: tuple[datetime | None, datetime]) -> tuple[tuple[int | None, int], ...]:
    return tuple((None if low is None else microseconds(low), microseconds(high)) for low, high in pairs)


def test_without_a_state_everything_is_read_up_to_the_present() -> None:
    plan = planned(spec(), None)
    assert (plan.windows, plan.is_full) == (windows((None, NOW)), True)


def test_the_first_read_begins_where_the_college_wants_its_data_and_goes_in_steps() -> None:
    plan = planned(spec(start_datetime=at(1), step=timedelta(days=7)), None)
    assert plan.windows == windows((at(1), at(8)), (at(8), at(15)), (at(15), NOW))


def test_a_start_in_the_future_asks_for_nothing() -> None:
    plan = planned(spec(start_datetime=at(25)), None)
    assert plan.windows == ()
    assert plan.warnings == (NOT_YET,)


def test_more_windows_than_a_message_can_hold_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(SourceError) as caught:
        planned(spec(start_datetime=NOW - timedelta(days=10), step=timedelta(minutes=1)), None)
    assert caught.value.code == "too_many_windows"
    assert "longer 'step'" in caught.value.public


def test_gaps_are_read_again_and_the_lookback_moves_only_the_last_window() -> None:
    known = state((at(1), at(5)), (at(8), at(15)))
    plan = planned(spec(lookback_window=timedelta(days=1)), known)
    assert plan.windows == windows((at(5), at(8)), (at(14), NOW))
    assert not plan.is_full


def test_a_gap_is_cut_into_steps_too() -> None:
    known = state((at(1), at(5)), (at(8), at(15)))
    plan = planned(spec(step=timedelta(days=2)), known)
    assert plan.windows == windows((at(5), at(7)), (at(7), at(8)), (at(15), at(17)), (at(17), at(19)), (at(19), NOW))


def test_the_end_stays_behind_the_sources_clock_and_before_the_run_began() -> None:
    lag = spec(safety_lag=timedelta(minutes=1))
    began = NOW - timedelta(minutes=10)
    assert planned(lag, None, began_at=began).windows == windows((None, began - timedelta(minutes=1)))
    behind = NOW - timedelta(hours=2)
    assert planned(lag, None, source_now=behind).windows == windows((None, behind - timedelta(minutes=1)))


def test_after_a_sources_clock_was_set_back_everything_is_read_and_nothing_is_left_out_once_it_comes_forward() -> None:
    known = state((at(1), NOW))
    # Set back by five hours two hours ago: what was written since bears times that are covered already.
    back = planned(spec(), known, NOW - timedelta(hours=3))
    assert (back.warnings, back.windows, back.is_full) == (
        (WENT_BACK,),
        windows((None, NOW - timedelta(hours=3))),
        True,
    )
    later = known.joined(StreamState(identity="x", windows=back.covered(9), withdrawn_after=back.limit))
    assert planned(spec(), later, NOW + timedelta(hours=1)).windows == windows(
        (NOW - timedelta(hours=3), NOW + timedelta(hours=1))
    )


def test_a_clock_that_is_seconds_behind_what_is_covered_is_a_matter_of_the_lookback() -> None:
    plan = planned(spec(lookback_window=timedelta(minutes=5)), state((at(1), NOW)), NOW - timedelta(seconds=50))
    assert (plan.is_full, plan.warnings) == (False, ())
    assert plan.windows == windows((NOW - timedelta(seconds=350), NOW - timedelta(seconds=50)))


def test_a_walk_that_asks_for_nothing_has_not_seen_everything() -> None:
    assert not planned(spec(start_datetime=at(25)), None).is_everything
    assert planned(spec(), None).is_everything


def test_a_gap_older_than_the_source_remembers_is_a_full_read_however_new_the_rest_is() -> None:
    known = state((at(1), at(5)), (at(8), at(19)))
    assert planned(spec(api_retention_period=timedelta(days=7)), known).warnings == (FORGOTTEN,)
    assert planned(spec(api_retention_period=timedelta(days=16)), known).warnings == ()


def test_the_lookback_reaches_no_further_back_than_the_data_that_the_college_wants() -> None:
    incremental = spec(start_datetime=at(10), lookback_window=timedelta(days=30))
    assert planned(incremental, state((at(1), at(15)))).windows == windows((at(10), NOW))
    assert planned(spec(lookback_window=timedelta(days=3660)), state((at(1), at(15)))).windows[0][0] is not None


def test_a_row_whose_time_the_source_cuts_to_minutes_is_not_left_behind() -> None:
    now = NOW + timedelta(seconds=40)
    cut = spec(cursor_granularity=timedelta(minutes=1))
    first = planned(cut, None, now)
    stamp = microseconds(NOW)  # of a row that is written at 12:00:50, after the first read
    known = StreamState(identity="x", windows=first.covered(1))
    ((low, high),) = planned(cut, known, now + timedelta(hours=1)).windows
    assert low is not None
    assert high is not None
    assert low <= stamp <= high


def test_a_state_older_than_the_source_remembers_is_a_full_read_that_is_told() -> None:
    plan = planned(spec(api_retention_period=timedelta(days=7)), state((at(1), at(10))))
    assert (plan.windows, plan.is_full, plan.warnings) == (windows((None, NOW)), True, (FORGOTTEN,))


def test_whole_days_begin_at_the_days_start_where_the_college_is() -> None:
    days = spec(whole_days=True, day_start=timedelta(hours=4), lookback_window=timedelta(days=1))
    plan = planned(days, state((at(1), at(19, 20))))  # 01:30 on the 20th in Kolkata: still the 19th's night shift
    assert plan.windows == windows((at(17, 22, 30), NOW))  # a day earlier, 04:00 in Kolkata


@pytest.mark.parametrize(
    ("form", "start"),
    [
        ("iso", "2026-07-19T20:15:00.000Z"),
        ("epoch_s", "1784492100"),
        ("epoch_ms", "1784492100000"),
        ("%Y-%m-%d %H:%M:%S", "2026-07-20 01:45:00"),
        ("%d/%m/%Y_%H:%M", "20/07/2026_01:45"),
        ("%Y-%m-%dT%H:%M:%S%:z", "2026-07-20T01:45:00+05:30"),
        ("%H:%M%z", "01:45+0530"),
    ],
)
def test_bounds_are_written_as_the_source_reads_them(form: str, start: str) -> None:
    incremental = spec(datetime_format=form)
    written = bounds(incremental, Plan(began_at=NOW, windows=((us(at(19, 20, 15))[0], us(NOW)[0]),)), 0, KOLKATA)
    assert params(incremental, written) == {"since": start, "until": written["end"]}


def test_where_a_local_time_comes_twice_the_window_is_the_wider_one() -> None:
    incremental = spec(datetime_format="%H:%M", time_zone="Europe/Berlin")
    twice = (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC))  # 02:30 both
    for moment in twice:
        value = microseconds(moment)
        written = bounds(incremental, Plan(began_at=NOW, windows=((value, value),)), 0, KOLKATA)
        assert (written["start"], written["end"]) == ("01:30", "03:30")


def test_a_local_time_that_comes_twice_is_told_apart_by_its_offset() -> None:
    incremental = spec(datetime_format="%H:%M%:z", time_zone="Europe/Berlin")
    for hour, written in ((0, "02:30+02:00"), (1, "02:30+01:00")):
        value = microseconds(datetime(2026, 10, 25, hour, 30, tzinfo=UTC))
        found = bounds(incremental, Plan(began_at=NOW, windows=((value, value),)), 0, KOLKATA)
        assert (found["start"], found["end"]) == (written, written)


def test_an_open_start_sends_no_parameter() -> None:
    written = bounds(spec(), planned(spec(), None), 0, KOLKATA)
    assert list(params(spec(), written)) == ["until"]


def test_versions_go_on_from_the_last_one_and_begin_anew_where_the_source_forgot() -> None:
    known = StreamState(identity="x", windows=((0, 40),))
    assert plan_versions(known, newest=55, oldest=10, began_at=NOW).windows == ((40, 55),)
    assert plan_versions(None, newest=55, oldest=10, began_at=NOW).windows == ((None, 55),)
    assert plan_versions(known, newest=55, oldest=50, began_at=NOW).warnings == (FORGOTTEN,)
    assert plan_versions(known, newest=12, oldest=1, began_at=NOW).warnings == (WENT_BACK,)
    written = bounds(
        ChangeVersionIncremental(versions_path="/v"),
        plan_versions(known, newest=55, oldest=0, began_at=NOW),
        0,
        KOLKATA,
    )
    assert params(ChangeVersionIncremental(versions_path="/v"), written) == {
        "minChangeVersion": "40",
        "maxChangeVersion": "55",
    }


def test_a_mark_goes_on_where_the_last_walk_ended() -> None:
    incremental = TokenIncremental(token_param="LastRecord", token_path="MaxRecord", start_value="072026$0")
    first, later = (
        plan_token(incremental, None, began_at=NOW),
        plan_token(incremental, StreamState(identity="x", token="072026$456"), began_at=NOW),
    )
    assert (first.is_full, bounds(incremental, first, 0, KOLKATA)) == (True, {"start": "072026$0"})
    assert (later.is_full, bounds(incremental, later, 0, KOLKATA)) == (False, {"start": "072026$456"})


def test_a_full_read_is_due_in_time_and_when_the_endpoint_asks_for_other_things() -> None:
    known = state((at(1), at(15)), full_at=at(1))
    for incremental, fields, is_used in (
        (spec(), {}, True),
        (spec(), {"identity": "y"}, False),
        (spec(full_every=timedelta(days=30)), {}, True),
        (spec(full_every=timedelta(days=7)), {}, False),
    ):
        found = usable(incremental, known, **{"identity": "x", "now": NOW, **fields})
        assert (found is not None) is is_used


def test_a_plan_travels_in_a_message() -> None:
    plan = planned(spec(step=timedelta(days=2)), state((at(1), at(15))))
    assert Plan.model_validate(plan.model_dump(mode="json", by_alias=True)) == plan


def test_a_state_that_begins_late_leaves_the_beginning_to_be_read() -> None:
    known = StreamState(identity="x", windows=((us(at(8))[0], us(at(15))[0]),))
    assert planned(spec(), known).windows == ((0, us(at(8))[0]), (us(at(15))[0], us(NOW)[0]))
    assert planned(spec(start_datetime=at(1)), known).windows == windows((at(1), at(8)), (at(15), NOW))
    assert plan_versions(StreamState(identity="x", windows=((5, 9),)), newest=12, oldest=0, began_at=NOW).windows == (
        (0, 5),
        (9, 12),
    )


def test_windows_read_before_a_failure_are_covered_and_the_others_are_the_next_gap() -> None:
    incremental = spec(start_datetime=at(1), step=timedelta(days=7))
    plan = planned(incremental, None)
    known = StreamState(identity="x", windows=plan.covered(1), withdrawn_after=plan.limit)
    assert planned(incremental, known).windows == windows((at(8), at(15)), (at(15), NOW))


@given(st.integers(0, 2**32))
def test_whatever_is_written_when_is_read_in_the_end(seed: int) -> None:
    """Rows appear late by less than the lookback, syncs fail at random windows, the source's clock is off."""
    rng = random.Random(seed)
    lookback, lag = timedelta(minutes=30), timedelta(seconds=rng.choice([0, 30, 120]))
    incremental = spec(
        lookback_window=lookback, safety_lag=lag, step=rng.choice([None, timedelta(hours=1), timedelta(days=1)])
    )
    skew = timedelta(seconds=rng.randint(-7200, 7200))
    now = NOW
    rows: list[tuple[datetime, datetime]] = []  # the time a row bears, by the source's clock, and when it can be seen
    known: StreamState | None = None
    seen: set[int] = set()
    for _ in range(12):
        passed = rng.randint(5, 300)
        now += timedelta(minutes=passed)
        for _ in range(rng.randint(0, 5)):
            written = now - timedelta(minutes=rng.randint(0, passed))
            rows.append((written + skew, written + timedelta(minutes=rng.randint(0, 29))))
        plan = planned(incremental, known, source_now=now + skew, began_at=now + skew)
        done = rng.randint(0, len(plan.windows)) if rng.random() < 0.4 else len(plan.windows)
        for low, high in plan.windows[:done]:
            for number, (stamp, visible) in enumerate(rows):
                if visible <= now and (low or 0) <= microseconds(stamp) <= (high or 0):
                    seen.add(number)
        covered = StreamState(identity="x", windows=plan.covered(done), withdrawn_after=plan.limit)
        known = covered if known is None else known.joined(covered)
    now += timedelta(hours=12)
    plan = planned(incremental, known, source_now=now + skew, began_at=now + skew)
    for low, high in plan.windows:
        seen |= {n for n, (stamp, _) in enumerate(rows) if (low or 0) <= microseconds(stamp) <= (high or 0)}
    assert seen == set(range(len(rows)))
