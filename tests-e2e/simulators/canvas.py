"""Canvas LMS: accounts, courses, enrolments, submissions, calendar; no attendance in its core API.

Of its habits: ten rows a page, opaque ``Link`` headers, ids beyond what a double can hold, a bucket for the cost of
requests whose overflow is a 403 or a 429 with plain words, scores that are null until they are given.
"""

import base64
from datetime import datetime

from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.simulator import Refused, cut, json, same
from hub_standalone.demo.simulated.tables import Entry
from hub_standalone.demo.simulated.times import in_utc, local
from hub_standalone.demo.world import Row
from simulators.canvas_rows import CanvasRows, course_id, event_of
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_MAX_PAGE = 100
_MAX_CONTEXTS = 10
_API = "/api/v1"


class Canvas(CanvasRows):
    """``throttle_status`` is 403 where Canvas is hosted by oneself. ``closed`` courses answer 403 as JSON."""

    name = "canvas"
    token = "10000~Zb4kQxV7nYc2Rr9LtWm3"
    account_id = "1"

    def __init__(self, campus: Campus | None = None, *, seed: int = 0, throttle_status: int = 403) -> None:
        super().__init__(campus, seed=seed)
        self._throttle_status = throttle_status

    def routes(self) -> list[Route]:
        paths = {
            "/accounts/{account}/users": self._users,
            "/accounts/{account}/courses": self._courses,
            "/accounts/{account}/terms": self._terms,
            "/courses/{course}/enrollments": self._enrollments,
            "/courses/{course}/users": self._course_users,
            "/courses/{course}/sections": self._sections,
            "/courses/{course}/assignments": self._assignments,
            "/courses/{course}/students/submissions": self._submissions,
            "/calendar_events": self._events,
        }
        return [Route(_API + path, answer) for path, answer in paths.items()]

    def connection(self) -> Row:
        return {"token": self.token, "accountId": self.account_id}

    def throttled(self, retry_after_s: int) -> Response:
        headers = {"X-Request-Cost": "1.2", "X-Rate-Limit-Remaining": "0.0"}
        return Response("403 Forbidden (Rate Limit Exceeded)\n", self._throttle_status, headers, "text/plain")

    def not_found(self) -> Response:
        return json({"errors": [{"message": "The specified resource does not exist."}]}, 404)

    async def _users(self, request: Request) -> Response:
        self._admit_account(request)
        return self._page(request, [self._user(entry) for table in self._people() for entry in table])

    def _people(self) -> tuple[list[Entry], list[Entry]]:
        return list(self.campus.students), list(self.campus.faculty)

    async def _courses(self, request: Request) -> Response:
        self._admit_account(request)
        with_term = "term" in request.query_params.getlist("include[]")
        rows = []
        for entry in self.campus.subjects:
            course = {
                "id": course_id(entry),
                "name": entry.row["name"],
                "course_code": entry.row["code"],
                "sis_course_id": entry.row["subjectId"],
                "workflow_state": "available",
                "start_at": in_utc(self.campus.opened, "%Y-%m-%dT%H:%M:%SZ"),
                "end_at": None,
                "enrollment_term_id": 1,
                "time_zone": "Asia/Kolkata",
            }
            rows.append({**course, "term": {"id": 1, "name": "Semester 3"}} if with_term else course)
        return self._page(request, rows)

    async def _terms(self, request: Request) -> Response:
        self._admit_account(request)
        page = self._page(request, [{"id": 1, "name": "Semester 3", "workflow_state": "active"}])
        return Response(b'{"enrollment_terms":' + bytes(page.body) + b"}", 200, None, "application/json")

    async def _enrollments(self, request: Request) -> Response:
        subject = self._course(request)
        kinds = request.query_params.getlist("type[]") or ["StudentEnrollment", "TeacherEnrollment"]
        states = request.query_params.getlist("state[]") or ["active", "invited"]
        people = [(entry, "StudentEnrollment") for entry in self._students_ever(subject)]
        people += [(entry, "TeacherEnrollment") for entry in self.campus.teachers_of(subject.row["subjectId"])]
        rows = [self._enrollment(subject, entry, kind) for entry, kind in people if kind in kinds]
        return self._page(request, [row for row in rows if row["enrollment_state"] in states])

    def _students_ever(self, subject: Entry) -> list[Entry]:
        department = subject.row["department"]
        return [entry for entry in self.campus.students.with_deleted if entry.row["department"] == department]

    async def _course_users(self, request: Request) -> Response:
        subject = self._course(request)
        kinds = request.query_params.getlist("enrollment_type[]") or ["student", "teacher"]
        rows = self.campus.students_of(subject.row["subjectId"]) if "student" in kinds else []
        rows = rows + (self.campus.teachers_of(subject.row["subjectId"]) if "teacher" in kinds else [])
        return self._page(request, [self._user(entry) for entry in rows])

    async def _sections(self, request: Request) -> Response:
        subject = self._course(request)
        names = [section for entry, section in self.campus.classes() if entry.number == subject.number]
        return self._page(request, [{"id": course_id(subject) * 10 + i, "name": n} for i, n in enumerate(names)])

    async def _assignments(self, request: Request) -> Response:
        subject = self._course(request)
        rows = [
            {
                "id": 700 + exam.number,
                "course_id": course_id(subject),
                "name": exam.row["examName"],
                "points_possible": float(exam.row["maxMarks"]),
                "submission_types": ["on_paper" if exam.row["examType"] == "internal" else "online_quiz"],
                "due_at": in_utc(local(exam.row["examDate"], "12:00"), "%Y-%m-%dT%H:%M:%SZ"),
                "workflow_state": "published",
                "published": True,
            }
            for exam in self.campus.exams.by("subjectId")[subject.row["subjectId"]]
        ]
        return self._page(request, rows)

    async def _submissions(self, request: Request) -> Response:
        """Without ``student_ids[]=all`` only the caller's own, of which there are none."""
        subject = self._course(request)
        wanted = request.query_params.getlist("student_ids[]")
        if len(wanted) > _MAX_PAGE:
            return json({"error": "too many students"}, 400)
        rows = []
        for mark in self.campus.marks.by("subjectId")[subject.row["subjectId"]]:
            row = self._submission(mark)
            since = request.query_params.get("graded_since")
            if since and (row["graded_at"] is None or _moment(row["graded_at"]) < _moment(since)):
                continue
            if wanted == ["all"] or str(row["user_id"]) in wanted:
                rows.append(row)
        return self._page(request, rows)

    async def _events(self, request: Request) -> Response:
        """Of ten contexts at most, and of today unless dates are given."""
        self._admit(request)
        query = request.query_params
        codes = query.getlist("context_codes[]")[:_MAX_CONTEXTS]
        today = self.campus.today.isoformat()
        first, last = query.get("start_date", today)[:10], query.get("end_date", query.get("start_date", today))[:10]
        rows = []
        for code in codes:
            subject = self._known(code.removeprefix("course_"))
            for lesson in self.campus.lessons_of(subject.row["subjectId"]):
                if query.get("all_events") in ("1", "true") or first <= lesson.row["date"] <= last:
                    rows.append(event_of(lesson, code))
        return self._page(request, rows)

    def _page(self, request: Request, rows: list[Row]) -> Response:
        query = request.query_params
        size = min(int(query.get("per_page", "10") or 10), _MAX_PAGE)
        try:
            start = int(base64.urlsafe_b64decode(query["page"].removeprefix("bookmark:"))) if "page" in query else 0
        except ValueError:
            start = (int(query["page"]) - 1) * size
        headers = {"X-Request-Cost": "0.42", "X-Rate-Limit-Remaining": "699.58"}
        links = [f'<{request.url.include_query_params(per_page=size)}>; rel="current"']
        if start + size < len(rows):
            mark = "bookmark:" + base64.urlsafe_b64encode(str(start + size).encode()).decode()
            url = request.url.remove_query_params("access_token").include_query_params(page=mark, per_page=size)
            links.append(f'<{url}>; rel="next"')
        return json(list(cut(rows, start, size)), headers={**headers, "Link": ",".join(links)})

    def _admit(self, request: Request) -> None:
        given = request.query_params.get("access_token") or request.headers.get("authorization", "")[len("Bearer ") :]
        if not same(given, self.token):
            headers = {"www-authenticate": 'Bearer realm="canvas-lms"'}
            raise Refused(json({"errors": [{"message": "Invalid access token."}]}, 401, headers))

    def _admit_account(self, request: Request) -> None:
        self._admit(request)
        if request.path_params["account"] not in (self.account_id, "self"):
            raise Refused(self.not_found())

    def _course(self, request: Request) -> Entry:
        self._admit(request)
        return self._known(request.path_params["course"])

    def _known(self, course: str) -> Entry:
        """A course by its id, or as ``sis_course_id:...``."""
        for entry in self.campus.subjects:
            if course in (str(course_id(entry)), f"sis_course_id:{entry.row['subjectId']}"):
                if entry.row["subjectId"] in self.closed:
                    message = "user not authorized to perform that action"
                    raise Refused(json({"status": "unauthorized", "errors": [{"message": message}]}, 403))
                return entry
        raise Refused(self.not_found())


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
