"""From the bytes of a response to a JSON value, or to an error that says what came instead."""

import json
import re
from typing import Any

import orjson
from hub_model.errors import ErrorClass, SourceError

_CHARSET = re.compile(r"charset\s*=\s*\"?([\w-]+)", re.IGNORECASE)
_DIGITS_TO_ZERO = bytes(ord("0") if chr(byte).isascii() and chr(byte).isdigit() else ord(" ") for byte in range(256))
_LONG_RUN = b"0" * 19  # the shortest whole number that may not fit
_PASSWORD_INPUT = re.compile(rb"type\s*=\s*[\"']?password", re.IGNORECASE)


class UnreadableBody(SourceError):
    """A body that is no JSON. It may be a mishap on the way, so asking again is worth a try."""

    def __init__(self, message: str, *, code: str, public: str) -> None:
        super().__init__(message, error_class=ErrorClass.DATA, code=code, public=public)


def decode(body: bytes, content_type: str, *, label: str) -> Any:
    """The JSON value of a body. Content types lie, so the bytes decide."""
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        raise UnreadableBody(
            f"{label} answered with an empty body",
            code="empty_body",
            public="The source answers with an empty page instead of JSON; check the endpoint's path.",
        )
    if text[:1] == b"<":
        raise _markup(text, label)
    try:
        return _parse(_as_utf8(text, content_type))
    except (ValueError, LookupError, RecursionError):
        # Without a cause: the parser's message quotes the text.
        raise UnreadableBody(
            f"{label} answered with a body that is not JSON ({len(body)} bytes)",
            code="not_json",
            public="The source's answer is not JSON, or was cut off. Check the endpoint's path, or ask the source's "
            "operator.",
        ) from None


def _parse(text: bytes) -> Any:
    """The value. Whole numbers beyond 64 bits become text: orjson would round them to the nearest float."""
    value = orjson.loads(text)
    if _LONG_RUN in text.translate(_DIGITS_TO_ZERO):
        return json.loads(text, parse_int=_exact_int)
    return value


def _as_utf8(text: bytes, content_type: str) -> bytes:
    charset = _CHARSET.search(content_type)
    if charset is None or charset[1].lower() in ("utf-8", "utf8", "us-ascii"):
        return text
    return text.decode(charset[1]).encode()


def _exact_int(digits: str) -> int | str:
    number = int(digits) if len(digits) < 21 else None
    return number if number is not None and -(2**63) <= number < 2**64 else digits


def _markup(text: bytes, label: str) -> SourceError:
    if _PASSWORD_INPUT.search(text[:65_536]):
        return SourceError(
            f"{label} answered with a login page",
            error_class=ErrorClass.AUTH,
            code="credentials_refused",
            public="The source shows its login page instead of data: the stored credentials are missing, wrong or "
            "expired.",
        )
    return UnreadableBody(
        f"{label} answered with a web page or XML",
        code="not_json",
        public="The source answers with a web page or XML instead of JSON. Check the base URL and the endpoint's path.",
    )
