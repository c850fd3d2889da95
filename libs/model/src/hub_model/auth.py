"""How the hub convinces a source: the kinds of credentials and where they are put.

Each kind's docstring shows a draft's fields for it. Which of them a source takes says ``access.Access``.
"""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, SecretStr, field_validator

from hub_model.addresses import check_headers, check_url
from hub_model.base import Input

MAX_TOKEN_LIFE = timedelta(days=366)

_PLACEHOLDER = re.compile(r"^[*•.]{3,}")
_LOGIN_PLACE = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_EXTRA_KEY = "extraKeys:"


def _no_placeholder(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value() or _PLACEHOLDER.match(secret.get_secret_value()):
        raise ValueError(
            "this is a placeholder: write the secret itself; where one is stored, leave the field out to keep it"
        )
    return secret


# What a form shows in place of a stored secret must not come back as one.
Secret = Annotated[SecretStr, AfterValidator(_no_placeholder)]


class AuthType(StrEnum):
    """``API_KEY``: ``apiKey`` where ``apiKeyPlacement`` says. ``BEARER``: ``apiKey`` behind the word Bearer.

    ``BASIC``: ``username`` and ``password``; or ``apiKey`` alone holds the whole pair, however many parts it has, such
    as ``Corp:User:Password:true``. ``DIGEST``: RFC 7616 with MD5 or SHA-256, such as ``{"authType": "digest",
    "username": "admin", "password": "..."}``. The others have settings of their own name.
    """

    API_KEY = "api-key"
    BEARER = "bearer"
    BASIC = "basic"
    OAUTH = "oauth"
    OAUTH1 = "oauth1"
    DIGEST = "digest"
    LOGIN = "login"


class Placement(Input):
    """Where a credential goes: a header, a query parameter, or a field of the body, between ``prefix`` and ``suffix``.

    ``body`` is a field of a form or of a JSON object; a request that has no body gets it in the query. Where the body
    says ``{{ credential.NAME }}``, it is put there instead, escaped as the body needs it.
    """

    placement: Literal["header", "query", "body"] = "header"
    name: str = Field(min_length=1, max_length=64)
    prefix: str = Field(default="", max_length=32)
    suffix: str = Field(default="", max_length=32)


class ApiKeyPlacement(Placement):
    """Where the key of ``api-key`` goes: the header ``X-API-Key`` unless it says otherwise.

    Frappe, with ``apiKey`` as ``key:secret``: ``{"name": "Authorization", "prefix": "token "}``. A bare token:
    ``{"name": "Authorization"}``. Moodle: ``{"placement": "body", "name": "wstoken"}``.
    """

    name: str = Field(default="X-API-Key", min_length=1, max_length=64)


class TokenPlacement(Placement):
    """Where a token that was bought or logged in for goes: ``Authorization: Bearer ...`` unless it says otherwise.

    Fedena: ``{"prefix": "Token token=\\"", "suffix": "\\""}``. BioTime: ``{"prefix": "JWT "}``.
    """

    name: str = Field(default="Authorization", min_length=1, max_length=64)
    prefix: str = Field(default="Bearer ", max_length=32)


class ExtraKey(Placement):
    """A further key that is sent with every request, whatever ``authType`` is.

    openSIS, beside its ``"api_key"``: ``{"placement": "query", "name": "api_secret", "value": "..."}``. Infinite
    Campus: ``{"name": "x-vendor-authorization", "value": "key:secret"}``.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    value: Secret | None = None

    @property
    def secret_name(self) -> str:
        """What its value is sealed as."""
        return f"{_EXTRA_KEY}{self.name}"


class OAuthSettings(Input):
    """OAuth 2.0: an access token is bought at ``token_url`` and bought anew before it ends, or when it is refused.

    ``grant`` is ``"client_credentials"`` (RFC 6749 section 4.4), ``"refresh_token"`` (section 6; a new refresh token in
    the answer replaces the one that was given) or ``"password"`` (section 4.3, with ``username`` and ``password``).
    ``client_secret`` may be given as ``apiKey`` instead; a public client has none. ``client_authentication`` is where
    id and secret go: a header, or the form. ``extra_params`` are further fields of the form, such as ``audience``.

    Ed-Fi: ``{"authType": "oauth", "oauth": {"tokenUrl": "https://api.college.edu/oauth/token", "clientId": "hub",
    "clientSecret": "..."}}``. Google: ``{"grant":
    "refresh_token", "tokenUrl": "https://oauth2.googleapis.com/token", "clientId": "...", "clientSecret": "...",
    "refreshToken": "...", "clientAuthentication": "body"}``.
    """

    grant: Literal["client_credentials", "refresh_token", "password"] = "client_credentials"
    token_url: str
    client_id: str = Field(min_length=1, max_length=512)
    client_secret: Secret | None = None
    refresh_token: Secret | None = None
    scopes: list[str] = Field(default_factory=list, max_length=50)
    client_authentication: Literal["basic", "body"] = "basic"
    extra_params: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=1024)]] = Field(
        default_factory=dict, max_length=20
    )
    token_placement: TokenPlacement = TokenPlacement()

    @field_validator("token_url")
    @classmethod
    def _token_url(cls, url: str) -> str:
        return check_url(url, query=True)


class OAuth1Settings(Input):
    """OAuth 1.0a (RFC 5849): each request is signed with the consumer's secret; nothing is exchanged.

    ``token`` and ``token_secret`` are for sources that issued some; OneRoster 1.1 has none: ``{"authType": "oauth1",
    "oauth1": {"consumerKey": "hub", "consumerSecret": "..."}}``.
    """

    consumer_key: str = Field(min_length=1, max_length=512)
    consumer_secret: Secret | None = None
    token: Secret | None = None
    token_secret: Secret | None = None
    signature_method: Literal["HMAC-SHA1", "HMAC-SHA256"] = "HMAC-SHA1"
    realm: str | None = Field(default=None, max_length=256)


class LoginRequest(Input):
    """The request that logs in. ``{{ username }}`` and ``{{ password }}`` stand for both in params, headers and body.

    ``path`` is below the base URL, or a full URL.
    """

    path: str = Field(min_length=1, max_length=2048)
    method: Literal["GET", "POST"] = "POST"
    params: dict[str, str] = Field(default_factory=dict, max_length=20)
    headers: dict[str, str] = Field(default_factory=dict, max_length=20)
    body: JsonValue = None
    body_type: Literal["json", "form"] = "json"

    @field_validator("path")
    @classmethod
    def _path(cls, path: str) -> str:
        if "://" in path:
            return check_url(path, query=True)
        if path.startswith("//") or "\\" in path or any(ord(char) < 33 or ord(char) == 127 for char in path):
            raise ValueError("write the path below the base URL, such as /api/login/, or a full address")
        if ".." in path.split("?", 1)[0].split("/") or "#" in path:
            raise ValueError("a path must not contain '..' or '#'")
        return path

    @field_validator("headers")
    @classmethod
    def _headers(cls, headers: dict[str, str]) -> dict[str, str]:
        return check_headers(headers)

    @field_validator("params", "headers", "body")
    @classmethod
    def _known_places(cls, value: Any) -> Any:
        for name in login_places(value):
            if name not in ("username", "password"):
                raise ValueError(f"{{{{ {name[:64]} }}}} is not known; there are username and password")
        return value


class LoginSettings(Input):
    """Log in, and send the token that the answer holds. Field names are those of Airbyte's SessionTokenAuthenticator.

    ``session_token_path`` is the dotted path to the token (``""``: the answer itself). It is used for
    ``expiration_duration``, unless ``expiry_path`` leads to how many seconds it lives, or until when. A full URL of
    another origin needs ``allow_other_origin``, since user name and password go there. BioTime: ``{"authType": "login",
    "username": "admin", "password": "...", "login": {"loginRequester": {"path": "/jwt-api-token-auth/", "body":
    {"username": "{{ username }}", "password": "{{ password }}"}}, "sessionTokenPath": "token",
    "requestAuthentication": {"prefix": "JWT "}}}``.
    """

    login_requester: LoginRequest
    session_token_path: str = Field(default="token", max_length=256)
    expiration_duration: timedelta = Field(default=timedelta(hours=1), gt=timedelta(0), le=MAX_TOKEN_LIFE)
    expiry_path: str | None = Field(default=None, min_length=1, max_length=256)
    request_authentication: TokenPlacement = TokenPlacement()
    allow_other_origin: bool = False


def is_extra_key(secret_name: str) -> bool:
    """Whether a sealed secret is that of an extra key."""
    return secret_name.startswith(_EXTRA_KEY)


def login_url(login: LoginSettings, base_url: str) -> str:
    """The full address that is logged in at."""
    path = login.login_requester.path
    return path if "://" in path else f"{base_url.rstrip('/')}/{path.lstrip('/')}"


def login_places(value: Any) -> list[str]:
    """The names within ``{{ }}`` in all texts of a value."""
    if isinstance(value, str):
        return _LOGIN_PLACE.findall(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [name for item in inner for name in login_places(item)]
