"""Blackboard Learn: courses with memberships, gradebook columns and meetings, each asked for apart.

Of its habits: relative addresses of next pages, a cap on the page size for each resource, a meeting's id as a number
here and as text there, ends of meetings that may be null, a column that is calculated, a daily budget of requests.
"""

from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.simulator import Refused, Simulator, cut, json, only
from hub_standalone.demo.simulated.tables import Entry
from hub_standalone.demo.simulated.times import in_utc, local
from hub_standalone.demo.world import Row
from simulators.oauth import TokenEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_API = "/learn/api/public"
_STATUSES = {"present": "Present", "absent": "Absent", "late": "Late", "on_duty": "Excused"}
_SEEN_AS = {"on_duty": "excused"}


class Blackboard(Simulator):
    """``budget`` is how many requests a day allows. Every seventh meeting has no end."""

    name = "blackboard-learn"
    expresses = frozenset(DataType) - {DataType.CUSTOM, DataType.TIMETABLE}
    client_id, client_secret = "bb-application-key", "bb-application-secret"

    def __init__(self, campus: Campus | None = None, *, seed: int = 0, budget: int = 10_000) -> None:
        super().__init__(campus, seed=seed)
        self.budget = budget
        now = self.campus.clock.now
        self.tokens = TokenEndpoint(self.client_id, self.client_secret, now, accepts=("basic",))

    def routes(self) -> list[Route]:
        return [
            Route(f"{_API}/v1/oauth2/token", self._token, methods=["POST"]),
            Route(f"{_API}/v1/users", self._users),
            Route(f"{_API}/v1/terms", self._terms),
            Route(f"{_API}/v3/courses", self._courses),
            Route(f"{_API}/v1/courses/{{course}}/users", self._members),
            Route(f"{_API}/v2/courses/{{course}}/gradebook/columns", self._columns),
            Route(f"{_API}/v2/courses/{{course}}/gradebook/columns/{{column}}/users", self._grades),
            Route(f"{_API}/v1/courses/{{course}}/meetings", self._meetings),
            Route(f"{_API}/v1/courses/{{course}}/meetings/{{meeting}}/users", self._attended),
        ]

    def connection(self) -> Row:
        url = f"{self.origin}{_API}/v1/oauth2/token"
        return {"clientId": self.client_id, "clientSecret": self.client_secret, "tokenUrl": url}

    def throttled(self, retry_after_s: int) -> Response:
        response = _error(429, "You have exceeded your rate limit quota")
        response.headers.update({"X-Rate-Limit-Limit": str(self.budget), "X-Rate-Limit-Remaining": "0"})
        response.headers["Retry-After"] = str(retry_after_s)
        return response

    def not_found(self) -> Response:
        return _error(404, "The resource could not be found.")

    async def _token(self, request: Request) -> Response:
        return await self.tokens.answer(request)

    async def _users(self, request: Request) -> Response:
        self._admit(request)
        people = [*self.campus.students, *self.campus.faculty]
        return self._page(request, [self._user(entry) for entry in people], 100)

    async def _terms(self, request: Request) -> Response:
        self._admit(request)
        return self._page(request, [{"id": "_1_1", "externalId": "S3", "name": "Semester 3"}], 100)

    async def _courses(self, request: Request) -> Response:
        self._admit(request)
        rows = [
            {
                "id": _course_id(entry),
                "courseId": entry.row["code"],
                "externalId": entry.row["subjectId"],
                "name": entry.row["name"],
                "termId": "_1_1",
                "organization": False,
                "availability": {"available": "Yes"},
                "modified": in_utc(entry.modified),
            }
            for entry in self.campus.subjects
        ]
        return self._page(request, rows, 100)

    async def _members(self, request: Request) -> Response:
        subject = self._course(request)
        people = [(entry, "Student") for entry in self.campus.students_of(subject.row["subjectId"])]
        people += [(entry, "Instructor") for entry in self.campus.teachers_of(subject.row["subjectId"])]
        role = request.query_params.get("role")
        expands = request.query_params.get("expand") == "user"
        rows = [
            {
                "id": f"_{subject.number}{entry.number}_1",
                "userId": _user_id(entry),
                "courseId": _course_id(subject),
                "courseRoleId": kind,
                "availability": {"available": "Yes"},
                **({"user": self._user(entry)} if expands else {}),
            }
            for entry, kind in people
            if role in (None, kind)
        ]
        return self._page(request, rows, 200)

    def _user(self, entry: Entry) -> Row:
        row = entry.row
        known_as = row.get("studentId") or row["facultyId"]
        user = {
            "id": _user_id(entry),
            "uuid": f"{entry.number:032x}",
            "externalId": known_as,
            "userName": row["email"].partition("@")[0],
            "name": {"given": row["firstName"], "family": row["lastName"]},
            "contact": {"email": row["email"]},
            "availability": {"available": "Yes"},
        }
        return {**user, "studentId": known_as} if "studentId" in row and entry.number % 2 else user

    async def _columns(self, request: Request) -> Response:
        subject = self._course(request)
        total = {"id": f"_{900 + subject.number}_1", "name": "Total", "score": {"possible": 0}}
        rows = [
            {
                "id": _column_id(exam),
                "name": exam.row["examName"],
                "score": {"possible": exam.row["maxMarks"]},
                "availability": {"available": "Yes"},
                "grading": {"type": "Manual"},
            }
            for exam in self.campus.exams.by("subjectId")[subject.row["subjectId"]]
        ]
        return self._page(request, [*rows, {**total, "grading": {"type": "Calculated"}}], 200)

    async def _grades(self, request: Request) -> Response:
        """Who has no grade has no row."""
        subject = self._course(request)
        rows = []
        for mark in self.campus.marks.by("subjectId")[subject.row["subjectId"]]:
            exam = self.campus.exams.get(mark.row["subjectId"], mark.row["examId"])
            points = mark.row["marksObtained"]
            if _column_id(exam) == request.path_params["column"] and points is not None:
                user_id = _user_id(self.campus.students.get(mark.row["studentId"]))
                graded = {
                    "score": points,
                    "text": f"{points:g}",
                    "displayGrade": {"scaleType": "Score", "score": points},
                }
                rows.append({"userId": user_id, "columnId": _column_id(exam), "status": "Graded", **graded})
        return self._page(request, rows, 100)

    async def _meetings(self, request: Request) -> Response:
        subject = self._course(request)
        rows = []
        for lesson in self.campus.lessons_of(subject.row["subjectId"]):
            times = {name: in_utc(local(lesson.row["date"], lesson.row[f"{name}Time"])) for name in ("start", "end")}
            end = times["end"] if lesson.number % 7 else None
            meeting = {"id": lesson.number, "courseId": _course_id(subject), "start": times["start"], "end": end}
            rows.append({**meeting, "title": lesson.row["section"]})
        return self._page(request, rows, 100)

    async def _attended(self, request: Request) -> Response:
        subject = self._course(request)
        meeting = request.path_params["meeting"]
        lesson = self.campus.lessons.numbered(int(meeting)) if meeting.isdecimal() else None
        if lesson is None or lesson.row["subjectId"] != subject.row["subjectId"]:
            return self.not_found()
        rows = [
            {
                "id": entry.number,
                "meetingId": meeting,
                "userId": _user_id(self.campus.students.get(entry.row["studentId"])),
                "status": _STATUSES[entry.row["attendance"]],
            }
            for entry in self.campus.attendance_of(lesson.row)
        ]
        return self._page(request, rows, 100)

    def _page(self, request: Request, rows: list[Row], cap: int) -> Response:
        query = request.query_params
        limit, offset = min(int(query.get("limit", cap)), cap), int(query.get("offset", 0))
        body: Row = {"results": cut(rows, offset, limit)}
        if offset + limit < len(rows):
            following = request.url.include_query_params(offset=offset + limit)
            body["paging"] = {"nextPage": f"{following.path}?{following.query}"}
        left = max(0, self.budget - len(self.asked))
        return json(body, headers={"X-Rate-Limit-Limit": str(self.budget), "X-Rate-Limit-Remaining": str(left)})

    def _admit(self, request: Request) -> None:
        if not self.tokens.bearer_of(request):
            raise Refused(_error(401, "API request is not authenticated."))
        if len(self.asked) >= self.budget:
            raise Refused(self.throttled(3600))

    def _course(self, request: Request) -> Entry:
        """By its id, or as ``externalId:...`` or ``courseId:...``."""
        self._admit(request)
        course = request.path_params["course"]
        for entry in self.campus.subjects:
            row = entry.row
            if course in (_course_id(entry), f"externalId:{row['subjectId']}", f"courseId:{row['code']}"):
                if row["subjectId"] in self.closed:
                    raise Refused(_error(403, "The currently authenticated user may not do that."))
                return entry
        raise Refused(self.not_found())

    def _open(self) -> list[Entry]:
        return [entry for entry in self.campus.subjects if entry.row["subjectId"] not in self.closed]

    def true_students(self) -> list[Row]:
        people = {p.number: p.row for e in self._open() for p in self.campus.students_of(e.row["subjectId"])}
        return [only(row, "studentId", "name", "email", "status") for row in people.values()]

    def true_faculty(self) -> list[Row]:
        people = {p.number: p.row for e in self._open() for p in self.campus.teachers_of(e.row["subjectId"])}
        names = ("facultyId", "email", "status")
        return [{"name": f"{row['firstName']} {row['lastName']}", **only(row, *names)} for row in people.values()]

    def true_subjects(self) -> list[Row]:
        return [{**only(row, "subjectId", "name"), "semester": "Semester 3"} for row in self.campus.subjects.rows]

    def true_attendance(self) -> list[Row]:
        rows = []
        for row in self.campus.attendance.rows:
            if row["subjectId"] in self.closed:
                continue
            number = self.campus.lesson_of(row).number
            marked = {"sessionId": str(number), "attendance": _SEEN_AS.get(row["attendance"], row["attendance"])}
            end = {"endTime": row["endTime"]} if number % 7 else {}
            rows.append({**only(row, "studentId", "date", "subjectId", "startTime"), **end, **marked})
        return rows

    def true_marks(self) -> list[Row]:
        names = ("studentId", "subjectId", "examName", "marksObtained", "maxMarks", "percentage")
        return [
            {**only(row, *names), "examId": _column_id(self.campus.exams.get(row["subjectId"], row["examId"]))}
            for row in self.campus.marks.rows
            if row["marksObtained"] is not None and row["subjectId"] not in self.closed
        ]


def _course_id(subject: Entry) -> str:
    return f"_{subject.number}_1"


def _user_id(person: Entry) -> str:
    return f"_{(5000 if 'facultyId' in person.row else 1000) + person.number}_1"


def _column_id(exam: Entry) -> str:
    return f"_{300 + exam.number}_1"


def _error(status: int, message: str) -> Response:
    return json({"status": status, "message": message, "extraInfo": "8a2f"}, status)
