"""The HTTP server on a real socket, and the health routes in front of it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx2
import pytest
from hub_model.errors import Unavailable
from hub_runtime.body_limit import BodyLimitMiddleware
from hub_runtime.metrics import new_registry
from hub_runtime.services import Readiness, Service
from hub_runtime.serving import HttpServer, process_app
from starlette.types import ASGIApp, Receive, Scope, Send


class SlowApp:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.entered.set()
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[tuple[HttpServer, httpx2.AsyncClient]]:
    server = HttpServer(app, host="127.0.0.1", port=0)
    await server.start()
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
            yield server, client
    finally:
        await server.stop(0.1)


def a_service(name: str, *, counts: Callable[[], Mapping[str, int]] | None = None) -> Service:
    async def start() -> None: ...

    async def stop(_: float) -> bool:
        return True

    return Service(name=name, start=start, stop=stop, counts=counts)


async def test_a_request_in_flight_is_answered_before_the_server_stops() -> None:
    app = SlowApp()
    async with serving(app) as (server, client):
        answer = asyncio.create_task(client.get("/"))
        await app.entered.wait()
        stopping = asyncio.create_task(server.stop(5))
        asyncio.get_running_loop().call_later(0.2, app.go.set)
        assert await stopping is True
        assert (await answer).text == "done"


async def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head() -> None:
    app = SlowApp()
    async with serving(app) as (server, client):
        answer = asyncio.create_task(client.get("/"))
        await app.entered.wait()
        [connection] = server._server.server_state.connections
        assert connection.transport is not None
        accepted = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        app.go.set()
        assert (await answer).text == "done"


async def test_a_request_that_outlasts_the_grace_is_cut_and_said_so() -> None:
    app = SlowApp()
    async with serving(app) as (server, client):
        answer = asyncio.create_task(client.get("/"))
        await app.entered.wait()
        async with asyncio.timeout(3):
            assert await server.stop(0.2) is False
            with pytest.raises(httpx2.HTTPError):
                await answer


async def test_a_stopped_server_accepts_nothing() -> None:
    async with serving(SlowApp()) as (server, client):
        await server.stop(1)
        with pytest.raises(httpx2.ConnectError):
            await client.get("/")


async def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"cannot listen on 127.0.0.1:{port}"):
            await HttpServer(SlowApp(), host="127.0.0.1", port=port).start()


async def test_the_parser_is_httptools() -> None:
    async with serving(SlowApp()) as (server, _):
        assert server.parser == "HttpToolsProtocol"


async def test_the_longest_prefix_takes_the_request() -> None:
    def answering(text: bytes) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": text + b" " + scope["path"].encode()})

        return app

    apps = {"": answering(b"rest"), "/api": answering(b"api"), "/api/webhooks": answering(b"hooks")}
    app = process_app(apps, readiness=Readiness([]), registry=new_registry())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://hub") as client:
        assert (await client.get("/api/webhooks/x")).text == "hooks /api/webhooks/x"
        assert (await client.get("/api/webhooksy")).text == "api /api/webhooksy"
        assert (await client.get("/apis")).text == "rest /apis"


async def test_health_follows_the_services() -> None:
    down = False

    async def ready() -> None:
        if down:
            raise Unavailable("no store")

    async def start() -> None: ...

    async def stop(grace_s: float) -> bool:
        return True

    readiness = Readiness([Service(name="api", start=start, stop=stop, ready=ready)])
    app = process_app({}, readiness=readiness, registry=new_registry())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://hub") as client:
        assert (await client.get("/health/ready")).json() == {"status": "ready"}
        down = True
        response = await client.get("/health/ready")
        assert (response.status_code, response.json()) == (503, {"status": "not_ready", "failed": ["api"]})
        down, readiness.stopping = False, True
        assert (await client.get("/health/ready")).json() == {"status": "stopping"}
        assert (await client.get("/health/live")).status_code == 200


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
async def test_an_operations_route_refuses_another_method_with_a_problem(path: str) -> None:
    app = process_app({}, readiness=Readiness([]), registry=new_registry())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://hub") as client:
        response = await client.post(path)
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "/problems/method-not-allowed"


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
async def test_a_client_that_sends_too_much_still_sees_the_answer(announced: bool) -> None:
    """A connection that is closed on unread bytes is reset, and the answer on it is lost."""
    body = b"x" * 2_000_000
    async with serving(BodyLimitMiddleware(SlowApp(), max_bytes=1000)) as (server, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        length = f"content-length: {len(body)}" if announced else "transfer-encoding: chunked"
        writer.write(f"POST / HTTP/1.1\r\nhost: hub\r\n{length}\r\n\r\n".encode())
        writer.write(body if announced else b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        async with asyncio.timeout(5):
            await writer.drain()
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"/problems/too-large" in answer
        writer.close()


async def test_what_services_count_is_in_the_metrics() -> None:
    counted = {"writer": {"messages_undecodable": 2}, "fetcher": {"messages_undecodable": 0, "other_things": 7}}
    services = [a_service(name, counts=counts.copy) for name, counts in counted.items()]
    app = process_app({}, readiness=Readiness([]), registry=new_registry([*services, a_service("scheduler")]))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://hub") as client:
        lines = (await client.get("/metrics")).text.splitlines()
    assert [line for line in lines if line.startswith("hub_")] == [
        'hub_messages_undecodable_total{service="writer"} 2.0',
        'hub_messages_undecodable_total{service="fetcher"} 0.0',
        'hub_other_things_total{service="fetcher"} 7.0',
    ]


async def test_while_services_start_only_health_and_metrics_are_answered() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("it has not started")

    late = a_service("late")
    readiness = Readiness([late])
    readiness.pending = (late,)
    async with serving(process_app({"": app}, readiness=readiness, registry=new_registry())) as (_, client):
        early = await client.get("/api/anything")
        assert (early.status_code, early.headers["retry-after"]) == (503, "2")
        assert early.headers["content-type"] == "application/problem+json"
        assert (await client.get("/health/ready")).json() == {"status": "not_ready", "failed": ["late"]}
        assert [(await client.get(path)).status_code for path in ("/health/live", "/metrics")] == [200, 200]
