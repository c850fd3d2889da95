"""A webhook from its request to its message, and every way it may be refused."""

import gzip
import json
from datetime import timedelta
from typing import Any

import pytest
from hub_model.messages import BatchFetched
from hub_model.records import DataType, Origin
from hub_security.signatures import sign_legacy, sign_standard

ROW = {"studentId": "CS2101", "date": "2026-07-20", "attendance": "present"}
TYPED = {"dataType": "attendance", "records": [ROW]}
SECRET = "a legacy secret of this college"
UNVERIFIED = "The request's signature could not be verified."


async def test_a_signed_push_becomes_one_durable_message(gateway: Any) -> None:
    integration = await gateway.integration()
    response = await gateway.push(integration, TYPED)
    assert response.status_code == 202
    [batch] = gateway.batches()
    assert response.json() == {"status": "accepted", "eventId": batch.run_id}
    assert batch == BatchFetched(
        college_id="college-a",
        integration_id=integration.id,
        run_id=batch.run_id,
        data_type=DataType.ATTENDANCE,
        sequence=0,
        origin=Origin.WEBHOOK,
        observed_at=gateway.clock(),
        records=[ROW],
    )
    assert await gateway.broker.depth("transformer.batches") == 1


async def test_a_standard_push_becomes_one_durable_message(gateway: Any) -> None:
    integration = await gateway.standard()
    body = {"type": "student.updated", "timestamp": "2026-07-20T09:00:00Z", "data": {"studentId": "CS1"}}
    assert (await gateway.push_standard(integration, body)).status_code == 202
    [batch] = gateway.batches()
    assert (batch.data_type, batch.records) == (DataType.STUDENTS, [{"studentId": "CS1"}])


@pytest.mark.parametrize(
    "document", [{"success": True, "data": [ROW]}, ROW, [ROW], {"type": "attendance.marked", "data": ROW}]
)
async def test_the_only_endpoint_says_what_a_bare_body_holds(gateway: Any, document: Any) -> None:
    assert (await gateway.push(await gateway.integration(), document)).status_code == 202
    [batch] = gateway.batches()
    assert (batch.data_type, batch.records) == (DataType.ATTENDANCE, [ROW])


async def test_the_webhook_settings_say_what_a_bare_body_holds(gateway: Any) -> None:
    both = {"attendance": "/a", "marks": "/m"}
    assert (await gateway.push(await gateway.integration(endpoints=both), ROW)).status_code == 422
    chosen = await gateway.integration(endpoints=both, webhook={"dataType": "marks"})
    assert (await gateway.push(chosen, ROW)).status_code == 202
    assert gateway.batches()[0].data_type is DataType.MARKS


async def test_many_records_are_several_batches_in_one_publish(gateway: Any) -> None:
    rows = [{"n": number} for number in range(1201)]
    response = await gateway.push(await gateway.integration(), {"dataType": "attendance", "records": rows})
    assert response.status_code == 202
    batches = gateway.batches()
    assert [(batch.sequence, len(batch.records)) for batch in batches] == [(0, 500), (1, 500), (2, 201)]
    assert [record for batch in batches for record in batch.records] == rows
    assert {batch.run_id for batch in batches} == {response.json()["eventId"]}
    assert len({batch.message_id for batch in batches}) == 3


async def test_a_body_without_records_is_accepted_and_publishes_nothing(gateway: Any) -> None:
    integration = await gateway.integration()
    assert (await gateway.push(integration, {"dataType": "attendance", "records": []})).status_code == 202
    assert gateway.batches() == []


@pytest.mark.parametrize(
    "type_",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/cloudevents+json",
    ],
)
async def test_json_in_utf8_is_accepted(gateway: Any, type_: str) -> None:
    body = json.dumps(TYPED).encode()
    headers = {"x-webhook-signature": sign_legacy(SECRET, body), "content-type": type_}
    assert (await gateway.post(await gateway.integration(), body, headers)).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": ""},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": "application/json; charset=utf-8; x=y"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/jsonx"},
        {"content-type": "application/json, text/plain"},
        {"content-encoding": "gzip"},
        {"content-encoding": "br"},
        {"content-encoding": "identity, gzip"},
    ],
)
async def test_other_content_is_refused_before_its_signature_counts(gateway: Any, headers: dict[str, str]) -> None:
    body = gzip.compress(json.dumps(TYPED).encode()) if "content-encoding" in headers else json.dumps(TYPED).encode()
    response = await gateway.post(
        await gateway.integration(), body, {"x-webhook-signature": sign_legacy(SECRET, body), **headers}
    )
    assert response.status_code == 415
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH"])
async def test_only_post_is_answered(gateway: Any, method: str) -> None:
    integration = await gateway.integration()
    response = await gateway.client.request(method, f"/api/webhooks/integrations/{integration.id}")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "path",
    [
        "/api/webhooks/integrations",
        "/api/webhooks/integrations/",
        "/api/webhooks/integrations/x/",
        "/api/webhooks/x",
        "/api/webhooks//integrations/x",
        "/api/integrations?x=/api/webhooks/integrations/x",
        "/api/webhooks/../integrations",
    ],
)
async def test_other_paths_do_not_exist(gateway: Any, path: str) -> None:
    response = await gateway.client.post(path, content=b"{}", headers={"content-type": "application/json"})
    assert response.status_code == 404


