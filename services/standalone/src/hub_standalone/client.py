"""The hub's API as a client sees it: for the command line and the demo, which act as anyone else would."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx2
import orjson
from hub_model.errors import InvalidInput, Issue, PermanentError, Unavailable

Json = dict[str, Any]

_TIMEOUT_S = 60.0  # a connection test waits for a college's slow system
_PAGE_SIZE = 200
_MAX_ANSWER_BYTES = 64 * 1024


class ApiError(PermanentError):
    """The hub refused a request. ``issues`` name the fields and what to do about them."""

    code = "api_error"

    def __init__(self, message: str, *, status: int, code: str | None = None, issues: Sequence[Issue] = ()) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.issues = tuple(issues)


class HubClient:
    """One caller's view of one hub."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The decoded answer; None for an empty one. Raises ApiError, or Unavailable when there is no hub."""
        with self._translated():
            response = await self._http.request(method, path, params=params, headers=headers, json=body)
        if response.is_success:
            return _decoded(response) if response.content else None
        raise _api_error(response)

    async def integrations(self) -> list[Json]:
        return await self.all_of("/api/integrations")

    async def create(self, draft: Json) -> Json:
        """The new integration, with its webhook secret if one was made: it is never shown again."""
        return _object(await self.request("POST", "/api/integrations", body=draft))

    async def test(self, integration_id: str) -> Json:
        return _object(await self.request("POST", f"/api/integrations/{integration_id}/test"))

    async def follow_test(self, integration_id: str, on_check: Callable[[Json], None]) -> Json:
        """The test's result, each of its steps told to ``on_check`` as it is done."""
        path = f"/api/integrations/{integration_id}/test"
        with self._translated():
            async with self._http.stream("POST", path, headers={"accept": "text/event-stream"}) as response:
                if not response.is_success:
                    await response.aread()
                    raise _api_error(response)
                if not response.headers.get("content-type", "").startswith("text/event-stream"):
                    raise Unavailable("The address answered, but not like a hub: no events.")
                event = ""
                async for line in response.aiter_lines():
                    field, _, value = line.partition(": ")
                    if field == "event":
                        event = value
                    elif field == "data" and event == "check":
                        on_check(_object(orjson.loads(value)))
                    elif field == "data" and event == "result":
                        return _object(orjson.loads(value))
                    elif field == "data" and event == "problem":
                        raise _problem(_object(orjson.loads(value)), status=response.status_code)
        raise Unavailable(f"The hub at {self._http.base_url} broke off in the middle of the test.")

    async def sync(self, integration_id: str, *, full: bool = False) -> Json:
        """The run that was begun, or the one that was going on already. ``full``: all is read again, not changes."""
        params = {"mode": "full"} if full else None
        return _object(await self.request("POST", f"/api/integrations/{integration_id}/sync", params=params))

    async def run(self, integration_id: str, run_id: str) -> Json:
        return _object(await self.request("GET", f"/api/integrations/{integration_id}/runs/{run_id}"))

    async def logs(self, integration_id: str, *, limit: int) -> list[Json]:
        """The newest entries of the integration's log, newest first."""
        page = await self.request("GET", f"/api/integrations/{integration_id}/logs", params={"limit": limit})
        return list(page["items"])

    async def all_of(self, path: str, **params: str | int) -> list[Json]:
        """Every item of a list, page by page."""
        items: list[Json] = []
        query: dict[str, str | int] = {"limit": _PAGE_SIZE, **params}
        while True:
            page = _object(await self.request("GET", path, params=query))
            items += page["items"]
            if not page.get("nextCursor"):
                return items
            query["cursor"] = page["nextCursor"]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx2.ConnectError as error:
            raise Unavailable(
                f"No hub answers at {self._http.base_url}. Start one with `hub run`, or name another with --url."
            ) from error
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
            raise _not_an_address(str(self._http.base_url)) from error
        except httpx2.HTTPError as error:
            raise Unavailable(f"The hub at {self._http.base_url} did not answer: {type(error).__name__}.") from error


@dataclass(frozen=True, slots=True)
class Answer:
    """What any service says to a question that needs no token. ``body`` is empty unless it is a JSON object."""

    status: int
    body: Json
    date: str | None


async def ask(url: str, path: str) -> Answer:
    """The answer, whatever it is; Unavailable when nothing answers, InvalidInput when ``url`` is no address."""
    try:
        async with httpx2.AsyncClient(base_url=url, timeout=_TIMEOUT_S, trust_env=False) as http:
            async with http.stream("GET", path) as response:
                text = b""
                async for part in response.aiter_bytes():
                    text += part
                    if len(text) > _MAX_ANSWER_BYTES:
                        break
            return Answer(response.status_code, _object_or_nothing(text), response.headers.get("date"))
    except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
        raise _not_an_address(url) from error
    except httpx2.ConnectError as error:
        raise Unavailable("nothing answers there", code="nothing_there") from error
    except httpx2.HTTPError as error:
        raise Unavailable(f"no answer: {type(error).__name__}") from error


@asynccontextmanager
async def open_client(url: str, token: str) -> AsyncIterator[HubClient]:
    """A client for the hub at ``url``, acting as the bearer of ``token``."""
    headers = {"authorization": f"Bearer {token}"}
    if not token.isascii() or not token.isprintable():
        raise InvalidInput("That is not a token: it has characters no token has. Print one with `hub token`.")
    try:
        http = httpx2.AsyncClient(base_url=url, headers=headers, timeout=_TIMEOUT_S, trust_env=False)
    except httpx2.InvalidURL as error:
        raise _not_an_address(url) from error
    async with http:
        yield HubClient(http)


def _not_an_address(url: str) -> InvalidInput:
    return InvalidInput(f"{url!r} is not the address of a hub; write one such as http://127.0.0.1:8000.")


def _decoded(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise Unavailable(f"{response.request.url.host} answered, but not like a hub: no JSON.") from error


def _object(value: Any) -> Json:
    if not isinstance(value, dict):
        raise Unavailable("The address answered, but not like a hub: no JSON object.")
    return value


def _object_or_nothing(text: bytes) -> Json:
    try:
        value = orjson.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _api_error(response: httpx2.Response) -> ApiError:
    problem = _object(_decoded(response)) if "json" in response.headers.get("content-type", "") else {}
    return _problem(problem, status=response.status_code)


def _problem(problem: Json, *, status: int) -> ApiError:
    issues = [Issue(item["pointer"], item["code"], item["message"]) for item in problem.get("errors", ())]
    title = problem.get("title") or f"The hub answered {status}"
    detail = problem.get("detail")
    message = title if detail in (None, title) else f"{title}{'' if title.endswith('?') else ':'} {detail}"
    if status == HTTPStatus.UNAUTHORIZED:
        message += " Print one with `hub token`, where the hub's own keys and settings are."
    return ApiError(message, status=problem.get("status", status), code=problem.get("code"), issues=issues)
