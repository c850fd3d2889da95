"""Opaque cursors over keys. A cursor fits the question it was given for and no other."""

import base64
import binascii
import hashlib
from collections.abc import Sequence

import orjson

from hub_config_api.api.parameters import refused

_DIGEST_CHARS = 16


def write_cursor(asked: Sequence[object], key: str) -> str:
    """The cursor that goes on after ``key``."""
    return base64.urlsafe_b64encode(f"{_digest(asked)}{key}".encode()).decode().rstrip("=")


def read_cursor(asked: Sequence[object], cursor: str) -> str:
    """The key to go on after; InvalidInput for anything that is not a cursor of this question."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    if text[:_DIGEST_CHARS] != _digest(asked):
        raise refused("/cursor", "bad_cursor", "This is not a cursor of this list; ask for the first page without one.")
    return text[_DIGEST_CHARS:]


def _digest(asked: Sequence[object]) -> str:
    return hashlib.sha256(orjson.dumps(list(asked), option=orjson.OPT_SORT_KEYS)).hexdigest()[:_DIGEST_CHARS]
