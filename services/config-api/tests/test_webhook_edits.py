"""What edits make of webhooks: their senders are set up for one, so it changes when somebody says so, and is told."""

from typing import Any

import pytest

FRAPPE: dict[str, Any] = {
    "name": "ERP",
    "type": "frappe-education",
    "baseUrl": "https://college.frappe.cloud",
    "settings": {"apiKey": "key-0042", "apiSecret": "api-secret-0042"},
}
CANVAS: dict[str, Any] = {
    "name": "LMS",
    "type": "canvas",
    "baseUrl": "https://college.instructure.com",
    "settings": {"token": "canvas-token-0042"},
}
UUID, OTHER_UUID = "WvAHhY5FINzq5IyRIJybGeiXyFkG3SqHUPb7jZY5", "VicYj3cu5BIFpoZhDVU4DZumnlBrWi1grgJEzADs"
TERMINAL: dict[str, Any] = {
    "name": "Gate",
    "type": "hikvision",
    "baseUrl": "https://terminal.college.edu",
    "settings": {"username": "hub", "password": "pass-word-0042", "since": "2026-06-01"},
}


async def create(hub: Any, draft: dict[str, Any], **more: Any) -> dict[str, Any]:
    response = await hub.call("POST", "/api/integrations", {**draft, **more})
    assert response.status_code == 201, response.text
    return dict(response.json())


async def put(hub: Any, made: dict[str, Any], draft: dict[str, Any], **more: Any) -> dict[str, Any]:
    response = await hub.call("PUT", f"/api/integrations/{made['id']}", {**draft, **more})
    assert response.status_code == 200, response.text
    return dict(response.json())


def canvas(uuid: str) -> dict[str, Any]:
    return {**CANVAS, "settings": {**CANVAS["settings"], "rootAccountUuid": uuid}}


async def test_a_new_integration_has_its_vendors_webhook_and_says_that_it_is_the_presets(hub: Any) -> None:
    made = await create(hub, FRAPPE)
    assert made["webhook"]["scheme"] == "hmac"
    assert made["webhook"]["signature"]["name"] == "X-Frappe-Webhook-Signature"
    assert made["connector"]["webhook"] == "taken"
    assert (len(made["webhookSecret"]) > 30, made["warnings"]) == (True, [])


async def test_an_edit_that_names_no_webhook_keeps_another_scheme_and_tells_how_to_change_over(hub: Any) -> None:
    made = await create(hub, FRAPPE, webhook={"scheme": "legacy"})
    kept = await put(hub, made, FRAPPE, name="Renamed")
    assert kept["webhook"] == made["webhook"]
    assert (kept["webhookSecret"], kept["connector"]["webhook"]) == (None, None)
    [warning] = kept["warnings"]
    assert "still checked by the scheme legacy" in warning
    assert '"webhook": {"scheme": "hmac"}' in warning

    changed = await put(hub, made, FRAPPE, webhook={"scheme": "hmac"})
    assert changed["webhook"]["syncs"] != []
    assert changed["webhookSecret"] is not None
    assert changed["connector"]["webhook"] == "taken"
    [warning] = changed["warnings"]
    assert "by the scheme hmac from now on, and no longer by legacy. The old secret is void." in warning

    again = await put(hub, made, FRAPPE)
    assert (again["webhook"], again["webhookSecret"], again["warnings"]) == (changed["webhook"], None, [])


async def test_an_integration_from_before_its_preset_had_webhooks_keeps_its_own(hub: Any) -> None:
    made = await create(hub, CANVAS)
    assert (made["webhook"]["scheme"], made["connector"]["webhook"]) == ("legacy", None)
    kept = await put(hub, made, canvas(UUID))
    assert kept["webhook"]["scheme"] == "legacy"
    [warning] = kept["warnings"]
    assert warning.endswith("which takes the rest from the connector.")  # and no secret
    changed = await put(hub, made, canvas(UUID), webhook={"scheme": "jwt"})
    assert changed["webhook"]["jwt"]["claims"] == {"metadata.root_account_uuid": UUID}
    assert "webhookSecret" not in changed["secrets"]


async def test_a_webhook_that_is_the_presets_follows_its_answers(hub: Any) -> None:
    made = await create(hub, canvas(UUID))
    moved = await put(hub, made, canvas(OTHER_UUID))
    assert moved["webhook"]["jwt"]["claims"] == {"metadata.root_account_uuid": OTHER_UUID}
    assert moved["warnings"] == [
        "Webhooks are checked in another place or by other keys from now on: set up their sender again."
    ]


async def test_the_presets_webhook_is_gone_with_the_answer_that_it_needs_and_that_is_told(hub: Any) -> None:
    made = await create(hub, canvas(UUID))
    off = await put(hub, made, CANVAS)
    assert (off["webhook"]["scheme"], off["webhook"]["jwt"], off["connector"]["webhook"]) == ("legacy", None, None)
    assert off["webhookSecret"] is not None
    without, changed = off["warnings"]
    assert without.startswith("The webhooks of Canvas LMS are off, since the setting 'rootAccountUuid' is not")
    assert "by the scheme legacy from now on" in changed
    assert (await create(hub, {**CANVAS, "name": "Another"}))["warnings"] == [without]


