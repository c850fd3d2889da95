"""Exchanges: bounds, and every error of the client as one of ours."""

import asyncio
import gzip
import inspect
import ssl
from typing import Any

import httpx2
import pytest
from hub_fetcher.auth.exchange import TokenRequest, exchange
from hub_fetcher.auth.oauth import read_token
from hub_fetcher.requests.request import SourceRequest
from hub_fetcher.source import Source
from hub_fetcher.sources import Sources
from hub_fetcher.transport import Patience, Transport, translated
from hub_messaging.testing import wait_until
from hub_model.errors import ErrorClass, HubError, SourceError, TransientError, Unavailable
from hub_model.records import DataType
from hub_security.egress import open_client


def every_error() -> list[type[Exception]]:
    return [
        kind
        for _, kind in inspect.getmembers(httpx2, inspect.isclass)
        if issubclass(kind, httpx2.HTTPError | httpx2.StreamError | httpx2.InvalidURL)
    ]


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_every_error_of_the_client_has_one_of_ours(kind: type[Exception]) -> None:
    error = kind.__new__(kind)
    error.args = ("GET https://h/x?api_key=canary",)
    ours = translated(error, "/students")
    assert isinstance(ours, TransientError | SourceError)
    assert "canary" not in str(ours) + ours.public
    assert "/students" in str(ours)


def test_a_certificate_that_is_not_valid_is_for_a_person_to_mend() -> None:
    error = httpx2.ConnectError("x")
    error.__cause__ = OSError()
    error.__cause__.__cause__ = ssl.SSLCertVerificationError()
    ours = translated(error, "/s")
    assert (ours.code, ours.error_class) == ("tls_failed", ErrorClass.CONFIG)


def source_of(sources: Sources, make_integration: Any, patience: Patience | None = None, **draft: Any) -> Source:
    integration = make_integration(**draft)
    return sources.open(integration, integration.settings.endpoints[DataType.STUDENTS], patience)


@pytest.mark.parametrize(
    "base", ["http://10.0.0.1", "http://169.254.169.254", "http://[::1]:9000", "http://127.0.0.1:22"]
)
async def test_an_address_that_is_not_allowed_is_refused(sources: Sources, make_integration: Any, base: str) -> None:
    source = source_of(sources, make_integration, baseUrl=base)
    with pytest.raises(SourceError) as caught:
        await source.read(SourceRequest(source.plan.url))
    assert (caught.value.code, caught.value.error_class) == ("address_refused", ErrorClass.CONFIG)


async def test_nobody_listening_is_unavailable(sources: Sources, make_integration: Any, sleeps: list[float]) -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    source = source_of(sources, make_integration, baseUrl=f"http://127.0.0.1:{port}")
    with pytest.raises(Unavailable) as caught:
        await source.read(SourceRequest(source.plan.url))
    assert caught.value.code == "source_unreachable"
    assert len(sleeps) == 2


async def test_a_name_that_does_not_resolve_is_unavailable(make_integration: Any, NOW: Any) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    async with open_client(resolve=resolve) as client:
        transport = Transport(client, clock=lambda: NOW)
        with pytest.raises(Unavailable) as caught:
            await transport.reach("https://erp.example.edu", patience=Patience())
    assert caught.value.code == "name_unresolved"


@pytest.mark.parametrize("where", ["before the head", "in the body"])
async def test_the_deadline_covers_the_whole_exchange(
    college: Any, sources: Sources, make_integration: Any, answer: Any, where: str
) -> None:
    """A sender that drips is cut off too."""
    never = asyncio.Event()

    async def reply(asked: Any) -> Any:
        if where == "before the head":
            await never.wait()
        return answer(b"[" + b" " * 1000, drip_s=0.01)

    college.answer = reply
    source = source_of(sources, make_integration, Patience(tries=1, deadline_s=0.1))
    async with asyncio.timeout(3):
        with pytest.raises(Unavailable):
            await source.read(SourceRequest(source.plan.url))


@pytest.mark.parametrize("kind", ["1xx without end", "a header without end", "a byte at a time"])
async def test_a_head_that_does_not_end_is_cut_off(
    college: Any, sources: Sources, make_integration: Any, kind: str
) -> None:
    pieces = {
        "1xx without end": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100, 0.0),
        "a header without end": (b"HTTP/1.1 200 OK\r\nx-a: ", b"v" * 1000, 0.0),
        "a byte at a time": (b"HTTP/1.1 200 OK\r\nx-a: ", b"v", 0.01),
    }

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, again, pause_s = pieces[kind]
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(first)
            while True:
                writer.write(again)
                await writer.drain()
                await asyncio.sleep(pause_s)
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()
            ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    source = source_of(
        sources,
        make_integration,
        Patience(tries=1, deadline_s=0.2),
        baseUrl=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
    )
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable):
            await source.read(SourceRequest(source.plan.url))
        await ended.wait()
    server.close()


async def test_the_deadline_covers_the_lookup_and_the_connecting_too(make_integration: Any, pacing: Any) -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async with open_client(resolve=never, resolve_timeout_s=60) as client:
        transport = Transport(client, clock=pacing.clock)
        async with asyncio.timeout(5):
            with pytest.raises(Unavailable) as caught:
                await transport.reach("https://erp.example.edu", patience=Patience(deadline_s=0.1))
    assert caught.value.code == "source_timeout"


