"""Canvas's live events: signed tokens, checked with a key set that is really fetched, and that changes."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hub_model.errors import Unavailable
from hub_model.records import DataType
from hub_runtime.serving import HttpServer
from hub_security.egress import open_client
from hub_webhook_gateway.key_sets import KeySets
from jwt.algorithms import RSAAlgorithm

LOOPBACK = ("127.0.0.0/8",)
KEYS = {
    name: rsa.generate_private_key(public_exponent=65537, key_size=2048) for name in ("previous", "current", "next")
}
METADATA = {"event_name": "grade_change", "event_time": "2026-07-20T09:00:00.000Z", "root_account_uuid": "account-a"}
EVENT = {"metadata": METADATA, "body": {"assignment_id": "12", "student_sis_id": "101", "score": 8.5}}


class Vendor:
    """Publishes a key set over HTTP, and signs."""

    def __init__(self) -> None:
        self.keys = {"previous": KEYS["previous"], "current": KEYS["current"]}
        self.asked: list[str] = []
        self.status = 200
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: bytes | None = None
        self.parts = 1
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.url = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        for _ in range(self.parts):
            body = self.key_set() if self.body is None else self.body
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await self.may_end.wait()
        await send({"type": "http.response.body", "body": b""})

    def key_set(self) -> bytes:
        of = {kid: RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) for kid, key in self.keys.items()}
        return json.dumps({"keys": [{**jwk, "kid": kid, "use": "sig"} for kid, jwk in of.items()]}).encode()


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    made = Vendor()
    server = HttpServer(made, host="127.0.0.1", port=0)
    await server.start()
    made.url = f"http://127.0.0.1:{server.port}/keys"
    yield made
    made.may_end.set()
    await server.stop(2)


@pytest.fixture
async def canvas(gateway: Any, vendor: Vendor) -> AsyncIterator[Any]:
    """The gateway where keys may come from this machine."""
    gateway.service = gateway.build(allowed_networks=LOOPBACK)
    transport = httpx2.ASGITransport(gateway.service.app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        gateway.client = client
        yield gateway


def encode(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed(claims: Any = EVENT, kid: str | None = "current", *, key: Any = None, **header: Any) -> bytes:
    """Signs by hand, so that what no library would make can be made."""
    text = f"{encode({'alg': 'RS256', 'kid': kid, **header})}.{encode(claims)}"
    signature = jwt.get_algorithm_by_name("RS256").sign(text.encode(), key or KEYS[kid or ""])
    return f"{text}.{encode(signature)}".encode()


async def account(gateway: Any, vendor: Vendor, uuid: str = "account-a", url: str = "") -> Any:
    jwt_settings = {"jwksUrl": url or vendor.url, "claims": {"metadata.root_account_uuid": uuid}}
    rule = {"when": [{"path": "metadata.event_name", "equals": "grade_change"}], "dataTypes": ["marks"]}
    webhook = {"scheme": "jwt", "jwt": jwt_settings, "syncs": [rule]}
    return await gateway.news(webhook=webhook, secrets={}, endpoints={"marks": "/m", "attendance": "/a"})


async def test_a_signed_event_brings_the_sync_of_marks_forward(canvas: Any, vendor: Vendor) -> None:
    integration = await account(canvas, vendor)
    response = await canvas.send(integration, signed(), ("content-type", "application/jwt"))
    assert (response.status_code, response.json()["syncAt"]) == (202, "2026-07-20T09:00:17.000000Z")
    assert (await canvas.sync_of(integration)).early_data_types == (DataType.MARKS,)
    assert canvas.batches() == []
    other_event = {**EVENT, "metadata": {**METADATA, "event_name": "course_created"}}
    assert (await canvas.send(integration, signed(other_event))).json() == {"status": "ignored"}


async def test_a_token_may_be_json_text_and_have_space_around_it(canvas: Any, vendor: Vendor) -> None:
    integration = await account(canvas, vendor)
    for body in (b'"' + signed() + b'"', signed() + b"\r\n", b" " + signed()):
        assert (await canvas.send(integration, body)).status_code == 202
    for body in (b'""' + signed() + b'""', json.dumps({"jwt": signed().decode()}).encode(), signed() + b"=="):
        assert (await canvas.send(integration, body)).status_code == 401


def forgeries() -> dict[str, bytes]:
    public = KEYS["current"].public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    hs256 = f"{encode({'alg': 'HS256', 'kid': 'current'})}.{encode(EVENT)}"
    none = f"{encode({'alg': 'none', 'kid': 'current'})}.{encode(EVENT)}"
    own = RSAAlgorithm.to_jwk(KEYS["next"].public_key(), as_dict=True)
    token = signed()
    return {
        "empty": b"",
        "json": json.dumps(EVENT).encode(),
        "none": f"{none}.".encode(),
        "none with a signature": none.encode() + b"." + token.rsplit(b".", 1)[1],
        "the public key as a secret": f"{hs256}.{encode(hmac.digest(pem, hs256.encode(), hashlib.sha256))}".encode(),
        "jwk": signed(key=KEYS["next"], jwk=own),
        "jku": signed(key=KEYS["next"], jku="https://evil.example/keys"),
        "x5u": signed(key=KEYS["next"], x5u="https://evil.example/keys"),
        "crit": signed(crit=["exp"]),
        "another's key": signed(key=KEYS["next"]),
        "an unknown key": signed(kid="next"),
        "no key id": signed(kid=None, key=KEYS["current"]),
        "other claims": token.split(b".")[0] + b"." + encode({**EVENT, "x": 1}).encode() + b"." + token.split(b".")[2],
        "padding": token + b"==",
        "200 KB": b"x." * 100_000,
        "deep": signed(b'{"a":' * 6000 + b"1" + b"}" * 6000),
        "a name twice": signed(b'{"metadata":{},"metadata":' + json.dumps(METADATA).encode() + b"}"),
        "bytes": bytes(range(256)),
        "another account": signed({"metadata": {**METADATA, "root_account_uuid": "account-b"}}),
        "two accounts": signed({"metadata": {**METADATA, "root_account_uuid": ["account-a", "account-b"]}}),
        "no account": signed({"body": EVENT["body"]}),
        "a list": signed([EVENT]),
        "expired": signed({**EVENT, "exp": 1_784_538_007 - 30}),
        "exp in words": signed({**EVENT, "exp": "9999999999"}),
        "exp 1e308": signed({**EVENT, "exp": 1e308}),
        "exp null": signed({**EVENT, "exp": None}),
        "exp true": signed({**EVENT, "exp": True}),
        "not yet": signed({**EVENT, "nbf": 1_784_538_007 + 31}),
        "nbf in words": signed({**EVENT, "nbf": "0"}),
    }


@pytest.mark.parametrize("name", forgeries())
async def test_a_forged_or_foreign_event_is_answered_like_an_unknown_address(
    canvas: Any, vendor: Vendor, name: str
) -> None:
    integration, body = await account(canvas, vendor), forgeries()[name]
    response, unknown = await canvas.send(integration, body), await canvas.send("0" * 32, body)
    assert (response.status_code, response.content) == (401, unknown.content)
    assert (await canvas.sync_of(integration)).early_due_at is None
    assert len(vendor.asked) <= 1


@pytest.mark.parametrize(
    "claims", [{"exp": 1_784_538_007 - 29}, {"nbf": 1_784_538_007 + 30}, {"exp": 10**30, "nbf": 0}]
)
async def test_times_are_taken_with_half_a_minute_of_grace(canvas: Any, vendor: Vendor, claims: Any) -> None:
    assert int(canvas.clock().timestamp()) == 1_784_538_007
    integration = await account(canvas, vendor)
    assert (await canvas.send(integration, signed({**EVENT, **claims}))).status_code == 202


async def test_a_large_event_is_taken_and_one_over_the_limit_is_not(canvas: Any, vendor: Vendor) -> None:
    integration = await account(canvas, vendor)
    assert (await canvas.send(integration, signed({**EVENT, "x": "y" * 40_000}))).status_code == 202
    assert (await canvas.send(integration, signed({**EVENT, "x": "y" * 50_000}))).status_code == 401
    assert (await canvas.send(integration, signed({**EVENT, "x": "y" * 250_000}))).status_code == 413


async def test_keys_are_rotated_without_a_refused_event(canvas: Any, vendor: Vendor) -> None:
    integration = await account(canvas, vendor)
    for kid in ("previous", "current"):
        assert (await canvas.send(integration, signed(kid=kid))).status_code == 202
    vendor.keys = {"current": KEYS["current"], "next": KEYS["next"]}
    canvas.clock.advance(minutes=2)
    answers = await asyncio.gather(*(canvas.send(integration, signed(kid="next")) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert len(vendor.asked) == 2, "a new key is fetched once for all who need it"
    assert (await canvas.send(integration, signed(kid="previous"))).status_code == 401


async def test_the_key_set_of_many_customers_is_one(canvas: Any, vendor: Vendor) -> None:
    for uuid in ("account-a", "account-b"):
        integration = await account(canvas, vendor, uuid)
        event = {**EVENT, "metadata": {**METADATA, "root_account_uuid": uuid}}
        assert (await canvas.send(integration, signed(event))).status_code == 202
    assert vendor.asked == ["/keys"]


async def test_unknown_keys_cause_one_fetch_a_minute(canvas: Any, vendor: Vendor) -> None:
    integration = await account(canvas, vendor)
    for minute in range(3):
        for number in range(10):
            body = signed(kid=f"unknown-{minute}-{number}", key=KEYS["next"])
            assert (await canvas.send(integration, body)).status_code == 401
        assert len(vendor.asked) == minute + 1
        canvas.clock.advance(seconds=60)


async def test_while_the_keys_cannot_be_had_the_sender_is_to_try_again_and_the_college_is_told(
    canvas: Any, vendor: Vendor
) -> None:
    integration = await account(canvas, vendor)
    vendor.status = 500
    for _ in range(3):
        response = await canvas.send(integration, signed())
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        assert "The keys that this event is signed with cannot be fetched now" in response.text
    assert len(vendor.asked) == 1
    vendor.status = 200
    canvas.clock.advance(seconds=5)
    assert (await canvas.send(integration, signed())).status_code == 202
    messages = await canvas.log_messages(integration)
    assert (
        len(
            [
                message
                for message in messages
                if "the keys at 'jwksUrl' cannot be fetched (the key set could not be fetched: HTTP 500)" in message
            ]
        )
        == 1
    )


async def test_known_keys_serve_for_an_hour_without_their_source(canvas: Any, vendor: Vendor) -> None:
    integration = await account(canvas, vendor)
    assert (await canvas.send(integration, signed())).status_code == 202
    vendor.status = 500
    for minutes, status in ((30, 202), (29, 202), (2, 503)):
        canvas.clock.advance(minutes=minutes)
        assert (await canvas.send(integration, signed())).status_code == status


async def test_this_machine_is_not_dialled_where_no_operator_allows_it(gateway: Any, vendor: Vendor) -> None:
    integration = await account(gateway, vendor)
    assert (await gateway.send(integration, signed())).status_code == 503
    assert vendor.asked == []


async def test_a_redirect_is_not_followed(canvas: Any, vendor: Vendor) -> None:
    integration = await account(canvas, vendor)
    vendor.status, vendor.headers = 302, [(b"location", vendor.url.replace("/keys", "/elsewhere").encode())]
    assert (await canvas.send(integration, signed())).status_code == 503
    assert vendor.asked == ["/keys"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"keys":[]}', b'{"keys":{"a":1}}', b"[" * 90_000])
async def test_what_is_no_key_set_opens_nothing(canvas: Any, vendor: Vendor, body: bytes) -> None:
    integration = await account(canvas, vendor)
    vendor.body = body
    assert (await canvas.send(integration, signed())).status_code == 503


@pytest.mark.parametrize("declared", [True, False])
async def test_a_key_set_that_is_too_large_is_not_read_to_its_end(gateway: Any, vendor: Vendor, declared: bool) -> None:
    vendor.body, vendor.parts = b" " * 65_536, 5
    vendor.may_end.clear()
    vendor.headers = [(b"content-length", b"327681")] if declared else []
    async with open_client(allowed_networks=LOOPBACK) as client, asyncio.timeout(10):
        with pytest.raises(Unavailable):
            await KeySets(client, deadline_s=3600).at(vendor.url).find("RS256", "current", gateway.clock())


async def test_a_slow_key_set_is_given_up(gateway: Any, vendor: Vendor) -> None:
    vendor.may_end.clear()
    async with open_client(allowed_networks=LOOPBACK) as client:
        with pytest.raises(Unavailable):
            await KeySets(client, deadline_s=0.2).at(vendor.url).find("RS256", "current", gateway.clock())


@pytest.mark.parametrize(
    "url", ["http://", "x", "ftp://127.0.0.1/", "http://a b/", "http://127.0.0.1:1/", "http://[::1/"]
)
async def test_an_address_that_answers_nothing_is_no_bug(canvas: Any, vendor: Vendor, url: str) -> None:
    integration = await account(canvas, vendor, url=url)
    assert (await canvas.send(integration, signed())).status_code == 503


async def test_what_is_wrong_with_a_forged_token_is_one_line_a_minute_however_long_it_is(
    canvas: Any, vendor: Vendor
) -> None:
    integration = await account(canvas, vendor)
    for length in range(0, 100_000, 5_000):
        await canvas.send(integration, b"!" * length)
    [message] = await canvas.log_messages(integration)
    assert "compact token" in message
