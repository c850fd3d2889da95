"""Live events as server-sent events (the HTML standard's text/event-stream)."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse

from hub_config_api.access import TOKEN_REQUIRED, CurrentBackend, CurrentCaller, ManagedRoute
from hub_config_api.api.problems import problems
from hub_config_api.backend import Backend
from hub_config_api.caller import Caller
from hub_config_api.live import LiveEvent, LiveStream

_RETRY_MS = 3000

router = APIRouter(prefix="/api/events", route_class=ManagedRoute, tags=["events"], dependencies=[TOKEN_REQUIRED])


@router.get(
    "",
    operation_id="streamEvents",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "batch.written, sync.finished, records.changed and integration.changed as they happen; "
            "the event reset says that some were missed: read again what is on the screen.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **problems(429),
    },
)
async def stream_events(
    backend: CurrentBackend,
    caller: CurrentCaller,
    last_event_id: Annotated[
        str | None, Header(max_length=64, description="The id of the last event seen; what came after it is repeated.")
    ] = None,
) -> StreamingResponse:
    """What happens in the college from now on. The stream ends when the token expires."""
    stream = backend.live.open(caller.college_id, after=last_event_id)
    return StreamingResponse(
        _written(backend, caller, stream),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},  # proxies would hold events back otherwise
    )


async def _written(backend: Backend, caller: Caller, stream: LiveStream) -> AsyncIterator[bytes]:
    try:
        yield b"retry: %d\n\n" % _RETRY_MS
        while not stream.closed:
            event = await stream.next(min(backend.heartbeat_s, _left_s(backend, caller)))
            if _left_s(backend, caller) <= 0:
                return
            yield b": still here\n\n" if event is None else _encoded(event)
    finally:
        backend.live.leave(caller.college_id, stream)


def _left_s(backend: Backend, caller: Caller) -> float:
    return (caller.expires_at - backend.clock()).total_seconds()


def _encoded(event: LiveEvent) -> bytes:
    return f"id: {event.id}\nevent: {event.name}\ndata: ".encode() + event.data + b"\n\n"
