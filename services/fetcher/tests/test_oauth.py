"""OAuth 2.0 grants over real HTTP. Cases of Airbyte's, dlt's and Singer's suites are told in our own terms."""

import asyncio
import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
from hub_fetcher.auth.oauth import read_token
from hub_fetcher.requests.request import SourceRequest
from hub_model.errors import ErrorClass, SourceError
from hypothesis import given
from hypothesis import strategies as st

Make = Callable[..., Any]


class TokenServer:
    """Sells access tokens, and with ``rotates`` a new refresh token each time; serves records for the latest."""

    def __init__(self, college: Any, **answer: Any) -> None:
        self.forms: list[dict[str, str]] = []
        self.targets: list[str] = []
        self.authorizations: list[str | None] = []
        self.rotates = False
        self.refresh_token = "refresh-0"
        self.header = "Bearer {}"
        self._extra = answer
        self._college = college
        college.answer = self.answer

    @property
    def token(self) -> str:
        return f"token-{len(self.forms)}"

    def answer(self, asked: Any) -> Any:
        if asked.path != "/token":
            is_known = asked.headers.get("authorization") == self.header.format(self.token)
            return self._college.json([{"id": 1}]) if is_known else self._college.json({"message": "no"}, 401)
        form = dict(parse_qsl(asked.body.decode()))
        if form["grant_type"] == "refresh_token" and form["refresh_token"] != self.refresh_token:
            return self._college.json({"error": "invalid_grant"}, 400)
        self.forms.append(form)
        self.targets.append(asked.target)
        self.authorizations.append(asked.headers.get("authorization"))
        sold = {"access_token": self.token, "token_type": "bearer", **self._extra}
        if self.rotates:
            self.refresh_token = f"refresh-{len(self.forms)}"
            sold["refresh_token"] = self.refresh_token
        return self._college.json(sold)


@pytest.fixture
def oauth(make_integration: Make, college: Any) -> Make:
    def make(secrets: dict[str, str] | None = None, draft: dict[str, Any] | None = None, **settings: Any) -> Any:
        return make_integration(
            authType="oauth",
            oauth={"tokenUrl": f"{college.url}/token", "clientId": "hub", **settings},
            secrets={"clientSecret": "canary-secret"} if secrets is None else secrets,
            **(draft or {}),
        )

    return make


async def test_extra_params_and_a_query_of_the_token_url_are_sent(walk_all: Any, college: Any, oauth: Make) -> None:
    """cdk test_get_auth_header_custom/refresh_request_body; Infinite Campus' ?appName=."""
    server = TokenServer(college)
    integration = oauth(tokenUrl=f"{college.url}/token?appName=x", extraParams={"audience": "erp", "resource": "a b"})
    assert (await walk_all(integration=integration)).records == [{"id": 1}]
    assert server.forms == [{"grant_type": "client_credentials", "audience": "erp", "resource": "a b"}]
    assert server.targets == ["/token?appName=x"]


async def test_an_answer_without_life_or_scope_is_fine(walk_all: Any, college: Any, oauth: Make) -> None:
    server = TokenServer(college)
    for _ in range(3):
        assert (await walk_all(integration=oauth(scopes=["roster.readonly"]))).records == [{"id": 1}]
    assert len(server.forms) == 1


async def test_a_refresh_token_buys_access_tokens_again_and_again(walk_all: Any, college: Any, oauth: Make) -> None:
    """cdk test_refresh_access_token; the answer holds no new refresh token."""
    server = TokenServer(college)
    integration = oauth({"refreshToken": "refresh-0", "clientSecret": "s"}, grant="refresh_token")
    await walk_all(integration=integration)
    server.forms.append({})  # the token in use is no longer accepted
    assert (await walk_all(integration=integration)).records == [{"id": 1}]
    assert [form.get("refresh_token") for form in server.forms] == ["refresh-0", None, "refresh-0"]


