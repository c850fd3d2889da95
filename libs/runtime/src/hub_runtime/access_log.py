"""ASGI middleware around a whole app: a request id, one log line per answer, metrics, and the last resort for bugs."""

import re
import time

import structlog
from hub_model.ids import new_id
from prometheus_client import CollectorRegistry, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_runtime.http import problem_response

log = structlog.get_logger(__name__)

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_QUIET_PATHS = ("/health/", "/metrics")
_LOGGED_STEPS = 2
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class AccessLogMiddleware:
    """Gives each request an id (the client's ``X-Request-ID`` if it is plain), and logs method, path and status.

    Query strings are not logged: they name students. Nor is the rest of a path that no route has: it may be a secret
    of an address that was meant. An exception that reaches this place is a bug; it is logged,
    and answered with 500 unless an answer was given; an answer cut in the middle cuts the connection.
    """

    def __init__(self, app: ASGIApp, *, registry: CollectorRegistry | None = None) -> None:
        self._app = app
        self._durations = (
            Histogram(
                "http_server_request_duration_seconds",
                "Time from a request's first byte to the end of its answer.",
                ["method", "route", "status"],
                buckets=_BUCKETS_S,
                registry=registry,
            )
            if registry is not None
            else None
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        status, complete = 0, False

        async def send_with_id(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            except Exception as error:
                log.exception("http.failed", path=_loggable_path(scope))
                if not status:
                    await problem_response(error, scope)(scope, receive, send_with_id)
                elif not complete:
                    raise
            finally:
                self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, duration_s: float) -> None:
        write = log.debug if scope["path"].startswith(_QUIET_PATHS) else log.info
        write(
            "http.answered",
            method=scope["method"],
            path=_loggable_path(scope),
            status=status or None,  # none: the client went away first
            duration_ms=round(duration_s * 1000, 1),
        )
        if self._durations is not None:
            route = getattr(scope.get("route"), "path", "unmatched")
            self._durations.labels(_method(scope["method"]), route, str(status)).observe(duration_s)


def _loggable_path(scope: Scope) -> str:
    """The path; of one that led to no route, the first two steps."""
    path: str = scope["path"]
    if "route" in scope or path.count("/") <= _LOGGED_STEPS:
        return path
    return "/".join(path.split("/")[: _LOGGED_STEPS + 1]) + "/..."


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return new_id()


def _method(method: str) -> str:
    """Anything a client may invent must not become a label of its own."""
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"
