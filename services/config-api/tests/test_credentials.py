"""Every kind of credential: what is sealed and where it may go, what is shown, and what an edit keeps."""

from datetime import timedelta
from typing import Any

import pytest
from hub_model.access import needed_secrets
from hub_model.integrations import Integration
from hub_storage.repositories import Tokens
from hub_storage.repositories.tokens import Claim, TokenPlace

ERP, LOGIN = "https://erp.college.edu:443", "https://login.college.edu:443"
BODY = {"username": "{{ username }}", "password": "{{ password }}"}
KINDS: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "frappe": (
        {
            "authType": "api-key",
            "apiKeyPlacement": {"name": "Authorization", "prefix": "token "},
            "apiKey": "canary:42",
        },
        {"apiKey": "canary:42"},
        ERP,
    ),
    "opensis": (
        {
            "authType": "api-key",
            "apiKeyPlacement": {"placement": "query", "name": "api_key"},
            "apiKey": "canary-key-000001",
            "extraKeys": [{"placement": "query", "name": "api_secret", "value": "canary-secret-000002"}],
        },
        {"apiKey": "canary-key-000001", "extraKeys:api_secret": "canary-secret-000002"},
        ERP,
    ),
    "infinite campus": (
        {
            "authType": "oauth",
            "oauth": {
                "tokenUrl": "https://login.college.edu/campus/oauth2/token?appName=x",
                "clientId": "hub",
                "clientSecret": "canary-secret-000003",
                "scopes": ["roster.readonly"],
            },
            "extraKeys": [{"name": "x-vendor-authorization", "value": "canary:000004"}],
        },
        {"clientSecret": "canary-secret-000003", "extraKeys:x-vendor-authorization": "canary:000004"},
        f"{ERP} {LOGIN}",
    ),
    "google classroom": (
        {
            "authType": "oauth",
            "oauth": {
                "grant": "refresh_token",
                "tokenUrl": "https://login.college.edu/token",
                "clientId": "hub",
                "clientSecret": "canary-secret-000005",
                "refreshToken": "canary-refresh-000006",
                "clientAuthentication": "body",
            },
        },
        {"clientSecret": "canary-secret-000005", "refreshToken": "canary-refresh-000006"},
        f"{ERP} {LOGIN}",
    ),
    "fedena": (
        {
            "authType": "oauth",
            "username": "asha",
            "password": "canary-password-07",
            "oauth": {
                "grant": "password",
                "tokenUrl": "https://erp.college.edu/oauth/token",
                "clientId": "hub",
                "clientSecret": "canary-secret-000008",
                "tokenPlacement": {"prefix": 'Token token="', "suffix": '"'},
            },
        },
        {"password": "canary-password-07", "clientSecret": "canary-secret-000008"},
        ERP,
    ),
    "oneroster 1.1": (
        {
            "authType": "oauth1",
            "oauth1": {
                "consumerKey": "hub",
                "consumerSecret": "canary-secret-000009",
                "token": "canary-token-000010",
                "tokenSecret": "canary-secret-000011",
            },
        },
        {
            "consumerSecret": "canary-secret-000009",
            "token": "canary-token-000010",
            "tokenSecret": "canary-secret-000011",
        },
        ERP,
    ),
    "hikvision": (
        {"authType": "digest", "username": "admin", "password": "canary-password-12"},
        {"password": "canary-password-12"},
        ERP,
    ),
    "biotime": (
        {
            "authType": "login",
            "username": "admin",
            "password": "canary-password-13",
            "login": {
                "loginRequester": {"path": "/jwt-api-token-auth/", "body": BODY},
                "requestAuthentication": {"prefix": "JWT "},
            },
        },
        {"password": "canary-password-13"},
        ERP,
    ),
    "a login elsewhere": (
        {
            "authType": "login",
            "username": "admin",
            "password": "canary-password-14",
            "login": {
                "loginRequester": {"path": "https://login.college.edu/login", "body": BODY},
                "allowOtherOrigin": True,
            },
        },
        {"password": "canary-password-14"},
        f"{ERP} {LOGIN}",
    ),
}


