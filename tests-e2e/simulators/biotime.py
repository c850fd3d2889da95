"""ZKTeco BioTime (EasyTime Pro): people and raw punches; a day has to be put together from them.

Of its habits: a token by a login call, local times without a zone, late uploads, ``next`` with the server's own host,
errors within 200, codes with leading zeros.
"""

from datetime import datetime

from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.punches import DEVICES, days_of
from hub_standalone.demo.simulated.simulator import Refused, Simulator, cut, json, same
from hub_standalone.demo.simulated.tables import Entry
from hub_standalone.demo.simulated.times import in_india
from hub_standalone.demo.world import Row
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_INNER = "http://127.0.0.1:8081"  # what the server believes to be its address


class BioTime(Simulator):
    """Everybody has ``emp_code`` for an id, students are all the employees there are. ``is_licensed``: whether the API
    is. ``max_page`` is what an oversized page is clamped to.
    """

    name = "zkteco-biotime"
    expresses = frozenset({DataType.STUDENTS, DataType.ATTENDANCE})
    username, password = "hub", "bio-Time#1"
    max_page = 500

    def __init__(self, campus: Campus | None = None, *, seed: int = 0, is_licensed: bool = True) -> None:
        super().__init__(campus, seed=seed)
        self.is_licensed = is_licensed
        self.token = "eyJhbGciOi.biotime-token.x"
        self.logins = 0

    def routes(self) -> list[Route]:
        return [
            Route("/jwt-api-token-auth/", self._login, methods=["POST"]),
            Route("/api-token-auth/", self._login, methods=["POST"]),
            Route("/iclock/api/transactions/", self._transactions),
            Route("/iclock/api/terminals/", self._terminals),
            Route("/personnel/api/employees/", self._employees),
            Route("/personnel/api/departments/", self._departments),
        ]

    def connection(self) -> Row:
        return {"username": self.username, "password": self.password, "since": "2026-02-01"}

    def not_found(self) -> Response:
        return json({"detail": "Not found."}, 404)

    def expire(self) -> None:
        """Ends the token that everybody has; logging in gives another."""
        self.token = f"eyJhbGciOi.biotime-token.{self.logins}"

    async def _login(self, request: Request) -> Response:
        try:
            given = await request.json()
        except ValueError:
            return json({"detail": "JSON parse error"}, 400)
        if not (same(given.get("username"), self.username) and same(given.get("password"), self.password)):
            return json({"non_field_errors": ["Unable to log in with provided credentials."]}, 400)
        self.logins += 1
        return json({"token": self.token})

    async def _employees(self, request: Request) -> Response:
        self._admit(request)
        names = sorted({row["department"] for row in self.campus.students.rows})
        rows = [
            {
                "id": entry.number,
                "emp_code": entry.row["biometricId"],
                "first_name": entry.row["firstName"],
                "last_name": entry.row["lastName"],
                "mobile": entry.row["phone"],
                "department": _department(names, entry.row["department"]),
                "position": {"id": 1, "position_code": "1", "position_name": "Student"},
                "hire_date": entry.row["admissionDate"],
            }
            for entry in self.campus.students
        ]
        return self._page(request, rows)

    async def _departments(self, request: Request) -> Response:
        self._admit(request)
        names = sorted({row["department"] for row in self.campus.students.rows})
        return self._page(request, [_department(names, name) for name in names])

    async def _terminals(self, request: Request) -> Response:
        self._admit(request)
        return self._page(request, [{"id": i, "sn": sn, "alias": f"Gate {i}"} for i, sn in enumerate(DEVICES, 1)])

    async def _transactions(self, request: Request) -> Response:
        """Filters are by the time of the punch, both ends included."""
        self._admit(request)
        query = request.query_params
        for name in ("start_time", "end_time"):
            if name in query and not _is_stamp(query[name]):
                return json({**_EMPTY, "msg": f"{name} is not valid", "code": -1})
        first, last = query.get("start_time", ""), query.get("end_time", "9999")
        every = self.rendered("transactions", lambda: map(self._transaction, self.campus.punches))
        rows = [row for row in every if first <= row["punch_time"] <= last]
        return self._page(request, [row for row in rows if query.get("emp_code", row["emp_code"]) == row["emp_code"]])

    def _transaction(self, entry: Entry) -> Row:
        at, uploaded = (datetime.fromisoformat(entry.row[name]) for name in ("punchedAt", "uploadedAt"))
        first, _, last = entry.row["name"].partition(" ")
        return {
            "id": 5000 + entry.number,
            "emp_code": entry.row["personCode"],
            "first_name": first,
            "last_name": last,
            "punch_time": in_india(at),
            "punch_state": {"in": "0", "out": "1"}[entry.row["direction"]],
            "punch_state_display": None,
            "verify_type": 1,
            "terminal_sn": entry.row["device"],
            "terminal_alias": f"Gate {DEVICES.index(entry.row['device']) + 1}",
            "upload_time": in_india(uploaded),
        }

    def _page(self, request: Request, rows: list[Row]) -> Response:
        query = request.query_params
        page, size = query.get("page", "1"), query.get("page_size", "10")
        if not (page.isdecimal() and size.isdecimal() and int(page) and int(size)):
            return json({"detail": "Invalid page."}, 404)
        limit = min(int(size), self.max_page)
        start = (int(page) - 1) * limit
        if start and start >= len(rows):
            return json({"detail": "Invalid page."}, 404)
        neighbours = {"next": int(page) + 1 if start + limit < len(rows) else 0, "previous": int(page) - 1}
        urls = {name: self._inner(request, number) if number else None for name, number in neighbours.items()}
        return json({"count": len(rows), **urls, "msg": "", "code": 0, "data": cut(rows, start, limit)})

    def _inner(self, request: Request, page: int) -> str:
        url = request.url.include_query_params(page=page)
        return f"{_INNER}{url.path}?{url.query}"

    def _admit(self, request: Request) -> None:
        if not self.is_licensed:
            raise Refused(json({"code": "IsNotOpenAPI", "detail": "The API is not licensed"}, 403))
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme not in ("JWT", "Token") or not same(token, self.token):
            message = "Authentication credentials were not provided." if not scheme else "Signature has expired."
            raise Refused(json({"detail": message}, 401, {"www-authenticate": 'JWT realm="api"'}))

    def true_students(self) -> list[Row]:
        return [
            {
                "studentId": row["biometricId"],
                "name": row["name"],
                "department": row["department"],
                "phone": row["phone"],
            }
            for row in self.campus.students.rows
        ]

    def true_attendance(self) -> list[Row]:
        return days_of(self.campus.punches.rows)


_EMPTY: Row = {"count": 0, "next": None, "previous": None, "data": []}


def _department(names: list[str], name: str) -> Row:
    number = names.index(name) + 1
    return {"id": number, "dept_code": str(number), "dept_name": name}


def _is_stamp(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - it has no zone
    except ValueError:
        return False
    return True
