"""Reading a response's body within bounds: of bytes, also after inflating, and of time."""

import asyncio
import zlib

import httpx2
from hub_model.errors import ErrorClass, SourceError, TooLarge, Unavailable

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b\x08"
# A file that is gzip itself may be sent in a response that is gzip.
_MOST_LAYERS = 2


async def read_bounded(response: httpx2.Response, max_bytes: int, *, deadline_s: float = 120.0) -> bytes:
    """The body of a streamed response, inflated; closes the response.

    Neither the bytes received nor the bytes inflated from them exceed ``max_bytes``: beyond it raises TooLarge
    having held no more than that. ``deadline_s`` bounds the whole body, so a sender that drips is cut off
    (Unavailable). gzip is known by its first bytes, whatever the label says: servers label what they do not compress,
    and compress what they do not label. Any other encoding raises SourceError.
    """
    try:
        async with asyncio.timeout(deadline_s):
            return await _read(response, max_bytes)
    except TimeoutError as error:
        raise Unavailable(f"the response took longer than {deadline_s:g} s", code="deadline_exceeded") from error
    finally:
        await response.aclose()


async def _read(response: httpx2.Response, max_bytes: int) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip"):
        raise SourceError(
            "the response has a content encoding that was not asked for",
            error_class=ErrorClass.CONFIG,
            code="unsupported_encoding",
        )
    body = await _collect(response, max_bytes)
    for _ in range(_MOST_LAYERS):
        if not body.startswith(_GZIP_MAGIC):
            break
        body = _inflate(body, max_bytes)
    return body


async def _collect(response: httpx2.Response, max_bytes: int) -> bytes:
    declared = response.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and len(declared) < 20 and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    async for chunk in response.aiter_raw():
        if len(body) + len(chunk) > max_bytes:
            raise _too_large(max_bytes)
        body += chunk
    return bytes(body)


def _inflate(compressed: bytes, max_bytes: int) -> bytes:
    """The content of every gzip member, one after the other."""
    inflated = bytearray()
    while compressed:
        member = zlib.decompressobj(_GZIP_WINDOW)
        try:
            inflated += member.decompress(compressed, max_bytes - len(inflated) + 1)
        except zlib.error as error:
            raise _malformed() from error
        if len(inflated) > max_bytes:
            raise _too_large(max_bytes)
        if not member.eof:
            raise Unavailable("the response ends in the middle of its gzip data", code="truncated_response")
        compressed = member.unused_data
    return bytes(inflated)


def _malformed() -> SourceError:
    return SourceError("the response is damaged gzip", error_class=ErrorClass.CONFIG, code="malformed_encoding")


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"the response is larger than {max_bytes} bytes", code="response_too_large")
