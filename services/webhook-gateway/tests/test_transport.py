"""Bodies as they come over a real connection: too large, too slow, cut off; and floods."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hub_runtime.serving import HttpServer
from hub_security.signatures import sign_legacy

SECRET = "a legacy secret of this college"
LIMIT = 1024


@asynccontextmanager
async def serving(gateway: Any, **settings: Any) -> AsyncIterator[int]:
    server = HttpServer(gateway.build(**settings).app, host="127.0.0.1", port=0)
    await server.start()
    try:
        yield server.port
    finally:
        await server.stop(1)


async def talk(port: int, *parts: bytes, deadline_s: float = 5.0) -> bytes:
    """Send the parts and return all that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(deadline_s):
            for part in parts:
                writer.write(part)
                await writer.drain()
            return await reader.read()
    except ConnectionError:
        return await reader.read()
    finally:
        writer.close()


def request(path: str, body: bytes, *headers: str, secret: str = SECRET) -> tuple[bytes, bytes]:
    lines = [
        f"POST {path} HTTP/1.1",
        "host: hub",
        "connection: close",
        "content-type: application/json",
        f"x-webhook-signature: {sign_legacy(secret, body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n", body


def padded(size: int) -> bytes:
    body = json.dumps({"dataType": "attendance", "records": [{"note": ""}]}).encode()
    return body.replace(b'""', b'"' + b"x" * (size - len(body)) + b'"')


def chunks(body: bytes, size: int = 300) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts) + b"0\r\n\r\n"


async def test_a_body_of_exactly_the_limit_is_accepted_and_one_byte_more_is_not(gateway: Any) -> None:
    integration = await gateway.integration()
    path = f"/api/webhooks/integrations/{integration.id}"
    async with serving(gateway, webhook_max_body_bytes=LIMIT) as port:
        head, body = request(path, padded(LIMIT), f"content-length: {LIMIT}")
        assert b" 202 " in await talk(port, head, body)
        head, body = request(path, padded(LIMIT + 1), f"content-length: {LIMIT + 1}")
        assert b" 413 " in await talk(port, head, body)
        head, body = request(path, padded(500_000), "content-length: 500000")
        assert b" 413 " in await talk(port, head, body)
        head, _ = request(path, padded(LIMIT + 1), f"content-length: {LIMIT + 1}", "expect: 100-continue")
        answer = await talk(port, head)
        assert b" 413 " in answer
        assert b" 100 " not in answer
    assert len(gateway.batches()) == 1


async def test_a_chunked_body_is_counted_and_never_cut_short(gateway: Any) -> None:
    integration = await gateway.integration()
    path = f"/api/webhooks/integrations/{integration.id}"
    async with serving(gateway, webhook_max_body_bytes=LIMIT) as port:
        head, body = request(path, padded(LIMIT), "transfer-encoding: chunked")
        assert b" 202 " in await talk(port, head, chunks(body))
        head, body = request(path, padded(LIMIT + 1), "transfer-encoding: chunked")
        assert b" 413 " in await talk(port, head, chunks(body))
        head, body = request(path, padded(200_000), "transfer-encoding: chunked")
        assert b" 413 " in await talk(port, head, chunks(body))
    assert len(gateway.batches()) == 1


