"""Fedena: XML everywhere, a token in a scheme of its own, attendance only as absences and only by halves of a day.

Of its habits: one child looks as a list does, empty elements for nothing, no pages, ``true`` for a half one missed.
"""

from collections.abc import Iterable
from xml.sax.saxutils import escape

from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus, section_of
from hub_standalone.demo.simulated.simulator import Refused, Simulator, only
from hub_standalone.demo.simulated.tables import Entry
from hub_standalone.demo.world import Row
from simulators.oauth import TokenEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_NINETY_DAYS_S = 90 * 86_400
_DAYS = {"mon": "Monday", "tue": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "fri": "Friday"}


class Fedena(Simulator):
    """The register is taken in the first lecture and in the last; only who missed one of them has a row."""

    name = "fedena"
    expresses = frozenset(DataType) - {DataType.CUSTOM}
    client_id, client_secret = "fedena-client", "fedena-secret"
    username, password = "admin", "fedena-Pass"

    def __init__(self, campus: Campus | None = None, *, seed: int = 0) -> None:
        super().__init__(campus, seed=seed)
        self.tokens = TokenEndpoint(
            self.client_id,
            self.client_secret,
            self.campus.clock.now,
            grants=("password",),
            accepts=("body",),
            life_s=_NINETY_DAYS_S,
            username=self.username,
            password=self.password,
        )

    def routes(self) -> list[Route]:
        return [
            Route("/oauth/token", self._token, methods=["POST"]),
            Route("/api/students", self._students),
            Route("/api/students/{number}", self._student),
            Route("/api/employees", self._employees),
            Route("/api/subjects", self._subjects),
            Route("/api/batches", self._batches),
            Route("/api/timetables", self._timetables),
            Route("/api/attendances", self._attendances),
            Route("/api/attendances/{number}", self._attendance),
            Route("/api/exam_groups", self._exam_groups),
            Route("/api/exam_scores", self._exam_scores),
        ]

    def connection(self) -> Row:
        client = {"clientId": self.client_id, "clientSecret": self.client_secret}
        user = {"username": self.username, "password": self.password}
        return {**client, **user, "tokenUrl": f"{self.origin}/oauth/token"}

    def not_found(self) -> Response:
        return _error(404, "Record not found")

    async def _token(self, request: Request) -> Response:
        return await self.tokens.answer(request)

    async def _students(self, request: Request) -> Response:
        self._admit(request)
        batch = request.query_params.get("search[batch_name_equals]")
        rows = [_student(entry) for entry in self.campus.students]
        return _list("student", [row for row in rows if batch in (None, row["batch_name"])])

    async def _student(self, request: Request) -> Response:
        self._admit(request)
        return _list("student", [_student(self._known(request))])

    async def _employees(self, request: Request) -> Response:
        self._admit(request)
        rows = [
            {
                "employee_number": row["facultyId"],
                "employee_name": f"{row['firstName']} {row['lastName']}",
                "employee_department": row["department"],
                "employee_position": row["designation"],
                "email": row["email"],
                "mobile_phone": row["phone"],
            }
            for row in self.campus.faculty.rows
        ]
        return _list("employee", rows)

    async def _subjects(self, request: Request) -> Response:
        self._admit(request)
        rows = [
            {"subject_name": row["name"], "code": row["subjectId"], "credit_hours": row["credits"]}
            for row in self.campus.subjects.rows
        ]
        return _list("subject", rows)

    async def _batches(self, request: Request) -> Response:
        self._admit(request)
        names = sorted({row["section"] for row in self.campus.timetable.rows})
        return _list("batch", [{"batch_name": name, "course_code": name[:2]} for name in names])

    async def _timetables(self, request: Request) -> Response:
        self._admit(request)
        rows = [
            {
                "weekday": _DAYS[row["dayOfWeek"]],
                "class_timing": row["period"],
                "start_time": row["startTime"],
                "end_time": row["endTime"],
                "batch_name": row["section"],
                "subject_code": row["subjectId"],
                "subject_name": row["subject"],
                "employee_number": row["facultyId"],
                "classroom": row["room"],
            }
            for row in self.campus.timetable.rows
        ]
        return _list("timetable", rows)

    async def _attendances(self, request: Request) -> Response:
        self._admit(request)
        day = request.query_params.get("search[month_date_equals]")
        return _list("attendance", [row for row in self._absences(self.campus.students) if day in (None, row["date"])])

    async def _attendance(self, request: Request) -> Response:
        """One student's absences, or that of one day."""
        self._admit(request)
        day = request.query_params.get("date")
        rows = self._absences([self._known(request)])
        return _list("attendance", [row for row in rows if day in (None, row["date"])])

    def _absences(self, students: Iterable[Entry]) -> list[Row]:
        rows = []
        for student in students:
            halves: dict[str, dict[str, bool]] = {}
            for entry in self.campus.attendance.by("studentId")[student.row["studentId"]]:
                half = {"1": "forenoon", "4": "afternoon"}.get(entry.row["period"])
                if half:
                    halves.setdefault(entry.row["date"], {})[half] = entry.row["attendance"] == "absent"
            for day, missed in halves.items():
                if any(missed.values()):
                    row = {"student_admission_no": student.row["studentId"], "date": day}
                    flags = {half: str(missed.get(half, False)).lower() for half in ("forenoon", "afternoon")}
                    rows.append({**row, **flags, "batch_name": section_of(student.row), "reason": None})
        return rows

    async def _exam_groups(self, request: Request) -> Response:
        self._admit(request)
        names = {row["examName"]: row for row in self.campus.exams.rows}
        return _list("exam_group", [{"exam_group_name": n, "exam_date": row["examDate"]} for n, row in names.items()])

    async def _exam_scores(self, request: Request) -> Response:
        self._admit(request)
        rows = [
            {
                "admission_no": row["studentId"],
                "exam_group": row["examName"],
                "subject": row["subject"],
                "marks": row["marksObtained"],
                "maximum_marks": row["maxMarks"],
                "grading_level": row["result"].capitalize(),
                "remarks": None,
            }
            for row in self.campus.marks.rows
        ]
        return _list("exam_score", rows)

    def _known(self, request: Request) -> Entry:
        number = request.path_params["number"]
        for entry in self.campus.students:
            if entry.row["studentId"] == number:
                return entry
        raise Refused(self.not_found())

    def _admit(self, request: Request) -> None:
        text = request.headers.get("authorization", "")
        if not (text.startswith('Token token="') and text.endswith('"') and self.tokens.holds(text[13:-1])):
            raise Refused(_error(401, "Invalid or expired token"))

    def true_students(self) -> list[Row]:
        names = ("studentId", "name", "rollNumber", "admissionDate", "biometricId", "email", "gender", "phone")
        return [{**only(row, *names), "batch": section_of(row)} for row in self.campus.students.rows]

    def true_faculty(self) -> list[Row]:
        names = ("facultyId", "department", "designation", "email", "phone")
        return [
            {**only(row, *names), "name": f"{row['firstName']} {row['lastName']}"} for row in self.campus.faculty.rows
        ]

    def true_subjects(self) -> list[Row]:
        return [only(row, "subjectId", "name", "credits") for row in self.campus.subjects.rows]

    def true_timetable(self) -> list[Row]:
        names = ("subjectId", "subject", "section", "facultyId", "room", "dayOfWeek", "period", "startTime", "endTime")
        return [only(row, *names) for row in self.campus.timetable.rows]

    def true_attendance(self) -> list[Row]:
        words = {("true", "true"): "absent", ("true", "false"): "half_day", ("false", "true"): "half_day"}
        return [
            {
                "studentId": row["student_admission_no"],
                "date": row["date"],
                "attendance": words[row["forenoon"], row["afternoon"]],
            }
            for row in self._absences(self.campus.students)
        ]

    def true_marks(self) -> list[Row]:
        names = ("studentId", "subjectId", "examName", "marksObtained", "maxMarks", "percentage")
        return [
            {**only(row, *names), "examId": row["examName"], "grade": row["result"].capitalize()}
            for row in self.campus.marks.rows
        ]


def _student(entry: Entry) -> Row:
    row = entry.row
    return {
        "admission_no": row["studentId"],
        "student_name": row["name"],
        "batch_name": section_of(row),
        "roll_number": row["rollNumber"],
        "admission_date": row["admissionDate"],
        "gender": row["gender"][0],
        "blood_group": None,
        "mobile": row["phone"],
        "email": row["email"],
        "biometric_id": row["biometricId"],
    }


def _list(name: str, rows: list[Row]) -> Response:
    inner = "".join(f"  <{name}>\n{_fields(row)}  </{name}>\n" for row in rows)
    return _xml(f"<{name}_detail>\n{inner}</{name}_detail>", 200)


def _fields(row: Row) -> str:
    texts = {name: "" if value is None else escape(str(value)) for name, value in row.items()}
    return "".join(f"    <{name}>{text}</{name}>\n" if text else f"    <{name}/>\n" for name, text in texts.items())


def _error(status: int, message: str) -> Response:
    return _xml(f"<errors>\n  <error>{message}</error>\n</errors>", status)


def _xml(body: str, status: int) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>\n{body}', status, None, "application/xml")