TOKEN_ANSWERS = {
    "a redirect": {"status": 302, "headers": {"Location": "http://169.254.169.254/"}},
    "a body that is too large": {"body": b'{"access_token": "x"', "headers": {"Content-Length": "300000"}},
    "a compression bomb": {
        "body": gzip.compress(b" " * 30_000_000),
        "headers": {"Content-Encoding": "gzip"},
    },
    "a thousand headers": {"headers": {f"x-{number}": "v" for number in range(1000)}},
}


@pytest.mark.parametrize("kind", TOKEN_ANSWERS)
async def test_a_token_endpoint_is_asked_over_the_same_guarded_way(
    college: Any, sources: Sources, answer: Any, kind: str
) -> None:
    college.answer = lambda asked: answer(**TOKEN_ANSWERS[kind])
    request = TokenRequest(f"{college.url}/token", "the token endpoint", body="grant_type=client_credentials")
    with pytest.raises(SourceError):
        await exchange(sources.transport, request, read_token)
    assert [asked.path for asked in college.asked] == ["/token"]


@pytest.mark.parametrize("url", ["http://10.0.0.1/token", "http://169.254.169.254/token", "http://127.0.0.1:22/token"])
async def test_a_token_endpoint_at_a_refused_address_is_not_asked(sources: Sources, url: str) -> None:
    with pytest.raises(SourceError) as caught:
        await exchange(sources.transport, TokenRequest(url, "the token endpoint"), read_token)
    assert caught.value.code == "address_refused"


async def test_redirects_are_not_followed(college: Any, sources: Sources, make_integration: Any, answer: Any) -> None:
    college.answer = lambda asked: answer(status=302, headers={"Location": f"{college.url}/elsewhere"})
    source = source_of(sources, make_integration)
    with pytest.raises(SourceError) as caught:
        await source.read(SourceRequest(source.plan.url))
    assert caught.value.code == "redirected"
    assert [asked.path for asked in college.asked] == ["/students"]


async def test_compressed_bodies_are_read_and_bounded(
    college: Any, sources: Sources, make_integration: Any, answer: Any
) -> None:
    bodies = [gzip.compress(b'[{"id": 1}]'), gzip.compress(b"[" + b" " * 50_000_000 + b"]")]
    college.answer = lambda asked: answer(bodies[len(college.asked) - 1], headers={"Content-Encoding": "gzip"})
    source = source_of(sources, make_integration)
    assert (await source.read(SourceRequest(source.plan.url))).body == [{"id": 1}]
    with pytest.raises(SourceError) as caught:
        await source.read(SourceRequest(source.plan.url))
    assert caught.value.code == "response_too_large"


async def test_one_origin_gets_only_so_many_requests_at_a_time(college: Any, make_integration: Any, NOW: Any) -> None:
    async def reply(asked: Any) -> Any:
        await asyncio.sleep(0.01)
        return college.json([])

    college.answer = reply
    async with open_client(allowed_networks=["127.0.0.0/8"]) as client:
        transport = Transport(client, clock=lambda: NOW, per_origin=3)
        await asyncio.gather(*(transport.reach(college.url, patience=Patience()) for _ in range(12)))
        assert college.most_at_once == 3
        assert transport._turns == {}


async def test_a_stream_with_many_requests_keeps_no_other_from_its_turn(
    college: Any, make_integration: Any, NOW: Any
) -> None:
    async def reply(asked: Any) -> Any:
        await asyncio.sleep(0.001)
        return college.json([])

    college.answer = reply
    async with open_client(allowed_networks=["127.0.0.0/8"]) as client:
        transport = Transport(client, clock=lambda: NOW, per_origin=2)

        async def ask_on() -> None:
            while True:
                await transport.reach(f"{college.url}/many", patience=Patience())

        many = [asyncio.create_task(ask_on()) for _ in range(16)]
        try:
            await wait_until(lambda: len(college.asked) > 32)
            before = len(college.asked)
            async with asyncio.timeout(5):
                await transport.reach(f"{college.url}/one", patience=Patience())
            assert [asked.path for asked in college.asked].index("/one") - before <= 16
        finally:
            for task in many:
                task.cancel()
            await asyncio.gather(*many, return_exceptions=True)


async def test_a_request_to_another_origin_never_carries_the_credential(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    source = source_of(sources, make_integration)
    with pytest.raises(AssertionError):
        await source.read(SourceRequest(college.url.replace("127.0.0.1", "127.0.0.2") + "/students"))
    assert college.asked == []


async def test_errors_of_a_walk_carry_no_key(
    college: Any, sources: Sources, make_integration: Any, answer: Any, caplog: Any, capsys: Any
) -> None:
    """Neither does anything that is logged on the way."""
    key = "canary-0123456789"
    told: list[HubError] = []
    statuses = iter([200, 301, 400, 401, 403, 404, 429, 500, 503])

    def reply(asked: Any) -> Any:
        status = next(statuses)
        headers = {"Location": f"/x?api_key={key}", "Retry-After": "900"}
        return answer(f"<p>{asked.target}</p>".encode(), status, headers)

    college.answer = reply
    caplog.set_level("WARNING")
    for _ in range(9):
        source = source_of(
            sources,
            make_integration,
            Patience(tries=1),
            authType="api-key",
            apiKeyPlacement={"placement": "query", "name": "api_key"},
            secrets={"apiKey": key},
        )
        try:
            await source.read(SourceRequest(source.plan.url))
        except HubError as error:
            told.append(error)
    assert len(told) == 9
    assert all(key not in f"{error} {error.public} {error!r}" for error in told)
    assert key not in caplog.text + "".join(capsys.readouterr())
