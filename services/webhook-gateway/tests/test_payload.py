"""Strict JSON: everything two parsers could read differently, and everything no store can hold."""

import json
from typing import Any

import orjson
import pytest
from hub_model.errors import InvalidInput
from hub_webhook_gateway.payload import MAX_DEPTH, parse_body
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


def refuses(body: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse_body(body)
    assert caught.value.code == "malformed_json"
    return str(caught.value)


@given(JSON)
def test_plain_json_is_read_without_loss(value: Any) -> None:
    assert parse_body(json.dumps(value).encode()) == value
    assert parse_body(orjson.dumps(value)) == value


ANYTHING = st.recursive(
    st.none() | st.integers(-(2**65), 2**65) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("\0\ud800a", max_size=2), inner, max_size=3),
)


@given(ANYTHING)
def test_how_a_body_is_spaced_and_escaped_does_not_change_what_is_made_of_it(value: Any) -> None:
    def outcome(**form: Any) -> Any:
        try:
            return parse_body(json.dumps(value, **form).encode(errors="surrogatepass"))
        except InvalidInput as error:
            return error.code

    assert outcome(separators=(",", ":"), ensure_ascii=False) == outcome(indent=1) == outcome(separators=(",", ":"))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"   ", "not JSON"),
        (b"{}{}", "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":01}', "not JSON"),
        (b'{"a":"\x01"}', "not JSON"),
        (b'{"tenant":"a","tenant":"b"}', "twice"),
        (b'[{"x":{"y":1,"\\u0079":2}}]', "twice"),
        (b'{"a":NaN}', "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"[-Infinity]", "Infinity"),
        (b"[1e400]", "too large"),
        (b"[9223372036854775808]", "64 bits"),
        (b"[-9223372036854775809]", "64 bits"),
        (b"[" + b"9" * 5000 + b"]", "64 bits"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        ('{"a":1}'.encode("utf-16"), "UTF-8"),
        ('{"a":1}'.encode("utf-32-le"), "not JSON"),
        (b"\xff\xfe\x00{}", "UTF-8"),
        (b'"\xc0\xaf"', "UTF-8"),
        (b'["\xed\xa0\x80"]', "UTF-8"),
        (b'["\\ud800"]', "surrogate"),
        (b'["\\uDC00 \\uD800"]', "surrogate"),
        (b'{"\\ud800":1}', "surrogate"),
        (b'{"a\\u0000b":1}', "NUL"),
    ],
)
def test_anything_else_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    assert reason in refuses(body)


@pytest.mark.parametrize(
    "body", [b'["\\ud83d\\ude00"]', b'["\\\\ud800"]', b'["\\u0000"]', b"[9223372036854775807]", b"7"]
)
def test_what_only_looks_alike_is_accepted(body: bytes) -> None:
    assert parse_body(body) == json.loads(body)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_sixty_four_levels_are_the_limit(opening: bytes, closing: bytes) -> None:
    parse_body(opening * MAX_DEPTH + b"1" + closing * MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 500, 100_000):
        assert "deeper" in refuses(opening * depth + b"1" + closing * depth)


def test_depth_is_counted_in_levels_and_not_in_brackets() -> None:
    def nested(depth: int) -> bytes:
        return b"[" * depth + b"]" * depth

    assert parse_body(b"[" + nested(63) + b",{},{},{}]") is not None
    assert "deeper" in refuses(b"[" + nested(64) + b",{},{},{}]")


def test_many_flat_records_are_not_deep() -> None:
    records = [{"id": str(number), "tags": [{}]} for number in range(2000)]
    assert parse_body(json.dumps(records).encode()) == records


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\u0dEe+-.19 NnaItflsrue', max_size=60).map(str.encode))
def test_arbitrary_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        value = parse_body(body)
    except InvalidInput:
        return
    orjson.dumps(value)
