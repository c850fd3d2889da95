import dataclasses
from datetime import date

from hub_model.records import DataType
from hub_standalone.demo.truth import IDENTITIES, identity_of, truth
from hub_standalone.demo.world import Row, World, build_world

DAY = date(2026, 3, 17)


def test_the_same_seed_and_day_make_the_same_college() -> None:
    assert dataclasses.asdict(build_world(7, DAY)) == dataclasses.asdict(build_world(7, DAY))


def test_another_seed_makes_another_college() -> None:
    assert build_world(8, DAY).students != build_world(7, DAY).students


def test_a_college_is_as_large_as_promised() -> None:
    world = build_world(7, DAY)
    assert len(world.students) >= 200
    assert len(world.attendance) + len(world.biometric) >= 20_000
    assert len(world.marks) >= 2_000


def test_no_two_rows_of_a_feed_are_the_same_record() -> None:
    world = build_world(7, DAY)
    expected = truth(world).records
    assert {data_type: len(rows) for data_type, rows in expected.items()} == {
        DataType.STUDENTS: len(world.students),
        DataType.FACULTY: len(world.faculty),
        DataType.SUBJECTS: len(world.subjects),
        DataType.TIMETABLE: len(world.timetable),
        DataType.ATTENDANCE: len(world.attendance) - len(world.invalid) + len(world.biometric),
        DataType.MARKS: len(world.marks),
    }


def test_a_day_at_the_gate_never_stands_for_a_lecture() -> None:
    world = build_world(7, DAY)

    def identities(rows: list[Row]) -> set[tuple[object, ...]]:
        return {identity_of(DataType.ATTENDANCE, row) for row in rows}

    assert identities(world.biometric).isdisjoint(identities(world.attendance))


def test_every_reference_leads_to_a_record() -> None:
    world = build_world(7, DAY)
    students, subjects = _ids(world, DataType.STUDENTS), _ids(world, DataType.SUBJECTS)
    assert {row["studentId"] for row in [*world.attendance, *world.marks, *world.biometric]} == students
    assert {row["subjectId"] for row in [*world.attendance, *world.marks]} == subjects
    assert {row["teacher"]["id"] for row in world.timetable} == _ids(world, DataType.FACULTY)


def test_the_invalid_row_is_served_and_not_expected() -> None:
    world = build_world(7, DAY)
    expected = truth(world)
    assert [row for row in world.attendance if row["date"].endswith("02-31")] == world.invalid == expected.rejects
    assert not any("02-31" in str(identity) for identity in expected.records[DataType.ATTENDANCE])


def test_lectures_lie_on_school_days_before_today() -> None:
    world = build_world(7, DAY)
    days = {date.fromisoformat(row["date"]) for row in world.attendance if row not in world.invalid}
    assert max(days) < DAY
    assert all(day.weekday() < 5 for day in days)


def _ids(world: World, data_type: DataType) -> set[str]:
    (field,) = IDENTITIES[data_type]
    return {row[field] for row in getattr(world, data_type.value)}
