"""Credentials: how they are sent, and where they are not."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hub_fetcher.auth.credentials import Credential, bearer
from hub_fetcher.auth.exchange import Bought, TokenRequest
from hub_fetcher.auth.tokens import Token
from hub_fetcher.walking.reading import Limits
from hub_model.auth import OAuthSettings
from hub_model.errors import ErrorClass, SourceError
from hub_model.messages import SyncFailed

NOW = datetime(2026, 1, 15, tzinfo=UTC)
KEY = "canary-api-key-0123456789"
OAUTH = {"tokenUrl": "https://login.example.edu/token", "clientId": "hub"}


async def sent_by(walk_all: Any, college: Any, integration: Any) -> Any:
    college.answer = lambda asked: college.json([])
    await walk_all(integration=integration)
    return college.asked[-1]


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize(
    ("draft", "secrets", "header", "value"),
    [
        ({"authType": "bearer"}, {"apiKey": KEY}, "authorization", f"Bearer {KEY}"),
        ({"authType": "bearer"}, {"apiKey": f"Bearer {KEY}\n"}, "authorization", f"Bearer {KEY}"),
        ({"authType": "api-key"}, {"apiKey": KEY}, "x-api-key", KEY),
        (
            {"authType": "api-key", "apiKeyPlacement": {"name": "Authorization", "prefix": "token "}},
            {"apiKey": KEY},
            "authorization",
            f"token {KEY}",
        ),
        ({"authType": "basic", "username": "asha"}, {"password": "p:w"}, "authorization", basic("asha:p:w")),
        ({"authType": "basic", "username": "asha"}, {"apiKey": KEY}, "authorization", basic(f"asha:{KEY}")),
        ({"authType": "basic"}, {"apiKey": "user:password"}, "authorization", basic("user:password")),
        # Frappe, Linways, Fedena, BioTime, eTimeOffice
        (
            {"authType": "api-key", "apiKeyPlacement": {"name": "Authorization", "prefix": "token "}},
            {"apiKey": "key:secret"},
            "authorization",
            "token key:secret",
        ),
        (
            {"authType": "api-key", "apiKeyPlacement": {"name": "Authorization"}},
            {"apiKey": KEY},
            "authorization",
            KEY,
        ),
        (
            {
                "authType": "api-key",
                "apiKeyPlacement": {"name": "Authorization", "prefix": 'Token token="', "suffix": '"'},
            },
            {"apiKey": KEY},
            "authorization",
            f'Token token="{KEY}"',
        ),
        (
            {"authType": "api-key", "apiKeyPlacement": {"name": "Authorization", "prefix": "JWT "}},
            {"apiKey": KEY},
            "authorization",
            f"JWT {KEY}",
        ),
        ({"authType": "basic"}, {"apiKey": "Corp:User:Pass:true"}, "authorization", basic("Corp:User:Pass:true")),
        ({"authType": "basic"}, {"apiKey": "Corp:User:Pass:true:"}, "authorization", basic("Corp:User:Pass:true:")),
        (
            {"authType": "basic", "username": "\u00e9va"},
            {"password": "\u00fc"},
            "authorization",
            basic("\u00e9va:\u00fc"),
        ),
    ],
)
async def test_each_kind_of_credential_is_sent_its_way(
    walk_all: Any,
    college: Any,
    make_integration: Any,
    draft: dict[str, Any],
    secrets: dict[str, str],
    header: str,
    value: str,
) -> None:
    asked = await sent_by(walk_all, college, make_integration(secrets=secrets, **draft))
    assert asked.headers[header] == value
    assert KEY not in asked.target


async def test_a_key_may_go_into_the_query(walk_all: Any, college: Any, make_integration: Any) -> None:
    integration = make_integration(
        authType="api-key",
        apiKeyPlacement={"placement": "query", "name": "wstoken"},
        secrets={"apiKey": "a b&c=d"},
        endpoints={"students": "/server.php?wsfunction=core_user_get_users"},
    )
    asked = await sent_by(walk_all, college, integration)
    assert asked.query == {"wsfunction": "core_user_get_users", "wstoken": "a b&c=d"}


async def test_several_keys_go_with_one_request(walk_all: Any, college: Any, make_integration: Any) -> None:
    """openSIS: both keys in the query, and a secret of one changes nothing of the other."""
    integration = make_integration(
        authType="api-key",
        apiKeyPlacement={"placement": "query", "name": "api_key"},
        extraKeys=[{"placement": "query", "name": "api_secret"}, {"name": "x-vendor-authorization"}],
        secrets={"apiKey": "k&1", "extraKeys:api_secret": "s=2", "extraKeys:x-vendor-authorization": "key:secret"},
        endpoints={"students": "/StudentEnrollmentInfo.php?format=json"},
    )
    asked = await sent_by(walk_all, college, integration)
    assert asked.query == {"format": "json", "api_key": "k&1", "api_secret": "s=2"}
    assert asked.headers["x-vendor-authorization"] == "key:secret"


@pytest.mark.parametrize(
    ("endpoint", "target", "body", "content_type"),
    [
        ({}, "/students?wstoken=a%20b%26", b"", None),
        ({"method": "POST"}, "/students", b"wstoken=a%20b%26", "application/x-www-form-urlencoded"),
        (
            {"method": "POST", "bodyType": "form", "body": {"wsfunction": "x", "y": "\u00e9"}},
            "/students",
            b"wsfunction=x&y=%C3%A9&wstoken=a%20b%26",
            "application/x-www-form-urlencoded",
        ),
        (
            {"method": "POST", "body": {"first": 1}},
            "/students",
            b'{"first":1,"wstoken":"a b&"}',
            "application/json",
        ),
        (
            {"method": "POST", "body": {"login": {"token": "{{ credential.wstoken }}"}}},
            "/students",
            b'{"login":{"token":"a b&"}}',
            "application/json",
        ),
        (
            {"method": "POST", "bodyType": "form", "body": {"t": "x{{credential.wstoken}}"}},
            "/students",
            b"t=xa%20b%26",
            "application/x-www-form-urlencoded",
        ),
        (
            {
                "method": "POST",
                "bodyType": "text",
                "body": "<Password>{{ credential.wstoken }}</Password>",
                "headers": {"Content-Type": "text/xml"},
            },
            "/students",
            b"<Password>a b&amp;</Password>",
            "text/xml",
        ),
        (
            {"method": "POST", "bodyType": "text", "body": "p={{ credential.wstoken }}"},
            "/students",
            b"p=a b&",
            "text/plain; charset=utf-8",
        ),
    ],
)
async def test_a_key_may_go_into_the_body_whatever_that_is(
    walk_all: Any,
    college: Any,
    make_integration: Any,
    endpoint: dict[str, Any],
    target: str,
    body: bytes,
    content_type: str | None,
) -> None:
    integration = make_integration(
        authType="api-key",
        apiKeyPlacement={"placement": "body", "name": "wstoken"},
        secrets={"apiKey": "a b&"},
        endpoints={"students": {"path": "/students", "pagination": {"type": "none"}, **endpoint}},
    )
    asked = await sent_by(walk_all, college, integration)
    assert (asked.target, asked.body, asked.headers.get("content-type")) == (target, body, content_type)


@pytest.mark.parametrize("body", [["a"], "text"])
async def test_a_key_that_has_no_place_in_the_body_is_an_error_and_nothing_is_asked(
    walk_all: Any, college: Any, make_integration: Any, body: Any
) -> None:
    kind = "text" if isinstance(body, str) else "json"
    integration = make_integration(
        authType="api-key",
        apiKeyPlacement={"placement": "body", "name": "wstoken"},
        endpoints={"students": {"path": "/s", "method": "POST", "bodyType": kind, "body": body}},
    )
    walked = await walk_all(integration=integration)
    assert (walked.last.code, walked.last.error_class) == ("credential_unplaced", ErrorClass.CONFIG)
    assert "{{ credential.NAME }}" in walked.last.public
    assert college.asked == []


async def test_custom_headers_are_sent_and_do_not_replace_the_credential(
    walk_all: Any, college: Any, make_integration: Any
) -> None:
    integration = make_integration(authType="api-key", headers={"X-College-ID": "12345", "x-api-key": "other"})
    asked = await sent_by(walk_all, college, integration)
    assert asked.headers["x-college-id"] == "12345"
    assert asked.headers["x-api-key"] == KEY
    assert asked.headers["user-agent"] == "student-hub-fetcher"
    assert asked.headers["accept"] == "application/json"


@pytest.mark.parametrize(
    ("draft", "secrets", "code"),
    [
        ({"authType": "bearer"}, {}, "credential_missing"),
        ({"authType": "api-key"}, {"password": "x"}, "credential_missing"),
        ({"authType": "basic"}, {"apiKey": "no-colon"}, "credential_missing"),
        ({"authType": "bearer", "extraKeys": [{"name": "second"}]}, {"apiKey": "x"}, "credential_missing"),
        ({"authType": "oauth", "oauth": OAUTH}, {}, "credential_missing"),
        ({"authType": "oauth", "oauth": {**OAUTH, "grant": "refresh_token"}}, {"apiKey": "x"}, "credential_missing"),
        ({"authType": "oauth", "oauth": {**OAUTH, "grant": "password"}}, {"clientSecret": "x"}, "credential_missing"),
        ({"authType": "oauth1", "oauth1": {"consumerKey": "c"}}, {"password": "x"}, "credential_missing"),
        ({"authType": "digest"}, {"apiKey": "no-colon"}, "credential_missing"),
        ({"authType": "login", "login": {"loginRequester": {"path": "/l"}}}, {}, "credential_missing"),
        ({"authType": "bearer"}, {"apiKey": "a\r\nX-Evil: 1"}, "credential_malformed"),
        ({"authType": "bearer"}, {"apiKey": "schl\u00fcssel"}, "credential_malformed"),
        ({"authType": "bearer"}, {"apiKey": " "}, "credential_malformed"),
    ],
)
async def test_a_credential_that_cannot_be_sent_is_an_error_and_nothing_is_asked(
    walk_all: Any, college: Any, make_integration: Any, draft: dict[str, Any], secrets: dict[str, str], code: str
) -> None:
    with pytest.raises(SourceError) as caught:
        await walk_all(integration=make_integration(secrets=secrets, **draft))
    assert (caught.value.code, caught.value.error_class) == (code, ErrorClass.AUTH)
    assert college.asked == []


async def test_a_credential_is_sent_to_no_origin_but_the_one_it_was_entered_for(
    walk_all: Any, college: Any, make_integration: Any
) -> None:
    with pytest.raises(SourceError) as caught:
        await walk_all(integration=make_integration(origin="https://erp.example.edu:443"))
    assert caught.value.code == "credential_origin"
    assert college.asked == []


async def test_a_key_in_the_query_stays_out_of_positions_and_errors(
    walk_all: Any, college: Any, make_integration: Any
) -> None:
    """Also when the source repeats it in its own links."""
    integration = make_integration(authType="api-key", apiKeyPlacement={"placement": "query", "name": "api_key"})

    def reply(asked: Any) -> Any:
        page = int(asked.query.get("page", 1))
        assert asked.query["api_key"] == KEY
        if page == 3:
            return college.json({"message": f"bad key {KEY}"}, 418)
        return college.json({"data": [{"id": page}], "next": f"/students?page={page + 1}&api_key={KEY}"})

    college.answer = reply
    walked = await walk_all(integration=integration, limits=Limits(pages=1))
    assert isinstance(walked.last, SyncFailed)
    assert (len(college.asked), walked.steps) == (3, 3)
    assert all(KEY not in message.model_dump_json() for message in walked.messages)
    assert all("api_key" not in message.model_dump_json() for message in walked.messages)


def test_a_credential_does_not_show_itself() -> None:
    place = OAuthSettings(tokenUrl="https://a.edu/t", clientId="c", clientSecret=KEY, refreshToken=KEY)
    shown = [
        bearer(KEY),
        Credential(params=(("k", KEY),), fields=(("k", KEY),)),
        Bought(KEY, timedelta(1), KEY),
        Token(KEY, 1, NOW, NOW, 1.0),
        TokenRequest(f"https://a.edu/?password={KEY}", "the login", headers={"A": KEY}, body=KEY),
        place,
    ]
    assert KEY not in "".join(repr(thing) for thing in shown)


@pytest.fixture
def oauth(make_integration: Any, college: Any) -> Callable[..., Any]:
    def make(**settings: Any) -> Any:
        return make_integration(
            authType="oauth",
            oauth={"tokenUrl": f"{college.url}/token", "clientId": "hub:1", **settings},
            secrets={"clientSecret": "canary-secret/+ 1"},
        )

    return make


class TokenServer:
    """Gives numbered tokens and accepts only the latest."""

    def __init__(self, college: Any, *, expires_in: Any = 3600) -> None:
        self.issued = 0
        self.forms: list[Any] = []
        self._college = college
        self._expires_in = expires_in
        college.answer = self.answer

    def answer(self, asked: Any) -> Any:
        if asked.path == "/token":
            self.issued += 1
            self.forms.append(asked)
            return self._college.json({"access_token": f"token-{self.issued}", "expires_in": self._expires_in})
        if asked.headers.get("authorization") != f"Bearer token-{self.issued}":
            return self._college.json({"message": "no"}, 401)
        return self._college.json([{"id": 1}])


@pytest.mark.parametrize("expires_in", [3600, "3600", None, 0])
async def test_client_credentials_buy_a_token_once(
    walk_all: Any, college: Any, oauth: Callable[..., Any], expires_in: Any
) -> None:
    server = TokenServer(college, expires_in=expires_in)
    integration = oauth(scopes=["read", "list"])
    for _ in range(3):
        assert (await walk_all(integration=integration)).records == [{"id": 1}]
    assert server.issued == 1
    asked = server.forms[0]
    assert asked.method == "POST"
    assert asked.body == b"grant_type=client_credentials&scope=read+list"
    assert asked.headers["authorization"] == basic("hub%3A1:canary-secret%2F%2B+1")


async def test_the_client_may_name_itself_in_the_body(walk_all: Any, college: Any, oauth: Callable[..., Any]) -> None:
    server = TokenServer(college)
    await walk_all(integration=oauth(clientAuthentication="body"))
    assert server.forms[0].body == (
        b"grant_type=client_credentials&client_id=hub%3A1&client_secret=canary-secret%2F%2B+1"
    )
    assert "authorization" not in server.forms[0].headers


async def test_a_refused_token_is_replaced_once(walk_all: Any, college: Any, oauth: Callable[..., Any]) -> None:
    server = TokenServer(college)
    integration = oauth()
    await walk_all(integration=integration)
    server.issued += 1  # the token in use is no longer accepted
    assert (await walk_all(integration=integration)).records == [{"id": 1}]
    assert len(server.forms) == 2


async def test_a_source_that_refuses_the_new_token_too_is_an_error(
    walk_all: Any, college: Any, oauth: Callable[..., Any]
) -> None:
    def reply(asked: Any) -> Any:
        return college.json(
            {"access_token": f"t{len(college.asked)}"} if asked.path == "/token" else {},
            200 if asked.path == "/token" else 401,
        )

    college.answer = reply
    walked = await walk_all(integration=oauth())
    assert walked.last.code == "credentials_refused"
    assert [asked.path for asked in college.asked] == ["/token", "/students", "/token", "/students"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "invalid_client"}),
        (401, {"error": "canary-told"}),
        (200, {"token": "canary-told"}),
        (200, {"access_token": "canary\r\nbad"}),
        (200, ["canary-told"]),
        (404, {}),
    ],
)
async def test_a_token_endpoint_without_a_token_is_an_error_about_credentials(
    walk_all: Any, college: Any, oauth: Callable[..., Any], status: int, body: Any
) -> None:
    college.answer = lambda asked: college.json(body, status)
    walked = await walk_all(integration=oauth())
    assert (walked.last.code, walked.last.error_class) == ("token_refused", ErrorClass.AUTH)
    assert "canary" not in walked.last.model_dump_json()


async def test_a_token_endpoint_in_trouble_is_tried_again(
    walk_all: Any, college: Any, oauth: Callable[..., Any], sleeps: list[float]
) -> None:
    server = TokenServer(college)
    college.answer = lambda asked: college.json({}, 503) if len(college.asked) < 3 else server.answer(asked)
    assert (await walk_all(integration=oauth())).records == [{"id": 1}]
    assert len(sleeps) == 2


async def test_a_client_secret_entered_for_one_token_endpoint_is_not_sent_to_another(
    walk_all: Any, college: Any, make_integration: Any
) -> None:
    """The base URL is the same; only the token endpoint was edited."""
    integration = make_integration(
        authType="oauth",
        oauth={"tokenUrl": college.url.replace("127.0.0.1", "localhost") + "/token", "clientId": "hub"},
        secrets={"clientSecret": "canary"},
        origin=college.url,
    )
    with pytest.raises(SourceError) as caught:
        await walk_all(integration=integration)
    assert caught.value.code == "credential_origin"
    assert college.asked == []
