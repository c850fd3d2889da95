"""Bearer tokens against the attack corpus: every refusal is Unauthenticated, and a role decides Forbidden later."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hub_model.errors import Forbidden, InvalidInput, Unauthenticated, Unavailable
from hub_security.jwks import JwksCache, SharedKey, parse_key_set
from hub_security.roles import Principal, Role, require_manager
from hub_security.tokens import TokenVerifier, mint_token
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

SECRET = "a shared secret of thirty-two bytes or more"
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WEAK_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def claims(**changes: Any) -> dict[str, Any]:
    made = {
        "sub": "u1",
        "role": "Principal",
        "collegeId": "college-a",
        "iat": NOW_S,
        "exp": NOW_S + 600,
        **changes,
    }
    return {name: value for name, value in made.items() if value is not ...}


def encode(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def hs256(payload: Any, header: Any = None, *, secret: bytes = SECRET.encode()) -> str:
    """Signs by hand, so that what no library would make can be made."""
    signed = f"{encode(header or {'alg': 'HS256', 'typ': 'JWT'})}.{encode(payload)}"
    return f"{signed}.{encode(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def jwk(key: Any, kid: str | None = "k1", **changes: Any) -> dict[str, Any]:
    algorithm = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
    made: dict[str, Any] = {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, **changes}
    return {name: value for name, value in made.items() if value is not None}


class KeySet:
    """An identity provider's key set: counts fetches and can fail."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.body: bytes | None = None
        self.failure: Exception | None = None
        self.fetches = 0

    async def __call__(self) -> bytes:
        self.fetches += 1
        if self.failure:
            raise self.failure
        return self.body if self.body is not None else json.dumps({"keys": self.keys}).encode()


shared = TokenVerifier(SharedKey(SECRET))


async def refuses(token: str, verifier: TokenVerifier = shared, now: datetime = NOW) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(token, now)
    assert caught.value.public == "A valid bearer token is required."
    return str(caught.value)


async def test_a_minted_token_names_its_principal() -> None:
    token = mint_token(SECRET, subject="u1", role=Role.ADMIN, college_id="college-a", now=NOW)
    assert await shared.verify(token, NOW) == Principal("u1", Role.ADMIN, "college-a", NOW + timedelta(hours=1))


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None, 7, ["HS256"], "HS512", "RS256", "hs256"])
async def test_other_algorithms_are_refused(alg: Any) -> None:
    await refuses(hs256(claims(), {"alg": alg}))
    await refuses(f"{encode({'alg': alg})}.{encode(claims())}.")


async def test_a_public_key_does_not_serve_as_a_shared_secret() -> None:
    pem = RSA_KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    verifier = TokenVerifier(JwksCache(KeySet(jwk(RSA_KEY))))
    await refuses(hs256(claims(), {"alg": "HS256", "kid": "k1"}, secret=pem), verifier)


@pytest.mark.parametrize(
    "kid", ["../../dev/null", "' OR 1=1 --", "https://evil.example/k", "x" * 5000, "k2", "", 7, {}]
)
async def test_a_key_id_is_only_looked_up(kid: Any) -> None:
    keys = KeySet(jwk(RSA_KEY), jwk(EC_KEY, "k9"))
    verifier = TokenVerifier(JwksCache(keys))
    good = jwt.encode(claims(), RSA_KEY, algorithm="RS256", headers={"kid": "k1"})
    assert (await verifier.verify(good, NOW)).subject == "u1"
    header, payload, signature = good.split(".")
    await refuses(f"{encode({'alg': 'RS256', 'kid': kid})}.{payload}.{signature}", verifier)
    assert keys.fetches == 1
    assert header


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c", "crit", "b64", "zip"])
async def test_a_token_that_brings_its_own_key_or_extensions_is_refused(name: str) -> None:
    value: Any = {"jwk": jwk(EC_KEY), "x5c": ["MIIB"], "crit": ["exp"], "b64": False}.get(name, "https://evil.example")
    await refuses(hs256(claims(), {"alg": "HS256", name: value}))


