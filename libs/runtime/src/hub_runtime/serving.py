"""The HTTP server: uvicorn with httptools in our own loop, and the app around the apps of the services."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Mapping

import uvicorn
from hub_model.errors import Unavailable
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from hub_runtime.access_log import AccessLogMiddleware
from hub_runtime.health import health_routes
from hub_runtime.http import problem_response
from hub_runtime.metrics import metrics_route
from hub_runtime.services import Readiness


def process_app(
    apps: Mapping[str, ASGIApp],
    *,
    readiness: Readiness,
    registry: CollectorRegistry,
) -> ASGIApp:
    """One app for one port: health, metrics, and each service's app under its path prefix.

    The longest prefix wins, and nothing is cut off the path. "" takes what no other prefix does.
    """
    operations = [*health_routes(readiness), metrics_route(registry)]
    by_length = sorted(apps.items(), key=lambda item: len(item[0]), reverse=True)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        for route in operations:
            match, child = route.matches(scope)
            if match is Match.PARTIAL:
                error = HTTPException(405, headers={"allow": ", ".join(sorted(route.methods or ()))})
                await problem_response(error, scope)(scope, receive, send)
                return
            if match is Match.FULL:
                scope.update(child)
                scope["route"] = route
                await route.handle(scope, receive, send)
                return
        try:
            readiness.check_started()
        except Unavailable as error:
            await problem_response(error, scope)(scope, receive, send)
            return
        path = scope["path"]
        for prefix, app in by_length:
            if not prefix or path == prefix or path.startswith(prefix + "/"):
                await app(scope, receive, send)
                return
        await problem_response(HTTPException(404), scope)(scope, receive, send)

    return AccessLogMiddleware(dispatch, registry=registry)


class HttpServer:
    """Serves one ASGI app on one address. Signals and logging are the process's, not uvicorn's."""

    def __init__(self, app: ASGIApp, *, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._server = _Server(
            uvicorn.Config(
                app,
                # Named, not "auto": without httptools uvicorn would fall back to a parser half as fast, silently.
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=15,
            )
        )
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port in use, also when 0 was asked for."""
        return self._port

    @property
    def parser(self) -> str:
        """The class that parses requests."""
        return self._server.config.http_protocol_class.__name__

    async def start(self) -> None:
        try:
            listener = socket.create_server(
                (self._host, self._port), family=socket.AF_INET6 if ":" in self._host else socket.AF_INET, backlog=2048
            )
        except OSError as error:
            raise Unavailable(f"cannot listen on {self._host}:{self._port}: {error.strerror}") from error
        listener.setblocking(False)
        # asyncio sets it only on sockets that name their protocol, which these do not. Without it an answer's body
        # waits 40 ms for the acknowledgement of its head.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._port = int(listener.getsockname()[1])
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="http-server")
        while not self._server.started:
            if self._task.done():
                await self._task
                raise Unavailable(f"the HTTP server on {self._host}:{self._port} ended as it started")
            await asyncio.sleep(0.005)

    async def stop(self, grace_s: float) -> bool:
        """Close the port, wait for answers in flight, then cut what is left; say whether nothing was cut."""
        if self._task is None:
            return True
        self._server.should_exit = True
        done, _ = await asyncio.wait([self._task], timeout=grace_s)
        if not done:
            self._server.cut()
            await asyncio.wait([self._task])
        self._task = None
        return bool(done)

    async def failed(self) -> None:
        if self._task is None:
            raise Unavailable("the HTTP server was not started")
        await asyncio.wait([self._task])


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # the process has its own handlers

    def cut(self) -> None:
        """Cancel the requests that are still being answered and close their connections."""
        self.force_exit = True
        for task in list(self.server_state.tasks):
            task.cancel()
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.close()
