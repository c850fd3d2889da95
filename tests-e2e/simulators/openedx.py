"""Open edX: courses with keys full of colons and pluses, enrolments by user name, one grade per course.

Of its habits: fractions for percentages, no letter for who has not passed, no row for whose grade cannot be computed.
"""

import base64
from urllib.parse import urlencode

from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.simulator import Refused, Simulator, cut, json, only
from hub_standalone.demo.simulated.tables import Entry
from hub_standalone.demo.world import Row
from simulators.oauth import TokenEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_LETTERS = ((80, "A"), (60, "B"), (40, "C"))
_MAX_PAGE = 100


class OpenEdx(Simulator):
    """User names are the students' ids; nothing else is known of a person. Whoever missed an examination has no grade.

    ``closed`` courses answer 403.
    """

    name = "open-edx"
    expresses = frozenset({DataType.STUDENTS, DataType.SUBJECTS, DataType.MARKS})
    client_id, client_secret = "edx-client", "edx-secret"

    def __init__(self, campus: Campus | None = None, *, seed: int = 0) -> None:
        super().__init__(campus, seed=seed)
        self.tokens = TokenEndpoint(self.client_id, self.client_secret, self.campus.clock.now, accepts=("body",))

    def routes(self) -> list[Route]:
        return [
            Route("/oauth2/access_token", self._token, methods=["POST"]),
            Route("/api/courses/v1/courses/", self._courses),
            Route("/api/enrollment/v1/enrollments", self._enrollments),
            Route("/api/grades/v1/courses/{course}/", self._grades),
        ]

    def connection(self) -> Row:
        url = f"{self.origin}/oauth2/access_token"
        return {"clientId": self.client_id, "clientSecret": self.client_secret, "tokenUrl": url}

    def throttled(self, retry_after_s: int) -> Response:
        message = f"Request was throttled. Expected available in {retry_after_s} seconds."
        return json({"detail": message}, 429, {"retry-after": str(retry_after_s)})

    def not_found(self) -> Response:
        return json({"developer_message": "Not found.", "error_code": "not_found"}, 404)

    async def _token(self, request: Request) -> Response:
        return await self.tokens.answer(request)

    async def _courses(self, request: Request) -> Response:
        """By number of page, which stands in ``pagination``."""
        self._admit(request)
        rows = [
            {
                "id": _key(entry),
                "course_id": _key(entry),
                "name": entry.row["name"],
                "number": entry.row["subjectId"],
                "org": "Riverside",
                "start": "2026-01-05T00:00:00Z",
                "end": None,
                "hidden": False,
            }
            for entry in self.campus.subjects
        ]
        page, size = (int(request.query_params.get(n, d)) for n, d in (("page", "1"), ("page_size", "10")))
        size = min(size, _MAX_PAGE)
        pages = -(-len(rows) // size)
        if page > pages:
            return json({"detail": "Invalid page."}, 404)
        following = str(request.url.include_query_params(page=page + 1)) if page < pages else None
        counts = {"count": len(rows), "num_pages": pages, "next": following, "previous": None}
        return json({"results": cut(rows, (page - 1) * size, size), "pagination": counts})

    async def _enrollments(self, request: Request) -> Response:
        subject = self._course(request, request.query_params.get("course_id", ""))
        rows = [
            {
                "created": "2026-01-05T06:00:00Z",
                "mode": "audit",
                "is_active": True,
                "user": entry.row["studentId"],
                "course_id": _key(subject),
            }
            for entry in self.campus.students_of(subject.row["subjectId"])
        ]
        return self._page(request, rows)

    async def _grades(self, request: Request) -> Response:
        return self._page(request, self._grades_of(self._course(request, request.path_params["course"])))

    def _grades_of(self, subject: Entry) -> list[Row]:
        rows = []
        for student in self.campus.students_of(subject.row["subjectId"]):
            marks = [e.row for e in self.campus.marks.by("studentId")[student.row["studentId"]]]
            mine = [row for row in marks if row["subjectId"] == subject.row["subjectId"]]
            points = [row["marksObtained"] for row in mine if row["marksObtained"] is not None]
            if not mine or len(points) < len(mine):
                continue
            percent = round(sum(points) * 100 / sum(row["maxMarks"] for row in mine))
            grade = {"percent": percent / 100, "letter_grade": next((w for at, w in _LETTERS if percent >= at), None)}
            person = {"username": student.row["studentId"], "email": student.row["email"], "course_id": _key(subject)}
            rows.append({**person, "passed": percent >= 40, **grade})
        return rows

    def _page(self, request: Request, rows: list[Row]) -> Response:
        """By an opaque cursor within the address of the next page."""
        query = request.query_params
        size = min(int(query.get("page_size", "50")), _MAX_PAGE)
        start = int(base64.b64decode(query["cursor"])) if query.get("cursor") else 0
        following = None
        if start + size < len(rows):
            cursor = base64.b64encode(str(start + size).encode()).decode()
            path = str(request.url).partition("?")[0]
            following = f"{path}?{urlencode({**dict(query), 'cursor': cursor})}"
        return json({"next": following, "previous": None, "results": cut(rows, start, size)})

    def _admit(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme not in ("Bearer", "JWT") or not self.tokens.holds(token):
            body = {"developer_message": "Authentication credentials were not provided.", "error_code": "not_provided"}
            raise Refused(json(body, 401, {"www-authenticate": 'JWT realm="api"'}))

    def _course(self, request: Request, key: str) -> Entry:
        self._admit(request)
        for entry in self.campus.subjects:
            if _key(entry) == key:
                if entry.row["subjectId"] in self.closed:
                    body = {"developer_message": "The user requested does not match", "error_code": "user_mismatch"}
                    raise Refused(json(body, 403))
                return entry
        raise Refused(self.not_found())

    def _open(self) -> list[Entry]:
        return [entry for entry in self.campus.subjects if entry.row["subjectId"] not in self.closed]

    def true_students(self) -> list[Row]:
        people = {
            p.number: p.row["studentId"] for e in self._open() for p in self.campus.students_of(e.row["subjectId"])
        }
        return [{"studentId": name, "name": name} for name in people.values()]

    def true_subjects(self) -> list[Row]:
        return [{"subjectId": _key(entry), **only(entry.row, "name")} for entry in self.campus.subjects]

    def true_marks(self) -> list[Row]:
        return [
            {
                "studentId": row["username"],
                "subjectId": row["course_id"],
                "examId": "course",
                "examType": "course_total",
                "percentage": round(row["percent"] * 100),
                "result": "pass" if row["passed"] else "fail",
                **({"grade": row["letter_grade"]} if row["letter_grade"] else {}),
            }
            for entry in self._open()
            for row in self._grades_of(entry)
        ]


def _key(subject: Entry) -> str:
    return f"course-v1:Riverside+{subject.row['subjectId']}+2026"