def shown(response: Any) -> tuple[int, str, dict[str, str]]:
    headers = {name: value for name, value in response.headers.items() if name not in ("date", "x-request-id")}
    return response.status_code, response.text, headers


async def test_unknown_disabled_and_wrong_are_answered_alike(gateway: Any) -> None:
    known = await gateway.integration()
    disabled = await gateway.integration(enabled=False)
    without = await gateway.integration(secrets={})
    standard = await gateway.standard()
    answers = [
        await gateway.push(known, TYPED, secret="another secret altogether"),
        await gateway.post(known, json.dumps(TYPED).encode()),
        await gateway.post(known, b"not even json", {"x-webhook-signature": "0" * 64}),
        await gateway.push(disabled, TYPED),
        await gateway.push(without, TYPED),
        await gateway.push(standard, TYPED),
        await gateway.push("0" * 32, TYPED),
        await gateway.push("..", TYPED),
        await gateway.push("%2e%2e%00", TYPED),
        await gateway.push("x" * 3000, TYPED),
        await gateway.push("ключ", TYPED),
    ]
    first = shown(answers[0])
    assert first[0] == 401
    assert UNVERIFIED in first[1]
    assert [shown(answer) for answer in answers if answer.status_code != 404] == [first] * 10
    assert gateway.batches() == []


async def test_the_schemes_do_not_rescue_each_other(gateway: Any) -> None:
    standard, legacy = await gateway.standard(), await gateway.integration()
    body = json.dumps(TYPED).encode()
    valid_legacy = {"x-webhook-signature": sign_legacy(STANDARD := SECRET, body)}
    # A broken Standard signature beside a valid legacy one.
    assert (await gateway.push_standard(standard, TYPED, webhook_signature="v1,x", **{})).status_code == 401
    assert (await gateway.post(standard, body, valid_legacy)).status_code == 401
    # A valid legacy signature beside headers of the standard.
    assert (await gateway.post(legacy, body, {**valid_legacy, "webhook-id": "msg_1"})).status_code == 401
    # A valid Standard signature beside a broken legacy one.
    response = await gateway.push_standard(standard, TYPED, x_webhook_signature="broken")
    assert response.status_code == 202
    assert STANDARD == SECRET


async def test_a_signature_header_sent_twice_is_refused(gateway: Any) -> None:
    integration, body = await gateway.integration(), json.dumps(TYPED).encode()
    signature = sign_legacy(SECRET, body)
    response = await gateway.client.post(
        f"/api/webhooks/integrations/{integration.id}",
        content=body,
        headers=[
            ("content-type", "application/json"),
            ("x-webhook-signature", signature),
            ("x-webhook-signature", signature),
        ],
    )
    assert response.status_code == 401


@pytest.mark.parametrize("value", [b"\xff" * 64, "é".encode() * 32, b"\x80"])
async def test_foreign_bytes_in_a_signature_are_refused_and_no_error(gateway: Any, value: bytes) -> None:
    integration = await gateway.integration()
    response = await gateway.client.post(
        f"/api/webhooks/integrations/{integration.id}",
        content=b"{}",
        headers=[(b"content-type", b"application/json"), (b"x-webhook-signature", value)],
    )
    assert response.status_code == 401


