"""What must hold of a request before its signature is looked at: its headers, and a body of bounded size and time."""

import asyncio
import re
from dataclasses import dataclass

from hub_model.errors import TooLarge
from starlette.exceptions import HTTPException
from starlette.types import Receive

RawHeaders = list[tuple[bytes, bytes]]

_JSON = re.compile(
    rb'application/(?:json|[a-z0-9!#$&^_.+-]+\+json)(?:\s*;\s*charset\s*=\s*"?utf-?8"?\s*)?', re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class WebhookHeaders:
    """``signature`` is the legacy one; ``is_standard``: there is any header of Standard Webhooks."""

    signature: bytes | None
    is_standard: bool


def check_headers(headers: RawHeaders, *, max_bytes: int) -> WebhookHeaders:
    """Raise TooLarge for an announced length over the limit, HTTPException 415 for anything but plain JSON."""
    content_type: bytes | None = None
    signature: bytes | None = None
    is_standard = False
    for name, value in headers:
        if name == b"content-type":
            # A second one makes both unusable, as parsers differ in which one they take.
            content_type = value if content_type is None else b""
        elif name == b"content-length" and value.isdigit() and (len(value) > 18 or int(value) > max_bytes):
            raise too_large(max_bytes)
        elif name == b"content-encoding" and value.strip().lower() not in (b"identity", b""):
            raise HTTPException(415, "Send the body as it is signed: without a Content-Encoding.")
        elif name == b"x-webhook-signature":
            signature = value if signature is None else b""
        elif name.startswith(b"webhook-"):
            is_standard = is_standard or name in (b"webhook-id", b"webhook-timestamp", b"webhook-signature")
    if content_type is None or not _JSON.fullmatch(content_type.strip()):
        raise HTTPException(415, "Send Content-Type: application/json, in UTF-8.")
    return WebhookHeaders(signature, is_standard)


async def read_body(receive: Receive, *, max_bytes: int, deadline_s: float) -> bytes | None:
    """The whole body; None if the client went away.

    Raises TooLarge at the first byte over the limit, whatever length was announced, and HTTPException 408 at the
    deadline.
    """
    try:
        async with asyncio.timeout(deadline_s):
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                body: bytes = message.get("body", b"")
                if len(body) > max_bytes:
                    raise too_large(max_bytes)
                return body
            collected = bytearray()
            while message["type"] == "http.request":
                collected += message.get("body", b"")
                if len(collected) > max_bytes:
                    raise too_large(max_bytes)
                if not message.get("more_body", False):
                    return bytes(collected)
                message = await receive()
            return None
    except TimeoutError:
        raise HTTPException(408, f"The body did not arrive within {deadline_s:g} s.") from None


def too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"The body is larger than {max_bytes} bytes; send fewer records at a time.")
