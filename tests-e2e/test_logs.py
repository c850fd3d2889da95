"""Logs hold no secret and no student data: canaries go through everything, and none of them comes out."""

import hashlib
import hmac
import json
import secrets
from typing import Any

import httpx2
from hub_standalone.client import HubClient, Json
from hub_standalone.demo.college import College, Credentials
from hub_standalone.progress import ProgressView
from rich.console import Console
from running import RunningHub


async def synced(client: HubClient, integration: Json) -> Json:
    begun = await client.sync(integration["id"])
    with ProgressView(Console(quiet=True)) as view:
        return await view.follow(client, "", integration["id"], begun["runId"])


async def test_logs_hold_no_secret_and_no_student_data(
    hub: RunningHub,
    http: httpx2.AsyncClient,
    client: HubClient,
    college: College,
    credentials: Credentials,
    draft: dict[str, Any],
) -> None:
    wrong_key, student = f"canary-{secrets.token_hex(16)}", f"canary-{secrets.token_hex(8)}"
    college.world.biometric[0] |= {"studentId": student, "name": f"{student} Rao"}
    college.world.biometric[1] |= {"studentId": f"{student}-2", "date": f"{student} is no date"}

    good = await client.create(draft)
    bad = await client.create(draft | {"name": "Wrong key", "apiKey": wrong_key})
    await client.test(good["id"])
    assert (await client.test(bad["id"]))["success"] is False
    assert (await synced(client, good))["counts"]["rejected"] == 1
    assert (await synced(client, bad))["status"] == "failed"
    body = json.dumps({"dataType": "attendance", "records": [college.let_in_late() | {"name": student}]}).encode()
    for secret in (good["webhookSecret"], "another"):
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        await http.post(
            f"{hub.webhooks_url}/api/webhooks/integrations/{good['id']}",
            content=body,
            headers={"x-webhook-signature": signature, "content-type": "application/json"},
        )
    await http.get(f"/api/records/attendance?studentId={student}")
    await http.post("/api/integrations", json=draft | {"apiKey": [wrong_key], "password": {"is": student}})

    log = hub.log
    assert good["id"] in log
    token = http.headers["authorization"].removeprefix("Bearer ")
    for canary in (credentials.biometric_key, wrong_key, good["webhookSecret"], student, token, token.split(".")[2]):
        assert canary not in log
    assert all(json.loads(line)["event"] for line in log.splitlines() if line)
