"""Signed tokens as bodies of events: what is read of them, and what no key set makes true."""

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hub_model.errors import Unauthenticated, Unavailable
from hub_security.jwks import JwksCache
from hub_security.jws import read_signed, seconds_of
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

NOW = datetime(2026, 7, 20, 9, 0, 7, tzinfo=UTC)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EVENT = {"metadata": {"event_name": "grade_change", "root_account_uuid": "a-1"}, "body": {"score": 8.5}}
MAX_BYTES = 64 * 1024


class KeySet:
    """A vendor's key set; counts how often it is asked for."""

    def __init__(self, **keys: Any) -> None:
        self.keys, self.fetches, self.is_down = keys, 0, False
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(self) -> bytes:
        self.fetches += 1
        await self.answers.wait()
        if self.is_down:
            raise Unavailable("down")
        entries = [
            {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid} for kid, key in self.keys.items()
        ]
        return json.dumps({"keys": entries}).encode()


def encode(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed(claims: Any = EVENT, key: Any = KEY, **header: Any) -> str:
    """Signs by hand, so that what no library would make can be made."""
    text = f"{encode({'alg': 'RS256', 'kid': 'k1', **header})}.{encode(claims)}"
    signature = jwt.get_algorithm_by_name("RS256").sign(text.encode(), key)
    return f"{text}.{encode(signature)}"


async def read(token: str, keys: JwksCache | None = None, now: datetime = NOW) -> dict[str, Any]:
    return await read_signed(token, keys or JwksCache(KeySet(k1=KEY)), now, max_bytes=MAX_BYTES)


async def refuses(token: str, **known: Any) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await read(token, **known)
    assert token not in str(caught.value)
    return str(caught.value)


async def test_an_event_needs_no_times_no_issuer_and_no_audience() -> None:
    assert await read(signed()) == EVENT
    assert await read(signed({})) == {}


async def test_what_claims_say_of_time_is_given_to_the_caller_as_it_is() -> None:
    claims = {"exp": 1, "nbf": "soon", "iat": -1}
    assert await read(signed(claims)) == claims


@pytest.mark.parametrize("value", ["9999999999", 1e308, 1.0, True, None, -1, [1], {"a": 1}])
def test_a_time_is_a_plain_whole_number(value: Any) -> None:
    with pytest.raises(Unauthenticated, match="exp is not a whole number"):
        seconds_of({"exp": value}, "exp")
    assert seconds_of({"exp": 10**40}, "exp") == 10**40


async def test_a_key_set_is_no_shared_secret() -> None:
    """The public key is public: whoever signs with it as if it were a secret proves nothing."""
    public = KEY.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, pem.strip(), public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)):
        text = f"{encode({'alg': 'HS256', 'kid': 'k1'})}.{encode(EVENT)}"
        forged = f"{text}.{encode(hmac.digest(secret, text.encode(), hashlib.sha256))}"
        assert "algorithm" in await refuses(forged)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None, ["RS256"], "RS512", "PS256", "rs256", 256])
async def test_other_algorithms_are_refused(alg: Any) -> None:
    assert "algorithm" in await refuses(signed(alg=alg))


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c", "crit", "b64", "zip"])
async def test_no_token_brings_its_own_key(name: str) -> None:
    brought = {"jwk": RSAAlgorithm.to_jwk(OTHER.public_key(), as_dict=True), "jku": "https://evil.example/keys"}
    assert "names a key of its own, or an extension" in await refuses(
        signed(key=OTHER, **{name: brought.get(name, "x")})
    )


@pytest.mark.parametrize("kid", ["../../dev/null", "' OR 1=1", "https://evil.example/", "k" * 10_000, "K1", ""])
async def test_a_key_id_is_a_name_and_nothing_else(kid: str) -> None:
    assert await refuses(signed(kid=kid)) == "no key of the issuer fits this token"