async def test_a_rotated_refresh_token_is_spent_by_another_worker_after_a_restart(
    walk_all: Any, college: Any, oauth: Make, new_sources: Any
) -> None:
    """cdk test_single_use_token; tap-rest-api-msdk; airbyte#3990."""
    server = TokenServer(college)
    server.rotates = True
    integration = oauth({"refreshToken": "refresh-0", "clientSecret": "s"}, grant="refresh_token")
    await walk_all(integration=integration)
    for number in (1, 2):
        cached = await (await new_sources()).authenticator(integration).credential()
        assert cached.headers == {"Authorization": f"Bearer token-{number}"}
        authenticator = (await new_sources()).authenticator(integration)
        assert await authenticator.renew(cached, None, {})
    assert [form["refresh_token"] for form in server.forms] == ["refresh-0", "refresh-1", "refresh-2"]


async def test_two_workers_do_not_both_spend_a_refresh_token(college: Any, oauth: Make, new_sources: Any) -> None:
    server = TokenServer(college)
    server.rotates = True
    integration = oauth({"refreshToken": "refresh-0", "clientSecret": "s"}, grant="refresh_token")
    workers = [await new_sources() for _ in range(4)]
    given = await asyncio.gather(*(worker.authenticator(integration).credential() for worker in workers * 3))
    assert {credential.headers["Authorization"] for credential in given} == {"Bearer token-1"}
    assert len(server.forms) == 1


async def test_a_refresh_token_that_has_lapsed_asks_to_connect_again(walk_all: Any, college: Any, oauth: Make) -> None:
    """cdk test_refresh_access_token_expired."""
    TokenServer(college)
    integration = oauth({"refreshToken": "canary-old", "clientSecret": "s"}, grant="refresh_token")
    walked = await walk_all(integration=integration)
    assert (walked.last.code, walked.last.error_class) == ("refresh_token_refused", ErrorClass.AUTH)
    assert "Connect this system again" in walked.last.public
    assert "canary" not in walked.last.model_dump_json()


async def test_user_name_and_password_buy_a_token_and_it_goes_where_it_is_wanted(
    walk_all: Any, college: Any, oauth: Make
) -> None:
    """Fedena: the password grant, and Token token="..."."""
    server = TokenServer(college)
    server.header = 'Token token="{}"'
    integration = oauth(
        {"password": "p&w", "clientSecret": "s"},
        {"username": "asha"},
        grant="password",
        clientAuthentication="body",
        tokenPlacement={"prefix": 'Token token="', "suffix": '"'},
    )
    assert (await walk_all(integration=integration)).records == [{"id": 1}]
    assert server.forms == [
        {
            "grant_type": "password",
            "username": "asha",
            "password": "p&w",
            "client_id": "hub",
            "client_secret": "s",
        }
    ]


async def test_a_public_client_has_no_secret_and_says_who_it_is(walk_all: Any, college: Any, oauth: Make) -> None:
    server = TokenServer(college)
    integration = oauth({"refreshToken": "refresh-0"}, grant="refresh_token")
    await walk_all(integration=integration)
    assert server.forms == [{"grant_type": "refresh_token", "refresh_token": "refresh-0", "client_id": "hub"}]
    assert server.authorizations == [None]


async def test_the_secret_of_basic_authentication_is_form_encoded_first(
    walk_all: Any, college: Any, oauth: Make
) -> None:
    server = TokenServer(college)
    await walk_all(integration=oauth({"clientSecret": "a:b/ü"}, clientId="hub 1"))
    assert server.authorizations == ["Basic " + base64.b64encode(b"hub+1:a%3Ab%2F%C3%BC").decode()]


async def test_a_token_in_the_query_stays_out_of_messages(walk_all: Any, college: Any, oauth: Make) -> None:
    """cdk test_request_option; dlt api_key location query."""
    server = TokenServer(college)

    def reply(asked: Any) -> Any:
        if asked.path == "/token":
            return server.answer(asked)
        assert asked.query["auth"] == "token-1"
        return college.json(
            {"data": [{"id": 1}], "next": "/students?page=2&auth=token-1"}
            if "page" not in asked.query
            else {"data": [], "next": None}
        )

    college.answer = reply
    walked = await walk_all(integration=oauth(tokenPlacement={"placement": "query", "name": "auth", "prefix": ""}))
    assert walked.records == [{"id": 1}]
    assert all("token-1" not in message.model_dump_json() for message in walked.messages)


