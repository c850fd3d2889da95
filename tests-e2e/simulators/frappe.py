"""Frappe Education (ERPNext): every document type under one address, lists that show only names unless asked.

Of its habits: JSON texts within the query, twenty rows a page, times without a leading zero, naive moments in the
site's zone, checks as 0 and 1, corrections as a cancelled document and an amended one, errors within errors.
"""

import base64
import re
from collections.abc import Callable
from typing import Any

import orjson
from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.simulator import Refused, cut, json, same
from hub_standalone.demo.world import Row
from simulators.frappe_rows import FrappeRows
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

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


class Frappe(FrappeRows):
    """A correction of attendance or marks cancels the document and submits an amended one, with another name."""

    name = "frappe-education"
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
        """The pair may come after the word token, or as HTTP's own Basic."""
        given = request.headers.get("authorization")
        if given is None:
            raise Refused(_error(403, "PermissionError", "Not permitted"))
        pair = f"{self.api_key}:{self.api_secret}"
        basic = base64.b64encode(pair.encode()).decode()
        if not (same(given, f"token {pair}") or same(given, f"Basic {basic}")):
            raise Refused(_error(401, "AuthenticationError", "Authentication failed"))


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
