"""What can go wrong with an answer, on order: at chosen requests, or by lot."""

import random
from dataclasses import dataclass, field
from enum import StrEnum

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Kind(StrEnum):
    """``BUSY``: the vendor's own throttling. ``CUT``: the connection ends within the body. ``PAGE``: HTML with 200.

    ``MAINTENANCE``: HTML with 503. ``SLOW``: a right answer, late.
    """

    CRASH = "answers 500"
    BUSY = "is throttled"
    CUT = "is cut off"
    SLOW = "comes late"
    PAGE = "is a web page with 200"
    MAINTENANCE = "is a web page with 503"


@dataclass(slots=True)
class Fault:
    """Concerns requests whose text (``METHOD path?query body``) contains ``where``: after the first ``after`` of them
    the next ``times``, each with ``chance``. ``happened`` counts.
    """

    kind: Kind
    where: str = ""
    after: int = 0
    times: int = 1
    chance: float = 1.0
    retry_after_s: int = 1
    delay_s: float = 1.0
    happened: int = 0
    _seen: int = field(default=0, init=False)

    def strikes(self, request: str, lot: random.Random) -> bool:
        if self.where not in request or self.happened >= self.times:
            return False
        self._seen += 1
        if self._seen <= self.after or lot.random() >= self.chance:
            return False
        self.happened += 1
        return True


@dataclass(slots=True)
class Faults:
    """The faults that are ordered. The lot is drawn from a seed, so a run of requests meets the same ones again."""

    seed: int = 0
    ordered: list[Fault] = field(default_factory=list)
    _lot: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._lot = random.Random(self.seed)

    def order(self, kind: Kind, where: str = "", **options: int | float) -> Fault:
        fault = Fault(kind, where, **options)  # type: ignore[arg-type] # the options are those numbers that a fault has
        self.ordered.append(fault)
        return fault

    def next_for(self, request: str) -> Fault | None:
        return next((fault for fault in self.ordered if fault.strikes(request, self._lot)), None)


def web_page(status: int) -> Response:
    headers = {"retry-after": "1"} if status == 503 else None
    return HTMLResponse("<!DOCTYPE html><html><body><h1>We will be back soon</h1></body></html>", status, headers)


async def cut_off(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Announces the whole body, sends the first half of it, and lets the server drop the connection."""
    messages: list[Message] = []

    async def collect(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, collect)
    body = b"".join(message.get("body", b"") for message in messages)
    await send(messages[0])
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
