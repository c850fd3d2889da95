"""What a draft may say of its webhook: where keys come from, and rules that compile. Each refusal names its place."""

from typing import Any

import pytest

JWT: dict[str, Any] = {"jwksUrl": "https://keys.example.com/set", "claims": {"tenant": "t-1"}}
WEBHOOK: dict[str, Any] = {"scheme": "jwt", "jwt": JWT, "syncs": [{}]}


async def issues(hub: Any, webhook: dict[str, Any]) -> list[tuple[str, str]]:
    response = await hub.call("POST", "/api/integrations", {**hub.draft, "webhook": webhook})
    assert response.status_code == 422, response.text
    return [(error["pointer"], error["message"]) for error in response.json()["errors"]]


async def test_a_signed_webhook_has_no_secret_to_show(hub: Any) -> None:
    made = await hub.create(webhook=WEBHOOK)
    assert made["webhook"]["jwt"] == JWT
    assert (made["webhookSecret"], "webhookSecret" in made["secrets"]) == (None, False)


@pytest.mark.parametrize(
    "url",
    ["http://keys.example.com/set", "HTTP://keys.example.com/set", "Http://keys.example.com/set"],
)
async def test_keys_that_signatures_are_checked_with_do_not_come_in_plain_text(hub: Any, url: str) -> None:
    [(pointer, message)] = await issues(hub, {**WEBHOOK, "jwt": {**JWT, "jwksUrl": url}})
    assert pointer == "/webhook/jwt/jwksUrl"
    assert "https://" in message


@pytest.mark.parametrize("url", ["https://127.0.0.1/set", "https://169.254.169.254/latest", "file:///etc/passwd"])
async def test_keys_come_from_where_the_hub_may_dial(hub: Any, url: str) -> None:
    [(pointer, message)] = await issues(hub, {**WEBHOOK, "jwt": {**JWT, "jwksUrl": url}})
    assert pointer == "/webhook/jwt/jwksUrl"
    assert message.startswith("The hub does not connect to this address")


async def test_a_rule_that_cannot_be_used_is_told_with_its_place(hub: Any) -> None:
    rules = [{}, {"when": [{"path": "event", "matches": "("}]}]
    [(pointer, message)] = await issues(hub, {"syncs": rules})
    assert pointer == "/webhook/syncs/1/when/0/matches"
    assert "RE2" in message