async def test_an_old_signature_is_refused_and_one_within_five_minutes_is_not(gateway: Any) -> None:
    integration, body = await gateway.standard(), json.dumps(TYPED).encode()
    for age_s, status in ((301, 401), (-301, 401), (300, 202), (-300, 200)):
        stamp = int((gateway.clock() - timedelta(seconds=age_s)).timestamp())
        signature = sign_standard("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "msg_7", stamp, body)
        headers = {"webhook-id": "msg_7", "webhook-timestamp": str(stamp), "webhook-signature": signature}
        assert (await gateway.post(integration, body, headers)).status_code == status


async def test_during_a_rotation_the_previous_secret_stays_valid_for_a_day(gateway: Any) -> None:
    secrets = {"webhookSecret": "the new secret of them", "webhookSecretPrevious": SECRET}
    integration = await gateway.integration(secrets=secrets)
    for number, (advance_h, old_status) in enumerate([(0, 202), (23.99, 202), (0.02, 401)]):
        gateway.clock.advance(hours=advance_h)
        document = {"dataType": "attendance", "records": [{"n": number}]}
        assert (await gateway.push(integration, document, SECRET)).status_code == old_status
        document["records"] = [{"m": number}]
        assert (await gateway.push(integration, document, secrets["webhookSecret"])).status_code == 202


async def test_a_secret_that_does_not_open_accepts_nothing_and_is_logged(gateway: Any, capsys: Any) -> None:
    integration = await gateway.integration()
    other = await gateway.integration()
    moved = other.model_copy(
        update={
            "secrets": integration.secrets,
            "id": "moved",
            "settings": other.settings.model_copy(update={"name": "moved"}),
        }
    )
    from hub_storage.repositories import Integrations

    await Integrations(gateway.store).add(moved)
    response = await gateway.push("moved", TYPED)
    assert response.status_code == 401
    assert "webhook.secret_unreadable" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed_json"),
        (b"\xff\xfe\x00{}", 400, "malformed_json"),
        (b'{"dataType":"attendance","dataType":"marks","records":[]}', 400, "malformed_json"),
        (b"[" * 100_000, 400, "malformed_json"),
        (b'{"dataType":"attendance","records":[{"n":1e999}]}', 400, "malformed_json"),
        (b'"text"', 422, "invalid_input"),
        (b'{"dataType":"marks","records":[]}', 422, "invalid_input"),
        (b'{"dataType":"attendance","records":[7]}', 422, "invalid_input"),
    ],
)
async def test_signed_nonsense_is_refused_with_its_reason(gateway: Any, body: bytes, status: int, code: str) -> None:
    integration = await gateway.integration()
    response = await gateway.push(integration, body)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["detail"]
    assert gateway.batches() == []


async def test_a_flood_of_different_mistakes_does_not_fill_the_log(gateway: Any) -> None:
    integration = await gateway.integration()
    for number in range(30):
        await gateway.push(integration, b"\n" * number + b"x")
    assert len(await gateway.log_messages(integration)) == 20
    gateway.clock.advance(minutes=1)
    await gateway.push(integration, b"x")
    assert len(await gateway.log_messages(integration)) == 21


async def test_a_refusal_is_told_to_the_college_once_a_minute_and_cause(gateway: Any) -> None:
    integration = await gateway.integration()
    for _ in range(5):
        await gateway.push(integration, TYPED, secret="another secret altogether")
        await gateway.push(integration, {"dataType": "marks", "records": []})
    messages = await gateway.log_messages(integration)
    assert len(messages) == 2
    assert any("does not match the body" in message for message in messages)
    assert any("does not collect marks" in message for message in messages)
    gateway.clock.advance(minutes=1)
    await gateway.push(integration, TYPED, secret="another secret altogether")
    assert len(await gateway.log_messages(integration)) == 3


async def test_nothing_of_body_or_secret_reaches_the_logs(gateway: Any, capsys: Any) -> None:
    integration = await gateway.integration()
    rows = {"dataType": "attendance", "records": [{"studentId": "CANARY-STUDENT"}, 7]}
    await gateway.push(integration, rows)
    await gateway.push(integration, TYPED, secret="another secret altogether")
    await gateway.push(integration, {"dataType": "CANARY-TYPE", "records": []})
    out = "".join(capsys.readouterr()) + "".join(await gateway.log_messages(integration))
    assert "webhook.refused" in out
    assert SECRET not in out
    assert "CANARY" not in out
    assert gateway.redactor.redact(f"x {SECRET}") == "x [redacted]"


async def test_the_api_describes_itself(gateway: Any) -> None:
    document = (await gateway.client.get("/api/webhooks/openapi.json")).json()
    operation = document["paths"]["/api/webhooks/integrations/{id}"]["post"]
    assert {"202", "400", "401", "408", "409", "413", "415", "422", "429", "503"} <= operation["responses"].keys()
    example = operation["requestBody"]["content"]["application/json"]["examples"]["typed"]["value"]
    assert (await gateway.push(await gateway.integration(), example)).status_code == 202


async def test_of_a_record_in_two_batches_of_one_event_the_later_wins_whichever_is_written_last(gateway: Any) -> None:
    integration = await gateway.integration()
    rows = [{"studentId": f"S{number}", "date": "2026-07-20", "attendance": "present"} for number in range(600)]
    corrected = {**rows[0], "attendance": "absent"}
    response = await gateway.push(integration, {"dataType": "attendance", "records": [*rows, corrected]})
    assert response.status_code == 202
    first, second = sorted(gateway.batches(), key=lambda batch: batch.sequence)
    assert (first.records[0], second.records[-1]) == (rows[0], corrected)
    # The time they were seen is what the store compares them by.
    assert first.observed_at < second.observed_at
