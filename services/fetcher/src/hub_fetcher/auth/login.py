"""Logging in: a request with user name and password, whose answer holds a token. Pure."""

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from hub_model.auth import LoginSettings, login_url
from hub_model.errors import ErrorClass, SourceError

from hub_fetcher.auth.credentials import sendable, unusable
from hub_fetcher.auth.exchange import Bought, TokenRequest, is_token, life_of
from hub_fetcher.paths import MISSING, dig
from hub_fetcher.requests.urls import with_params

_PLACE = re.compile(r"\{\{\s*(username|password)\s*\}\}")
_LABEL = "the login"


def login_request(settings: LoginSettings, base_url: str, user: str, password: str) -> TokenRequest:
    """The request with both filled in."""
    requester, known = settings.login_requester, {"username": user, "password": password}
    headers = {name: sendable(_filled(value, known)) for name, value in requester.headers.items()}
    body = None
    if requester.method == "POST" and requester.body is not None:
        content = _filled(requester.body, known)
        if requester.body_type == "form":
            body = urlencode(content if isinstance(content, dict) else {})
            headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        else:
            body = orjson.dumps(content).decode()
            headers = {"Content-Type": "application/json", **headers}
    params = [(name, str(_filled(value, known))) for name, value in requester.params.items()]
    url = with_params(login_url(settings, base_url), params)
    return TokenRequest(url, _LABEL, method=requester.method, headers=headers, body=body)


def read_login(settings: LoginSettings, now: datetime, status: int, body: bytes) -> Bought:
    """The token in the answer; SourceError if the login was refused, or if there is no token in it."""
    if status in (404, 405, 410) or 300 <= status < 400:
        raise SourceError(
            f"{_LABEL} answered {status}",
            error_class=ErrorClass.CONFIG,
            code="login_misplaced",
            public=f"The login cannot be made at this address (status {status}). Check login.loginRequester.path and "
            "method.",
        )
    if not 200 <= status < 300:
        raise unusable(
            f"{_LABEL} answered {status}",
            code="login_refused",
            public=f"The source refuses the login (status {status}). Check user name and password, and that they may "
            "use the API.",
        )
    answer = _decoded(body)
    token = dig(answer, settings.session_token_path)
    if isinstance(token, int) and not isinstance(token, bool):
        token = str(token)
    if not is_token(token):
        raise unusable(
            f"{_LABEL} answered {status} without a token at {settings.session_token_path!r}",
            code="login_refused",
            public="The answer to the login holds no token. Check user name and password, and login.sessionTokenPath.",
        )
    found = dig(answer, settings.expiry_path) if settings.expiry_path else MISSING
    return Bought(str(token).strip(), life_of(seconds_left(found, now), default=settings.expiration_duration))


def seconds_left(value: Any, now: datetime) -> float | None:
    """From seconds (3600, "3600"), an epoch in s or ms, or an ISO instant; None from anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        try:
            instant = datetime.fromisoformat(str(value).strip())
        except ValueError:
            return None
        return ((instant if instant.tzinfo else instant.replace(tzinfo=UTC)) - now).total_seconds()
    if number < 1e9:
        return number
    return (number if number < 1e11 else number / 1000) - now.timestamp()


def _decoded(body: bytes) -> Any:
    """JSON, or the text itself where a source answers with the bare token."""
    try:
        return orjson.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace").strip()


def _filled(value: Any, known: dict[str, str]) -> Any:
    if isinstance(value, str):
        return _PLACE.sub(lambda place: known[place[1]], value)
    if isinstance(value, dict):
        return {name: _filled(item, known) for name, item in value.items()}
    return [_filled(item, known) for item in value] if isinstance(value, list) else value
