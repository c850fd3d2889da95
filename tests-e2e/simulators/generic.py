"""A college's own REST API, as the integration guide asks for it: the hub's field names, all six data types.

How it pages is a matter of taste, so every taste is here.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum

from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.simulator import Refused, Simulator, cut, json, same
from hub_standalone.demo.simulated.tables import Entry, Table
from hub_standalone.demo.simulated.times import canonical
from hub_standalone.demo.world import Row
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_MAX_LIMIT = 500


class Paging(StrEnum):
    """``GUIDE``: the envelope of the integration guide. ``BARE``: a list, and nothing that says whether to go on."""

    GUIDE = "guide"
    CURSOR = "cursor"
    LINK = "link"
    NEXT = "next"
    BARE = "bare"


class GenericRest(Simulator):
    """``?updatedSince=`` gives what changed from then on, and then also what was removed, with ``"deleted": true``."""

    name = "generic-rest"
    base_path = "/api/v1"
    expresses = frozenset(DataType) - {DataType.CUSTOM}
    token = "generic-bearer-token"

    def __init__(self, campus: Campus | None = None, *, seed: int = 0, paging: Paging = Paging.GUIDE) -> None:
        super().__init__(campus, seed=seed)
        self._paging = paging

    def routes(self) -> list[Route]:
        tables = {kind: self._table(kind) for kind in DataType if kind in self.expresses}
        return [Route(f"/api/v1/{kind.value}", self._list(table)) for kind, table in tables.items()]

    def connection(self) -> Row:
        return {"token": self.token}

    def throttled(self, retry_after_s: int) -> Response:
        return _error(429, "too many requests", {"retry-after": str(retry_after_s)})

    def not_found(self) -> Response:
        return _error(404, "there is no such resource")

    def _table(self, kind: DataType) -> Table:
        table: Table = getattr(self.campus, kind.value)
        return table

    def _list(self, table: Table) -> Callable[[Request], object]:
        async def answer(request: Request) -> Response:
            if not same(request.headers.get("authorization"), f"Bearer {self.token}"):
                return _error(401, "invalid or missing token", {"www-authenticate": "Bearer"})
            since = request.query_params.get("updatedSince")
            try:
                start = datetime.fromisoformat(since) if since else None
            except ValueError:
                return _error(400, "updatedSince is not a moment")
            entries = [e for e in table.with_deleted if _is_due(e, start)]
            return self._page(request, entries)

        return answer

    def _page(self, request: Request, entries: list[Entry]) -> Response:
        query = request.query_params
        limit = min(_whole(query.get("limit", "100")), _MAX_LIMIT)
        if self._paging is Paging.CURSOR:
            start = _whole(query.get("cursor", "c1")[1:]) - 1
        else:
            start = (_whole(query.get("page", "1")) - 1) * limit
        page = [_row(entry) for entry in cut(entries, start, limit)]
        has_more = start + limit < len(entries)
        following = str(request.url.include_query_params(page=start // limit + 2, limit=limit)) if has_more else None
        if self._paging is Paging.GUIDE:
            counts = {"page": start // limit + 1, "limit": limit, "total": len(entries)}
            return json({"success": True, "data": page, "pagination": counts})
        if self._paging is Paging.CURSOR:
            return json({"data": page, "nextCursor": f"c{start + limit + 1}" if has_more else None})
        if self._paging is Paging.NEXT:
            return json({"data": page, "next": following})
        headers = {"Link": f'<{following}>; rel="next"'} if self._paging is Paging.LINK and following else None
        return json(page, headers=headers)

    def truth(self, data_type: DataType) -> list[Row]:
        if data_type not in self.expresses:
            return []
        return [
            {**row, "gradedAt": canonical(datetime.fromisoformat(row["gradedAt"]))} if "gradedAt" in row else row
            for row in self._table(data_type).rows
        ]


def _row(entry: Entry) -> Row:
    """What can be computed is not sent."""
    row = {name: value for name, value in entry.row.items() if name != "percentage"}
    row["updatedAt"] = entry.modified.astimezone(UTC).isoformat()
    return {**row, "deleted": True} if entry.deleted else row


def _is_due(entry: Entry, since: datetime | None) -> bool:
    return not entry.deleted if since is None else entry.modified >= since


def _whole(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise Refused(_error(400, "page, limit and cursor begin at 1"))
    return int(text)


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return json({"success": False, "error": {"message": message}}, status, headers)
