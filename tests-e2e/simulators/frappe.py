"""Frappe Education (ERPNext): every document type under one address, lists that show only names unless asked.

Of its habits: JSON texts within the query, twenty rows a page, times without a leading zero, naive moments in the
site's zone, checks as 0 and 1, corrections as a cancelled document and an amended one, errors within errors.
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import orjson
from hub_model.records import DataType
from hub_standalone.demo.world import Row
from simulators.campus import Campus
from simulators.simulator import Refused, Simulator, cut, json, only, same
from simulators.tables import Entry
from simulators.times import in_india
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_STATUSES = {"present": "Present", "late": "Present", "absent": "Absent", "on_duty": "Leave"}
_SEEN_AS = {"present": "present", "late": "present", "absent": "absent", "on_duty": "leave"}
_YEAR = {"academic_year": "2025-26", "academic_term": "2025-26 (Semester 3)"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda given, wanted: given == wanted,
    "!=": lambda given, wanted: given != wanted,
    ">": lambda given, wanted: given > wanted,
    ">=": lambda given, wanted: given >= wanted,
    "<": lambda given, wanted: given < wanted,
    "<=": lambda given, wanted: given <= wanted,
    "in": lambda given, wanted: given in (wanted if isinstance(wanted, list) else wanted.split(",")),
    "like": lambda given, wanted: re.fullmatch(re.escape(wanted).replace("%", ".*"), given, re.IGNORECASE) is not None,
    "between": lambda given, wanted: wanted[0] <= given <= wanted[1],
}


class Frappe(Simulator):
    """A correction of attendance or marks cancels the document and submits an amended one, with another name."""

    name = "frappe-education"
    expresses = frozenset(DataType) - {DataType.CUSTOM}
    api_key, api_secret = "e3b0c44298fc1c1", "49a1c5d2f7b8e60"

    def __init__(self, campus: Campus | None = None, *, seed: int = 0, limit_per_hour: int = 100_000) -> None:
        super().__init__(campus, seed=seed)
        self._limit = limit_per_hour
        self._doctypes = {
            "Student": self._students,
            "Instructor": self._instructors,
            "Course": self._courses,
            "Course Schedule": self._schedules,
            "Student Attendance": self._attendance,
            "Assessment Plan": self._plans,
            "Assessment Result": self._results,
            "Program Enrollment": self._enrollments,
            "Student Group": self._groups,
            "Student Group Student": self._members,
            "Room": self._rooms,
        }

    def routes(self) -> list[Route]:
        return [
            Route("/api/resource/{doctype}", self._list),
            Route("/api/resource/{doctype}/{name:path}", self._one),
            Route("/api/method/frappe.auth.get_logged_user", self._who),
            Route("/api/method/frappe.client.get_count", self._count),
        ]

    def connection(self) -> Row:
        return {"apiKey": self.api_key, "apiSecret": self.api_secret}

    def throttled(self, retry_after_s: int) -> Response:
        headers = self._rate_headers(0) | {"Retry-After": str(retry_after_s)}
        return Response("Too Many Requests", 429, headers, "text/plain")

    def not_found(self) -> Response:
        return json({}, 404)

    def _rate_headers(self, remaining: int) -> dict[str, str]:
        limit = {"X-RateLimit-Limit": str(self._limit * 1_000_000), "X-RateLimit-Reset": "1800"}
        return {**limit, "X-RateLimit-Remaining": str(remaining * 1_000_000)}

    async def _who(self, request: Request) -> Response:
        self._admit(request)
        return json({"message": "hub@riverside.example.edu"})

    async def _count(self, request: Request) -> Response:
        self._admit(request)
        return json({"message": len(self._found(request, request.query_params.get("doctype", "")))})

    async def _list(self, request: Request) -> Response:
        self._admit(request)
        query = request.query_params
        doctype = request.path_params["doctype"]
        found = self._found(request, doctype)
        field, _, direction = query.get("order_by", "modified desc").replace("`", "").partition(" ")
        name, is_falling = field.rpartition(".")[2], direction.strip().lower() == "desc"
        rows = sorted(found, key=lambda row: str(row[name]), reverse=is_falling)
        size = int(query.get("limit_page_length") or query.get("limit") or 20)
        start = int(query.get("limit_start") or 0)
        wanted = orjson.loads(query.get("fields", '["name"]'))
        page = [self._shown(row, wanted) for row in cut(rows, start, size or len(rows))]
        return json({"data": page}, headers=self._rate_headers(self._limit - len(self.asked)))

    async def _one(self, request: Request) -> Response:
        self._admit(request)
        found = [
            row for row in self._rows(request.path_params["doctype"]) if row["name"] == request.path_params["name"]
        ]
        return json({"data": found[0]}) if found else self.not_found()

    def _shown(self, row: Row, fields: list[str]) -> Row:
        """``*`` is everything but the child tables; a field that the type lacks is an error of the database."""
        names = [name for name, value in row.items() if not isinstance(value, list)] if fields == ["*"] else fields
        for name in names:
            if name not in row or isinstance(row[name], list):
                raise Refused(_error(417, "DataError", f"Field not permitted in query: {name}"))
        return {name: row[name] for name in names}

    def _found(self, request: Request, doctype: str) -> list[Row]:
        rows = self._rows(doctype)
        given: Any = orjson.loads(request.query_params.get("filters", "[]"))
        if isinstance(given, dict):
            given = [[name, *(value if isinstance(value, list) else ("=", value))] for name, value in given.items()]
        for *_, field, operator, wanted in given:
            compare = _COMPARE[operator.lower()]
            rows = [row for row in rows if compare(row[field], _comparable(row[field], wanted))]
        return rows

    def _rows(self, doctype: str) -> list[Row]:
        make = self._doctypes.get(doctype)
        if make is None:
            raise Refused(_error(404, "DoesNotExistError", f"DocType {doctype} not found"))
        return self.rendered(doctype, make)

    def _admit(self, request: Request) -> None:
        given = request.headers.get("authorization")
        if given is None:
            raise Refused(_error(403, "PermissionError", "Not permitted"))
        if not same(given, f"token {self.api_key}:{self.api_secret}"):
            raise Refused(_error(401, "AuthenticationError", "Authentication failed"))

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
        lessons = {(e.row["section"], e.row["date"], e.row["period"]): _schedule(e) for e in self.campus.lessons}
        for entry, row, name, amended_from, docstatus in _versions(self.campus.attendance, "EDU-ATT-2026-"):
            yield {
                **_document(entry, name),
                "docstatus": docstatus,
                "amended_from": amended_from,
                "student": row["studentId"],
                "student_name": row["name"],
                "course_schedule": lessons[row["section"], row["date"], row["period"]],
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
        lessons = {(e.row["section"], e.row["date"], e.row["period"]): _schedule(e) for e in self.campus.lessons}
        return [
            {
                **only(row, "studentId", "name", "date", "subjectId", "section"),
                "attendance": _SEEN_AS[row["attendance"]],
                "sessionId": lessons[row["section"], row["date"], row["period"]],
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


_STAMP = "%Y-%m-%d %H:%M:%S.%f"


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


def _comparable(given: Any, wanted: Any) -> Any:
    if isinstance(given, int) and isinstance(wanted, str) and wanted.isdecimal():
        return int(wanted)
    return wanted


def _error(status: int, kind: str, message: str) -> Response:
    inner = orjson.dumps({"message": message, "title": "Message", "indicator": "red"}).decode()
    body = {
        "exc_type": kind,
        "exception": f"frappe.exceptions.{kind}: {message}",
        "exc": orjson.dumps([f"Traceback (most recent call last): {kind}"]).decode(),
        "_server_messages": orjson.dumps([inner]).decode(),
    }
    return json(body, status)
