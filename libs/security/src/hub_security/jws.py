"""Compact JSON Web Signatures (RFC 7515), checked more strictly than the library does.

The library verifies the signature; the form is checked here: one spelling, plain JSON, and an algorithm of the key
source's own. Key material named by the token itself (``jku``, ``x5u``, ``jwk``, ``x5c``) is refused, and ``kid`` is a
dictionary key and nothing else.
"""

import base64
import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import jwt
from hub_model.errors import Unauthenticated

from hub_security.jwks import KeySource

NOT_SIGNED = "A valid bearer token is required."

LEEWAY_S = 30

_COMPACT = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2}")
_FORBIDDEN_HEADERS = frozenset(["jku", "x5u", "jwk", "x5c", "crit", "b64", "zip"])


async def read_signed(token: str, keys: KeySource, now: datetime, *, max_bytes: int) -> dict[str, Any]:
    """The claims of a signed token. What they say of times and parties is the caller's to check.

    Raises Unauthenticated, whose ``str()`` says what is wrong; Unavailable while the keys cannot be had.
    """
    header = _checked_header(token, keys.algorithms, max_bytes)
    key = await keys.find(header["alg"], header.get("kid"), now)
    if key is None:
        raise _refused("no key of the issuer fits this token")
    try:
        payload = jwt.PyJWS().decode(token, key, algorithms=[header["alg"]])
    except (jwt.InvalidTokenError, jwt.InvalidKeyError) as error:
        raise _refused("the token's signature is not valid") from error
    return _json_object(payload)


def seconds_of(claims: dict[str, Any], name: str) -> int:
    """A time claim, which must be a plain whole number: text, booleans and 1e308 are not."""
    value = claims.get(name)
    if type(value) is not int or value < 0:
        raise _refused(f"the token's {name} is not a whole number of seconds")
    return value


def check_validity(claims: dict[str, Any], now_s: int) -> None:
    """Raise Unauthenticated if the token says that it has expired, or is not valid yet; it need not say either."""
    if "exp" in claims and seconds_of(claims, "exp") + LEEWAY_S <= now_s:
        raise _refused("the token has expired")
    if "nbf" in claims and seconds_of(claims, "nbf") > now_s + LEEWAY_S:
        raise _refused("the token is not valid yet")


def _checked_header(token: str, algorithms: Sequence[str], max_bytes: int) -> dict[str, Any]:
    if len(token) > max_bytes or not _COMPACT.fullmatch(token):
        raise _refused(f"this is not a compact token of at most {max_bytes // 1024} KiB")
    segments = [_decoded(segment) for segment in token.split(".")]
    header = _json_object(segments[0])
    if header.get("alg") not in algorithms:
        raise _refused(f"the token's algorithm is not one of {', '.join(algorithms)}")
    if _FORBIDDEN_HEADERS & header.keys():
        raise _refused("the token's header names a key of its own, or an extension")
    if not isinstance(header.get("kid", ""), str):
        raise _refused("the token's kid is not text")
    return header


def _decoded(segment: str) -> bytes:
    """The bytes of one segment in its only accepted spelling: decoders ignore the last character's unused bits."""
    try:
        raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        raise _refused("the token is not base64url") from None
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != segment:
        raise _refused("the token is not canonical base64url")
    return raw


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _refused("the token does not hold plain JSON") from None
    if not isinstance(document, dict):
        raise _refused("the token does not hold JSON objects")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name occurs twice")
    return document


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _refused(reason: str) -> Unauthenticated:
    return Unauthenticated(reason, public=NOT_SIGNED)