@pytest.mark.parametrize(
    "exp", [..., "9999999999", 1e308, float("nan"), float("inf"), -1, True, None, [NOW_S + 60], NOW_S + 60.0, 10**30]
)
async def test_exp_is_a_whole_number_within_the_lifetime(exp: Any) -> None:
    await refuses(hs256(claims(exp=exp)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": NOW_S - 30, "iat": NOW_S - 600}, "expired"),
        ({"iat": NOW_S + 31}, "not valid yet"),
        ({"nbf": NOW_S + 600}, "not valid yet"),
        ({"nbf": "soon"}, "nbf"),
        ({"iat": "now"}, "iat"),
        ({"iat": 1.5}, "iat"),
        ({"exp": NOW_S + 3601}, "longer"),
        ({"iat": ..., "exp": NOW_S + 3601}, "longer"),
        ({"iat": NOW_S - 4000, "exp": NOW_S + 10}, "longer"),
    ],
)
async def test_times_outside_their_bounds_are_refused(changes: dict[str, Any], reason: str) -> None:
    assert reason in await refuses(hs256(claims(**changes)))


@pytest.mark.parametrize(
    "changes",
    [{"exp": NOW_S - 29, "iat": NOW_S - 60}, {"iat": NOW_S + 30}, {"nbf": NOW_S + 30}, {"iat": ..., "nbf": ...}],
)
async def test_the_leeway_is_thirty_seconds(changes: dict[str, Any]) -> None:
    assert (await shared.verify(hs256(claims(**changes)), NOW)).subject == "u1"


async def test_a_longer_life_is_accepted_only_where_the_setting_allows_it() -> None:
    token = mint_token(SECRET, subject="dev", role=Role.ADMIN, college_id="c", now=NOW, lifetime_s=12 * 3600)
    assert (await TokenVerifier(SharedKey(SECRET), max_lifetime_s=12 * 3600).verify(token, NOW)).subject == "dev"
    await refuses(token)
    for wrong in (0, 12 * 3600 + 1):
        with pytest.raises(InvalidInput):
            TokenVerifier(SharedKey(SECRET), max_lifetime_s=wrong)
        with pytest.raises(InvalidInput):
            mint_token(SECRET, subject="dev", role=Role.ADMIN, college_id="c", now=NOW, lifetime_s=wrong)


@pytest.mark.parametrize(
    "aud", [..., "other", ["other"], "hub-api-2", "hub", "hub-apihub-api", {"hub-api": 1}, None, [], [["hub-api"]]]
)
async def test_another_audience_is_refused(aud: Any) -> None:
    verifier = TokenVerifier(SharedKey(SECRET), audience="hub-api")
    await refuses(hs256(claims(aud=aud)), verifier)
    for ours in ("hub-api", ["other", "hub-api"]):
        await verifier.verify(hs256(claims(aud=ours)), NOW)


@pytest.mark.parametrize(
    "iss", [..., "https://id.example", "https://id.example/x/", "https://id.exampl", ["https://id.example/"], None]
)
async def test_another_issuer_is_refused(iss: Any) -> None:
    verifier = TokenVerifier(SharedKey(SECRET), issuer="https://id.example/")
    await refuses(hs256(claims(iss=iss)), verifier)
    await verifier.verify(hs256(claims(iss="https://id.example/")), NOW)


async def test_a_token_has_one_spelling() -> None:
    good = hs256(claims())
    await shared.verify(good, NOW)
    respelt = good[:-1] + chr(ord(good[-1]) + 1)
    for token in (good + "==", good + "=", " " + good, good + "\n", good + ".x", good.replace(".", ".."), respelt, ""):
        await refuses(token)
    assert base64.urlsafe_b64decode(good.rsplit(".")[-1] + "=") == base64.urlsafe_b64decode(
        respelt.rsplit(".")[-1] + "="
    )


