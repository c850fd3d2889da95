"""What every simulated vendor has: a campus, credentials, faults on order, a list of what was asked, and the truth."""

import asyncio
import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar
from urllib.parse import parse_qsl

import orjson
from hub_model.records import DataType
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.faults import Faults, Kind, cut_off, web_page
from hub_standalone.demo.world import Row

T = TypeVar("T")


class Refused(Exception):
    """Ends the handling of a request with this answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. ``text`` is ``METHOD path?query body``."""

    text: str
    status: int


class Simulator:
    """An ASGI app over a campus. ``origin`` is set once it is served; ``base_url`` is what a principal enters.

    ``closed`` holds the ids of subjects whose course this account may not see, where the vendor has such a thing.
    ``faults.order(...)`` makes answers fail; ``asked`` has every request in order. ``most_at_once`` is the largest
    number of requests that were in work at the same time.
    """

    name: ClassVar[str]
    base_path: ClassVar[str] = ""
    # The data types that this vendor's API can give, and so those that ``truth`` is not empty for.
    expresses: ClassVar[frozenset[DataType]]
    # Those of which it says that a record was withdrawn.
    shows_deletes: ClassVar[frozenset[DataType]] = frozenset()

    def __init__(self, campus: Campus | None = None, *, seed: int = 0) -> None:
        self.campus = campus or Campus()
        self.origin = "http://simulator.invalid"
        self.faults = Faults(seed)
        self.closed: set[str] = set()
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self._at_once = 0
        self._rendered: dict[object, tuple[int, list[Any]]] = {}
        self._app = Starlette(routes=self.routes(), exception_handlers={Refused: _refuse, HTTPException: self._unknown})

    @property
    def base_url(self) -> str:
        return self.origin + self.base_path

    def routes(self) -> list[Route]:
        raise NotImplementedError

    def connection(self) -> Row:
        """What a principal would enter of this vendor beside ``base_url``: credentials and settings."""
        raise NotImplementedError

    def truth(self, data_type: DataType) -> list[Row]:
        """The canonical records that a hub should hold after a complete sync, with what this vendor can express."""
        maker: Callable[[], list[Row]] = getattr(self, f"true_{data_type.value}", list)
        return maker()

    def throttled(self, retry_after_s: int) -> Response:
        """What too many requests are answered with."""
        return Response("Too Many Requests", 429, {"retry-after": str(retry_after_s)}, "text/plain")

    def not_found(self) -> Response:
        """What an address that does not exist is answered with."""
        return json({"error": "not found"}, 404)

    def rendered(self, key: object, make: Callable[[], Iterable[T]]) -> list[T]:
        """What ``make`` makes of the campus, kept until the campus changes."""
        version = self.campus.clock.version
        if self._rendered.get(key, (None, []))[0] != version:
            self._rendered[key] = (version, list(make()))
        return self._rendered[key][1]

    def count(self, where: str = "") -> int:
        """How many requests contained that text."""
        return sum(where in asked.text for asked in self.asked)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await Request(scope, receive).body()
        query = scope["query_string"].decode("latin-1")
        text = f"{scope['method']} {scope['path']}?{query} {body.decode('latin-1')}"
        status = 0

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def watch(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await self._answer(text, scope, replay, watch)
        finally:
            self._at_once -= 1
            self.asked.append(Asked(text, status))

    async def _answer(self, text: str, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self.faults.next_for(text)
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.kind is Kind.CUT:
            await cut_off(self._app, scope, receive, send)
        elif fault.kind is Kind.SLOW:
            await asyncio.sleep(fault.delay_s)
            await self._app(scope, receive, send)
        else:
            responses = {
                Kind.CRASH: Response("Internal Server Error", 500, media_type="text/plain"),
                Kind.BUSY: self.throttled(fault.retry_after_s),
                Kind.PAGE: web_page(200),
                Kind.MAINTENANCE: web_page(503),
            }
            await responses[fault.kind](scope, receive, send)

    async def _unknown(self, request: Request, error: Exception) -> Response:
        return self.not_found()


def json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json")


def same(given: str | None, expected: str) -> bool:
    return hmac.compare_digest((given or "").encode(), expected.encode())


def number(request: Request, name: str, default: int, refusal: Response) -> int:
    """A query parameter that is a whole number from 0 on; anything else gets the refusal."""
    text = request.query_params.get(name, str(default))
    if not text.isdecimal():
        raise Refused(refusal)
    return int(text)


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form in the body, the last of each name."""
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))


def only(row: Row, *names: str) -> Row:
    """Those fields that have a value."""
    return {name: row[name] for name in names if row.get(name) is not None}


def cut(rows: Sequence[Any], offset: int, limit: int) -> Sequence[Any]:
    return rows[offset : offset + limit]


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return error.response
