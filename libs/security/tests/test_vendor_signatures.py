"""The signatures of vendors in headers of their own, and secrets that come along as they are."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hub_model.errors import InvalidInput, Unauthenticated
from hub_model.webhooks import SignatureHeader, WebhookScheme
from hub_security.signatures import check_secret, new_secret, verify_hmac, verify_token
from hypothesis import given
from hypothesis import strategies as st

VECTORS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("vectors.json").read_text())["vendors"]
FRAPPE = SignatureHeader.model_validate({"name": "X-Frappe-Webhook-Signature", "encoding": "base64"})
GITHUB = SignatureHeader.model_validate({"name": "X-Hub-Signature-256", "prefix": "sha256="})
SECRET = "a secret of this college"
BODY = b'{"student": "101", "status": "Present", "date": "2026-07-20"}'
BASE64 = "KveGfE6jqIpGskGpQNf8fgZx+1BLEUKlEEn6ve5NI4A="
HEX = base64.b64decode(BASE64).hex()


def refuses(header: str | None, form: SignatureHeader, *, secrets: Any = (SECRET,), body: bytes = BODY) -> str:
    with pytest.raises(Unauthenticated) as caught:
        verify_hmac(secrets, body, header, form)
    assert caught.value.public == "The request's signature could not be verified."
    # What was sent may be a secret in the wrong place, and what is expected would be a signature to use.
    assert not header or header not in str(caught.value)
    assert BASE64 not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vendors_vectors_verify_and_are_what_the_primitives_compute(vector: dict[str, Any]) -> None:
    body = base64.b64decode(vector["body"])
    mac = hmac.digest(vector["secret"].encode(), body, hashlib.sha256)
    written = base64.b64encode(mac).decode() if vector["encoding"] == "base64" else mac.hex()
    assert vector["signature"] == vector["prefix"] + written
    form = {"name": vector["header"], "encoding": vector["encoding"], "prefix": vector["prefix"]}
    verify_hmac([vector["secret"]], body, vector["signature"], SignatureHeader.model_validate(form))


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(json.loads(BODY), separators=(",", ":")).encode(),
        json.dumps(json.loads(BODY), sort_keys=True).encode(),
        BODY + b"\n",
        b"",
    ],
)
def test_the_same_json_written_in_another_way_is_another_body(body: bytes) -> None:
    refuses(BASE64, FRAPPE, body=body)


@pytest.mark.parametrize(
    "header",
    [
        "",
        BASE64[:-1],
        BASE64 + "=",
        BASE64 + BASE64,
        " " + BASE64,
        BASE64 + "\n",
        BASE64.replace("+", "-"),
        BASE64[:-2] + "Ä=",
        "sha256=" + BASE64,
        base64.b64encode(b"x" * 31).decode(),
        base64.b64encode(b"x" * 33).decode(),
        BASE64[:10] + "\0" + BASE64[11:],
        "\ud800" * 44,
    ],
)
def test_what_is_not_base64_of_32_bytes_is_refused(header: str) -> None:
    assert "is not base64 of 32 bytes" in refuses(header, FRAPPE)


@pytest.mark.parametrize(
    "header", ["", HEX[:-1], HEX + "0", "0x" + HEX[2:], HEX[:-1] + "g", HEX[:-1] + "٣", HEX + "\n"]
)
def test_what_is_not_64_hex_digits_after_the_prefix_is_refused(header: str) -> None:
    assert "is not 64 hex digits" in refuses("sha256=" + header, GITHUB)


def test_the_last_characters_unused_bits_change_nothing() -> None:
    """Decoders ignore them; so a signature's text never tells whether an event is a repetition."""
    respelled = BASE64[:-2] + chr(ord(BASE64[-2]) + 1) + "="
    assert base64.b64decode(respelled) == base64.b64decode(BASE64)
    verify_hmac([SECRET], BODY, respelled, FRAPPE)


@pytest.mark.parametrize("header", [HEX, "", "SHA256=" + HEX, "sha1=" + HEX, " sha256=" + HEX, HEX + "sha256="])
def test_a_prefix_is_needed_as_it_is_written(header: str) -> None:
    assert "does not begin with sha256=" in refuses(header, GITHUB)


def test_hex_may_be_written_in_capitals() -> None:
    verify_hmac([SECRET], BODY, "sha256=" + HEX.upper(), GITHUB)


