"""A simulated college on loopback: an ERP behind a bearer token, a biometric system behind an API key, and an LMS.

The first two answer in pages, and each of the mishaps below happens once. Restarting the college brings them back.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

import orjson
from hub_model.errors import InvalidInput
from hub_runtime.serving import HttpServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from hub_standalone.demo.simulated.moodle import Moodle
from hub_standalone.demo.world import Row, World

MAX_PAGE_SIZE = 100
SLOW_PAGE_S = 1.5
_LMS_PATH = "/lms"


class Mishap(StrEnum):
    """What goes wrong with a page, the first time it is asked for."""

    CRASH = "answers 500"
    BUSY = "answers 429 with Retry-After: 1"
    SLOW = "takes 1.5 seconds"


_MISHAPS = {
    ("/attendance/records", 5): Mishap.CRASH,
    ("/attendance/records", 9): Mishap.SLOW,
    ("/examination/results", 4): Mishap.BUSY,
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the college's own administrator hands out."""

    erp_token: str
    biometric_key: str
    college_code: str


class College:
    """The systems over one world. ``mishaps`` lists what has gone wrong so far, for whoever wants to see it.

    ``lms`` has been made of the same world; without one there are the other two.
    """

    def __init__(self, world: World, credentials: Credentials, lms: Moodle | None = None) -> None:
        self.world = world
        self.lms = lms
        self.base_url = ""
        self.mishaps: list[Mishap] = []
        self._credentials = credentials
        self._pending = dict(_MISHAPS)
        erp = {
            "/students/list": world.students,
            "/staff/list": world.faculty,
            "/subjects/list": world.subjects,
            "/timetable": world.timetable,
            "/attendance/records": world.attendance,
            "/examination/results": world.marks,
        }
        routes: list[BaseRoute] = [self._feed("/api/v1", path, rows, self._refuse_erp) for path, rows in erp.items()]
        routes.append(self._feed("", "/api/attendance/today", world.biometric, self._refuse_biometric))
        if lms is not None:
            routes.append(Mount(_LMS_PATH, lms))
        self.app = Starlette(routes=routes)

    @property
    def erp_url(self) -> str:
        return f"{self.base_url}/api/v1"

    def settle_at(self, base_url: str) -> None:
        """Say where the systems are."""
        self.base_url = base_url
        if self.lms is not None:
            self.lms.origin = base_url + _LMS_PATH

    def let_in_late(self) -> Row:
        """An absent student arrives after all: the biometric system knows it from now on, and would push this row."""
        rows = self.world.biometric
        index = next(index for index, row in enumerate(rows) if row["attendance"] == "absent")
        arrival = f"{rows[index]['date']}T09:47:03+05:30"
        rows[index] = {**rows[index], "attendance": "late", "checkInAt": arrival}
        return rows[index]

    def _feed(self, prefix: str, path: str, rows: list[Row], refuse: Callable[[Request], Response | None]) -> Route:
        async def answer(request: Request) -> Response:
            refusal = refuse(request)
            if refusal is not None:
                return refusal
            try:
                page = int(request.query_params.get("page", "1"))
                limit = min(int(request.query_params.get("limit", MAX_PAGE_SIZE)), MAX_PAGE_SIZE)
            except ValueError:
                return _error(400, "page and limit are whole numbers")
            if page < 1 or limit < 1:
                return _error(400, "page and limit begin at 1")
            return await self._mishap(path, page) or _page(rows, page, limit)

        return Route(prefix + path, answer)

    async def _mishap(self, path: str, page: int) -> Response | None:
        mishap = self._pending.pop((path, page), None)
        if mishap is None:
            return None
        self.mishaps.append(mishap)
        if mishap is Mishap.CRASH:
            return _error(500, "unexpected error")
        if mishap is Mishap.BUSY:
            return _error(429, "too many requests", {"retry-after": "1"})
        await asyncio.sleep(SLOW_PAGE_S)
        return None

    def _refuse_erp(self, request: Request) -> Response | None:
        if _same(request.headers.get("authorization", ""), f"Bearer {self._credentials.erp_token}"):
            return None
        return _error(401, "invalid or missing token", {"www-authenticate": "Bearer"})

    def _refuse_biometric(self, request: Request) -> Response | None:
        if not _same(request.headers.get("x-api-key", ""), self._credentials.biometric_key):
            return _error(401, "invalid or missing API key")
        if not _same(request.headers.get("x-college-id", ""), self._credentials.college_code):
            return _error(403, "this key belongs to another college")
        return None


@asynccontextmanager
async def serve_college(college: College, *, public_url: str | None = None) -> AsyncIterator[College]:
    """The college on a free port of loopback while the block runs, or on the port of ``public_url``, for everybody.

    ``base_url`` says where it is.
    """
    if public_url is None:
        server = HttpServer(college.app, host="127.0.0.1", port=0)
    else:
        server = HttpServer(college.app, host="0.0.0.0", port=_port_of(public_url))  # noqa: S104 - the hub is elsewhere
    await server.start()
    try:
        college.settle_at((public_url or f"http://127.0.0.1:{server.port}").rstrip("/"))
        yield college
    finally:
        await server.stop(1.0)


def _port_of(url: str) -> int:
    try:
        port = urlsplit(url).port
    except ValueError:
        port = None
    if not port or not url.startswith("http://"):
        raise InvalidInput(f"{url!r} is not where a simulated college can be; write one such as http://demo:9000.")
    return port


def _page(rows: list[Row], page: int, limit: int) -> Response:
    """One page in the envelope of the integration guide; beyond the last page it is empty."""
    first = (page - 1) * limit
    return _json(
        200,
        {
            "success": True,
            "data": rows[first : first + limit],
            "pagination": {"page": page, "limit": limit, "total": len(rows)},
        },
    )


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return _json(status, {"success": False, "error": {"message": message}}, headers)


def _json(status: int, body: dict[str, object], headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
