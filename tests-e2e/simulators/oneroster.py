"""OneRoster REST, versions 1.1 and 1.2: rostering and gradebook, without times of lessons and without attendance.

Of its habits: the wrapper is not named as the path, an oversized limit is clamped without a word, 1.2 here sends
neither ``Link`` nor ``X-Total-Count``, tombstones stay in the lists and hold hardly anything, 1.1 errors may be 200.
"""

import re
from typing import Any, ClassVar

from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.simulator import Refused, cut, json, only
from hub_standalone.demo.simulated.tables import Entry
from hub_standalone.demo.simulated.times import in_utc
from hub_standalone.demo.world import Row
from simulators.oauth import TokenEndpoint
from simulators.oauth1 import signed_by
from simulators.oneroster_rows import OneRosterRows
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

# The path of each collection, and the name under which its rows come.
_ROSTERING = {
    "orgs": "orgs",
    "schools": "orgs",
    "academicSessions": "academicSessions",
    "terms": "academicSessions",
    "courses": "courses",
    "classes": "classes",
    "users": "users",
    "students": "users",
    "teachers": "users",
    "enrollments": "enrollments",
}
_GRADEBOOK = {"categories": "categories", "lineItems": "lineItems", "results": "results"}
_SINGULAR = {"classes": "class", "categories": "category"}
_CONDITION = re.compile(r"^(\w+)\s*(!=|>=|<=|=|>|<|~)\s*'([^']*)'$")


class OneRoster(OneRosterRows):
    """What both versions share. ``max_limit`` is what an oversized limit is clamped to."""

    services: ClassVar[dict[str, str]]
    sends_headers: ClassVar[bool]
    max_limit: ClassVar[int]
    client_id, client_secret = "oneroster-client", "oneroster-Secret+/="

    def __init__(self, campus: Campus | None = None, *, seed: int = 0) -> None:
        super().__init__(campus, seed=seed)
        self.tokens = TokenEndpoint(self.client_id, self.client_secret, self.campus.clock.now, accepts=("basic",))

    def routes(self) -> list[Route]:
        routes = [Route("/oauth2/token", self._token, methods=["POST"])]
        for service, collections in (("rostering", _ROSTERING), ("gradebook", _GRADEBOOK)):
            for path in collections:
                routes.append(Route(f"{self.services[service]}/{path}", self._list))
                routes.append(Route(f"{self.services[service]}/{path}/{{id}}", self._one))
        return [*routes, Route(f"{self.services['rostering']}/classes/{{id}}/students", self._students_of)]

    def connection(self) -> Row:
        return {
            "clientId": self.client_id,
            "clientSecret": self.client_secret,
            "tokenUrl": f"{self.origin}/oauth2/token",
            "scope": " ".join(f"https://purl.imsglobal.org/spec/or/{self.version}/scope/{s}" for s in _SCOPES),
        }

    version: ClassVar[str]

    async def _token(self, request: Request) -> Response:
        return await self.tokens.answer(request)

    async def _list(self, request: Request) -> Response:
        self._admit(request)
        path = request.url.path.rsplit("/", 1)[-1]
        return self._page(request, path, self._rows(path))

    async def _students_of(self, request: Request) -> Response:
        self._admit(request)
        _, number, section = request.path_params["id"].split("-", 2)
        subject = self.campus.subjects.numbered(int(number))
        students = self.campus.students_of(subject.row["subjectId"], section) if subject else []
        return self._page(request, "students", [self.user(entry, "student") for entry in students])

    async def _one(self, request: Request) -> Response:
        self._admit(request)
        path = request.url.path.rsplit("/", 2)[-2]
        found = [row for row in self._rows(path) if row["sourcedId"] == request.path_params["id"]]
        if not found:
            return self.error(404, "unknownobject", "The object does not exist")
        wrapper = {**_ROSTERING, **_GRADEBOOK}[path]
        return json({_SINGULAR.get(wrapper, wrapper.removesuffix("s")): found[0]})

    def _page(self, request: Request, path: str, rows: list[Row]) -> Response:
        query = request.query_params
        if "filter" in query:
            rows = self._filtered(rows, query["filter"])
        if "sort" in query:
            if not any(query["sort"] in row for row in rows):
                raise Refused(self.error(400, "invalid_sort_field", "cannot sort by that"))
            rows = sorted(rows, key=lambda row: str(row.get(query["sort"], "")), reverse=query.get("orderBy") == "desc")
        for name in ("limit", "offset"):
            if not query.get(name, "1").isdecimal() or query.get(name) == "0" == query.get("limit"):
                raise Refused(self.error(400, "invaliddata", f"{name} is not a number"))
        limit, offset = min(int(query.get("limit", 100)), self.max_limit), int(query.get("offset", 0))
        page = list(cut(rows, offset, limit))
        if "fields" in query:
            page = [only(row, *query["fields"].split(",")) for row in page]
        headers = self._headers(request, len(rows), offset, limit) if self.sends_headers else {}
        return json({{**_ROSTERING, **_GRADEBOOK}[path]: page}, headers=headers)

    def _headers(self, request: Request, total: int, offset: int, limit: int) -> dict[str, str]:
        links = []
        if offset + limit < total:
            links.append(f'<{request.url.include_query_params(limit=limit, offset=offset + limit)}>; rel="next"')
        if offset:
            before = request.url.include_query_params(limit=limit, offset=max(0, offset - limit))
            links.append(f'<{before}>; rel="prev"')
        return {"X-Total-Count": str(total)} | ({"Link": ", ".join(links)} if links else {})

    def _filtered(self, rows: list[Row], text: str) -> list[Row]:
        parts = re.split(r" (AND|OR) ", text)
        conditions = [_CONDITION.match(part.strip()) for part in parts[::2]]
        names = {name for row in rows for name in row}
        if len(parts) > 3 or any(condition is None or condition[1] not in names for condition in conditions):
            raise Refused(self.error(400, "invalid_filter_field", "bad filter"))
        combine = any if parts[1:2] == ["OR"] else all
        return [row for row in rows if combine(_holds(row.get(c[1]), c[2], c[3]) for c in conditions if c)]

    def _admit(self, request: Request) -> None:
        if not self.tokens.bearer_of(request):
            raise Refused(self.error(401, "unauthorisedrequest", "The request was not correctly authorised"))

    def error(self, status: int, minor: str, description: str) -> Response:
        raise NotImplementedError

    def throttled(self, retry_after_s: int) -> Response:
        return self.error(429, "server_busy", "The server is receiving too many requests")

    def not_found(self) -> Response:
        return self.error(404, "unknownobject", "There is no such service")


