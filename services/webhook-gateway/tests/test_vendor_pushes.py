"""Pushes as vendors send them: Frappe's signature, Moodle's token in the body, a token in a header; and forgeries."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hub_model.records import DataType

SECRET = "a secret of this college"
OTHER = "the secret of another one"
FRAPPE_BODY = b'{"student": "101", "status": "Present", "date": "2026-07-20"}'
FRAPPE_SIGNATURE = "KveGfE6jqIpGskGpQNf8fgZx+1BLEUKlEEn6ve5NI4A="
FRAPPE = {"scheme": "hmac", "signature": {"name": "X-Frappe-Webhook-Signature", "encoding": "base64"}}
MOODLE = {
    "scheme": "token",
    "secretPlacement": {"placement": "body", "name": "token"},
    "syncs": [{"when": [{"path": "eventname", "contains": "user_graded"}], "dataTypes": ["attendance"]}],
}
GRADED = {"eventname": "\\core\\event\\user_graded", "userid": 57, "host": "moodle.edu", "token": SECRET}
FORM = ("content-type", "application/x-www-form-urlencoded")


def in_header(name: str = "X-Gitlab-Token", prefix: str = "") -> dict[str, Any]:
    return {"scheme": "token", "secretPlacement": {"name": name, "prefix": prefix}, "syncs": [{}]}


def of_frappe(body: bytes, secret: str = SECRET) -> tuple[str, str]:
    mac = hmac.digest(secret.encode(), body, hashlib.sha256)
    return "X-Frappe-Webhook-Signature", base64.b64encode(mac).decode()


async def vendor(gateway: Any, webhook: dict[str, Any], **settings: Any) -> Any:
    return await gateway.news(**{"webhook": webhook, "secrets": {"webhookSecret": SECRET}, **settings})


async def test_frappe_signs_its_raw_bytes_in_base64_and_names_no_content_type(gateway: Any) -> None:
    integration = await vendor(gateway, FRAPPE)
    signature = ("X-Frappe-Webhook-Signature", FRAPPE_SIGNATURE)
    assert (await gateway.send(integration, FRAPPE_BODY, signature)).status_code == 202
    [batch] = gateway.batches()
    assert (batch.data_type, batch.records) == (DataType.ATTENDANCE, [json.loads(FRAPPE_BODY)])
    again = await gateway.send(integration, FRAPPE_BODY, signature)  # it tries three times
    assert (again.status_code, again.json()) == (200, {"status": "duplicate", "eventId": batch.run_id})
    rewritten = json.dumps(json.loads(FRAPPE_BODY), separators=(",", ":")).encode()
    for body in (rewritten, FRAPPE_BODY + b"\n", b""):
        assert (await gateway.send(integration, body, signature)).status_code == 401
    assert len(gateway.batches()) == 1


async def test_frappes_other_spellings_of_its_signature_are_none(gateway: Any) -> None:
    integration = await vendor(gateway, FRAPPE)
    mac = base64.b64decode(FRAPPE_SIGNATURE)
    name = "X-Frappe-Webhook-Signature"
    for headers in (
        [(name, mac.hex())],
        [(name, FRAPPE_SIGNATURE), (name, FRAPPE_SIGNATURE)],
        [(name, "")],
        [("x-webhook-signature", mac.hex())],
        [of_frappe(FRAPPE_BODY, OTHER)],
        [(b"X-Frappe-Webhook-Signature", b"\xff" * 44)],
        [],
    ):
        assert (await gateway.send(integration, FRAPPE_BODY, *headers)).status_code == 401


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json", "x"])
async def test_a_vendors_content_type_is_not_believed_but_its_json_is_strict(gateway: Any, content_type: str) -> None:
    integration = await vendor(gateway, FRAPPE)
    headers = [of_frappe(FRAPPE_BODY), ("content-type", content_type)]
    assert (await gateway.send(integration, FRAPPE_BODY, *headers)).status_code == 202
    for body in (b'{"a":1,"a":2}', b"a=1&b=2", b"\xff\xfe{}"):
        response = await gateway.send(integration, body, of_frappe(body), ("content-type", content_type))
        assert (response.status_code, response.json()["code"]) == (400, "malformed_json")


async def test_moodles_token_is_a_field_of_a_body_that_is_labelled_as_a_form(gateway: Any) -> None:
    integration = await vendor(gateway, MOODLE)
    response = await gateway.send(integration, json.dumps(GRADED).encode(), FORM)
    assert (response.status_code, response.json()["status"]) == (202, "accepted")
    assert gateway.batches() == []
    assert (await gateway.sync_of(integration)).early_data_types == (DataType.ATTENDANCE,)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({**GRADED, "token": OTHER}).encode(),
        json.dumps({name: value for name, value in GRADED.items() if name != "token"}).encode(),
        *(
            json.dumps({**GRADED, "token": value}).encode()
            for value in (None, 7, True, [SECRET], {"token": SECRET}, "")
        ),
        json.dumps({"token ": SECRET, "extra": {"token": SECRET}}).encode(),
        json.dumps([GRADED]).encode(),
        json.dumps(SECRET).encode(),
        f'{{"token":"{SECRET}","token":"{OTHER}"}}'.encode(),
        f"token={SECRET}".encode(),
        f'{{"token":"{SECRET}"}} x'.encode(),
        f'{{"token":"{SECRET}","n":NaN}}'.encode(),
        f'\ufeff{{"token":"{SECRET}"}}'.encode(),
        json.dumps({"token": SECRET}).encode("utf-16"),
        b'{"token":"\\ud800"}',
        b"[" * 100_000,
        b"",
    ],
)
async def test_a_body_without_the_token_in_its_place_says_nothing_to_its_sender(gateway: Any, body: bytes) -> None:
    integration = await vendor(gateway, MOODLE)
    response, unknown = await gateway.send(integration, body, FORM), await gateway.send("0" * 32, body, FORM)
    assert (response.status_code, response.content) == (401, unknown.content)
    assert (await gateway.sync_of(integration)).early_due_at is None


async def test_a_number_is_no_token_though_it_reads_like_one(gateway: Any) -> None:
    integration = await vendor(gateway, MOODLE, secrets={"webhookSecret": "1234567890123456"})
    for token, status in ((b"1234567890123456", 401), (b'"1234567890123456"', 202)):
        body = b'{"eventname":"user_graded","token":' + token + b"}"
        assert (await gateway.send(integration, body)).status_code == status


async def test_what_is_wrong_with_an_unproven_body_is_one_line_a_minute_wherever_it_is(gateway: Any) -> None:
    """Whoever knows the address alone chooses what is wrong with a body, and must not fill the college's log."""
    moodle = await vendor(gateway, MOODLE)
    for lines in range(30):
        await gateway.send(moodle, b"\n" * lines + b" " * lines + b"x")
    for body in (b"[" * 100_000, b'{"a":NaN}', b"\xff"):
        await gateway.send(moodle, body)
    [message] = await gateway.log_messages(moodle)
    assert "no token can be read: the body is not JSON" in message