def test_the_other_encoding_is_named_but_never_taken() -> None:
    assert "it looks like hex" in refuses(HEX, FRAPPE)
    assert "it looks like base64" in refuses("sha256=" + BASE64, GITHUB)


def test_a_missing_header_is_named() -> None:
    assert refuses(None, FRAPPE) == "the header X-Frappe-Webhook-Signature is missing"


@pytest.mark.parametrize("secrets", [("another secret",), ("",), (), (SECRET + "\0",), (SECRET[:-1],)])
def test_other_secrets_do_not_sign(secrets: tuple[str, ...]) -> None:
    # A key is filled up with zero bytes, so the third is the same key in another spelling: only that one is right.
    if secrets == (SECRET + "\0",):
        verify_hmac(secrets, BODY, BASE64, FRAPPE)
        return
    refuses(BASE64, FRAPPE, secrets=secrets)


@pytest.mark.parametrize("key", [b"", bytes(64)])
def test_an_empty_key_is_one_that_anyone_knows(key: bytes) -> None:
    forged = base64.b64encode(hmac.digest(key, BODY, hashlib.sha256)).decode()
    refuses(forged, FRAPPE, secrets=("",))
    refuses(forged, FRAPPE, secrets=(SECRET, ""))


def test_during_a_rotation_each_of_the_secrets_signs() -> None:
    for secrets in (("new", SECRET), (SECRET, "old")):
        verify_hmac(secrets, BODY, BASE64, FRAPPE)


@given(secret=st.text(min_size=1, max_size=300), body=st.binary(max_size=300), junk=st.text(max_size=100))
def test_any_secret_signs_and_no_junk_does_or_raises_anything_else(secret: str, body: bytes, junk: str) -> None:
    mac = hmac.digest(secret.encode("utf-8", "surrogatepass"), body, hashlib.sha256)
    verify_hmac([secret], body, base64.b64encode(mac).decode(), FRAPPE)
    with pytest.raises(Unauthenticated):
        verify_hmac([secret], body, junk, FRAPPE)
    if junk != secret:
        with pytest.raises(Unauthenticated):
            verify_token([secret], junk, place="the field")


@pytest.mark.parametrize("given_secret", [None, ""])
def test_no_token_is_missing_even_where_a_secret_is_empty(given_secret: str | None) -> None:
    for secrets in ((SECRET,), ("",), ()):
        with pytest.raises(Unauthenticated, match="the field token is missing"):
            verify_token(secrets, given_secret, place="the field token")


@pytest.mark.parametrize("given_secret", [SECRET[:-1], SECRET + " ", SECRET.upper(), "x", "\0", "\ud800", "пароль"])
def test_another_token_is_refused_and_not_repeated(given_secret: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        verify_token([SECRET, "пароль колледжа"], given_secret, place="the header X")
    assert str(caught.value) == "the header X is not an active secret"


@pytest.mark.parametrize("secret", [SECRET, "пароль колледжа", "\ud800 half", "x" * 256])
def test_a_token_is_any_of_the_secrets(secret: str) -> None:
    verify_token([secret], secret, place="the header X")
    verify_token(["another", secret], secret, place="the header X")
    verify_token([secret, ""], secret, place="the header X")


@pytest.mark.parametrize(
    ("secret", "suits"),
    [
        ("x" * 22, True),
        ("x" * 128, True),
        ("A_-9" * 6, True),
        ("x" * 21, False),
        ("x" * 129, False),
        ("x" * 22 + "/", False),
        ("x" * 22 + "%2F", False),
        ("x" * 22 + ".", False),
        ("é" * 22, False),
        ("x" * 22 + "\n", False),
    ],
)
def test_a_secret_in_an_address_is_one_part_of_a_path(secret: str, suits: bool) -> None:
    if suits:
        check_secret(WebhookScheme.TOKEN, secret, in_address=True)
        return
    with pytest.raises(InvalidInput) as caught:
        check_secret(WebhookScheme.TOKEN, secret, in_address=True)
    assert secret not in str(caught.value)


def test_a_fresh_secret_also_suits_an_address() -> None:
    check_secret(WebhookScheme.TOKEN, new_secret(WebhookScheme.TOKEN), in_address=True)