_SCOPES = ("roster.readonly", "roster-core.readonly", "gradebook.readonly")


class OneRoster11(OneRoster):
    """Version 1.1: flags are text, one ``role`` and ``orgs`` per user, both paging headers. ``oauth1`` asks for signed
    requests instead of tokens. Users bring a password along, which nobody may keep.
    """

    name = "oneroster-1.1"
    version = "v1p1"
    base_path = "/ims/oneroster/v1p1"
    services = dict.fromkeys(("rostering", "gradebook"), base_path)
    sends_headers = True
    max_limit = 500
    consumer_key, consumer_secret = "oneroster-key", "oneroster-consumer-secret"
    password = "hunter2-of-a-pupil"

    def __init__(self, campus: Campus | None = None, *, seed: int = 0, oauth1: bool = False) -> None:
        super().__init__(campus, seed=seed)
        self._oauth1 = oauth1
        self._nonces: set[str] = set()

    def connection(self) -> Row:
        if self._oauth1:
            return {"consumerKey": self.consumer_key, "consumerSecret": self.consumer_secret}
        return super().connection()

    def _admit(self, request: Request) -> None:
        if self._oauth1 and signed_by(request, self.consumer_key, self.consumer_secret, self._nonces):
            return
        super()._admit(request)

    def error(self, status: int, minor: str, description: str) -> Response:
        info = {"imsx_codeMajor": "failure", "imsx_severity": "error", "imsx_description": description}
        body = {"statusInfoSet": [{**info, "imsx_codeMinor": minor}]}
        headers = {"retry-after": "1"} if status == 429 else None
        return json(body, 200 if status == 400 else status, headers)

    def user(self, entry: Entry, role: str) -> Row:
        row = super().user(entry, role)
        if entry.deleted:
            return row
        orgs = [self.department(entry.row["department"])]
        enabled = self.flag(entry.row["status"] == "active")
        return {**row, "enabledUser": enabled, "role": role, "orgs": orgs, "password": self.password}

    def flag(self, value: bool) -> str:
        return str(value).lower()

    def score_date(self, mark: Entry) -> str:
        return in_utc(mark.modified, "%Y-%m-%d")


class OneRoster12(OneRoster):
    """Version 1.2: real booleans, ``roles``, no paging headers at all, and a limit clamped to 150."""

    name = "oneroster-1.2"
    version = "v1p2"
    base_path = "/ims/oneroster"
    services: ClassVar = {"rostering": f"{base_path}/rostering/v1p2", "gradebook": f"{base_path}/gradebook/v1p2"}
    sends_headers = False
    max_limit = 150

    def error(self, status: int, minor: str, description: str) -> Response:
        fields = [{"imsx_codeMinorFieldName": "TargetEndSystem", "imsx_codeMinorFieldValue": minor}]
        info = {"imsx_codeMajor": "failure", "imsx_severity": "error", "imsx_description": description}
        headers = {"retry-after": "1"} if status == 429 else None
        return json({**info, "imsx_CodeMinor": {"imsx_codeMinorField": fields}}, status, headers)

    def user(self, entry: Entry, role: str) -> Row:
        row = super().user(entry, role)
        if entry.deleted:
            return row
        roles = [{"roleType": "primary", "role": role, "org": self.department(entry.row["department"])}]
        return {**row, "enabledUser": self.flag(entry.row["status"] == "active"), "roles": roles, "userIds": []}

    def flag(self, value: bool) -> bool:
        return value

    def score_date(self, mark: Entry) -> str:
        return in_utc(mark.modified)


def _holds(value: Any, operator: str, text: str) -> bool:
    """Numbers compare as such, all else as text. What is not there equals nothing."""
    if value is None:
        return operator == "!="
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _compared(float(value), operator, float(text))
    given = str(value).lower() if isinstance(value, bool) else str(value)
    return text in given if operator == "~" else _compared(given, operator, text)


def _compared(given: Any, operator: str, wanted: Any) -> bool:
    outcomes: dict[str, bool] = {
        "=": given == wanted,
        "!=": given != wanted,
        ">": given > wanted,
        ">=": given >= wanted,
        "<": given < wanted,
        "<=": given <= wanted,
    }
    return outcomes[operator]