async def test_a_secret_is_found_however_json_spells_it(gateway: Any) -> None:
    secret = 'a/secret+"of"=the college'
    moodle = await vendor(gateway, MOODLE, secrets={"webhookSecret": secret})
    body = json.dumps({"eventname": "x", "token": secret, "other": "y" * 100_000})
    for spelt in (body, body.replace("/", "\\/").replace("+", "\\u002B").replace("=", "\\u003d")):
        assert (await gateway.send(moodle, spelt.encode())).status_code == 200


@pytest.mark.parametrize(("name", "prefix"), [("X-Gitlab-Token", ""), ("Authorization", "Bearer ")])
async def test_a_token_in_a_header_is_taken_with_any_json(gateway: Any, name: str, prefix: str) -> None:
    integration = await vendor(gateway, in_header(name, prefix))
    assert (await gateway.send(integration, b'{"object_kind":"push"}', (name, prefix + SECRET))).status_code == 202
    assert (await gateway.sync_of(integration)).early_due_at is not None


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", SECRET)],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", f"bearer {SECRET}")],
        [("Authorization", f"Bearer  {SECRET}")],
        [("Authorization", f"Bearer {OTHER}")],
        [("Authorization", f"Bearer {SECRET[:-1]}")],
        [("Authorization", f"Bearer {SECRET}, Bearer {SECRET}")],
        [("Authorization", f"Bearer {SECRET}"), ("authorization", f"Bearer {SECRET}")],
        [("Authorization", f"Bearer {OTHER}"), ("authorization", f"Bearer {SECRET}")],
        [("X-Authorization", f"Bearer {SECRET}")],
        [(b"Authorization", b"Bearer \xff\xfe")],
    ],
)
async def test_another_token_or_two_of_them_are_refused(gateway: Any, headers: list[tuple[str, str]]) -> None:
    integration = await vendor(gateway, in_header("Authorization", "Bearer "))
    response, unknown = await gateway.send(integration, b"{}", *headers), await gateway.send("0" * 32, b"{}", *headers)
    assert (response.status_code, response.content) == (401, unknown.content)


