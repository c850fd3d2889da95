"""Server-sent events over a real connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from hub_messaging.broker import Subscription
from hub_messaging.testing import wait_until
from hub_model.counts import Counts
from hub_model.messages import BatchWritten, SyncFinished
from hub_model.records import DataType, Origin
from hub_runtime.serving import HttpServer


class EventReader:
    """Reads a text/event-stream as the HTML standard says, as far as the hub uses it."""

    def __init__(self, response: httpx2.Response) -> None:
        self._lines = response.aiter_lines()
        self.comments = 0

    async def next(self) -> dict[str, str] | None:
        """The next event; None at the end of the stream."""
        event: dict[str, str] = {}
        async with asyncio.timeout(5):
            async for line in self._lines:
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(": ")
                    event[name] = value
                elif event.keys() - {"retry"}:
                    return event
        return None


@pytest.fixture
def hub(own_hub: Any) -> Any:
    """Its own, because stopping it ends every stream."""
    return own_hub


@pytest_asyncio.fixture(loop_scope="session")
async def server(hub: Any) -> AsyncIterator[HttpServer]:
    server = HttpServer(hub.app, host="127.0.0.1", port=0)
    await server.start()
    yield server
    hub.service.on_stopping()
    assert await server.stop(5)


@asynccontextmanager
async def listening(
    hub: Any, server: HttpServer, *, college_id: str | None = None, after: str | None = None, **options: Any
) -> AsyncIterator[EventReader]:
    headers = {"authorization": f"Bearer {hub.token(college_id=college_id, **options)}"}
    if after is not None:
        headers["last-event-id"] = after
    url = f"http://127.0.0.1:{server.port}/api/events"
    async with (
        httpx2.AsyncClient(trust_env=False, timeout=10) as client,
        client.stream("GET", url, headers=headers) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield EventReader(response)


def written(hub: Any, sequence: int) -> BatchWritten:
    return BatchWritten(
        college_id=hub.college_id,
        integration_id="i1",
        run_id="r1",
        data_type=DataType.MARKS,
        sequence=sequence,
        origin=Origin.POLL,
        counts=Counts(fetched=5, inserted=5),
        written_at=hub.clock(),
    )


async def publish_written(hub: Any, *messages: BatchWritten) -> None:
    """As the writer does, whose own queue takes these messages as well."""
    await hub.broker.declare(Subscription("writer.progress", ["batch.written"]))
    await hub.publisher.publish(*messages)


async def test_what_happens_arrives_with_id_name_and_data(hub: Any, server: HttpServer) -> None:
    async with listening(hub, server) as events:
        made = await hub.create()
        event = await events.next()
        assert event is not None
        assert event["event"] == "integration.changed"
        assert event["id"]
        assert f'"integrationId":"{made["id"]}"' in event["data"]
        await publish_written(hub, written(hub, 0))
        event = await events.next()
        assert event is not None
        assert event["event"] == "batch.written"
        assert '"inserted":5' in event["data"]
        finished = SyncFinished(
            college_id=hub.college_id,
            integration_id="i1",
            run_id="r1",
            status="succeeded",
            counts=Counts(),
            finished_at=hub.clock(),
        )
        await hub.publisher.publish(finished)
        event = await events.next()
        assert event is not None
        assert event["event"] == "sync.finished"


async def test_events_of_another_college_do_not_arrive(hub: Any, server: HttpServer) -> None:
    async with listening(hub, server) as events:
        await hub.create(college_id=hub.other_college)
        mine = await hub.create()
        event = await events.next()
        assert event is not None
        assert mine["id"] in event["data"]


async def test_a_reconnecting_client_gets_what_it_missed(hub: Any, server: HttpServer) -> None:
    async with listening(hub, server) as events:
        await hub.create()
        seen = await events.next()
    assert seen is not None
    missed = await hub.create(name="Second")
    async with listening(hub, server, after=seen["id"]) as events:
        event = await events.next()
        assert event is not None
        assert missed["id"] in event["data"]


async def test_a_client_that_was_away_too_long_is_told_to_start_over(hub: Any, server: HttpServer) -> None:
    async with listening(hub, server, after="another-process-17") as events:
        event = await events.next()
        assert event is not None
        assert (event["event"], event["data"]) == ("reset", "{}")


async def test_a_stream_ends_when_its_token_expires(hub: Any, server: HttpServer) -> None:
    async with listening(hub, server, lifetime_s=600) as events:
        await hub.create()
        assert await events.next() is not None
        hub.clock.advance(seconds=601)
        await publish_written(hub, written(hub, 0))  # wakes the stream; what it says is not shown any more
        assert await events.next() is None


async def test_a_silent_stream_shows_that_it_is_still_there(tmp_path: Path, open_hub: Any) -> None:
    async with open_hub(tmp_path, live_heartbeat_s=0.05) as hub:
        server = HttpServer(hub.app, host="127.0.0.1", port=0)
        await server.start()
        async with listening(hub, server) as events:
            asyncio.get_running_loop().call_later(0.3, hub.service.on_stopping)
            assert await events.next() is None
            assert events.comments >= 3
        await server.stop(5)


async def test_a_stream_ends_when_the_service_stops(hub: Any, server: HttpServer) -> None:
    async with listening(hub, server) as events:
        hub.service.on_stopping()
        assert await events.next() is None


async def test_a_client_that_left_is_forgotten(hub: Any, server: HttpServer) -> None:
    live = hub.service.app.state.backend.live
    async with listening(hub, server):
        assert live.listeners == 1
    await hub.create()
    await wait_until(lambda: live.listeners == 0)
