"""No secret in a log line, in whichever form it got there."""

import base64
import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hub_security.redaction import REDACTED, Redactor, is_secret_name
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr

SECRET = "p@ss/w+rd ünd more&="


def event(redactor: Redactor, **fields: Any) -> dict[str, Any]:
    return dict(redactor(None, "info", {"event": "source.failed", **fields}))


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        json.dumps(SECRET),
        repr(SECRET),
    ],
)
def test_every_form_of_a_registered_secret_is_replaced(form: str) -> None:
    redactor = Redactor()
    redactor.add(SECRET)
    text = redactor.redact(f"before {form} after {form}.")
    assert form.strip("'\"=")[4:-4] not in text
    assert text.startswith("before ")
    assert text.count(REDACTED) == 2


@given(
    secret=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=6, max_size=40),
    user=st.text(st.characters(codec="ascii", exclude_characters=":"), max_size=7),
)
def test_a_secret_within_basic_credentials_is_replaced(secret: str, user: str) -> None:
    redactor = Redactor()
    redactor.add(secret)
    encoded = base64.b64encode(f"{user}:{secret}".encode()).decode()
    left = redactor.redact(f"Basic {encoded}").removeprefix("Basic ")
    assert REDACTED in left
    # What is left of the secret is less than one base64 group at either end.
    assert len(left) - len(REDACTED) <= len(base64.b64encode(f"{user}:".encode())) + 8


@given(secret=st.text(min_size=6, max_size=30), before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_registered_secret_is_never_in_the_output(secret: str, before: str, after: str) -> None:
    assume(secret not in REDACTED)
    assume(len(secret.strip()) >= 6)
    redactor = Redactor()
    redactor.add(secret)
    pieces = redactor.redact(f"{before}{secret}{after}").split(REDACTED)
    assert all(secret not in piece for piece in pieces)


def test_a_secret_of_several_lines_is_replaced_line_by_line() -> None:
    redactor = Redactor()
    redactor.add("-----BEGIN KEY-----\nMIIEcanary\nline-three\n")
    assert "canary" not in redactor.redact("  MIIEcanary\n")
    assert "canary" not in redactor.redact(repr("-----BEGIN KEY-----\nMIIEcanary\n"))


def test_short_words_are_left_alone() -> None:
    redactor = Redactor()
    redactor.add("abc")
    assert redactor.redact("abc and abcdef") == "abc and abcdef"


def test_the_longest_of_overlapping_secrets_is_replaced() -> None:
    redactor = Redactor()
    redactor.add("secret-one")
    redactor.add("secret-one-and-two")
    assert redactor.redact("x secret-one-and-two y secret-one z") == f"x {REDACTED} y {REDACTED} z"


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "proxy-authorization", "Cookie", "set-cookie", "X-API-Key", "apiKey", "api_key", "password"),
        *("client_secret", "clientSecret", "access_token", "refresh-token", "X-Webhook-Signature", "webhook-signature"),
        *("webhookSecret", "X-Auth-Token", "private_key"),
    ],
)
def test_fields_and_headers_that_hold_secrets_are_blank(name: str) -> None:
    assert is_secret_name(name)
    seen = event(Redactor(), **{name: "canary"}, headers={name: "canary", "accept": "json"}, raw=[(name, "canary")])
    assert "canary" not in repr(seen)
    assert seen["headers"]["accept"] == "json"
    assert "canary" not in repr(event(Redactor(), headers=[(name.encode(), b"canary"), (b"accept", b"x")]))


@pytest.mark.parametrize(
    "name", ["event", "college_id", "integration_id", "message_id", "duration_ms", "key_id", "path"]
)
def test_ordinary_fields_stay(name: str) -> None:
    assert event(Redactor(), **{name: "value"})[name] == "value"
    assert event(Redactor(), **{name: 7})[name] == 7


def test_numbers_in_secret_fields_are_blank_and_flags_stay() -> None:
    assert event(Redactor(), password=123456)["password"] == REDACTED
    assert event(Redactor(), api_key=True)["api_key"] is True
    assert event(Redactor(), api_key=None)["api_key"] is None


@pytest.mark.parametrize(
    "text",
    [
        "GET https://erp.example/api?apikey=canary&x=1 failed",
        "https://user:canary@erp.example/api",
        "'https://erp.example?token=canary'",
        '127.0.0.1 - "GET /api/events?token=canary HTTP/1.1" 200',
    ],
)
def test_query_strings_and_credentials_are_cut_from_urls(text: str) -> None:
    assert "canary" not in Redactor().redact(text)
    assert "canary" not in repr(event(Redactor(), error=text))


@pytest.mark.parametrize("name", ["url", "path", "target", "Location"])
def test_fields_that_hold_an_address_lose_its_query(name: str) -> None:
    assert event(Redactor(), **{name: "api/students?token=canary"})[name] == "api/students"


def test_prose_with_a_question_mark_stays() -> None:
    assert Redactor().redact("is it there? yes and/or no?") == "is it there? yes and/or no?"


def test_nested_values_exceptions_and_models_are_searched() -> None:
    redactor = Redactor()
    redactor.add(SECRET)
    seen = event(
        redactor,
        nested={"deep": [{"deeper": f"x{SECRET}"}, (SECRET, 1)]},
        error=ValueError(f"bad value {SECRET}"),
        body=SECRET.encode(),
        masked=SecretStr(SECRET),
        cyclic=None,
    )
    assert SECRET not in repr(seen)
    loop: list[Any] = []
    loop.append(loop)
    assert REDACTED in repr(event(redactor, loop=loop))


def test_a_text_that_was_clean_is_searched_again_for_a_new_secret() -> None:
    redactor = Redactor()
    assert redactor.redact("the word canary-word") == "the word canary-word"
    redactor.add("canary-word")
    assert redactor.redact("the word canary-word") == f"the word {REDACTED}"


def test_what_is_known_to_be_clean_is_bounded() -> None:
    redactor = Redactor()
    for number in range(10_000):
        redactor.redact(f"line {number}")
    assert len(redactor._clean) <= 4_096


def test_the_oldest_of_very_many_secrets_is_forgotten_and_a_used_one_stays() -> None:
    redactor = Redactor()
    redactor.add("first-secret")
    redactor.add("second-secret")
    for number in range(9_999):
        redactor.add(f"{number:06d}-filler")
        redactor.add("first-secret")
    assert redactor.redact("first-secret second-secret") == f"{REDACTED} second-secret"