async def test_large_and_deep_tokens_are_refused_before_their_signature_counts() -> None:
    await refuses("a" * 200_000)
    await refuses(hs256(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"))
    await refuses(hs256(claims(), b"[" * 3000))


async def test_a_token_has_at_most_eight_kibibytes() -> None:
    def padded(size: int) -> str:
        shortest = len(hs256(claims(pad="")))
        return hs256(claims(pad="x" * ((size - shortest) * 3 // 4)))

    longest = padded(8192)
    assert 8188 <= len(longest) <= 8192
    await shared.verify(longest, NOW)
    assert "8 KiB" in await refuses(padded(8200))


@pytest.mark.parametrize("extra", [b'"sub":"u2"', b'"x":NaN', b'"x":-Infinity', b'"x":{"a":1,"a":2}'])
async def test_claims_that_parsers_read_differently_are_refused(extra: bytes) -> None:
    payload = json.dumps(claims()).encode()
    await shared.verify(hs256(payload[:-1] + b',"x":1}'), NOW)
    assert "plain JSON" in await refuses(hs256(payload[:-1] + b"," + extra + b"}"))


@pytest.mark.parametrize("college", ["", "a b", "x" * 65, "../a"])
def test_a_token_is_minted_for_a_college_only(college: str) -> None:
    with pytest.raises(InvalidInput):
        mint_token(SECRET, subject="u", role=Role.ADMIN, college_id=college, now=NOW)


async def test_the_shortest_life_is_a_second() -> None:
    token = mint_token(SECRET, subject="u", role=Role.ADMIN, college_id="c", now=NOW, lifetime_s=1)
    assert (await TokenVerifier(SharedKey(SECRET), max_lifetime_s=1).verify(token, NOW)).subject == "u"


@pytest.mark.parametrize(
    "payload", [b"[]", b"null", b"{", b"\xff\xfe", b'{"exp":1,"exp":2}', b'{"exp":NaN}', b"", b"\xef\xbb\xbf{}"]
)
async def test_claims_are_one_plain_json_object(payload: bytes) -> None:
    await refuses(hs256(payload))


@pytest.mark.parametrize(
    "college", [..., "", None, 7, ["college-a"], {"$ne": None}, "a b", "x" * 65, "a\n", "../a", "é"]
)
async def test_a_token_names_its_college(college: Any) -> None:
    assert "college" in await refuses(hs256(claims(collegeId=college)))


@pytest.mark.parametrize("subject", [..., "", None, 7, "x" * 257, "a\nb"])
async def test_a_token_names_its_subject(subject: Any) -> None:
    assert "subject" in await refuses(hs256(claims(sub=subject)))


@pytest.mark.parametrize(
    "role", ["Teacher", "Student", ..., ["Admin"], "admin", "admin ", "Admin ", "PRINCIPAL", None, 1, {}, "Unknown", ""]
)
async def test_any_other_role_is_authenticated_and_forbidden(role: Any) -> None:
    principal = await shared.verify(hs256(claims(role=role)), NOW)
    with pytest.raises(Forbidden):
        require_manager(principal)


@pytest.mark.parametrize("role", [Role.PRINCIPAL, Role.ADMIN])
async def test_principals_and_admins_manage(role: Role) -> None:
    require_manager(await shared.verify(hs256(claims(role=role.value)), NOW))


async def test_a_changed_token_is_refused() -> None:
    header, _, signature = hs256(claims()).split(".")
    await refuses(f"{header}.{encode(claims(role='Admin'))}.{signature}")
    await refuses(hs256(claims(), secret=b"another secret of thirty-two bytes.."))


@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda raw: raw.decode("latin-1")))
async def test_arbitrary_text_is_unauthenticated(text: str) -> None:
    await refuses(text)


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk"]), st.text() | st.integers() | st.none()))
async def test_arbitrary_headers_are_unauthenticated(header: dict[str, Any]) -> None:
    if header.get("alg") != "HS256":
        await refuses(hs256(claims(), header or {"alg": "x"}))


@pytest.mark.parametrize("secret", ["", "abc", "x" * 31])
def test_a_short_shared_key_refuses_to_start(secret: str) -> None:
    with pytest.raises(InvalidInput, match="32 bytes"):
        SharedKey(secret)
    with pytest.raises(InvalidInput):
        mint_token(secret, subject="u", role=Role.ADMIN, college_id="c", now=NOW)


@pytest.mark.parametrize(("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256")])
async def test_tokens_of_an_identity_provider_verify(key: Any, algorithm: str) -> None:
    verifier = TokenVerifier(JwksCache(KeySet(jwk(key))))
    token = jwt.encode(claims(), key, algorithm=algorithm, headers={"kid": "k1"})
    assert (await verifier.verify(token, NOW)).college_id == "college-a"
    await refuses(jwt.encode(claims(), key, algorithm=algorithm, headers={"kid": "k2"}), verifier)


async def test_a_token_without_key_id_needs_a_set_of_one() -> None:
    token = jwt.encode(claims(), RSA_KEY, algorithm="RS256")
    await TokenVerifier(JwksCache(KeySet(jwk(RSA_KEY)))).verify(token, NOW)
    await TokenVerifier(JwksCache(KeySet(jwk(RSA_KEY, None)))).verify(token, NOW)
    for more in (jwk(EC_KEY, "k2"), {"kty": "oct", "k": "AAAA"}, jwk(EC_KEY, None)):
        await refuses(token, TokenVerifier(JwksCache(KeySet(jwk(RSA_KEY), more))))


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "oct", "k": encode(SECRET.encode()), "kid": "k1"},
        jwk(WEAK_RSA_KEY),
        jwk(RSA_KEY, use="enc"),
        jwk(RSA_KEY, key_ops=["encrypt"]),
        jwk(RSA_KEY, alg="RS512"),
        jwk(RSA_KEY, alg="HS256"),
        jwk(ec.generate_private_key(ec.SECP384R1())),
        jwk(RSA_KEY, n="!!"),
        jwk(EC_KEY, x="AA"),
        jwk(RSA_KEY, "k 1"),
        {"kid": "k1"},
        7,
    ],
)
async def test_keys_that_may_not_verify_are_not_used(entry: Any) -> None:
    with pytest.raises(InvalidInput):
        parse_key_set(json.dumps({"keys": [entry]}).encode())
    usable = parse_key_set(json.dumps({"keys": [entry, jwk(EC_KEY, "other")]}).encode())
    assert list(usable) == ["other"]


