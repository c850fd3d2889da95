"""Requests as a patient caller sends them: to any replica that answers, again until one has taken it."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import httpx2

_PAUSE_S = 0.2
_ANSWER_S = 15.0


class StillAtWork(Exception):
    """A request with this key was sent before and has no answer yet; if its process has died, it never will."""


class Caller:
    """Sends to the replicas in turn, as a load balancer would; what is refused for good is an error."""

    def __init__(self, urls: Sequence[str], headers: Mapping[str, str] | None = None) -> None:
        self._urls = urls
        self._turn = count()
        self._http = httpx2.AsyncClient(headers=headers, timeout=_ANSWER_S, trust_env=False)

    async def until_taken(self, method: str, path: str, **request: Any) -> httpx2.Response:
        """The first answer that is not about trouble on the way (no answer, 429, 5xx). Raises StillAtWork."""
        while True:
            url = self._urls[next(self._turn) % len(self._urls)]
            try:
                response = await self._http.request(method, f"{url}{path}", **request)
            except httpx2.TransportError:
                await asyncio.sleep(_PAUSE_S)
                continue
            if response.status_code < 500 and response.status_code != 429:
                if _is_under_way(response):
                    raise StillAtWork
                if not response.is_success:
                    raise RuntimeError(f"{method} {path}: {response.status_code} {response.text}")
                return response
            await asyncio.sleep(_PAUSE_S)

    async def all_of(self, path: str) -> list[dict[str, Any]]:
        """Every item of a list, page by page."""
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await self.until_taken("GET", path, params={"limit": 200, **cursor})).json()
            items += page["items"]
            if not page.get("nextCursor"):
                return items
            cursor = {"cursor": page["nextCursor"]}

    async def close(self) -> None:
        await self._http.aclose()


def _is_under_way(response: httpx2.Response) -> bool:
    return response.status_code == 409 and response.json().get("code") == "idempotency_in_progress"
