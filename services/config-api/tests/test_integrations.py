"""Creating, replacing, toggling and deleting, and what becomes of secrets meanwhile."""

import asyncio
import base64
from typing import Any

import pytest
from hub_messaging.testing import wait_until
from hub_model.base import format_datetime
from hub_model.errors import ErrorClass, SecretUnreadable
from hub_model.integrations import Integration, LastError
from hub_model.messages import SyncRequested, Trigger
from hub_model.runs import RunStatus
from hub_security.vault import SecretBinding
from hub_storage.repositories import Runs

OAUTH: dict[str, Any] = {
    "authType": "oauth",
    "apiKey": None,
    "oauth": {"tokenUrl": "https://login.college.edu/token", "clientId": "hub", "clientSecret": "client-secret-000042"},
}


async def stored(hub: Any, made: dict[str, Any]) -> Integration:
    return await hub.integrations.get(hub.college_id, made["id"])


async def put(hub: Any, made: dict[str, Any], headers: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    body = {name: value for name, value in {**hub.draft, "apiKey": None, **changes}.items() if value is not None}
    response = await hub.call("PUT", f"/api/integrations/{made['id']}", body, headers=headers)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def test_a_secret_goes_in_sealed_and_never_comes_out(hub: Any) -> None:
    now = format_datetime(hub.clock())
    made = await hub.create()
    integration = await stored(hub, made)
    assert hub.opened(integration, "apiKey") == hub.draft["apiKey"]
    assert hub.draft["apiKey"] not in integration.model_dump_json()
    assert made["secrets"]["apiKey"] == {"set": True, "hint": "...0042", "setAt": now}
    for path in ("/api/integrations", f"/api/integrations/{made['id']}", "/api/audit"):
        assert hub.draft["apiKey"] not in (await hub.call("GET", path)).text


async def test_a_secret_opens_only_in_its_own_place(hub: Any) -> None:
    first, second = await stored(hub, await hub.create()), await stored(hub, await hub.create(name="Other"))
    with pytest.raises(SecretUnreadable):
        hub.opener.open(first.secrets["apiKey"], SecretBinding(hub.college_id, second.id, "apiKey"))


async def test_basic_and_oauth_secrets_are_sealed_too(hub: Any) -> None:
    basic = await stored(hub, await hub.create(authType="basic", apiKey=None, username="hub", password="pass-word-42"))
    assert hub.opened(basic, "password") == "pass-word-42"
    assert basic.settings.username == "hub"
    oauth = await stored(hub, await hub.create(name="Second", **OAUTH))
    assert hub.opened(oauth, "clientSecret") == "client-secret-000042"
    assert oauth.secrets["clientSecret"].origin == "https://erp.college.edu:443 https://login.college.edu:443"
    assert oauth.settings.oauth is not None
    assert oauth.settings.oauth.client_secret is None


@pytest.mark.parametrize("scheme", ["legacy", "standard"])
async def test_a_webhook_secret_is_made_and_shown_once(hub: Any, scheme: str) -> None:
    made = await hub.create(webhook={"scheme": scheme})
    secret = made["webhookSecret"]
    key = base64.b64decode(secret.removeprefix("whsec_")) if scheme == "standard" else bytes.fromhex(secret)
    assert len(key) == 32
    assert hub.opened(await stored(hub, made), "webhookSecret") == secret
    again = await hub.call("GET", f"/api/integrations/{made['id']}")
    assert secret not in again.text
    assert again.json()["webhook"] == {
        "url": f"https://hub.example/api/webhooks/integrations/{made['id']}",
        "scheme": scheme,
        "signature": None,
        "secretPlacement": None,
        "jwt": None,
        "allowedNetworks": [],
        "dataType": None,
        "syncs": [],
        "pause": "PT5M",
    }
    assert (await put(hub, made))["webhookSecret"] is None


async def test_a_webhook_secret_of_ones_own_is_not_repeated(hub: Any) -> None:
    made = await hub.create(webhook={"secret": "my own webhook secret"})
    assert made["webhookSecret"] is None
    assert hub.opened(await stored(hub, made), "webhookSecret") == "my own webhook secret"


async def test_a_replaced_webhook_secret_stays_valid_beside_the_new_one(hub: Any) -> None:
    made = await hub.create(webhook={"secret": "the first webhook secret"})
    await put(hub, made, webhook={"secret": "the second webhook secret"})
    integration = await stored(hub, made)
    assert hub.opened(integration, "webhookSecret") == "the second webhook secret"
    previous = integration.secrets["webhookSecretPrevious"]
    binding = SecretBinding(hub.college_id, integration.id, "webhookSecret")
    assert hub.gateway_opener.open(previous, binding) == "the first webhook secret"
    await put(hub, made)
    assert (await stored(hub, made)).secrets.keys() == integration.secrets.keys()


async def test_another_webhook_scheme_gets_a_secret_of_its_form(hub: Any) -> None:
    made = await hub.create()
    changed = await put(hub, made, webhook={"scheme": "standard"})
    assert changed["webhookSecret"].startswith("whsec_")
    integration = await stored(hub, made)
    assert hub.opened(integration, "webhookSecret") == changed["webhookSecret"]
    assert "webhookSecretPrevious" not in integration.secrets
    kept = await put(hub, made)
    assert (kept["webhook"]["scheme"], kept["webhookSecret"]) == ("standard", None)


async def test_replacing_keeps_the_secrets_that_are_left_out(hub: Any) -> None:
    made = await hub.create()
    changed = await put(hub, made, name="Renamed")
    assert changed["name"] == "Renamed"
    assert changed["warnings"] == []
    integration = await stored(hub, made)
    assert hub.opened(integration, "apiKey") == hub.draft["apiKey"]
    assert integration.secrets["apiKey"].version == 1


async def test_a_new_secret_replaces_the_stored_one_in_a_new_version(hub: Any) -> None:
    made = await hub.create()
    await put(hub, made, apiKey="another-bearer-token")
    integration = await stored(hub, made)
    assert hub.opened(integration, "apiKey") == "another-bearer-token"
    assert integration.secrets["apiKey"].version == 2


async def test_replacing_resets_what_is_left_out_to_its_default(hub: Any) -> None:
    made = await hub.create(headers={"X-College-ID": "7"}, timeZone="UTC", syncInterval=45)
    changed = await put(hub, made, syncInterval=30)
    assert (changed["headers"], changed["timeZone"], changed["syncInterval"]) == ({}, "Asia/Kolkata", 30)


@pytest.mark.parametrize(
    "base_url",
    ["https://other.example/api", "http://erp.college.edu/api/v1", "https://erp.college.edu:8443/api/v1"],
)
async def test_another_origin_drops_the_credential_and_pauses(hub: Any, base_url: str) -> None:
    made = await hub.create(enabled=True)
    changed = await put(hub, made, baseUrl=base_url, enabled=True)
    assert "apiKey" not in changed["secrets"]
    assert "webhookSecret" in changed["secrets"]
    assert changed["paused"] is True
    assert changed["nextSync"] is None
    assert "apiKey" in changed["warnings"][0]
    still = await put(hub, made, baseUrl=base_url, enabled=True, name="Edited once more")
    assert still["paused"] is True
    given = await put(hub, made, baseUrl=base_url, enabled=True, apiKey="the-new-systems-key")
    assert (given["paused"], given["warnings"]) == (False, [])


async def test_another_path_of_the_same_origin_keeps_the_credential(hub: Any) -> None:
    made = await hub.create()
    changed = await put(hub, made, baseUrl="https://ERP.college.edu:443/api/v2")
    assert changed["secrets"]["apiKey"]["set"] is True
    assert changed["paused"] is False


async def test_another_token_address_drops_the_client_secret(hub: Any) -> None:
    made = await hub.create(**OAUTH)
    elsewhere = {"tokenUrl": "https://evil.example/token", "clientId": "hub"}
    changed = await put(hub, made, authType="oauth", oauth=elsewhere)
    assert "clientSecret" not in changed["secrets"]
    assert changed["paused"] is True


async def test_the_mapping_version_counts_changes_of_the_endpoints_only(hub: Any) -> None:
    made = await hub.create()
    assert (await put(hub, made, name="Renamed"))["mappingVersion"] == 1
    changed = await put(hub, made, endpoints={"students": "/students/v2"})
    assert (changed["mappingVersion"], changed["revision"]) == (2, 3)


async def test_an_edit_ends_a_pause(hub: Any) -> None:
    made = await hub.create(enabled=True)
    await hub.integrations.change(hub.college_id, made["id"], lambda item: item.with_sync(paused=True))
    assert (await put(hub, made, enabled=True))["paused"] is False


async def test_an_edit_keeps_what_a_run_wrote_meanwhile(hub: Any) -> None:
    made = await hub.create(enabled=True)
    await hub.integrations.change(
        hub.college_id, made["id"], lambda item: item.with_sync(active_run_id="r1", active_since=hub.clock())
    )
    assert (await put(hub, made, enabled=True))["activeRunId"] == "r1"


async def test_the_due_time_moves_only_with_the_interval(hub: Any) -> None:
    made = await hub.create(enabled=True)
    hub.clock.advance(seconds=1)
    assert (await put(hub, made, enabled=True, name="Renamed"))["nextSync"] == made["nextSync"]
    # The slots of two intervals may meet; those of four do so at no college.
    moved = {(await put(hub, made, enabled=True, syncInterval=minutes))["nextSync"] for minutes in (7, 11, 13)}
    assert moved != {made["nextSync"]}
    assert (await put(hub, made, enabled=False))["nextSync"] is None


async def test_an_edit_does_not_put_off_what_is_overdue(hub: Any) -> None:
    made = await hub.create(enabled=True)
    hub.clock.advance(minutes=40)
    assert (await put(hub, made, enabled=True, name="Renamed"))["nextSync"] == made["nextSync"]


async def test_colleges_are_due_at_different_seconds(hub: Any) -> None:
    due = {(await hub.create(college_id=f"{hub.college_id}-{n}", enabled=True))["nextSync"] for n in range(8)}
    assert len(due) >= 6, "two may meet by chance"


async def test_a_name_is_used_once_in_a_college(hub: Any) -> None:
    await hub.create()
    second = await hub.create(name="Second")
    for response in (
        await hub.call("POST", "/api/integrations", {**hub.draft, "name": "COLLEGE erp"}),
        await hub.call("PUT", f"/api/integrations/{second['id']}", hub.draft),
    ):
        assert (response.status_code, response.json()["code"]) == (409, "name_taken")
    assert (await hub.create(college_id=hub.other_college))["name"] == hub.draft["name"]


async def test_an_etag_protects_an_edit(hub: Any) -> None:
    made = await hub.create()
    path = f"/api/integrations/{made['id']}"
    tag = (await hub.call("GET", path)).headers["etag"]
    assert tag == '"1"'
    changed = await hub.call("PUT", path, {**hub.draft, "name": "Mine"}, headers={"if-match": tag})
    assert changed.headers["etag"] == '"2"'
    calls: list[tuple[str, str, Any]] = [
        ("PUT", path, {**hub.draft, "name": "Theirs"}),
        ("PATCH", f"{path}/toggle", {"enabled": True}),
        ("DELETE", path, None),
    ]
    for method, target, body in calls:
        stale = await hub.call(method, target, body, headers={"if-match": tag})
        assert (stale.status_code, stale.json()["type"]) == (412, "/problems/version-conflict")
        assert "revision 2" in stale.json()["detail"]
    assert (await hub.get(path))["name"] == "Mine"


@pytest.mark.parametrize(("tag", "status"), [("*", 200), ('"9", "1"', 200), ('W/"1"', 412), ("1", 412), ('"2"', 412)])
async def test_if_match_is_compared_strongly(hub: Any, tag: str, status: int) -> None:
    made = await hub.create()
    path = f"/api/integrations/{made['id']}"
    response = await hub.call("PUT", path, hub.draft, headers={"if-match": tag})
    assert response.status_code == status


async def test_two_edits_at_once_both_count(hub: Any) -> None:
    made = await hub.create()
    await asyncio.gather(*(put(hub, made, name=f"Name {n}") for n in range(4)))
    assert (await hub.get(f"/api/integrations/{made['id']}"))["revision"] == 5


async def test_enabling_starts_a_run_and_ends_a_pause(hub: Any) -> None:
    made = await hub.create()
    await hub.integrations.change(hub.college_id, made["id"], lambda item: item.with_sync(paused=True))
    toggled = await hub.call("PATCH", f"/api/integrations/{made['id']}/toggle", {"enabled": True})
    view = toggled.json()
    assert (view["status"], view["paused"], view["revision"]) == ("active", False, 2)
    assert view["nextSync"] is not None
    await wait_until(lambda: bool(hub.heard(SyncRequested)))
    [request] = hub.heard(SyncRequested)
    assert (request.trigger, request.run_id) == (Trigger.ENABLE, view["activeRunId"])


async def test_a_toggle_that_changes_nothing_starts_nothing(hub: Any) -> None:
    made = await hub.create(enabled=True)
    toggled = await hub.call("PATCH", f"/api/integrations/{made['id']}/toggle", {"enabled": True})
    assert (toggled.json()["revision"], toggled.json()["activeRunId"]) == (1, None)
    assert [entry["action"] for entry in await hub.audit()] == ["createIntegration"]


async def test_enabling_again_ends_a_pause(hub: Any) -> None:
    made = await hub.create(enabled=True)
    await hub.integrations.change(hub.college_id, made["id"], lambda item: item.with_sync(paused=True))
    toggled = await hub.call("PATCH", f"/api/integrations/{made['id']}/toggle", {"enabled": True})
    assert (toggled.json()["paused"], toggled.json()["activeRunId"] is None) == (False, False)


async def test_the_status_tells_of_a_failed_sync(hub: Any) -> None:
    made = await hub.create(enabled=True)
    error = LastError(error_class=ErrorClass.AUTH, code="refused", message="The key was refused.", at=hub.clock())
    await hub.integrations.change(
        hub.college_id, made["id"], lambda item: item.with_sync(last_error=error, paused=True)
    )
    view = await hub.get(f"/api/integrations/{made['id']}")
    assert (view["status"], view["lastError"]["message"]) == ("error", "The key was refused.")


async def test_deleting_cancels_the_active_run_and_keeps_it(hub: Any) -> None:
    made = await hub.create()
    run = (await hub.call("POST", f"/api/integrations/{made['id']}/sync")).json()
    assert (await hub.call("DELETE", f"/api/integrations/{made['id']}")).status_code == 204
    assert (await Runs(hub.store).get(hub.college_id, run["runId"])).status is RunStatus.CANCELLED
    assert (await hub.call("DELETE", f"/api/integrations/{made['id']}")).status_code == 404


async def test_a_view_can_be_sent_back_as_an_edit(hub: Any) -> None:
    mapping = {"rules": [{"to": "studentId", "from": "roll"}, {"to": "name", "from": ["name", "full"], "do": ["trim"]}]}
    endpoint = {"path": "/s", "pagination": {"type": "page", "pageSize": 50}, "mapping": mapping}
    made = await hub.create(endpoints={"students": endpoint}, headers={"X-College-ID": "7"})
    view = await hub.get(f"/api/integrations/{made['id']}")
    fields = [*hub.draft.keys() - {"apiKey"}, "headers", "timeZone", "apiKeyPlacement"]
    response = await hub.call("PUT", f"/api/integrations/{made['id']}", {name: view[name] for name in fields})
    assert response.status_code == 200, response.text
    assert (response.json()["endpoints"], response.json()["mappingVersion"]) == (view["endpoints"], 1)


async def test_a_broker_that_is_down_does_not_keep_people_from_configuring(hub: Any) -> None:
    hub.broker.down = True
    made = await hub.create()
    assert (await put(hub, made, name="Renamed"))["revision"] == 2
