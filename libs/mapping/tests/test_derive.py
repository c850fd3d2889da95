"""Records from all rows of a table: groups, and attendance from punches."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hub_mapping import compile_mapping
from hub_mapping.derive import group_rows, punches_to_attendance
from hub_model.combining import GroupBy, Punches
from hub_model.errors import InvalidInput
from hub_model.mappings import Mapping
from hub_model.records import DataType
from hypothesis import given, settings
from hypothesis import strategies as st

INDIA = ZoneInfo("Asia/Kolkata")
BERLIN = ZoneInfo("Europe/Berlin")


def attendance(
    *punches: str | tuple[str, object], zone: ZoneInfo = INDIA, person: str = "0101", **spec: object
) -> list[dict[str, Any]]:
    """From local times, each alone or with its direction."""
    rows = [
        {"code": person, "time": punch}
        if isinstance(punch, str)
        else {"code": person, "time": punch[0], "dir": punch[1]}
        for punch in punches
    ]
    return derived(rows, zone=zone, **spec)


def derived(rows: list[dict[str, Any]], *, zone: ZoneInfo = INDIA, **spec: object) -> list[dict[str, Any]]:
    document = {"person": "code", "punchedAt": "time", "datetimeFormat": "%Y-%m-%d %H:%M:%S", **spec}
    return list(punches_to_attendance(rows, Punches.model_validate(document), zone))


def test_a_day_has_its_first_and_its_last_punch() -> None:
    assert attendance("2026-07-20 13:02:00", "2026-07-20 08:31:10", "2026-07-20 16:45:00") == [
        {
            "personCode": "0101",
            "date": "2026-07-20",
            "checkInAt": "2026-07-20T03:01:10.000000Z",
            "checkOutAt": "2026-07-20T11:15:00.000000Z",
            "attendance": "present",
            "punches": 3,
            "source": "biometric",
            "sourceUpdatedAt": "2026-07-20T11:15:00.000000Z",
        }
    ]


def test_a_single_punch_is_present_without_a_check_out() -> None:
    (record,) = attendance("2026-07-20 08:31:10", presentFrom="PT6H", halfDayFrom="PT3H")
    assert (record["attendance"], record["checkOutAt"], record["punches"]) == ("present", None, 1)


def test_punches_that_follow_each_other_at_once_are_one() -> None:
    (record,) = attendance("2026-07-20 08:31:10", "2026-07-20 08:31:10", "2026-07-20 08:32:09")
    assert (record["punches"], record["checkOutAt"]) == (1, None)
    (record,) = attendance("2026-07-20 08:31:10", "2026-07-20 08:32:10")
    assert record["punches"] == 2
    (record,) = attendance("2026-07-20 08:31:10", "2026-07-20 08:31:10", duplicateWithin="PT0S")
    assert record["punches"] == 1


def test_a_run_of_punches_does_not_swallow_all_that_follow() -> None:
    """Each is compared with the last that counted."""
    (record,) = attendance(*(f"2026-07-20 08:30:{second:02}" for second in range(0, 60, 20)), "2026-07-20 08:31:00")
    assert record["punches"] == 2
    (record,) = attendance("2026-07-20 08:30:00", "2026-07-20 09:00:00", "2026-07-20 09:00:30")
    assert record["punches"] == 2


def test_a_duplicate_across_the_start_of_a_day_makes_no_other_day() -> None:
    (record,) = attendance("2026-07-21 03:59:40", "2026-07-21 04:00:20")
    assert record["date"] == "2026-07-20"


@pytest.mark.parametrize(
    ("last", "status"),
    [("14:30:00", "present"), ("14:29:59", "half_day"), ("11:30:00", "half_day"), ("11:29:59", "absent")],
)
def test_the_time_between_first_and_last_punch_decides(last: str, status: str) -> None:
    punches = ("2026-07-20 08:30:00", f"2026-07-20 {last}")
    (record,) = attendance(*punches, presentFrom="PT6H", halfDayFrom="PT3H")
    assert record["attendance"] == status
    (record,) = attendance(*punches)
    assert record["attendance"] == "present"


def test_below_the_threshold_is_absent_where_half_days_are_unknown() -> None:
    (record,) = attendance("2026-07-20 08:30:00", "2026-07-20 11:30:00", presentFrom="PT6H")
    assert record["attendance"] == "absent"


@pytest.mark.parametrize(("first", "status"), [("09:00:00", "present"), ("09:00:01", "late"), ("23:00:00", "late")])
def test_a_first_punch_after_the_hour_is_late(first: str, status: str) -> None:
    (record,) = attendance(f"2026-07-20 {first}", lateAfter="09:00")
    assert record["attendance"] == status


def test_late_is_said_only_of_who_was_there_long_enough() -> None:
    spec = {"lateAfter": "09:00", "presentFrom": "PT6H", "halfDayFrom": "PT3H"}
    (record,) = attendance("2026-07-20 10:00:00", "2026-07-20 13:30:00", **spec)
    assert record["attendance"] == "half_day"


def test_a_day_ends_when_the_next_begins_and_not_at_midnight() -> None:
    first, second = attendance("2026-07-20 20:00:00", "2026-07-21 03:59:59", "2026-07-21 04:01:00")
    assert (first["date"], first["punches"], second["date"]) == ("2026-07-20", 2, "2026-07-21")


def test_a_night_shift_is_one_day_and_late_after_midnight_is_late() -> None:
    spec = {"dayStart": "PT12H", "lateAfter": "22:30"}
    (record,) = attendance("2026-07-20 22:10:00", "2026-07-21 06:05:00", **spec)
    assert (record["date"], record["attendance"], record["punches"]) == ("2026-07-20", "present", 2)
    (record,) = attendance("2026-07-21 00:10:00", "2026-07-21 06:05:00", **spec)
    assert (record["date"], record["attendance"]) == ("2026-07-20", "late")
    (record,) = attendance("2026-07-21 01:00:00", dayStart="PT12H", lateAfter="00:30")
    assert (record["date"], record["attendance"]) == ("2026-07-20", "late")
    (record,) = attendance("2026-07-20 23:00:00", dayStart="PT12H", lateAfter="00:30")
    assert (record["date"], record["attendance"]) == ("2026-07-20", "present")


def test_directions_count_on_days_that_have_both() -> None:
    (record,) = attendance(
        ("2026-07-20 07:00:00", "1"), ("2026-07-20 08:30:00", "0"), ("2026-07-20 12:00:00", "2"),
        ("2026-07-20 12:30:00", "3"), direction="dir",
    )  # fmt: skip
    assert (record["checkInAt"][11:16], record["checkOutAt"][11:16]) == ("03:00", "06:30")
    (record,) = attendance(("2026-07-20 08:30:00", "0"), ("2026-07-20 16:00:00", "0"), direction="dir")
    assert (record["checkInAt"][11:16], record["checkOutAt"][11:16]) == ("03:00", "10:30")
    (record,) = attendance(
        ("2026-07-20 08:30:00", "Check-In"), ("2026-07-20 16:00:00", 255), ("2026-07-20 16:10:00", "checkIn"),
        direction="dir",
    )  # fmt: skip
    assert record["checkOutAt"][11:16] == "10:40"
    (record,) = attendance(("2026-07-20 08:30:00", "out"), ("2026-07-20 16:00:00", "in"), direction="dir")
    assert (record["checkInAt"][11:16], record["checkOutAt"]) == ("10:30", None)


def test_people_and_their_codes_are_kept_apart_exactly() -> None:
    rows = [{"code": code, "time": "2026-07-20 08:31:10"} for code in ("0101", "101", 101, " 101 ", "A")]
    assert [(record["personCode"], record["punches"]) for record in derived(rows)] == [
        ("0101", 1), ("101", 1), ("A", 1)
    ]  # fmt: skip


UNREADABLE = [
    {"code": "7", "time": "2026-07-20"},
    {"code": "7", "time": "yesterday"},
    {"code": "7", "time": "2026-02-30 08:00:00"},
    {"code": "7", "time": "0000-00-00 00:00:00"},
    {"code": "7", "time": None},
    {"code": "7", "time": 5},
    {"code": "7"},
    {"code": "", "time": "2026-07-20 08:00:00"},
    {"code": {"a": 1}, "time": "2026-07-20 08:00:00"},
    {"time": "2026-07-20 08:00:00"},
]


@pytest.mark.parametrize("row", UNREADABLE)
def test_a_punch_that_cannot_be_read_becomes_a_reject_and_is_not_dropped(row: dict[str, Any]) -> None:
    unreadable, good = derived([row, {"code": "8", "time": "2026-07-20 08:00:00"}])
    assert good["personCode"] == "8"
    assert (unreadable["date"], unreadable["punch"]) == (None, row)
    assert unreadable["unreadable"].endswith(".")
    document = Mapping.model_validate({"studentId": "personCode", "subject": "subject"})
    mapped = compile_mapping(document, DataType.ATTENDANCE, time_zone="Asia/Kolkata").map_batch(
        [unreadable, good], observed_at=datetime(2026, 7, 21, tzinfo=UTC)
    )
    assert [reject.raw for reject in mapped.rejects] == [unreadable]
    assert len(mapped.records) == 1


def test_local_times_are_of_the_device_and_days_of_the_college() -> None:
    (record,) = attendance("2026-07-20 23:30:00", timeZone="UTC", dayStart="PT0S")
    assert (record["date"], record["checkInAt"]) == ("2026-07-21", "2026-07-20T23:30:00.000000Z")
    rows = [{"code": "1", "time": "2026-07-20T08:31:10+05:30"}, {"code": "1", "time": "2026-07-20T09:31:10Z"}]
    (record,) = derived(rows, datetimeFormat="iso", timeZone="America/New_York")
    assert (record["checkInAt"], record["checkOutAt"]) == ("2026-07-20T03:01:10.000000Z", "2026-07-20T09:31:10.000000Z")
    (record,) = derived([{"code": 57, "time": 1784516400}], datetimeFormat="epoch_s")
    assert (record["personCode"], record["date"]) == ("57", "2026-07-20")


def test_on_the_day_that_the_clocks_change_real_time_counts() -> None:
    # 01:00 to 10:00 on the wall, of which the clocks skipped one hour.
    (record,) = attendance(
        "2026-03-29 01:00:00", "2026-03-29 10:00:00", zone=BERLIN, dayStart="PT0S", presentFrom="PT9H"
    )
    assert record["attendance"] == "absent"
    unreadable, _ = attendance("2026-03-29 02:30:00", "2026-03-29 08:00:00", zone=BERLIN)
    assert "skipped" in unreadable["unreadable"]
    # The hour that came twice: eight hours on the wall are nine.
    (record,) = attendance(
        "2026-10-25 01:30:00", "2026-10-25 09:30:00", zone=BERLIN, dayStart="PT0S", presentFrom="PT9H"
    )
    assert record["attendance"] == "present"
    # A day still begins at 04:00 on the wall.
    first, second = attendance("2026-03-29 03:59:00", "2026-03-29 04:00:00", zone=BERLIN, duplicateWithin="PT1S")
    assert (first["date"], second["date"]) == ("2026-03-28", "2026-03-29")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3 * 86400), st.sampled_from(["in", "out", None]))),
    st.integers(0, 1000),
)
def test_the_order_of_the_rows_and_their_repetition_mean_nothing(
    punches: list[tuple[str, int, str | None]], seed: int
) -> None:
    start = datetime(2026, 10, 24, tzinfo=UTC)
    rows = [
        {"code": code, "time": (start + timedelta(seconds=second)).isoformat(), "dir": direction}
        for code, second, direction in punches
    ]
    mixed = [*rows, *rows[: len(rows) // 2]]
    random.Random(seed).shuffle(mixed)
    spec: dict[str, object] = {"datetimeFormat": "iso", "direction": "dir", "presentFrom": "PT4H", "lateAfter": "09:00"}

    def by_person(records: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        return {code: [record for record in records if record["personCode"] == code] for code in "ab"}

    found = by_person(derived(rows, zone=BERLIN, **spec))
    assert by_person(derived(mixed, zone=BERLIN, **spec)) == found
    for records in found.values():
        days = [record["date"] for record in records]
        assert days == sorted(set(days))
        for record in records:
            assert record["checkOutAt"] is None or record["checkInAt"] < record["checkOutAt"]
            assert record["checkInAt"] <= record["sourceUpdatedAt"]


@pytest.mark.parametrize("spec", [{"datetimeFormat": "soon"}, {"person": "$.a"}, {"direction": "/a"}])
def test_what_cannot_be_used_is_refused_before_a_row_is_read(spec: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        punches_to_attendance([], Punches.model_validate({"person": "a", "punchedAt": "b", **spec}), INDIA)


ENROLLED = [
    {"user": {"id": 57, "name": "Old"}, "course": 4, "roles": ["student"]},
    {"user": {"id": 58, "name": "B"}, "course": 4, "roles": ["student"]},
    {"user": {"id": "57", "name": "New"}, "course": "5", "roles": ["student", "tutor"]},
    {"user": {"id": 57, "name": "New"}, "course": 5, "roles": []},
]


def test_a_group_is_its_last_row_with_what_was_gathered_from_all() -> None:
    spec = GroupBy.model_validate(
        {"by": "user.id", "collect": {"courses": "course", "roles": "roles.*", "all": "roles"}}
    )
    first, second = group_rows(ENROLLED, spec)
    assert first == {
        "user": {"id": 57, "name": "New"}, "course": 5, "courses": [4, "5"],
        "roles": ["student", "tutor"], "all": ["student", "tutor"],
    }  # fmt: skip
    assert (second["user"]["id"], second["courses"], second["roles"]) == (58, [4], ["student"])


def test_a_row_without_a_value_to_group_by_is_not_lost() -> None:
    rows: list[dict[str, Any]] = [
        {"id": None, "n": 1},
        {"n": 2},
        {"id": 0, "n": 3},
        {"id": "", "n": 4},
        {"id": "0", "n": 5},
    ]
    spec = GroupBy.model_validate({"by": "id", "collect": {"ns": "n"}})
    assert [record["ns"] for record in group_rows(rows, spec)] == [[1], [2], [3, 5], [4]]


def test_what_is_gathered_is_listed_once() -> None:
    rows = [{"id": 1, "x": {"a": 1, "b": 2}}, {"id": 1, "x": {"b": 2, "a": 1}}, {"id": 1, "x": None}, {"id": 1, "x": 7}]
    (record,) = group_rows(rows, GroupBy.model_validate({"by": "id", "collect": {"xs": "x"}}))
    assert record["xs"] == [{"a": 1, "b": 2}, 7]