def kind(name: str, **changes: Any) -> dict[str, Any]:
    return {"apiKey": None, **KINDS[name][0], **changes}


async def stored(hub: Any, made: dict[str, Any]) -> Integration:
    return await hub.integrations.get(hub.college_id, made["id"])


async def put(hub: Any, made: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    response = await hub.call("PUT", f"/api/integrations/{made['id']}", {**hub.draft, "apiKey": None, **body})
    assert response.status_code == 200, response.text
    return dict(response.json())


@pytest.mark.parametrize("name", KINDS)
async def test_every_secret_is_sealed_to_its_origin_and_never_comes_out(hub: Any, name: str) -> None:
    _, secrets, origin = KINDS[name]
    made = await hub.create(**kind(name))
    integration = await stored(hub, made)
    assert set(made["secrets"]) == {*secrets, "webhookSecret"}
    for field, value in secrets.items():
        assert hub.opened(integration, field) == value
        assert integration.secrets[field].origin == origin
    assert all(any(one in integration.secrets for one in names) for names in needed_secrets(integration.settings))
    shown = [await hub.call("GET", path) for path in (f"/api/integrations/{made['id']}", "/api/audit")]
    assert "canary" not in str(made) + integration.model_dump_json() + "".join(answer.text for answer in shown)


@pytest.mark.parametrize("name", KINDS)
async def test_what_is_shown_may_be_sent_back_and_keeps_the_secrets(hub: Any, name: str) -> None:
    made = await hub.create(**kind(name))
    shown = await hub.get(f"/api/integrations/{made['id']}")
    settings = ("authType", "username", "apiKeyPlacement", "extraKeys", "oauth", "oauth1", "login")
    again = await put(hub, made, {field: shown[field] for field in settings})
    assert again["secrets"] == made["secrets"]
    assert {field: again[field] for field in settings} == {field: made[field] for field in settings}


async def test_an_extra_key_that_is_no_longer_listed_is_gone_with_its_secret(hub: Any) -> None:
    made = await hub.create(**kind("opensis"))
    edited = await put(hub, made, kind("opensis", apiKey=None, extraKeys=[{"placement": "query", "name": "other"}]))
    assert "extraKeys:api_secret" not in edited["secrets"]
    assert "apiKey" in edited["secrets"]
    assert edited["warnings"] == []


async def test_a_login_that_moves_to_another_origin_voids_its_password_and_pauses(hub: Any) -> None:
    made = await hub.create(**kind("biotime"))
    moved = kind("a login elsewhere", password=None)
    edited = await put(hub, made, moved)
    assert "password" not in edited["secrets"]
    assert edited["paused"]
    assert "password was removed" in edited["warnings"][0]
    # Of two secrets that are needed, one is not enough to go on.
    edited = await put(hub, made, {**moved, "extraKeys": [{"name": "second"}], "password": "canary-new-000001"})
    assert edited["paused"]
    edited = await put(hub, made, {**moved, "extraKeys": [{"name": "second", "value": "canary-new-000002"}]})
    assert not edited["paused"]


async def test_a_secret_that_is_too_long_is_told_where_it_stands(hub: Any) -> None:
    body = kind("opensis", extraKeys=[{"name": "a", "value": "x" * 20_000}])
    response = await hub.call("POST", "/api/integrations", {**hub.draft, **body})
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["/extraKeys/0/value"]


async def test_an_integrations_tokens_go_with_it(hub: Any) -> None:
    made = await hub.create(**kind("google classroom"))
    place = TokenPlace(hub.college_id, made["id"], "key", "identity")
    take = {"holder": "w", "now": hub.clock(), "lease": timedelta(minutes=1)}
    first = await Tokens(hub.store).take(place, **take)
    assert isinstance(first, Claim)
    await Tokens(hub.store).give_up(first, is_uncertain=True)
    assert (await hub.call("DELETE", f"/api/integrations/{made['id']}")).status_code == 204
    again = await Tokens(hub.store).take(place, **take)
    assert isinstance(again, Claim)
    assert not again.is_uncertain
