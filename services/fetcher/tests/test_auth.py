"""Credentials: how they are sent, and where they are not."""

import asyncio
import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hub_fetcher.auth.credentials import Credential, bearer
from hub_fetcher.auth.oauth import Token, TokenCache
from hub_fetcher.limits.pace import Paces, Pacing
from hub_fetcher.sources import Sources
from hub_fetcher.transport import Patience, Transport
from hub_fetcher.walking.walk import Limits
from hub_model.errors import ErrorClass, SourceError, Unavailable
from hub_model.messages import SyncFailed
from hub_security.egress import open_client

NOW = datetime(2026, 1, 15, tzinfo=UTC)
KEY = "canary-api-key-0123456789"
STUDENTS = {"students": "/students"}


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
    assert KEY not in repr(bearer(KEY)) + repr(Credential(params=(("k", KEY),))) + repr(Token(bearer(KEY), 1))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_token_is_used_until_ninety_percent_of_its_life() -> None:
    clock = Clock()
    cache = TokenCache(monotonic=clock)
    fetched: list[Token] = []

    async def fetch() -> Token:
        fetched.append(Token(bearer(f"token-{len(fetched)}"), 100))
        return fetched[-1]

    first = await cache.get("a", fetch)
    clock.now = 89.9
    assert await cache.get("a", fetch) is first
    clock.now = 90.0
    assert await cache.get("a", fetch) is not first
    assert await cache.get("b", fetch) is fetched[2]


async def test_requests_that_need_a_token_at_the_same_time_cause_one_exchange() -> None:
    cache = TokenCache(monotonic=Clock())
    exchanges = 0

    async def fetch() -> Token:
        nonlocal exchanges
        exchanges += 1
        await asyncio.sleep(0.01)
        return Token(bearer("t"), 100)

    tokens = await asyncio.gather(*(cache.get("a", fetch) for _ in range(10)))
    assert exchanges == 1
    refused = tokens[0].credential
    await asyncio.gather(*(cache.get("a", fetch, refused=refused) for _ in range(10)))
    assert exchanges == 2


async def test_a_failed_exchange_is_not_remembered() -> None:
    cache = TokenCache(monotonic=Clock())

    async def fail() -> Token:
        raise Unavailable("down")

    async def fetch() -> Token:
        return Token(bearer("t"), 100)

    with pytest.raises(Unavailable):
        await cache.get("a", fail)
    first = await cache.get("a", fetch)
    with pytest.raises(Unavailable):
        await cache.get("a", fail, refused=first.credential)
    assert await cache.get("a", fetch) is not first


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


async def test_tokens_are_made_known_to_the_redactor(
    college: Any, oauth: Callable[..., Any], opener: Any, pacing: Pacing
) -> None:
    TokenServer(college)
    heard: list[str] = []
    async with open_client(allowed_networks=["127.0.0.0/8"]) as client:
        transport = Transport(client, clock=lambda: NOW, on_secret=heard.append)
        sources = Sources(transport, opener, TokenCache(monotonic=Clock()), Patience(), Paces(pacing))
        await sources.authenticator(oauth()).credential()
    assert heard == ["token-1"]


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
