"""Reading a body in parts: bounded in bytes and time, and honest about where it ends."""

import asyncio
from typing import Any

import pytest
from hub_model.errors import TooLarge
from hub_webhook_gateway.requests import BodyReader
from starlette.exceptions import HTTPException


def receiving(*parts: bytes | None, ended: bool = True) -> Any:
    """Gives the parts, None being a disconnect; then waits for ever."""
    left = list(parts)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.Event().wait()
        part = left.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(left) or not ended}

    return receive


async def read(*parts: bytes | None, max_bytes: int = 10, ended: bool = True) -> bytes | None:
    reader = BodyReader(receiving(*parts, ended=ended))
    return await reader.read(max_bytes=max_bytes, deadline_s=0.05)


async def test_parts_are_joined() -> None:
    assert await read(b"0123456789") == b"0123456789"
    assert await read(b"01", b"", b"23", b"4") == b"01234"
    assert await read(b"") == b""


async def test_parts_that_come_one_by_one_are_waited_for() -> None:
    at_once = receiving(b"01", b"23", b"4")

    async def receive() -> dict[str, Any]:
        for _ in range(3):
            await asyncio.sleep(0)
        return await at_once()

    assert await BodyReader(receive).read(max_bytes=10, deadline_s=5) == b"01234"


async def test_a_reader_that_is_cancelled_while_it_waits_is_cancelled_and_leaves_nothing_behind() -> None:
    waiting, left = asyncio.Event(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        try:
            waiting.set()
            await asyncio.Event().wait()
        finally:
            left.set()
        raise AssertionError

    reading = asyncio.create_task(BodyReader(receive).read(max_bytes=10, deadline_s=5))
    await waiting.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert left.is_set()


async def test_one_byte_too_many_is_too_many_wherever_it_comes() -> None:
    for parts in ([b"x" * 11], [b"x" * 10, b"x"], [b"x"] * 11, [b"x" * 5, b"x" * 100]):
        with pytest.raises(TooLarge):
            await read(*parts)


async def test_a_sender_that_goes_away_has_no_body() -> None:
    assert await read(None) is None
    assert await read(b"012", None) is None


async def test_a_body_that_does_not_end_is_late() -> None:
    for parts in ([], [b"0"], [b"0", b"1"]):
        with pytest.raises(HTTPException) as caught:
            await read(*parts, ended=False)
        assert caught.value.status_code == 408


@pytest.mark.parametrize(
    ("parts", "ended", "found"),
    [
        ([b"x" * 20], True, True),
        ([b"x" * 20, b"y" * 20], True, True),
        ([b"x" * 20, b"y" * 200, b"z"], True, False),
        ([b"x" * 20], False, False),
        ([b"x" * 20, None], True, False),
    ],
)
async def test_the_rest_of_a_refused_body_is_discarded_within_bounds(
    parts: list[bytes | None], ended: bool, found: bool
) -> None:
    reader = BodyReader(receiving(*parts, ended=ended))
    with pytest.raises(TooLarge):
        await reader.read(max_bytes=10, deadline_s=0.05)
    assert await reader.discard(max_bytes=100, deadline_s=0.05) is found