@pytest.mark.parametrize("kid", [1, ["k1"], {"k1": 1}, True, None])
async def test_a_key_id_is_text(kid: Any) -> None:
    assert await refuses(signed(kid=kid)) == "the token's kid is not text"


async def test_another_spelling_of_a_token_is_none() -> None:
    token = signed()
    head, claims, signature = token.split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    respelled = signature[:-1] + alphabet[alphabet.index(signature[-1]) + 1]  # the same bytes to most decoders
    for text in (
        token + "==",
        token + "=",
        " " + token,
        token + "\n",
        f'"{token}"',
        f"{token}.x",
        f"{head}..{signature}",
        f"{head}.{claims}",
        f"{head}.{claims}.",
        token.replace(".", "\u3002"),
        f"{head}.{claims}.{respelled}",
    ):
        await refuses(text)


@pytest.mark.parametrize(
    "claims",
    [
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b"[]",
        b'"text"',
        b"null",
        b"",
        b"\xff",
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
async def test_claims_are_one_plain_json_object(claims: bytes) -> None:
    assert "token" in await refuses(signed(claims))


async def test_deep_claims_are_an_error_of_the_sender() -> None:
    deep = b'{"a":' * 6000 + b"1" + b"}" * 6000
    assert "plain JSON" in await refuses(signed(deep))


async def test_a_token_over_the_limit_is_not_decoded() -> None:
    assert "at most 64 KiB" in await refuses(signed({"a": "x" * 200_000}))


async def test_a_key_that_is_rotated_in_is_fetched_once_for_all_who_need_it() -> None:
    key_set = KeySet(previous=OTHER, k1=KEY)
    keys = JwksCache(key_set)
    assert await read(signed(), keys)
    assert await read(signed(key=OTHER, kid="previous"), keys)
    key_set.keys["next"] = OTHER
    new = signed(key=OTHER, kid="next")
    assert await refuses(new, keys=keys) == "no key of the issuer fits this token"
    later = NOW + timedelta(seconds=60)
    for _ in range(5):
        assert await read(new, keys, later)
    assert key_set.fetches == 2
    for number in range(20):
        await refuses(signed(kid=f"unknown-{number}"), keys=keys, now=later + timedelta(seconds=59))
    assert key_set.fetches == 2


async def test_a_key_that_is_just_being_fetched_is_waited_for() -> None:
    key_set = KeySet(k1=KEY)
    keys = JwksCache(key_set)
    for later_s, token in ((0, signed()), (60, signed(key=OTHER, kid="next"))):
        key_set.keys |= {"next": OTHER} if later_s else {}
        key_set.answers.clear()
        reading = [asyncio.create_task(read(token, keys, NOW + timedelta(seconds=later_s))) for _ in range(5)]
        await asyncio.sleep(0)
        key_set.answers.set()
        assert await asyncio.gather(*reading) == [EVENT] * 5
    assert key_set.fetches == 2


async def test_a_known_key_does_not_wait_for_the_key_set_that_another_has_asked_for() -> None:
    key_set = KeySet(k1=KEY)
    keys = JwksCache(key_set)
    assert await read(signed(), keys)
    key_set.answers.clear()
    later = NOW + timedelta(minutes=11)
    first = asyncio.create_task(read(signed(), keys, later))
    await asyncio.sleep(0)
    assert await asyncio.wait_for(read(signed(), keys, later), 5) == EVENT
    assert not first.done()
    key_set.answers.set()
    assert await first == EVENT
    assert key_set.fetches == 2


async def test_without_its_key_set_nothing_is_judged() -> None:
    key_set = KeySet(k1=KEY)
    key_set.is_down = True
    keys = JwksCache(key_set)
    for token in (signed(), signed(key=OTHER)):
        with pytest.raises(Unavailable):
            await read(token, keys)
    assert key_set.fetches == 1
    # A token that no key could make true needs none.
    await refuses(signed(alg="none"), keys=keys)


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")))
async def test_no_text_raises_anything_else(text: str) -> None:
    await refuses(f"{text}x")