async def send_endlessly(writer: asyncio.StreamWriter, *, at_most: int) -> None:
    for _ in range(at_most // 65_536):
        writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        await writer.drain()


async def test_an_endless_body_is_cut_off(gateway: Any) -> None:
    integration = await gateway.integration()
    head, _ = request(f"/api/webhooks/integrations/{integration.id}", b"", "transfer-encoding: chunked")
    async with serving(gateway, webhook_max_body_bytes=LIMIT) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        with pytest.raises(ConnectionError):
            await send_endlessly(writer, at_most=20_000_000)
        writer.close()


async def test_a_refused_request_leaves_its_connection_usable(gateway: Any) -> None:
    integration = await gateway.integration()
    path = f"/api/webhooks/integrations/{integration.id}"
    refused, body = request(path, padded(200), "content-length: 200")
    refused = refused.replace(b"application/json", b"text/plain").replace(b"connection: close\r\n", b"")
    head, _ = request(path, body, "content-length: 200")
    async with serving(gateway) as port:
        answer = await talk(port, refused + body + head + body)
    assert answer.index(b" 415 ") < answer.index(b" 202 ")


async def test_a_length_that_lies_stores_nothing(gateway: Any) -> None:
    integration = await gateway.integration()
    path = f"/api/webhooks/integrations/{integration.id}"
    async with serving(gateway, webhook_body_deadline_s=0.3) as port:
        head, body = request(path, padded(200), "content-length: 199")
        assert b" 401 " in await talk(port, head, body)
        head, body = request(path, padded(200), "content-length: 201")
        assert b" 408 " in await talk(port, head, body)
        head, body = request(path, padded(200), "content-length: 200", "transfer-encoding: chunked")
        assert b" 202 " not in await talk(port, head, body)
    assert gateway.batches() == []


async def test_a_dripping_body_is_cut_off_and_others_are_not_held_up(gateway: Any) -> None:
    integration = await gateway.integration()
    path = f"/api/webhooks/integrations/{integration.id}"
    head, body = request(path, padded(200), "content-length: 200")
    async with serving(gateway, webhook_body_deadline_s=0.5) as port:

        async def drip() -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            answer = asyncio.ensure_future(reader.readuntil(b"\r\n"))
            for byte in body:
                writer.write(bytes([byte]))
                if (await asyncio.wait([answer], timeout=0.03))[0]:
                    break
            writer.close()
            return await answer

        slow = [asyncio.create_task(drip()) for _ in range(20)]
        assert b" 202 " in await talk(port, head, body, deadline_s=0.4)
        assert all(b" 408 " in answer for answer in await asyncio.gather(*slow))


async def test_a_sender_that_goes_away_leaves_nothing_behind(gateway: Any, capsys: pytest.CaptureFixture[str]) -> None:
    integration = await gateway.integration()
    head, body = request(f"/api/webhooks/integrations/{integration.id}", padded(200), "content-length: 200")
    async with serving(gateway) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + body[:100])
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert b" 202 " in await talk(port, head, body)
    assert len(gateway.batches()) == 1
    assert "Traceback" not in "".join(capsys.readouterr())


async def test_a_flood_is_answered_429_before_its_signature_is_looked_at(gateway: Any) -> None:
    integration = await gateway.integration()
    path = f"/api/webhooks/integrations/{integration.id}"
    async with serving(gateway, webhook_rate_per_s=0.1, webhook_burst=2) as port:
        answers = []
        for number in range(3):
            body = json.dumps({"dataType": "attendance", "records": [{"n": number}]}).encode()
            answers.append(await talk(port, *request(path, body, f"content-length: {len(body)}")))
        assert [b" 202 " in answer for answer in answers] == [True, True, False]
        assert b" 429 " in answers[2]
        assert b"retry-after: 10\r\n" in answers[2]
        other = await gateway.integration()
        body = padded(200)
        head, _ = request(f"/api/webhooks/integrations/{other.id}", body, "content-length: 200")
        assert b" 202 " in await talk(port, head, body)


async def test_one_client_cannot_flood_by_guessing_addresses(gateway: Any) -> None:
    async with serving(gateway, webhook_client_rate_per_s=0.1, webhook_client_burst=5) as port:
        answers = [
            await talk(port, *request(f"/api/webhooks/integrations/{number:032x}", b"{}", "content-length: 2"))
            for number in range(7)
        ]
    assert [b" 401 " in answer for answer in answers] == [True] * 5 + [False] * 2
    assert all(b" 429 " in answer for answer in answers[5:])
