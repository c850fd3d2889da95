"""Three answers over which well-known sync tools loop for ever, or report success with no records: here the run fails.

Each was tried against three of them; what they did stands beside the answer.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hub_standalone.client import HubClient
from hub_standalone.progress import ProgressView
from rich.console import Console
from running import Standalone

Answering = Callable[[Callable[[], tuple[str, bytes]]], None]


@pytest.fixture
def hub(standalone: Standalone) -> Standalone:
    """In one process: what is tried here is the same in every form."""
    return standalone


@pytest.fixture
async def source() -> AsyncIterator[tuple[str, Answering]]:
    """The address of a source that answers everything alike, and how it is told what."""
    answers: list[Callable[[], tuple[str, bytes]]] = []
    connected: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected[asyncio.current_task()] = writer
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                kind, body = answers[-1]()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", answers.append
    server.close()
    for writer in connected.values():
        writer.close()
    await asyncio.wait([task for task in connected if task], timeout=5)


def constant_cursor() -> Callable[[], tuple[str, bytes]]:
    """Airbyte's CDK and dlt were still looping after 8 s."""
    numbers = itertools.count()
    return lambda: (
        "application/json",
        json.dumps({"data": [{"studentId": f"S{next(numbers)}", "name": "Rahul"}], "next": "ABC"}).encode(),
    )


def web_page() -> Callable[[], tuple[str, bytes]]:
    """Airbyte's CDK: complete, no records."""
    return lambda: ("text/html", b"<!DOCTYPE html><html><title>Student portal</title><body>Welcome</body></html>")


def reported() -> Callable[[], tuple[str, bytes]]:
    """All three: a green end, no records."""
    body = {"success": False, "error": "token expired", "data": None}
    return lambda: ("application/json", json.dumps(body).encode())


@pytest.mark.parametrize(
    ("answer", "status", "expected", "code", "advice"),
    [
        (constant_cursor, "partial", "config", "pagination_loop", "pagination"),
        (web_page, "failed", "config", "web_page", "Check the base URL"),
        (reported, "failed", "auth", "credentials_refused", "Enter them again"),
    ],
)
async def test_a_run_that_others_end_green_or_never_fails_and_says_what_to_do(
    client: HubClient,
    source: tuple[str, Answering],
    answer: Callable[[], Callable[[], tuple[str, bytes]]],
    status: str,
    expected: str,
    code: str,
    advice: str,
) -> None:
    url, answering = source
    answering(answer())
    pagination = {"type": "cursor", "cursorPath": "next"} if answer is constant_cursor else {"type": "auto"}
    draft = {
        "name": "Elsewhere",
        "type": "students",
        "baseUrl": url,
        "authType": "bearer",
        "apiKey": "canary-key-0123456789",
        "endpoints": {"students": {"path": "/students", "recordsPath": "data", "pagination": pagination}},
        "syncInterval": 15,
        "enabled": False,
    }
    made = await client.create(draft)
    begun = await client.sync(made["id"])
    with ProgressView(Console(quiet=True)) as view:
        run = await view.follow(client, "", made["id"], begun["runId"])
    # The records before the second "ABC" are good, and stay.
    assert run["status"] == status
    assert run["streams"]["students"]["status"] == "failed"
    failure: dict[str, Any] = run["streams"]["students"]["failure"]
    assert (failure["errorClass"], failure["code"]) == (expected, code)
    assert advice in failure["message"]