async def test_what_was_shown_and_is_sent_back_with_rules_of_its_own_is_the_colleges_own(hub: Any) -> None:
    made = await create(hub, FRAPPE)
    fields = ("name", "type", "baseUrl", "authType", "endpoints", "streams", "connector", "webhook")
    shown = {name: made[name] for name in fields}
    shown["webhook"] = {
        **{k: v for k, v in shown["webhook"].items() if k != "url"},
        "syncs": [{"dataTypes": ["marks"]}],
    }
    own = await put(hub, made, shown)
    assert own["connector"]["webhook"] is None
    kept = await put(hub, made, FRAPPE, name="Renamed")
    assert (kept["webhook"], kept["warnings"]) == (own["webhook"], [])


async def test_an_answer_that_the_kept_webhook_does_not_follow_is_told(hub: Any) -> None:
    made = await create(hub, canvas(UUID))
    fields = ("name", "type", "baseUrl", "authType", "endpoints", "streams", "connector", "webhook")
    shown = {name: made[name] for name in fields}
    del shown["webhook"]["url"]
    await put(hub, made, shown)
    kept = await put(hub, made, canvas(OTHER_UUID))
    assert kept["webhook"]["jwt"]["claims"] == {"metadata.root_account_uuid": UUID}
    assert "since this edit does not name 'webhook'" in kept["warnings"][0]


async def test_a_draft_cannot_say_that_its_own_webhook_is_only_offered(hub: Any) -> None:
    made = await create(hub, FRAPPE)
    fields = ("name", "type", "baseUrl", "authType", "endpoints", "streams", "connector")
    shown = {name: made[name] for name in fields}
    shown["connector"] = {**shown["connector"], "webhook": "offered"}
    moved = await put(hub, made, shown, webhook={"scheme": "standard"})
    assert moved["webhook"]["scheme"] == "standard"


async def test_an_integration_of_another_connector_keeps_its_webhook_until_one_is_named(hub: Any) -> None:
    draft = {**TERMINAL, "settings": {**TERMINAL["settings"], "deviceNetworks": ["10.20.0.0/24"]}}
    made = await create(hub, draft)
    moodle = {
        "name": "LMS",
        "type": "moodle",
        "baseUrl": TERMINAL["baseUrl"],
        "settings": {"token": "moodle-token-0042"},
    }
    moved = await put(hub, made, moodle)
    assert moved["webhook"] == made["webhook"]
    assert (moved["connector"]["webhook"], moved["webhookSecret"]) == (None, None)
    assert "still checked by the scheme token (in the address)" in moved["warnings"][0]


async def test_a_webhook_of_the_colleges_own_stays_as_it_is_left_out(hub: Any) -> None:
    rules = [{"when": [], "dataTypes": ["marks"]}]
    made = await create(hub, FRAPPE, webhook={"syncs": rules})
    assert (made["webhook"]["scheme"], made["connector"]["webhook"]) == ("hmac", None)
    kept = await put(hub, made, FRAPPE, name="Renamed")
    assert (kept["webhook"], kept["warnings"]) == (made["webhook"], [])


async def test_another_edit_keeps_in_mind_whose_the_webhook_is(hub: Any) -> None:
    made = await create(hub, canvas(UUID))
    fields = ("name", "type", "baseUrl", "authType", "endpoints", "streams", "connector")
    await put(hub, made, {name: made[name] for name in fields})
    moved = await put(hub, made, canvas(OTHER_UUID))
    assert moved["webhook"]["jwt"]["claims"] == {"metadata.root_account_uuid": OTHER_UUID}


async def test_a_secret_that_moves_into_the_address_is_a_new_one_and_told(hub: Any) -> None:
    draft = {**TERMINAL, "settings": {**TERMINAL["settings"], "deviceNetworks": ["10.20.0.0/24"]}}
    in_header = {"scheme": "token", "secretPlacement": {"placement": "header", "name": "X-Token"}}
    made = await create(hub, draft, webhook=in_header)
    moved = await put(hub, made, draft, webhook={"scheme": "token"})
    assert moved["webhook"]["secretPlacement"]["placement"] == "address"
    assert moved["webhookSecret"] is not None
    [warning] = moved["warnings"]
    assert "token (in the address) from now on, and no longer by token. The old secret is void." in warning


async def test_a_scheme_that_is_half_answered_is_refused_by_the_settings_name(hub: Any) -> None:
    response = await hub.call("POST", "/api/integrations", {**CANVAS, "webhook": {"scheme": "jwt"}})
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["/settings/rootAccountUuid"]


@pytest.mark.parametrize(("name", "scheme"), [("moodle", "token"), ("opensis", None)])
async def test_a_connector_is_shown_with_the_scheme_of_its_webhooks(hub: Any, name: str, scheme: str | None) -> None:
    listed = {item["name"]: item for item in (await hub.get("/api/connectors"))["items"]}
    shown = await hub.get(f"/api/connectors/{name}")
    assert (listed[name]["webhookScheme"], shown["webhookScheme"]) == (scheme, scheme)
    assert shown["webhooks"]