async def test_a_secret_beyond_ascii_comes_in_a_header_as_utf8(gateway: Any) -> None:
    secret = "Schlüssel für Mötley"
    integration = await vendor(gateway, in_header("X-Token", "Ключ "), secrets={"webhookSecret": secret})
    for raw, status in ((f"Ключ {secret}".encode(), 202), (b"\xd0 " + secret.encode("latin-1"), 401)):
        assert (await gateway.send(integration, b"{}", (b"X-Token", raw))).status_code == status


async def test_a_proven_push_that_is_no_json_is_told_so(gateway: Any) -> None:
    integration = await vendor(gateway, in_header())
    response = await gateway.send(integration, b"a=1", ("X-Gitlab-Token", SECRET), FORM)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_json")


async def test_each_scheme_takes_the_previous_secret_for_a_day(gateway: Any) -> None:
    secrets = {"webhookSecret": "the new secret of them", "webhookSecretPrevious": SECRET}
    pushes: dict[str, Any] = {
        "frappe": (FRAPPE, lambda body, secret: (body, of_frappe(body, secret))),
        "moodle": (MOODLE, lambda body, secret: (json.dumps({**GRADED, "token": secret}).encode(), FORM)),
        "gitlab": (in_header(), lambda body, secret: (body, ("X-Gitlab-Token", secret))),
    }
    made = {name: await vendor(gateway, webhook, secrets=secrets) for name, (webhook, _) in pushes.items()}
    for hours, old_is_taken in ((0, True), (23.99, True), (0.02, False)):
        gateway.clock.advance(hours=hours)
        for name, (_, push) in pushes.items():
            for secret, is_taken in ((secrets["webhookSecret"], True), (SECRET, old_is_taken), (OTHER, False)):
                body, header = push(json.dumps({"n": hours, "s": secret}).encode(), secret)
                status = (await gateway.send(made[name], body, header)).status_code
                assert status == (202 if is_taken else 401), (name, hours, secret)


@pytest.mark.parametrize("scheme", ["legacy", "standard"])
async def test_the_content_type_of_the_hubs_own_schemes_is_no_oracle(gateway: Any, scheme: str) -> None:
    """415 is for whoever has the secret; before that, an address says as much as one that leads nowhere."""
    integration = await (gateway.standard() if scheme == "standard" else gateway.integration())
    push = gateway.push_standard if scheme == "standard" else gateway.push
    body = json.dumps({"dataType": "attendance", "records": []}).encode()
    for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        forged = [("content-type", content_type), ("x-webhook-signature", "0" * 64)]
        wrong, unknown = await gateway.send(integration, body, *forged), await gateway.send("0" * 32, body, *forged)
        assert (wrong.status_code, wrong.content) == (401, unknown.content)
    assert (await push(integration, body)).status_code == 202


async def test_nothing_of_tokens_and_bodies_reaches_the_logs(gateway: Any, capsys: Any) -> None:
    canary = "CANARY-of-a-wrong-place"
    for webhook in (FRAPPE, MOODLE, in_header("Authorization", "Bearer ")):
        integration = await vendor(gateway, webhook)
        headers = [("authorization", f"Bearer {canary}"), ("X-Frappe-Webhook-Signature", canary)]
        await gateway.send(integration, json.dumps({"token": canary, "name": canary}).encode(), *headers)
        await gateway.send(integration, canary.encode(), *headers)
    out = "".join(capsys.readouterr()) + "".join(await gateway.log_messages(integration))
    assert "webhook.refused" in out
    assert canary not in out
    assert SECRET not in out
