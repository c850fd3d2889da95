"""How Frappe writes what the campus has, and what a hub should make of it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from hub_model.records import DataType
from hub_standalone.demo.simulated.simulator import Simulator, only
from hub_standalone.demo.simulated.tables import Entry
from hub_standalone.demo.simulated.times import in_india
from hub_standalone.demo.world import Row

_STATUSES = {"present": "Present", "late": "Present", "absent": "Absent", "on_duty": "Leave"}
_SEEN_AS = {"present": "present", "late": "present", "absent": "absent", "on_duty": "leave"}
_YEAR = {"academic_year": "2025-26", "academic_term": "2025-26 (Semester 3)"}
_STAMP = "%Y-%m-%d %H:%M:%S.%f"


class FrappeRows(Simulator):
    """The documents of each type. What is asked for, and how, is the business of ``Frappe``."""

    expresses = frozenset(DataType) - {DataType.CUSTOM}
    shows_deletes = frozenset({DataType.ATTENDANCE, DataType.MARKS})

    def _students(self) -> Iterable[Row]:
        for entry in self.campus.students:
            row = entry.row
            yield {
                **_document(entry, row["studentId"]),
                "first_name": row["firstName"],
                "middle_name": None,
                "last_name": row["lastName"],
                "student_name": row["name"],
                "student_email_id": row["email"],
                "student_mobile_number": row["phone"],
                "date_of_birth": row["dateOfBirth"],
                "joining_date": row["admissionDate"],
                "gender": row["gender"].capitalize(),
                "blood_group": "",
                "enabled": int(row["status"] == "active"),
                "date_of_leaving": None,
            }

    def _instructors(self) -> Iterable[Row]:
        for entry in self.campus.faculty:
            row = entry.row
            yield {
                **_document(entry, f"EDU-INS-{entry.number:05d}"),
                "instructor_name": row["name"],
                "employee": row["facultyId"],
                "department": row["department"],
                "status": "Active" if row["status"] == "active" else "Left",
                "gender": row["gender"].capitalize(),
            }

    def _courses(self) -> Iterable[Row]:
        for entry in self.campus.subjects:
            more = {"course_name": entry.row["name"], "department": entry.row["department"], "description": None}
            yield {**_document(entry, entry.row["subjectId"]), **more}

    def _schedules(self) -> Iterable[Row]:
        for entry in self.campus.lessons:
            row = entry.row
            yield {
                **_document(entry, _schedule(entry)),
                "student_group": row["section"],
                "course": row["subjectId"],
                "instructor": f"EDU-INS-{self.campus.faculty.get(row['facultyId']).number:05d}",
                "instructor_name": row["faculty"],
                "room": _room(row["room"]),
                "schedule_date": row["date"],
                "from_time": _time(row["startTime"]),
                "to_time": _time(row["endTime"]),
                "program": "B.Tech",
            }

    def _attendance(self) -> Iterable[Row]:
        for entry, row, name, amended_from, docstatus in _versions(self.campus.attendance, "EDU-ATT-2026-"):
            yield {
                **_document(entry, name),
                "docstatus": docstatus,
                "amended_from": amended_from,
                "student": row["studentId"],
                "student_name": row["name"],
                "course_schedule": _schedule(self.campus.lesson_of(row)),
                "student_group": row["section"],
                "date": row["date"],
                "status": _STATUSES[row["attendance"]],
                "leave_application": None,
            }

    def _plans(self) -> Iterable[Row]:
        for entry in self.campus.exams:
            row = entry.row
            yield {
                **_document(entry, _plan(entry)),
                "docstatus": 1,
                "assessment_name": row["examName"],
                "assessment_group": row["examType"].capitalize(),
                "course": row["subjectId"],
                "student_group": None,
                "maximum_assessment_score": float(row["maxMarks"]),
                "schedule_date": row["examDate"],
                **_YEAR,
            }

    def _results(self) -> Iterable[Row]:
        """Who missed an examination has no result."""
        for entry, row, name, amended_from, docstatus in _versions(self.campus.marks, "EDU-RES-2026-"):
            if row["marksObtained"] is None:
                continue
            detail = {"assessment_criteria": "Written", "maximum_score": float(row["maxMarks"])}
            yield {
                **_document(entry, name),
                "docstatus": docstatus,
                "amended_from": amended_from,
                "student": row["studentId"],
                "assessment_plan": _plan(self.campus.exams.get(row["subjectId"], row["examId"])),
                "course": row["subjectId"],
                "total_score": row["marksObtained"],
                "maximum_score": float(row["maxMarks"]),
                "grade": row["result"].capitalize(),
                "comment": None,
                "details": [{**detail, "score": row["marksObtained"], "grade": row["result"].capitalize()}],
                **_YEAR,
            }

    def _enrollments(self) -> Iterable[Row]:
        for entry in self.campus.students:
            more = {"program": entry.row["program"], "student_batch_name": entry.row["batch"], "docstatus": 1, **_YEAR}
            yield {**_document(entry, f"EDU-ENR-{entry.number:05d}"), "student": entry.row["studentId"], **more}

    def _groups(self) -> Iterable[Row]:
        for section in sorted({row["section"] for row in self.campus.timetable.rows}):
            members = [row for row in self._members() if row["parent"] == section]
            stamp = {"name": section, "modified": in_india(self.campus.opened, _STAMP), "docstatus": 0}
            yield {**stamp, "student_group_name": section, "students": members}

    def _members(self) -> Iterable[Row]:
        for entry in self.campus.students:
            more = {"student": entry.row["studentId"], "group_roll_number": int(entry.row["rollNumber"]), "active": 1}
            section = f"{entry.row['studentId'][:2]}-{entry.row['section']}"
            yield {**_document(entry, f"m{entry.number:09d}"), "parent": section, "parentfield": "students", **more}

    def _rooms(self) -> Iterable[Row]:
        for room in sorted({row["room"] for row in self.campus.timetable.rows}):
            stamp = {"name": _room(room), "modified": in_india(self.campus.opened, _STAMP), "docstatus": 0}
            yield {**stamp, "room_name": room, "seating_capacity": "60"}

    def true_students(self) -> list[Row]:
        names = (
            "studentId",
            "name",
            "firstName",
            "lastName",
            "email",
            "phone",
            "gender",
            "dateOfBirth",
            "admissionDate",
        )
        return [only(row, *names, "status") for row in self.campus.students.rows]

    def true_faculty(self) -> list[Row]:
        return [only(row, "facultyId", "name", "department", "status") for row in self.campus.faculty.rows]

    def true_subjects(self) -> list[Row]:
        return [only(row, "subjectId", "name", "department") for row in self.campus.subjects.rows]

    def true_timetable(self) -> list[Row]:
        names = ("subjectId", "facultyId", "section", "room", "date", "startTime", "endTime")
        return [only(row, *names) for row in self.campus.lessons.rows]

    def true_attendance(self) -> list[Row]:
        return [
            {
                **only(row, "studentId", "name", "date", "subjectId", "section"),
                "attendance": _SEEN_AS[row["attendance"]],
                "sessionId": _schedule(self.campus.lesson_of(row)),
            }
            for row in self.campus.attendance.rows
        ]

    def true_marks(self) -> list[Row]:
        names = ("studentId", "subjectId", "examName", "examDate", "marksObtained", "maxMarks", "percentage")
        return [
            {**only(row, *names), "examId": _plan(self.campus.exams.get(row["subjectId"], row["examId"]))}
            for row in self.campus.marks.rows
            if row["marksObtained"] is not None
        ]


def _document(entry: Entry, name: str) -> Row:
    return {"name": name, "modified": in_india(entry.modified, _STAMP), "docstatus": 0}


def _versions(table: Any, prefix: str) -> Iterable[tuple[Entry, Row, str, str | None, int]]:
    """Every document there ever was of each row: cancelled ones first, the last one submitted unless it was removed."""
    changes: dict[int, list[Any]] = {}
    for change in table.log:
        if change.before is not None:
            changes.setdefault(change.number, []).append(change)
    for entry in table.with_deleted:
        base, amended_from, past = f"{prefix}{entry.number:05d}", None, changes.get(entry.number, [])
        for index, change in enumerate(past):
            name = f"{base}-{index}" if index else base
            yield _at(entry, change.at), change.before, name, amended_from, 2
            amended_from = name
        if not entry.deleted:
            yield entry, entry.row, f"{base}-{len(past)}" if past else base, amended_from, 1


def _at(entry: Entry, moment: datetime) -> Entry:
    return Entry(entry.number, entry.row, moment, entry.version)


def _schedule(lesson: Entry) -> str:
    return f"EDU-CSH-2026-{lesson.number:05d}"


def _plan(exam: Entry) -> str:
    return f"EDU-ASP-2026-{exam.number:05d}"


def _room(name: str) -> str:
    return f"HTL-ROOM-{name}"


def _time(clock: str) -> str:
    """As a duration is written: 9:30:00."""
    return f"{clock.lstrip('0')}:00"
