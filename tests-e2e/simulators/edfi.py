"""Ed-Fi ODS/API: discovery, flat resources, change versions with deletes; everything that a school has.

Of its habits: an oversized limit is refused, versions are inclusive at both ends, categories are URIs and part of an
attendance event's key, so that a correction is a delete and a new event.
"""

from collections.abc import Callable

from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.simulator import Refused, cut, json
from hub_standalone.demo.simulated.tables import Table
from hub_standalone.demo.world import Row
from simulators.edfi_rows import SESSION, EdFiRows, Rows, event_key, guid
from simulators.oauth import TokenEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_MAX_LIMIT = 500


class EdFi(EdFiRows):
    """``has_change_queries`` may be off, as it is in many districts. ``closed`` is not used: access is by resource."""

    name = "edfi"
    client_id, client_secret = "edfi-key", "edfi-Secret"

    def __init__(self, campus: Campus | None = None, *, seed: int = 0, has_change_queries: bool = True) -> None:
        super().__init__(campus, seed=seed)
        self.has_change_queries = has_change_queries
        now = self.campus.clock.now
        self.tokens = TokenEndpoint(self.client_id, self.client_secret, now, accepts=("basic",), life_s=1800)
        self._resources: dict[str, Callable[[], Rows]] = {
            "students": self._students,
            "staffs": self._staffs,
            "courses": self._courses,
            "courseOfferings": self._offerings,
            "sections": self._sections,
            "studentSectionAssociations": self._enrolled,
            "staffSectionAssociations": self._teaching,
            "studentSchoolAssociations": self._at_school,
            "studentEducationOrganizationAssociations": self._contacts,
            "studentSectionAttendanceEvents": self._events,
            "gradebookEntries": self._entries,
            "studentGradebookEntries": self._scores,
            "classPeriods": self._periods,
            "bellSchedules": self._bells,
            "sessions": lambda: [(1, {"id": guid("session"), **SESSION, "totalInstructionalDays": 21})],
        }

    def routes(self) -> list[Route]:
        return [
            Route("/", self._discovery),
            Route("/oauth/token", self._token, methods=["POST"]),
            Route("/changeQueries/v1/availableChangeVersions", self._versions),
            Route("/data/v3/ed-fi/{resource}", self._list),
            Route("/data/v3/ed-fi/{resource}/deletes", self._deletes),
            Route("/data/v3/ed-fi/{resource}/keyChanges", self._key_changes),
        ]

    def connection(self) -> Row:
        url = f"{self.origin}/oauth/token"
        return {"clientId": self.client_id, "clientSecret": self.client_secret, "tokenUrl": url}

    def throttled(self, retry_after_s: int) -> Response:
        response = _problem(429, "too-many-requests", "Too Many Requests", "Slow down.")
        response.headers["retry-after"] = str(retry_after_s)
        return response

    def not_found(self) -> Response:
        return _problem(404, "not-found", "Not Found", "The specified data could not be found.")

    async def _discovery(self, request: Request) -> Response:
        urls = {
            "oauth": f"{self.origin}/oauth/token",
            "dataManagementApi": f"{self.origin}/data/v3/",
            "changeQueries": f"{self.origin}/changeQueries/v1/",
        }
        return json({"version": "7.3", "dataModels": [{"name": "Ed-Fi", "version": "5.2.0"}], "urls": urls})

    async def _token(self, request: Request) -> Response:
        return await self.tokens.answer(request)

    async def _versions(self, request: Request) -> Response:
        self._admit(request)
        self._check_change_queries()
        return json({"oldestChangeVersion": 0, "newestChangeVersion": self.campus.clock.version})

    async def _list(self, request: Request) -> Response:
        self._admit(request)
        make = self._resources.get(request.path_params["resource"])
        if make is None:
            return self.not_found()
        first, last = self._window(request)
        rows = self.rendered(request.path_params["resource"], make)
        return self._page(request, [row for version, row in rows if first <= version <= last])

    async def _deletes(self, request: Request) -> Response:
        """Only attendance, grades and students can be removed from the campus."""
        self._admit(request)
        self._check_change_queries()
        logs: dict[str, tuple[Table, Callable[[Row], Row]]] = {
            "students": (self.campus.students, lambda row: {"studentUniqueId": row["studentId"]}),
            "studentSectionAttendanceEvents": (self.campus.attendance, event_key),
            "studentGradebookEntries": (self.campus.marks, self._score_key),
        }
        if request.path_params["resource"] not in logs:
            return self._page(request, [])
        table, key_of = logs[request.path_params["resource"]]
        first, last = self._window(request)
        living = {guid(key_of(row)) for row in table.rows}
        gone: dict[str, Row] = {}
        for change in table.log:
            if change.before and first <= change.version <= last:
                key = key_of(change.before)
                gone[guid(key)] = {"id": guid(key), "changeVersion": change.version, "keyValues": key}
        return self._page(request, [row for guid, row in gone.items() if guid not in living])

    async def _key_changes(self, request: Request) -> Response:
        self._admit(request)
        self._check_change_queries()
        return self._page(request, [])

    def _page(self, request: Request, rows: list[Row]) -> Response:
        query = request.query_params
        texts = {name: query.get(name, default) for name, default in (("offset", "0"), ("limit", "25"))}
        if not texts["limit"].isdecimal() or int(texts["limit"]) > _MAX_LIMIT:
            detail = f"Limit must be omitted or set to a value between 0 and {_MAX_LIMIT}."
            return _problem(400, "bad-request:parameter", "Parameter Validation Failed", detail)
        if not texts["offset"].isdecimal():
            return _problem(400, "bad-request:parameter", "Parameter Validation Failed", "Offset must be a number.")
        headers = {"Total-Count": str(len(rows))} if query.get("totalCount", "").lower() == "true" else {}
        return json(cut(rows, int(texts["offset"]), int(texts["limit"])), headers=headers)

    def _window(self, request: Request) -> tuple[int, int]:
        query = request.query_params
        if "minChangeVersion" in query or "maxChangeVersion" in query:
            self._check_change_queries()
        newest = self.campus.clock.version
        return int(query.get("minChangeVersion", "0")), int(query.get("maxChangeVersion", str(newest)))

    def _check_change_queries(self) -> None:
        if not self.has_change_queries:
            detail = "The requested feature is disabled."
            raise Refused(_problem(404, "system-configuration:feature-disabled", "Not Found", detail))

    def _admit(self, request: Request) -> None:
        if not self.tokens.bearer_of(request):
            raise Refused(_problem(401, "security:authentication", "Authentication Failed", "Invalid bearer token."))


def _problem(status: int, kind: str, title: str, detail: str) -> Response:
    body = {"detail": detail, "type": f"urn:ed-fi:api:{kind}", "title": title, "status": status}
    response = json({**body, "correlationId": "4fd4f2a1", "validationErrors": {}, "errors": []}, status)
    response.headers["content-type"] = "application/problem+json"
    return response
