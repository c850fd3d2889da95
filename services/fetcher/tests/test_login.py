"""Logging in for a token, as Airbyte's SessionTokenAuthenticator does it, over real HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hub_fetcher.auth.exchange import life_of
from hub_fetcher.auth.login import read_login, seconds_left
from hub_model.auth import LoginSettings
from hub_model.errors import ErrorClass, SourceError
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)
BIOTIME = {
    "loginRequester": {
        "path": "/jwt-api-token-auth/",
        "body": {"username": "{{ username }}", "password": "{{ password }}"},
    },
    "requestAuthentication": {"prefix": "JWT "},
}
PASSWORD = 'canary"p{{ username }}w'


class Portal:
    """Gives numbered tokens to who logs in, in whatever form, and serves records for the latest."""

    def __init__(self, college: Any, *, header: str = "authorization", value: str = "JWT {}", **answer: Any) -> None:
        self.logins: list[Any] = []
        self.header, self.value, self.extra = header, value, answer
        self.college = college
        college.answer = self.answer

    def answer(self, asked: Any) -> Any:
        if "login" in asked.path or "auth" in asked.path:
            self.logins.append(asked)
            return self.college.json({"token": f"t{len(self.logins)}", **self.extra})
        if asked.headers.get(self.header) != self.value.format(f"t{len(self.logins)}"):
            return self.college.json({"detail": "no"}, 401)
        return self.college.json([{"id": 1}])


@pytest.fixture
def portal(make_integration: Any) -> Any:
    def make(login: dict[str, Any], **draft: Any) -> Any:
        return make_integration(authType="login", username="asha", login=login, secrets={"password": PASSWORD}, **draft)

    return make


async def test_biotime_is_logged_in_once_and_again_when_the_token_is_refused(
    walk_all: Any, college: Any, portal: Any
) -> None:
    """cdk test_get_new_session_token, test_session_token_expiry."""
    server = Portal(college)
    integration = portal(BIOTIME)
    for _ in range(3):
        assert (await walk_all(integration=integration)).records == [{"id": 1}]
    assert [asked.body for asked in server.logins] == [b'{"username":"asha","password":"canary\\"p{{ username }}w"}']
    assert server.logins[0].headers["content-type"] == "application/json"
    server.logins.append(server.logins[0])  # the token in use is no longer accepted
    assert (await walk_all(integration=integration)).records == [{"id": 1}]
    assert len(server.logins) == 3


async def test_a_login_may_be_a_form_or_a_query_and_the_token_a_header_of_any_name(
    walk_all: Any, college: Any, portal: Any
) -> None:
    """Moodle's login/token.php; faucet's token_endpoint."""
    server = Portal(college, header="x-session", value="{}")
    form = {
        "loginRequester": {
            "path": f"{college.url}/login",
            "bodyType": "form",
            "body": {"u": "{{username}}", "p": "{{ password }}", "service": "hub"},
            "headers": {"X-School": "7"},
        },
        "requestAuthentication": {"name": "X-Session", "prefix": ""},
    }
    assert (await walk_all(integration=portal(form))).records == [{"id": 1}]
    asked = server.logins[0]
    assert asked.body == b"u=asha&p=canary%22p%7B%7B+username+%7D%7Dw&service=hub"
    assert asked.headers["x-school"] == "7"
    query = {
        "loginRequester": {
            "path": "/login/token.php?service=hub",
            "method": "GET",
            "params": {"username": "{{ username }}", "password": "{{ password }}"},
        },
        "requestAuthentication": {"name": "X-Session", "prefix": ""},
    }
    assert (await walk_all(integration=portal(query))).records == [{"id": 1}]
    asked = server.logins[1]
    assert (asked.method, asked.path) == ("GET", "/login/token.php")
    assert asked.query == {"service": "hub", "username": "asha", "password": PASSWORD}


async def test_an_address_of_the_base_urls_own_path_is_below_it(walk_all: Any, college: Any, portal: Any) -> None:
    server = Portal(college)
    await walk_all(integration=portal(BIOTIME, baseUrl=f"{college.url}/api"))
    assert server.logins[0].path == "/api/jwt-api-token-auth/"


@pytest.mark.parametrize("status", [400, 401, 403, 422])
async def test_a_refused_login_is_an_error_about_credentials_that_repeats_nothing(
    walk_all: Any, college: Any, portal: Any, status: int
) -> None:
    """cdk test_get_new_session_token_bad_status."""
    college.answer = lambda asked: college.json({"detail": f"no such user, {PASSWORD}"}, status)
    walked = await walk_all(integration=portal(BIOTIME))
    assert (walked.last.code, walked.last.error_class) == ("login_refused", ErrorClass.AUTH)
    assert "canary" not in walked.last.model_dump_json()
    assert len(college.asked) == 1


async def test_a_login_at_the_wrong_path_is_a_matter_of_settings(walk_all: Any, college: Any, portal: Any) -> None:
    walked = await walk_all(integration=portal(BIOTIME))
    assert (walked.last.code, walked.last.error_class) == ("login_misplaced", ErrorClass.CONFIG)


async def test_a_login_in_trouble_is_tried_again(walk_all: Any, college: Any, portal: Any, sleeps: list[float]) -> None:
    server = Portal(college)
    college.answer = lambda asked: college.json({}, 503) if len(college.asked) < 3 else server.answer(asked)
    assert (await walk_all(integration=portal(BIOTIME))).records == [{"id": 1}]
    assert len(sleeps) == 2


@pytest.mark.parametrize(
    ("path", "body", "token"),
    [
        ("token", {"token": "t"}, "t"),
        ("data.session.id", {"data": {"session": {"id": 57}}}, "57"),
        ("0.token", [{"token": "t"}], "t"),
        ("", "t", "t"),
    ],
)
def test_a_token_is_found_by_its_path(path: str, body: Any, token: str) -> None:
    assert read_login(settings(sessionTokenPath=path), NOW, 200, orjson.dumps(body)).token == token


def test_an_answer_may_be_the_bare_token() -> None:
    assert read_login(settings(sessionTokenPath=""), NOW, 200, b"abc.def\n").token == "abc.def"


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"token": null}', b'{"token": ""}', b'{"token": {}}', b'{"token": "a\\nb"}', b"<html>"]
)
def test_an_answer_without_a_token_is_an_error(body: bytes) -> None:
    with pytest.raises(SourceError) as caught:
        read_login(settings(), NOW, 200, body)
    assert (caught.value.code, caught.value.error_class) == ("login_refused", ErrorClass.AUTH)


@pytest.mark.parametrize(
    ("value", "life"),
    [
        (600, timedelta(minutes=10)),
        ("600", timedelta(minutes=10)),
        (NOW.timestamp() + 60, timedelta(minutes=1)),
        (int((NOW.timestamp() + 60) * 1000), timedelta(minutes=1)),
        ("2026-01-15T10:05:00Z", timedelta(minutes=5)),
        ("2026-01-15T15:35:00+05:30", timedelta(minutes=5)),
        ("2026-01-15 10:05:00", timedelta(minutes=5)),
        ("2020-01-01T00:00:00Z", timedelta(hours=2)),
        (-1, timedelta(hours=2)),
        (None, timedelta(hours=2)),
        (True, timedelta(hours=2)),
        ("soon", timedelta(hours=2)),
        (float("inf"), timedelta(days=366)),
        ("nan", timedelta(hours=2)),
        (10**30, timedelta(days=366)),
    ],
)
def test_a_life_is_told_in_seconds_or_as_an_instant(value: Any, life: timedelta) -> None:
    left = seconds_left(value, NOW)
    assert abs(life_of(left, default=timedelta(hours=2)) - life) < timedelta(milliseconds=1)


def test_without_word_of_its_life_a_token_lives_as_long_as_the_settings_say() -> None:
    wanted = settings(expirationDuration="PT20M", expiryPath="expires")
    assert read_login(wanted, NOW, 200, b'{"token": "t"}').life == timedelta(minutes=20)
    assert read_login(wanted, NOW, 200, b'{"token": "t", "expires": 60}').life == timedelta(minutes=1)


@given(st.one_of(st.integers(), st.floats(), st.text(), st.booleans(), st.none(), st.datetimes().map(str)))
def test_no_word_of_a_life_breaks_anything(value: Any) -> None:
    life = life_of(seconds_left(value, NOW), default=timedelta(hours=1))
    assert timedelta(0) <= life <= timedelta(days=366)


def settings(**changes: Any) -> LoginSettings:
    return LoginSettings.model_validate({**BIOTIME, **changes})
