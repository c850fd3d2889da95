"""Strict JSON: what two parsers could read differently, or what no store can hold, is refused and never mended."""

import json
import math
from typing import Any

import orjson
from hub_model.errors import InvalidInput

MAX_DEPTH = 64

_INT64 = 2**63
_NUL = b"\\u0000"


def parse_body(body: bytes) -> Any:
    """The value in a UTF-8 body; InvalidInput (malformed_json) says why there is none.

    Refused: a byte order mark, a name that occurs twice, NaN, Infinity and numbers beyond 64 bits, half surrogate
    pairs, and more than 64 levels.
    """
    value = _unambiguous(body)
    return value if value is not None else _parse(body)


def _unambiguous(body: bytes) -> Any:
    """The value, if the body is written exactly as it would be written anew; else None, which says nothing yet.

    Then every parser reads the same: a name that occurs twice would be gone, and a number or a text that can be written
    in two ways would have changed. Most senders' bodies are like that, and this takes a fraction of a careful look.
    """
    try:
        value = orjson.loads(body)
        is_same = orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER) == body
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    is_flat = body.count(b"{") + body.count(b"[") <= MAX_DEPTH
    return value if is_same and is_flat and _NUL not in body else None


def _parse(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("is not UTF-8") from None
    try:
        # strict, so that a byte order mark is an error like any other character before the value
        value = _DECODER.decode(text)
    except RecursionError:
        raise _malformed(f"is nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"is not JSON (line {error.lineno}, column {error.colno})") from None
    # Two cheap counts spare nearly every body the look at its values.
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _check_depth(value)
    if "\\ud" in text or "\\uD" in text:
        _check_surrogates(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise _malformed("has an object with the same name twice")
    if "\0" in "".join(document):
        raise _malformed("has a name with a NUL character")
    return document


def _integer(text: str) -> int:
    if len(text) <= 20 and -_INT64 <= (number := int(text)) < _INT64:
        return number
    raise _malformed("has a whole number beyond 64 bits; send it as text")


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _malformed("has a number too large for a float; send it as text")
    return number


def _constant(name: str) -> Any:
    raise _malformed(f"has {name}, which is not JSON")


def _check_depth(value: Any) -> None:
    containers = [value]
    for _ in range(MAX_DEPTH):
        containers = [
            child
            for container in containers
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, dict | list)
        ]
        if not containers:
            return
    raise _malformed(f"is nested deeper than {MAX_DEPTH} levels")


def _check_surrogates(value: Any) -> None:
    try:
        orjson.dumps(value)
    except TypeError:
        raise _malformed("has half of a surrogate pair") from None


def _malformed(reason: str) -> InvalidInput:
    return InvalidInput(f"The body {reason}.", code="malformed_json")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_number, parse_constant=_constant
)
