"""What the hub should hold once it has read the college: written down by hand, not with the hub's own mapping.

Where the college speaks the hub's language a record is the row itself; the differences are spelt out here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hub_model.records import DataType

from hub_standalone.demo.world import Row, World

Identity = tuple[Any, ...]

# The fields that tell two records of a type apart.
IDENTITIES: Mapping[DataType, tuple[str, ...]] = {
    DataType.STUDENTS: ("studentId",),
    DataType.FACULTY: ("facultyId",),
    DataType.SUBJECTS: ("subjectId",),
    DataType.TIMETABLE: ("subjectId", "section", "dayOfWeek", "date", "startTime"),
    DataType.ATTENDANCE: ("studentId", "date", "subjectId", "period", "sessionId"),
    DataType.MARKS: ("studentId", "subjectId", "examId", "attempt"),
}
_CLASS_TYPES = {"L": "lecture", "P": "lab"}


@dataclass(frozen=True, slots=True)
class Truth:
    """The expected records by type and identity, and the raw rows that must be among the rejects."""

    records: Mapping[DataType, Mapping[Identity, Row]]
    rejects: Sequence[Row]


def truth(world: World) -> Truth:
    """Everything both systems hold at this moment, as canonical records."""
    lectures = [row for row in world.attendance if row not in world.invalid]
    records = {
        DataType.STUDENTS: world.students,
        DataType.FACULTY: world.faculty,
        DataType.SUBJECTS: world.subjects,
        DataType.TIMETABLE: [_canonical_class(row) for row in world.timetable],
        DataType.ATTENDANCE: lectures + [_canonical_day(row) for row in world.biometric],
        DataType.MARKS: [_canonical_mark(row) for row in world.marks],
    }
    return Truth(
        records={data_type: by_identity(data_type, rows) for data_type, rows in records.items()},
        rejects=world.invalid,
    )


def identity_of(data_type: DataType, data: Row) -> Identity:
    """What tells this record apart from the others of its type."""
    return tuple(data.get(name) for name in IDENTITIES[data_type])


def by_identity(data_type: DataType, rows: Sequence[Row]) -> dict[Identity, Row]:
    """The records of a type by what tells them apart."""
    return {identity_of(data_type, row): row for row in rows}


def _canonical_class(row: Row) -> Row:
    return {
        "subjectId": row["subject_code"],
        "subject": row["subject_title"],
        "section": row["class"]["section"],
        "room": row["class"]["room"],
        "facultyId": row["teacher"]["id"],
        "faculty": row["teacher"]["name"],
        "dayOfWeek": row["weekday"][:3].lower(),
        "period": str(row["hour"]),
        "startTime": row["begins"],
        "endTime": row["ends"],
        "type": _CLASS_TYPES[row["kind"]],
        "status": "scheduled",
    }


def _canonical_day(row: Row) -> Row:
    """The punch in UTC; who did not come has none."""
    if "checkInAt" not in row:
        return row
    moment = datetime.fromisoformat(row["checkInAt"]).astimezone(UTC)
    return {**row, "checkInAt": moment.strftime("%Y-%m-%dT%H:%M:%S.000000Z")}


def _canonical_mark(row: Row) -> Row:
    """With the percentage, where there is a mark to take it of."""
    if row["marksObtained"] is None:
        return row
    return {**row, "percentage": row["marksObtained"] * 100 / row["maxMarks"]}
