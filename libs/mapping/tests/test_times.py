"""Dates, times of day and instants."""

from zoneinfo import ZoneInfo

import pytest
from hub_mapping.moments import check_format, moment_reader
from hub_mapping.times import clock_of, date_reader, datetime_reader, day_of, instant_of, to_clock
from hub_model.errors import InvalidInput

INDIA = ZoneInfo("Asia/Kolkata")
NEW_YORK = ZoneInfo("America/New_York")


def refusal(call: object, value: object) -> str:
    """The code with which ``call`` refuses this value."""
    assert callable(call)
    with pytest.raises(InvalidInput) as refused:
        call(value)
    return refused.value.code


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-01-15", "2024-01-15"),
        (" 2024-02-29 ", "2024-02-29"),
        ("2024-01-15T00:00:00", "2024-01-15"),
        ("2024-01-15 00:00:00.000", "2024-01-15"),
        ("2024-01-15T00:00:00Z", "2024-01-15"),
        ("2024-01-15T00:00:00+05:30", "2024-01-15"),
        ("2024-01-14T18:30:00.000Z", "2024-01-15"),
        ("", None),
        (None, None),
    ],
)
def test_a_date_is_an_iso_date_or_an_instant_at_midnight(text: object, day: str | None) -> None:
    assert date_reader(INDIA)(text) == day


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("15/01/2024", "not_a_date"),
        ("2024-13-01", "not_a_date"),
        ("2023-02-29", "not_a_date"),
        ("2024-1-5", "not_a_date"),
        ("20240115", "not_a_date"),
        ("2024-W03-1", "not_a_date"),
        ("0000-00-00", "not_a_date"),
        ("0001-01-01", "out_of_range"),
        ("9999-12-31", "out_of_range"),
        ("2024-01-15T09:30:00", "has_time"),
        ("2024-01-15T09:30:00Z", "has_time"),
        ("٢٠٢٤-٠١-١٥", "not_a_date"),
        ("x" * 65, "too_long"),
        (20240115, "wrong_type"),
        (1705311000, "wrong_type"),
        (True, "wrong_type"),
        ({}, "wrong_type"),
    ],
)
def test_a_date_is_never_guessed(value: object, code: str) -> None:
    assert refusal(date_reader(INDIA), value) == code


def test_midnight_in_utc_on_another_local_day_is_ambiguous() -> None:
    assert refusal(date_reader(NEW_YORK), "2024-01-15T00:00:00Z") == "ambiguous"
    assert date_reader(NEW_YORK)("2024-01-15T05:00:00Z") == "2024-01-15"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-01-15T09:30:00Z", "2024-01-15T09:30:00.000000Z"),
        ("2024-01-15T09:30:00z", "2024-01-15T09:30:00.000000Z"),
        ("2024-01-15 09:30", "2024-01-15T04:00:00.000000Z"),
        ("2024-01-15T09:30:00.5+05:30", "2024-01-15T04:00:00.500000Z"),
        ("2024-01-15T09:30:00 +0530", "2024-01-15T04:00:00.000000Z"),
        ("2024-01-15T09:30:00+05", "2024-01-15T04:30:00.000000Z"),
        ("2024-01-15T09:30:00,123456789Z", "2024-01-15T09:30:00.123456Z"),
        ("2024-01-15", "2024-01-14T18:30:00.000000Z"),
        (" ", None),
    ],
)
def test_an_instant_comes_out_in_utc_and_a_naive_one_is_local(text: str, instant: str | None) -> None:
    assert datetime_reader(INDIA)(text) == instant


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("2024-01-15T25:00:00Z", "not_an_instant"),
        ("2024-01-15T23:59:60Z", "not_an_instant"),
        ("2024-01-15T09:30:00 IST", "not_an_instant"),
        ("2024-01-15T09:30:00+25:00", "not_an_instant"),
        ("2024-01-15x09:30:00", "not_an_instant"),
        ("0001-01-01T00:00:00Z", "out_of_range"),
        ("0001-01-01T00:00:00", "out_of_range"),
        (1705311000, "wrong_type"),
        (["2024"], "wrong_type"),
    ],
)
def test_an_instant_is_iso_8601(value: object, code: str) -> None:
    assert refusal(datetime_reader(INDIA), value) == code


def test_a_local_time_that_the_clocks_skipped_is_refused_and_a_doubled_one_is_the_first() -> None:
    read = datetime_reader(NEW_YORK)
    assert refusal(read, "2024-03-10T02:30:00") == "no_such_time"
    assert read("2024-11-03T01:30:00") == "2024-11-03T05:30:00.000000Z"


@pytest.mark.parametrize(
    ("text", "clock"),
    [("9:30", "09:30"), ("09:30:00", "09:30"), ("23:59", "23:59"), ("00:00:00.000", "00:00"), ("", None)],
)
def test_a_time_of_day_is_hours_and_minutes(text: str, clock: str | None) -> None:
    assert to_clock(text) == clock


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("24:00", "not_a_time"),
        ("9.30", "not_a_time"),
        ("09:60", "not_a_time"),
        ("09:30 AM", "not_a_time"),
        ("--:--", "not_a_time"),
        ("09:30:15", "has_seconds"),
        (930, "wrong_type"),
    ],
)
def test_a_time_of_day_is_never_guessed(value: object, code: str) -> None:
    assert refusal(to_clock, value) == code


def test_an_epoch_becomes_the_day_where_the_college_is() -> None:
    assert day_of(moment_reader("epoch_s"), INDIA)(1705257000) == "2024-01-15"
    assert day_of(moment_reader("epoch_s"), ZoneInfo("UTC"))("1705257000") == "2024-01-14"
    assert clock_of(moment_reader("epoch_ms"), INDIA)(1705311000000) == "15:00"
    assert instant_of(moment_reader("epoch_s"), INDIA)(1705311000.25) == "2024-01-15T09:30:00.250000Z"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("epoch_s", 1705311000000),
        ("epoch_ms", 1705311000),
        ("epoch_s", 0),
        ("epoch_s", -5),
        ("epoch_s", 2**62),
        ("epoch_s", 1e15),
    ],
)
def test_an_epoch_of_the_wrong_unit_is_refused(written: str, value: object) -> None:
    assert refusal(moment_reader(written), value) == "out_of_range"


def test_a_format_is_followed_exactly() -> None:
    read = day_of(moment_reader("%d/%m/%Y"), INDIA)
    assert read("03/04/2024") == "2024-04-03"
    assert refusal(read, "2024-04-03") == "wrong_format"
    assert refusal(read, "31/04/2024") == "wrong_format"
    assert refusal(read, "01/01/0001") == "out_of_range"
    assert refusal(read, 3042024) == "wrong_type"
    assert instant_of(moment_reader("%d-%m-%Y %H:%M"), INDIA)("15-01-2024 09:30") == "2024-01-15T04:00:00.000000Z"
    assert instant_of(moment_reader("%d-%m-%Y %H:%M %z"), INDIA)("15-01-2024 09:30 Z") == "2024-01-15T09:30:00.000000Z"


@pytest.mark.parametrize(
    "pattern",
    ["", "d/m/Y", "%Q", "%d/%m/%Y %Z", "%I:%M", "%d/%d/%Y", "%d/%m/%", "%-d/%m/%Y", "%Y" * 40, "%d\0%m%Y", "%c"],
)
def test_a_format_that_cannot_be_read_back_is_refused(pattern: str) -> None:
    assert refusal(check_format, pattern) == "bad_format"