async def test_an_id_that_occurs_twice_names_no_key() -> None:
    verifier = TokenVerifier(JwksCache(KeySet(jwk(RSA_KEY), jwk(EC_KEY), jwk(EC_KEY, "k2"))))
    await refuses(jwt.encode(claims(), RSA_KEY, algorithm="RS256", headers={"kid": "k1"}), verifier)
    await verifier.verify(jwt.encode(claims(), EC_KEY, algorithm="ES256", headers={"kid": "k2"}), NOW)


async def test_a_key_serves_its_own_algorithm_only() -> None:
    verifier = TokenVerifier(JwksCache(KeySet(jwk(RSA_KEY), jwk(EC_KEY, "k2"))))
    signed = jwt.encode(claims(), RSA_KEY, algorithm="RS256", headers={"kid": "k2"})
    await refuses(signed, verifier)


async def test_an_unknown_key_id_renews_the_set_at_most_once_a_minute() -> None:
    keys = KeySet(jwk(RSA_KEY))
    verifier = TokenVerifier(JwksCache(keys))
    rotated = jwt.encode(claims(), EC_KEY, algorithm="ES256", headers={"kid": "k2"})
    for _ in range(20):
        await refuses(rotated, verifier)
    assert keys.fetches == 1
    keys.keys.append(jwk(EC_KEY, "k2"))
    await refuses(rotated, verifier, NOW + timedelta(seconds=59))
    assert (await verifier.verify(rotated, NOW + timedelta(seconds=60))).subject == "u1"
    assert keys.fetches == 2


async def test_a_removed_key_is_refused_after_ten_minutes() -> None:
    keys = KeySet(jwk(RSA_KEY), jwk(EC_KEY, "k2"))
    verifier = TokenVerifier(JwksCache(keys))
    token = jwt.encode(claims(exp=NOW_S + 3600), RSA_KEY, algorithm="RS256", headers={"kid": "k1"})
    await verifier.verify(token, NOW)
    del keys.keys[0]
    await verifier.verify(token, NOW + timedelta(minutes=9))
    await refuses(token, verifier, NOW + timedelta(minutes=10))


@pytest.mark.parametrize(
    "broken", [b"<html>" + b"x" * 500_000, b"<html>", b"[]", b'{"keys": 7}', b'{"keys": []}', b"[" * 200_000, b"\xff"]
)
async def test_keys_at_hand_serve_for_an_hour_when_the_set_cannot_be_had(broken: bytes) -> None:
    keys = KeySet(jwk(RSA_KEY))
    verifier = TokenVerifier(JwksCache(keys), max_lifetime_s=7200)
    token = jwt.encode(claims(exp=NOW_S + 7200), RSA_KEY, algorithm="RS256", headers={"kid": "k1"})
    await verifier.verify(token, NOW)
    keys.body = broken
    await verifier.verify(token, NOW + timedelta(minutes=60))
    with pytest.raises(Unavailable):
        await verifier.verify(token, NOW + timedelta(minutes=61))
    keys.body = None
    await verifier.verify(token, NOW + timedelta(minutes=62))


async def test_without_any_keys_everything_is_unavailable_and_fetches_are_spaced() -> None:
    keys = KeySet(jwk(RSA_KEY))
    keys.failure = Unavailable("down")
    verifier = TokenVerifier(JwksCache(keys))
    token = jwt.encode(claims(), RSA_KEY, algorithm="RS256", headers={"kid": "k1"})
    for second in range(5):
        with pytest.raises(Unavailable):
            await verifier.verify(token, NOW + timedelta(seconds=second))
    assert keys.fetches == 1
    keys.failure = None
    await verifier.verify(token, NOW + timedelta(seconds=5))
