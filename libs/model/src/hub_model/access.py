"""Where a source is, what convinces it, and which secrets that needs.

Secrets are given here and leave at once: config-api seals them (``given_secrets``), and stores the settings without
(``Access.without_secrets``).
"""

from typing import Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from hub_model.addresses import check_url, origin_of
from hub_model.auth import (
    ApiKeyPlacement,
    AuthType,
    ExtraKey,
    LoginSettings,
    OAuth1Settings,
    OAuthSettings,
    Secret,
    login_url,
)
from hub_model.base import Input


class Access(Input):
    """Where a source is, and what it is shown. A part of ``IntegrationDraft``.

    ``base_url`` is what all paths stand below. Which of the other fields are needed follows from ``auth_type``.
    """

    base_url: str = Field(max_length=2048)
    auth_type: AuthType
    api_key: Secret | None = None
    username: str | None = Field(default=None, max_length=256)
    password: Secret | None = None
    api_key_placement: ApiKeyPlacement = ApiKeyPlacement()
    extra_keys: list[ExtraKey] = Field(default_factory=list, max_length=5)
    oauth: OAuthSettings | None = Field(default=None, validate_default=True)
    oauth1: OAuth1Settings | None = Field(default=None, validate_default=True)
    login: LoginSettings | None = Field(default=None, validate_default=True)

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, url: str) -> str:
        return check_url(url).rstrip("/")

    @field_validator("extra_keys")
    @classmethod
    def _different_names(cls, keys: list[ExtraKey]) -> list[ExtraKey]:
        names = [key.name.lower() for key in keys]
        if len(set(names)) < len(names):
            raise ValueError("two of them have the same name")
        return keys

    @field_validator("oauth", "oauth1", "login")
    @classmethod
    def _settings_of_the_type(cls, settings: Any, info: ValidationInfo) -> Any:
        if settings is None and info.data.get("auth_type") == info.field_name:
            raise ValueError(_NEEDED[str(info.field_name)])
        return settings

    @field_validator("login")
    @classmethod
    def _login_origin(cls, login: LoginSettings | None, info: ValidationInfo) -> LoginSettings | None:
        if login is not None and "base_url" in info.data and not login.allow_other_origin:
            url = login_url(login, info.data["base_url"])
            if origin_of(url) != origin_of(info.data["base_url"]):
                raise ValueError(
                    "the login is at another address than the base URL; if user name and password may be sent there, "
                    "set allowOtherOrigin"
                )
        return login

    def without_secrets(self) -> dict[str, Any]:
        """The changes that ``model_copy(update=...)`` needs to make these settings fit to be stored and shown."""
        return {
            "api_key": None,
            "password": None,
            "extra_keys": [key.model_copy(update={"value": None}) for key in self.extra_keys],
            "oauth": _without(self.oauth, "client_secret", "refresh_token"),
            "oauth1": _without(self.oauth1, "consumer_secret", "token", "token_secret"),
        }


_NEEDED = {
    "oauth": "authType oauth needs an 'oauth' object with tokenUrl and clientId",
    "oauth1": "authType oauth1 needs an 'oauth1' object with consumerKey",
    "login": "authType login needs a 'login' object with loginRequester",
}


def given_secrets(settings: Access) -> dict[str, tuple[str, SecretStr]]:
    """The secrets that a draft brings: what each is sealed as, where it stands, and its value."""
    oauth, oauth1 = settings.oauth, settings.oauth1
    fields: dict[str, tuple[str, SecretStr | None]] = {
        "apiKey": ("/apiKey", settings.api_key),
        "password": ("/password", settings.password),
        "clientSecret": ("/oauth/clientSecret", oauth.client_secret if oauth else None),
        "refreshToken": ("/oauth/refreshToken", oauth.refresh_token if oauth else None),
        "consumerSecret": ("/oauth1/consumerSecret", oauth1.consumer_secret if oauth1 else None),
        "token": ("/oauth1/token", oauth1.token if oauth1 else None),
        "tokenSecret": ("/oauth1/tokenSecret", oauth1.token_secret if oauth1 else None),
    }
    for index, key in enumerate(settings.extra_keys):
        fields[key.secret_name] = (f"/extraKeys/{index}/value", key.value)
    return {name: (pointer, secret) for name, (pointer, secret) in fields.items() if secret is not None}


def needed_secrets(settings: Access) -> tuple[tuple[str, ...], ...]:
    """What must be stored for these settings to work; of each inner tuple any one will do."""
    needed = _NEEDED_SECRETS[settings.auth_type]
    if settings.auth_type is AuthType.OAUTH and settings.oauth is not None:
        needed = _NEEDED_FOR_GRANT[settings.oauth.grant]
    return (needed, *((key.secret_name,) for key in settings.extra_keys))


_NEEDED_SECRETS: dict[AuthType, tuple[str, ...]] = {
    AuthType.API_KEY: ("apiKey",),
    AuthType.BEARER: ("apiKey",),
    AuthType.BASIC: ("password", "apiKey"),
    AuthType.OAUTH: ("clientSecret", "apiKey"),
    AuthType.OAUTH1: ("consumerSecret", "apiKey"),
    AuthType.DIGEST: ("password", "apiKey"),
    AuthType.LOGIN: ("password", "apiKey"),
}
_NEEDED_FOR_GRANT = {
    "client_credentials": ("clientSecret", "apiKey"),
    "refresh_token": ("refreshToken",),
    "password": ("password",),
}


def credential_origin(settings: Access) -> str:
    """The origin that a credential of these settings is bound to: whatever it, or a token bought with it, is sent to.

    That may be two: the one where the token is bought or logged in for, and the system's own.
    """
    origin = origin_of(settings.base_url)
    other = origin
    if settings.auth_type is AuthType.OAUTH and settings.oauth is not None:
        other = origin_of(settings.oauth.token_url)
    elif settings.auth_type is AuthType.LOGIN and settings.login is not None:
        other = origin_of(login_url(settings.login, settings.base_url))
    return origin if other == origin else f"{origin} {other}"


def _without(settings: Any, *names: str) -> Any:
    return settings.model_copy(update=dict.fromkeys(names)) if settings is not None else None