@pytest.mark.parametrize(
    ("answer", "life"),
    [
        ({"expires_in": 100}, timedelta(seconds=100)),
        ({"expires_in": "100"}, timedelta(seconds=100)),
        ({"expires_in": 100.0}, timedelta(seconds=100)),
        ({}, timedelta(hours=1)),
        ({"expires_in": None}, timedelta(hours=1)),
        ({"expires_in": "soon"}, timedelta(hours=1)),
        ({"expires_in": -5}, timedelta(hours=1)),
        ({"expires_in": True}, timedelta(hours=1)),
        ({"expires_in": 10**17}, timedelta(days=366)),
    ],
)
def test_a_tokens_life_makes_sense_whatever_the_answer_says(answer: dict[str, Any], life: timedelta) -> None:
    assert read_token(200, orjson.dumps({"access_token": "t", **answer})).life == life


@given(st.integers(100, 599), st.binary(max_size=200))
def test_any_answer_without_a_token_is_an_error_about_credentials(status: int, body: bytes) -> None:
    with pytest.raises(SourceError) as caught:
        read_token(status, body)
    assert caught.value.error_class is ErrorClass.AUTH


async def test_a_storm_of_refusals_in_two_workers_causes_one_exchange(
    college: Any, oauth: Make, new_sources: Any
) -> None:
    """cdk test_http_client: refresh then retry. The token in use is revoked while many requests are on their way."""
    server = TokenServer(college)
    integration = oauth()
    endpoint = integration.settings.endpoints["students"]
    workers = [(await new_sources()).open(integration, endpoint) for _ in range(2)]
    request = SourceRequest(f"{college.url}/students")
    for worker in workers:
        await worker.read(request)
    server.forms.append({})
    pages = await asyncio.gather(*(workers[n % 2].read(request) for n in range(12)))
    assert [page.body for page in pages] == [[{"id": 1}]] * 12
    assert len(server.forms) == 3


async def test_a_tokens_life_ends_with_its_secret_and_not_with_a_webhooks(
    college: Any, oauth: Make, new_sources: Any
) -> None:
    server = TokenServer(college)
    integration = oauth()
    hooked = integration.model_copy(
        update={"secrets": {**integration.secrets, "webhookSecret": integration.secrets["clientSecret"]}}
    )
    newer = oauth(draft={"version": 2})
    edited = oauth(scopes=["more"])
    for number, (changed, bought) in enumerate([(integration, 1), (hooked, 1), (newer, 2), (edited, 3)]):
        await (await new_sources()).authenticator(changed).credential()
        assert len(server.forms) == bought, number


async def test_what_no_new_token_helps_with_costs_one_exchange_in_a_stretch(
    college: Any, oauth: Make, new_sources: Any
) -> None:
    """Each row of a parent that may not be read is refused, whatever the token."""
    server = TokenServer(college)
    college.answer = lambda asked: server.answer(asked) if asked.path == "/token" else college.json({}, 401)
    integration = oauth()
    source = (await new_sources()).open(integration, integration.settings.endpoints["students"])
    for number in range(5):
        with pytest.raises(SourceError) as caught:
            await source.read(SourceRequest(f"{college.url}/students/{number}"))
        assert caught.value.error_class is ErrorClass.AUTH
    assert len(server.forms) == 2


async def test_a_filter_may_say_that_the_token_has_expired(walk_all: Any, college: Any, oauth: Make) -> None:
    """n8n#16857: status 200 and a code of the source's own."""
    server = TokenServer(college)

    def reply(asked: Any) -> Any:
        answered = server.answer(asked)
        is_refused = answered.status == 401
        return college.json({"code": 40101, "data": []}) if is_refused else answered

    endpoint = {
        "path": "/students",
        "responseFilters": [{"when": [{"path": "code", "equals": 40101}], "action": "REFRESH_TOKEN_THEN_RETRY"}],
    }
    integration = oauth(None, {"endpoints": {"students": endpoint}})
    await walk_all(integration=integration)
    college.answer = reply
    server.forms.append({})
    assert (await walk_all(integration=integration)).records == [{"id": 1}]
    assert len(server.forms) == 3
