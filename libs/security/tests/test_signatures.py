"""Webhook signatures against published vectors, the reference library, and the attack corpus."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hub_model.errors import InvalidInput, Unauthenticated
from hub_model.webhooks import WebhookScheme
from hub_security.signatures import (
    TOLERANCE_S,
    check_secret,
    has_standard_headers,
    new_secret,
    sign_legacy,
    sign_standard,
    verify_legacy,
    verify_standard,
)
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(Path(__file__).with_name("vectors.json").read_text())
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
BODY = b'{"type":"student.updated","data":{"name":"Zo\xc3\xab","n":1.0}}'
NOW = datetime.fromtimestamp(1_700_000_000, UTC)
GOOD = "v1,Lk1Nd4FLQlPXvMatBNQV0B4bbwBjhdURh5Rcrq3pxfo="
LEGACY = "legacy-secret-key"
LEGACY_GOOD = "9ec15c52c50acb8f87363ab858b2e4eba78f788deb9213f4e06fb54f63d9d426"


def headers(message_id: str = "msg_college_0001", timestamp: str = "1700000000", signature: str = GOOD) -> Any:
    return [("Webhook-Id", message_id), ("webhook-timestamp", timestamp), ("WEBHOOK-SIGNATURE", signature)]


def refuses(
    given_headers: Any, *, body: bytes = BODY, secrets: tuple[str, ...] = (SECRET,), now: datetime = NOW
) -> str:
    with pytest.raises(Unauthenticated) as caught:
        verify_standard(secrets, given_headers, body, now)
    assert caught.value.public == "The request's signature could not be verified."
    return str(caught.value)


@pytest.mark.parametrize("vector", VECTORS["standard"], ids=lambda vector: vector["name"])
def test_standard_vectors_verify_and_are_reproduced(vector: dict[str, Any]) -> None:
    body = base64.b64decode(vector["body"])
    assert sign_standard(vector["secret"], vector["id"], vector["timestamp"], body) == vector["signature"]
    accepted = verify_standard(
        [vector["secret"]],
        headers(vector["id"], str(vector["timestamp"]), vector["signature"]),
        body,
        datetime.fromtimestamp(vector["timestamp"], UTC),
    )
    assert accepted == vector["id"]


@pytest.mark.parametrize("vector", VECTORS["legacy"], ids=lambda vector: vector["name"])
def test_legacy_vectors_verify_and_are_reproduced(vector: dict[str, Any]) -> None:
    body = base64.b64decode(vector["body"])
    assert sign_legacy(vector["secret"], body) == vector["signature"]
    verify_legacy([vector["secret"]], body, vector["signature"])


def test_the_vectors_are_what_the_primitives_compute() -> None:
    for vector in VECTORS["standard"]:
        key = base64.b64decode(vector["secret"].removeprefix("whsec_"))
        content = f"{vector['id']}.{vector['timestamp']}.".encode() + base64.b64decode(vector["body"])
        mac = hmac.new(key, content, hashlib.sha256).digest()
        assert vector["signature"] == "v1," + base64.b64encode(mac).decode()
    for vector in VECTORS["legacy"]:
        mac = hmac.new(vector["secret"].encode(), base64.b64decode(vector["body"]), hashlib.sha256)
        assert vector["signature"] == mac.hexdigest()
    assert len(VECTORS["standard"]) == 4
    assert len(VECTORS["legacy"]) == 3


@given(
    key=st.binary(min_size=24, max_size=64),
    message_id=st.from_regex(r"\A[A-Za-z0-9_-]{1,128}\Z"),
    payload=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers()),
)
def test_the_reference_library_and_we_accept_each_others_signatures(
    key: bytes, message_id: str, payload: dict[str, int]
) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    body = json.dumps(payload).encode()
    now = datetime.now(UTC)
    stamp = int(now.timestamp())
    ours = sign_standard(secret, message_id, stamp, body)
    named = {"webhook-id": message_id, "webhook-timestamp": str(stamp), "webhook-signature": ours}
    assert Webhook(secret).verify(body, named) == payload
    theirs = Webhook(secret).sign(message_id, now, body.decode())
    assert verify_standard([secret], headers(message_id, str(stamp), theirs), body, now) == message_id


@given(flip=st.integers(min_value=0, max_value=len(BODY) * 8 - 1))
def test_no_flipped_bit_of_a_body_verifies(flip: int) -> None:
    body = bytearray(BODY)
    body[flip // 8] ^= 1 << flip % 8
    refuses(headers(), body=bytes(body))
    with pytest.raises(Unauthenticated):
        verify_legacy([LEGACY], bytes(body), LEGACY_GOOD)


@pytest.mark.parametrize("body", [BODY + b"\n", BODY.replace(b",", b",\r\n"), b"", BODY[:-1]])
def test_a_changed_body_is_refused(body: bytes) -> None:
    refuses(headers(), body=body)
    with pytest.raises(Unauthenticated):
        verify_legacy([LEGACY], body, LEGACY_GOOD)


@pytest.mark.parametrize(("skew_s", "accepted"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_the_tolerance_is_five_minutes_inclusive(skew_s: int, accepted: bool) -> None:
    now = NOW + timedelta(seconds=skew_s)
    if accepted:
        assert verify_standard([SECRET], headers(), BODY, now) == "msg_college_0001"
    else:
        assert str(TOLERANCE_S) in refuses(headers(), now=now)


@pytest.mark.parametrize(
    "timestamp",
    ["1614265330.0", " 1700000000", "+1700000000", "1_700_000_000", "١٧٠٠٠٠٠٠٠٠", "9" * 400, "", "1700000000\n", "-1"],
)
def test_a_timestamp_is_ten_or_eleven_ascii_digits(timestamp: str) -> None:
    content = f"msg_college_0001.{timestamp}.".encode() + BODY
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signature = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    refuses(headers(timestamp=timestamp, signature=signature))


@pytest.mark.parametrize("message_id", ["a.b", "", "x" * 129, "msg_\N{GRINNING FACE}", "a\0b", "a b", "a\n"])
def test_an_id_that_could_shift_the_signed_content_is_refused(message_id: str) -> None:
    refuses(headers(message_id=message_id, signature=sign_standard(SECRET, message_id, 1_700_000_000, BODY)))


def test_a_recut_of_id_timestamp_and_body_is_refused() -> None:
    # The same signed bytes "a.1.1700000000.x" could be read as id "a.1" or as timestamp "1".
    signature = sign_standard(SECRET, "a.1", 1_700_000_000, b"x")
    refuses(headers("a.1", "1700000000", signature), body=b"x")
    refuses(headers("a", "1", signature), body=b"1700000000.x")


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_header_is_refused(missing: int) -> None:
    given_headers = headers()
    del given_headers[missing]
    assert "missing" in refuses(given_headers)


@pytest.mark.parametrize("twice", [0, 1, 2])
def test_a_header_sent_twice_is_refused(twice: int) -> None:
    given_headers = headers()
    assert "twice" in refuses([*given_headers, (given_headers[twice][0].lower(), given_headers[twice][1])])


def test_headers_folded_by_a_proxy_are_refused() -> None:
    refuses(headers(message_id="msg_college_0001, msg_college_0001"))
    refuses(headers(timestamp="1700000000, 1700000000"))
    refuses(headers(signature=f"{GOOD}, {GOOD}"))


@pytest.mark.parametrize(
    "signature",
    [
        f"v1 {GOOD}",
        f"v1, {GOOD}",
        f"v1,### {GOOD}",
        f"v2,abc v1a,def {GOOD}",
        " ".join(["junk"] * 7 + [GOOD]),
        GOOD.replace("xfo=", "xfp="),  # another spelling of the same bytes: the last two bits are unused
    ],
)
def test_a_good_entry_among_others_is_found(signature: str) -> None:
    assert verify_standard([SECRET], headers(signature=signature), BODY, NOW) == "msg_college_0001"


@pytest.mark.parametrize(
    "signature",
    [
        "",
        GOOD.replace("v1,", "v2,"),
        GOOD.replace("v1,", "V1,"),
        GOOD.replace("v1,", ""),
        GOOD.replace("v1,", "v1,v1,"),
        " ".join(["junk"] * 8 + [GOOD]),
        GOOD + "=",
        GOOD[:-1],
        GOOD + "AA",
        GOOD[:20] + "\n" + GOOD[20:],
        GOOD[:20] + "*" + GOOD[20:],
        GOOD.replace("4", "-").replace("N", "_"),
        "v1," + "\xff" * 43 + "=",
        "v1," + "é" * 44,
        "x" * 3000 + f" {GOOD}",
    ],
)
def test_a_signature_without_a_good_entry_is_refused(signature: str) -> None:
    refuses(headers(signature=signature))


def test_keys_that_are_not_the_secret_are_refused() -> None:
    content = b"msg_college_0001.1700000000." + BODY
    for key in (b"", b"\0", bytes(32), b"other tenant's key, thirty-two b", SECRET.encode()):
        mac = hmac.new(key, content, hashlib.sha256).digest()
        refuses(headers(signature="v1," + base64.b64encode(mac).decode()))
    refuses(headers(), secrets=())


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "whsec_" + "A" * 88, "whsec_!!!", "whsec_" + "A" * 33])
def test_an_unusable_stored_secret_accepts_nothing(secret: str) -> None:
    content = b"msg_college_0001.1700000000." + BODY
    signature = "v1," + base64.b64encode(hmac.new(b"", content, hashlib.sha256).digest()).decode()
    refuses(headers(signature=signature), secrets=(secret,))


def test_during_a_rotation_either_secret_verifies() -> None:
    fresh = new_secret(WebhookScheme.STANDARD)
    for secrets in ([SECRET, fresh], [fresh, SECRET]):
        verify_standard(secrets, headers(), BODY, NOW)
        verify_legacy([LEGACY, fresh][:: 1 if secrets[0] == SECRET else -1], BODY, LEGACY_GOOD)
    refuses(headers(), secrets=(fresh,))


@pytest.mark.parametrize("header", [LEGACY_GOOD, LEGACY_GOOD.upper()])
def test_legacy_hex_is_accepted_in_either_case(header: str) -> None:
    verify_legacy([LEGACY], BODY, header)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "0x" + LEGACY_GOOD,
        LEGACY_GOOD[:-1],
        LEGACY_GOOD + "0",
        LEGACY_GOOD[:32] + " " + LEGACY_GOOD[32:],
        LEGACY_GOOD + "\n",
        " " + LEGACY_GOOD,
        "sha256=" + LEGACY_GOOD,
        LEGACY_GOOD.translate({ord("9"): 0xFF19}),
        "\xff" + LEGACY_GOOD[1:],
        f"{LEGACY_GOOD},{LEGACY_GOOD}",
        "0" * 64,
    ],
)
def test_legacy_takes_sixty_four_hex_digits_and_nothing_else(header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        verify_legacy([LEGACY], BODY, header)


def test_legacy_tells_the_log_about_base64_and_accepts_it_not() -> None:
    encoded = base64.b64encode(bytes.fromhex(LEGACY_GOOD)).decode()
    with pytest.raises(Unauthenticated, match="base64"):
        verify_legacy([LEGACY], BODY, encoded)


def test_an_empty_legacy_secret_accepts_nothing() -> None:
    with pytest.raises(Unauthenticated):
        verify_legacy([""], BODY, sign_legacy("", BODY))


def test_one_text_makes_two_keys_so_schemes_do_not_mix() -> None:
    body = b"msg_college_0001.1700000000." + BODY
    with pytest.raises(Unauthenticated):
        verify_legacy([SECRET], body, base64.b64decode(GOOD.removeprefix("v1,")).hex())


@given(
    raw=st.lists(
        st.tuples(
            st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "other"]),
            st.binary(max_size=80).map(lambda value: value.decode("latin-1")) | st.text(max_size=80),
        ),
        max_size=6,
    ),
    body=st.binary(max_size=60),
    secrets=st.lists(st.text(max_size=60), max_size=3),
    legacy=st.none() | st.text(max_size=70) | st.binary(max_size=70).map(lambda value: value.decode("latin-1")),
)
def test_verification_raises_unauthenticated_and_nothing_else(
    raw: list[tuple[str, str]], body: bytes, secrets: list[str], legacy: str | None
) -> None:
    with pytest.raises(Unauthenticated):
        verify_standard(secrets, raw, body, NOW)
    with pytest.raises(Unauthenticated):
        verify_legacy(secrets, body, legacy)


@given(
    message_id=st.text(max_size=12),
    timestamp=st.integers(1_699_999_000, 1_700_001_000).map(str) | st.text(max_size=12),
    body=st.binary(max_size=40),
    junk=st.text(max_size=50),
)
def test_whatever_is_accepted_carries_the_mac_of_the_received_text(
    message_id: str, timestamp: str, body: bytes, junk: str
) -> None:
    stamp = int(timestamp) if timestamp.isascii() and timestamp.isdigit() else 1_700_000_000
    signature = f"{junk} {sign_standard(SECRET, message_id.encode('ascii', 'replace').decode(), stamp, body)}"
    try:
        accepted = verify_standard([SECRET], headers(message_id, timestamp, signature), body, NOW)
    except Unauthenticated:
        return
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    mac = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    assert base64.b64encode(mac).decode() in signature
    assert accepted == message_id


def test_any_header_of_the_standard_claims_the_request_for_it() -> None:
    assert has_standard_headers([("X-Webhook-Signature", "a"), ("Webhook-Id", "b")])
    assert not has_standard_headers([("x-webhook-signature", "a"), ("svix-id", "b")])


@pytest.mark.parametrize("scheme", WebhookScheme)
def test_a_fresh_secret_serves_its_scheme(scheme: WebhookScheme) -> None:
    first, second = new_secret(scheme), new_secret(scheme)
    assert first != second
    check_secret(scheme, first)
    if scheme is WebhookScheme.STANDARD:
        assert len(base64.b64decode(first.removeprefix("whsec_"))) == 32
        assert first.startswith("whsec_")
    else:
        assert len(bytes.fromhex(first)) == 32


@pytest.mark.parametrize("size", [16, 256])
def test_a_legacy_secret_may_have_sixteen_to_256_characters(size: int) -> None:
    check_secret(WebhookScheme.LEGACY, "x" * size)


@pytest.mark.parametrize(("size", "accepted"), [(23, False), (24, True), (64, True), (65, False)])
def test_a_standard_key_has_24_to_64_bytes(size: int, accepted: bool) -> None:
    secret = "whsec_" + base64.b64encode(bytes(size)).decode()
    if accepted:
        check_secret(WebhookScheme.STANDARD, secret)
    else:
        with pytest.raises(InvalidInput):
            check_secret(WebhookScheme.STANDARD, secret)


def test_a_signature_header_has_at_most_2048_characters() -> None:
    filling = "x" * (2048 - len(GOOD) - 1)
    assert verify_standard([SECRET], headers(signature=f"{filling} {GOOD}"), BODY, NOW)
    refuses(headers(signature=f"{filling}x {GOOD}"))


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [
        (WebhookScheme.STANDARD, "legacy-secret-key-of-some-length"),
        (WebhookScheme.STANDARD, "whsec_c2hvcnQ="),
        (WebhookScheme.LEGACY, "short"),
        (WebhookScheme.LEGACY, "x" * 15),
        (WebhookScheme.LEGACY, "line\nbreaks are not printable"),
        (WebhookScheme.LEGACY, "x" * 257),
    ],
)
def test_a_chosen_secret_must_suit_its_scheme(scheme: WebhookScheme, secret: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_secret(scheme, secret)
    assert secret not in str(caught.value)
