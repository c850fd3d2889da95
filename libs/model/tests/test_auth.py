"""Credentials as a draft gives them: which secrets each kind needs and brings, and where they may be sent."""

from typing import Any

import pytest
from hub_model.access import Access, credential_origin, given_secrets, needed_secrets
from hub_model.auth import AuthType, LoginSettings, is_extra_key, login_url
from pydantic import ValidationError

BASE = "https://erp.college.edu/api"
OAUTH = {"tokenUrl": "https://login.example.com/token", "clientId": "hub"}
LOGIN = {"loginRequester": {"path": "/login", "body": {"u": "{{ username }}", "p": "{{password}}"}}}
OF_TYPE: dict[str, dict[str, Any]] = {
    "oauth": {"oauth": OAUTH},
    "oauth1": {"oauth1": {"consumerKey": "hub"}},
    "login": {"login": LOGIN},
}


def access(auth_type: str = "bearer", **changes: Any) -> Access:
    return Access.model_validate({"baseUrl": BASE, "authType": auth_type, **OF_TYPE.get(auth_type, {}), **changes})


def test_the_seeds_words_for_kinds_stay_as_they_are() -> None:
    assert [str(kind) for kind in AuthType] == ["api-key", "bearer", "basic", "oauth", "oauth1", "digest", "login"]


@pytest.mark.parametrize(
    ("settings", "needed"),
    [
        (access("api-key"), (("apiKey",),)),
        (access("bearer"), (("apiKey",),)),
        (access("basic"), (("password", "apiKey"),)),
        (access("digest"), (("password", "apiKey"),)),
        (access("login"), (("password", "apiKey"),)),
        (access("oauth"), (("clientSecret", "apiKey"),)),
        (access("oauth", oauth={**OAUTH, "grant": "refresh_token"}), (("refreshToken",),)),
        (access("oauth", oauth={**OAUTH, "grant": "password"}), (("password",),)),
        (access("oauth1"), (("consumerSecret", "apiKey"),)),
        (access(extraKeys=[{"name": "a"}, {"name": "b"}]), (("apiKey",), ("extraKeys:a",), ("extraKeys:b",))),
    ],
)
def test_each_kind_says_which_secrets_it_needs(settings: Access, needed: tuple[tuple[str, ...], ...]) -> None:
    assert needed_secrets(settings) == needed


def test_every_secret_of_a_draft_is_found_and_taken_out() -> None:
    settings = access(
        "oauth",
        apiKey="canary-1",
        password="canary-2",
        extraKeys=[{"name": "x", "value": "canary-3"}, {"name": "y"}],
        oauth={**OAUTH, "clientSecret": "canary-4", "refreshToken": "canary-5"},
        oauth1={"consumerKey": "c", "consumerSecret": "canary-6", "token": "canary-7", "tokenSecret": "canary-8"},
    )
    given = {name: (pointer, secret.get_secret_value()) for name, (pointer, secret) in given_secrets(settings).items()}
    assert given == {
        "apiKey": ("/apiKey", "canary-1"),
        "password": ("/password", "canary-2"),
        "extraKeys:x": ("/extraKeys/0/value", "canary-3"),
        "clientSecret": ("/oauth/clientSecret", "canary-4"),
        "refreshToken": ("/oauth/refreshToken", "canary-5"),
        "consumerSecret": ("/oauth1/consumerSecret", "canary-6"),
        "token": ("/oauth1/token", "canary-7"),
        "tokenSecret": ("/oauth1/tokenSecret", "canary-8"),
    }
    assert [name for name in given if is_extra_key(name)] == ["extraKeys:x"]
    assert "canary" not in repr(settings) + settings.model_dump_json()
    bare = settings.model_copy(update=settings.without_secrets())
    assert given_secrets(bare) == {}
    assert Access.model_validate(bare.model_dump(mode="json", by_alias=True)) == bare


@pytest.mark.parametrize("bad", ["{{ user }}", "x{{ window.start }}", "{{ password.x }}"])
@pytest.mark.parametrize("part", ["params", "headers", "body"])
def test_a_login_knows_user_name_and_password_and_nothing_else(part: str, bad: str) -> None:
    requester = {"path": "/login", part: {"a": bad} if part != "body" else {"deep": [{"a": bad}]}}
    with pytest.raises(ValidationError, match="there are username and password"):
        LoginSettings.model_validate({"loginRequester": requester})


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/login/", f"{BASE}/login/"),
        ("login?x=1", f"{BASE}/login?x=1"),
        ("https://ERP.college.edu/token", "https://ERP.college.edu/token"),
    ],
)
def test_a_login_is_below_the_base_url_or_at_a_full_address(path: str, url: str) -> None:
    settings = access("login", login={"loginRequester": {"path": path}})
    assert settings.login is not None
    assert login_url(settings.login, settings.base_url) == url
    assert credential_origin(settings) == "https://erp.college.edu:443"


@pytest.mark.parametrize("path", ["//evil.example/x", "/a b", "/../x", "/x#y", "ftp://erp.college.edu/x", "\\x"])
def test_a_login_at_no_good_address_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        access("login", login={"loginRequester": {"path": path}})


def test_a_login_at_another_origin_has_to_be_allowed_and_then_binds_the_password_to_both() -> None:
    elsewhere = {"loginRequester": {"path": "https://sso.example.com/login"}}
    with pytest.raises(ValidationError, match="allowOtherOrigin"):
        access("login", login=elsewhere)
    allowed = access("login", login={**elsewhere, "allowOtherOrigin": True})
    assert credential_origin(allowed) == "https://erp.college.edu:443 https://sso.example.com:443"
    unused = access("bearer", login={**elsewhere, "allowOtherOrigin": True})
    assert credential_origin(unused) == "https://erp.college.edu:443"
