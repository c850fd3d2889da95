"""Google Classroom: courses with their students, teachers, course work and submissions; no timetable, no attendance.

Of its habits: opaque page tokens that hold for one query only, pages shorter than asked, no key at all for an empty
list, and no field for whatever is false or zero.
"""

import base64
from typing import Any

import orjson
from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus, section_of
from hub_standalone.demo.simulated.simulator import Refused, Simulator, cut, json, only
from hub_standalone.demo.simulated.tables import Entry
from hub_standalone.demo.simulated.times import canonical, in_utc
from hub_standalone.demo.world import Row
from simulators.oauth import TokenEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"
_EVERY_NTH_PAGE_IS_SHORT = 3


class GoogleClassroom(Simulator):
    """One course for each class. ``closed`` courses are denied. The refresh token rotates only if told to."""

    name = "google-classroom"
    base_path = "/v1"
    expresses = frozenset({DataType.STUDENTS, DataType.FACULTY, DataType.SUBJECTS, DataType.MARKS})
    client_id, client_secret = "4711-classroom.apps", "GOCSPX-classroom-secret"
    refresh_token = "1//0g-classroom-refresh"

    def __init__(self, campus: Campus | None = None, *, seed: int = 0, rotates: bool = False) -> None:
        super().__init__(campus, seed=seed)
        self._pages = 0
        self.tokens = TokenEndpoint(
            self.client_id,
            self.client_secret,
            self.campus.clock.now,
            grants=("refresh_token",),
            accepts=("body",),
            life_s=3599,
            rotates=rotates,
            refresh_token=self.refresh_token,
        )

    def routes(self) -> list[Route]:
        return [
            Route("/token", self._token, methods=["POST"]),
            Route("/v1/courses", self._courses),
            Route("/v1/courses/{course}/students", self._students),
            Route("/v1/courses/{course}/teachers", self._teachers),
            Route("/v1/courses/{course}/courseWork", self._work),
            Route("/v1/courses/{course}/courseWork/-/studentSubmissions", self._submissions),
        ]

    def connection(self) -> Row:
        client = {"clientId": self.client_id, "clientSecret": self.client_secret}
        return {**client, "refreshToken": self.tokens.refresh_token, "tokenUrl": f"{self.origin}/token"}

    def throttled(self, retry_after_s: int) -> Response:
        return _error(429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Queries'.")

    def not_found(self) -> Response:
        return _error(404, "NOT_FOUND", "Requested entity was not found.")

    async def _token(self, request: Request) -> Response:
        return await self.tokens.answer(request)

    async def _courses(self, request: Request) -> Response:
        self._admit(request)
        rows = [
            {
                "id": _course_id(entry, section),
                "name": entry.row["name"],
                "section": section,
                "room": f"Block {section[-1]}",
                "ownerId": "t1",
                "courseState": "ACTIVE" if entry.row["status"] == "active" else "ARCHIVED",
                "updateTime": in_utc(entry.modified, _STAMP),
            }
            for entry, section in self.campus.classes()
        ]
        states = request.query_params.getlist("courseStates")
        return self._page(request, "courses", [r for r in rows if not states or r["courseState"] in states], 100)

    async def _students(self, request: Request) -> Response:
        subject, section = self._course(request)
        people = self.campus.students_of(subject.row["subjectId"], section)
        return self._page(request, "students", [self._member(request, entry, "u") for entry in people], 30)

    async def _teachers(self, request: Request) -> Response:
        subject, _ = self._course(request)
        people = self.campus.teachers_of(subject.row["subjectId"])
        return self._page(request, "teachers", [self._member(request, entry, "t") for entry in people], 30)

    def _member(self, request: Request, entry: Entry, prefix: str) -> Row:
        row = entry.row
        name = {"givenName": row["firstName"], "familyName": row["lastName"]}
        full = {**name, "fullName": f"{row['firstName']} {row['lastName']}"}
        user_id = f"{prefix}{entry.number}"
        profile = {"id": user_id, "name": full, "emailAddress": row["email"], "photoUrl": "//x/photo.jpg"}
        return {"courseId": request.path_params["course"], "userId": user_id, "profile": profile}

    async def _work(self, request: Request) -> Response:
        """Drafts are there only when asked for."""
        subject, section = self._course(request)
        rows = [self._work_of(exam, section) for exam in self.campus.exams.by("subjectId")[subject.row["subjectId"]]]
        draft = {"id": f"cw9{subject.number}", "title": "Not ready", "workType": "ASSIGNMENT", "state": "DRAFT"}
        wanted = request.query_params.getlist("courseWorkStates") or ["PUBLISHED"]
        return self._page(request, "courseWork", [r for r in [*rows, draft] if r["state"] in wanted], 100)

    def _work_of(self, exam: Entry, section: str) -> Row:
        year, month, day = map(int, exam.row["examDate"].split("-"))
        return {
            "id": _work_id(exam, section),
            "title": exam.row["examName"],
            "maxPoints": exam.row["maxMarks"],
            "workType": "ASSIGNMENT" if exam.row["examType"] == "internal" else "SHORT_ANSWER_QUESTION",
            "state": "PUBLISHED",
            "dueDate": {"year": year, "month": month, "day": day},
            "dueTime": {"hours": 6, "minutes": 30} if exam.row["examType"] == "midterm" else {"hours": 6},
            "updateTime": in_utc(exam.modified, _STAMP),
        }

    async def _submissions(self, request: Request) -> Response:
        subject, section = self._course(request)
        rows = []
        for mark in self.campus.marks.by("subjectId")[subject.row["subjectId"]]:
            student = self.campus.students.get(mark.row["studentId"])
            if section_of(student.row) == section:
                rows.append(self._submission(request, mark, student, section))
        return self._page(request, "studentSubmissions", rows, 50)

    def _submission(self, request: Request, mark: Entry, student: Entry, section: str) -> Row:
        """A draft grade is there before the grade, and is none."""
        at = in_utc(mark.modified, _STAMP)
        exam = self.campus.exams.get(mark.row["subjectId"], mark.row["examId"])
        row = {
            "courseId": request.path_params["course"],
            "courseWorkId": _work_id(exam, section),
            "id": f"S{mark.number}",
            "userId": f"u{student.number}",
            "updateTime": at,
        }
        points = mark.row["marksObtained"]
        if points is None:
            return {**row, "state": "TURNED_IN", "late": True, "draftGrade": 1.5}
        grade = {"pointsEarned": points, "gradeTimestamp": at, "gradeChangeType": "ASSIGNED_GRADE_POINTS_EARNED_CHANGE"}
        return {**row, "state": "RETURNED", "assignedGrade": points, "submissionHistory": [{"gradeHistory": grade}]}

    def _page(self, request: Request, key: str, rows: list[Row], default: int) -> Response:
        query = request.query_params
        asked = sorted((k, v) for k, v in query.multi_items() if k not in ("pageToken", "pageSize"))
        start = 0
        if token := query.get("pageToken"):
            start, before = _opened(token)
            if before != [list(pair) for pair in asked]:
                raise Refused(_error(400, "INVALID_ARGUMENT", "The page token does not belong to this request."))
        size = min(int(query.get("pageSize", "0")) or default, 100)
        self._pages += 1
        if self._pages % _EVERY_NTH_PAGE_IS_SHORT == 0:
            size = max(1, size // 2)
        body: Row = {key: page} if (page := list(cut(rows, start, size))) else {}
        if start + size < len(rows):
            sealed = orjson.dumps([start + size, asked])
            body["nextPageToken"] = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
        return json(body)

    def _admit(self, request: Request) -> None:
        if not self.tokens.bearer_of(request):
            raise Refused(_error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."))

    def _course(self, request: Request) -> tuple[Entry, str]:
        self._admit(request)
        for entry, section in self.campus.classes():
            if _course_id(entry, section) == request.path_params["course"]:
                if entry.row["subjectId"] in self.closed:
                    raise Refused(_error(403, "PERMISSION_DENIED", "The caller does not have permission"))
                return entry, section
        raise Refused(self.not_found())

    def _open(self) -> list[tuple[Entry, str]]:
        return [
            (entry, section) for entry, section in self.campus.classes() if entry.row["subjectId"] not in self.closed
        ]

    def true_students(self) -> list[Row]:
        people = {
            person.number: person.row
            for entry, section in self._open()
            for person in self.campus.students_of(entry.row["subjectId"], section)
        }
        names = ("name", "firstName", "lastName", "email")
        return [{"studentId": row["email"], **only(row, *names)} for row in people.values()]

    def true_faculty(self) -> list[Row]:
        people = {p.number: p.row for entry, _ in self._open() for p in self.campus.teachers_of(entry.row["subjectId"])}
        return [
            {
                "facultyId": row["email"],
                "name": f"{row['firstName']} {row['lastName']}",
                **only(row, "firstName", "lastName", "email"),
            }
            for row in people.values()
        ]

    def true_subjects(self) -> list[Row]:
        return [
            {"subjectId": _course_id(entry, section), "section": section, **only(entry.row, "name", "status")}
            for entry, section in self.campus.classes()
        ]

    def true_marks(self) -> list[Row]:
        rows = []
        for mark in self.campus.marks:
            if mark.row["subjectId"] in self.closed:
                continue
            section = section_of(self.campus.students.get(mark.row["studentId"]).row)
            exam = self.campus.exams.get(mark.row["subjectId"], mark.row["examId"])
            row = {
                "studentId": self.campus.students.get(mark.row["studentId"]).row["email"],
                "subjectId": _course_id(self.campus.subjects.get(mark.row["subjectId"]), section),
                "examId": _work_id(exam, section),
                "examType": "assignment" if exam.row["examType"] == "internal" else "quiz",
                **only(mark.row, "examName", "examDate", "marksObtained", "maxMarks", "percentage"),
            }
            graded = {"gradedAt": canonical(mark.modified)} if "marksObtained" in row else {"result": "pending"}
            rows.append({**row, **graded})
        return rows


def _course_id(subject: Entry, section: str) -> str:
    """Ids are digits, too many for a double."""
    return f"70000000000000{subject.number:03d}{ord(section[-1])}"


def _work_id(exam: Entry, section: str) -> str:
    return f"80000000000000{exam.number:03d}{ord(section[-1])}"


def _opened(token: str) -> tuple[int, Any]:
    try:
        start, asked = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError as error:
        raise Refused(_error(400, "INVALID_ARGUMENT", "Invalid page token")) from error
    return start, asked


def _error(status: int, word: str, message: str) -> Response:
    return json({"error": {"code": status, "message": message, "status": word}}, status)
