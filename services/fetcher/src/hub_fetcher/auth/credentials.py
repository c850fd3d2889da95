"""Attaching an integration's credential to its requests.

Invariant: a credential is sent to no origin but the one it was entered for.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from hub_model.errors import ErrorClass, SourceError
from hub_model.integrations import AuthType, Integration, credential_origin
from hub_security.vault import SecretBinding, SecretOpener


@dataclass(frozen=True, slots=True)
class Credential:
    """What is added to a request. Never shown: it is left out of ``repr``."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: tuple[tuple[str, str], ...] = field(default=(), repr=False)


class Authenticator(Protocol):
    """Gives the credential for a request, and another one when the source refused it."""

    async def credential(self) -> Credential:
        """The credential to send now."""

    async def renew(self, refused: Credential) -> bool:
        """The source answered 401: whether there is a newer credential to try, once."""


class FixedCredential:
    """A credential that is what it is."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    async def credential(self) -> Credential:
        return self._credential

    async def renew(self, refused: Credential) -> bool:
        return False


def open_secret(opener: SecretOpener, integration: Integration, *fields: str) -> str:
    """The first of these secrets that is stored; SourceError if none is, or if it was entered for another origin."""
    origin = credential_origin(integration.settings)
    for name in fields:
        sealed = integration.secrets.get(name)
        if sealed is None:
            continue
        if sealed.origin != origin:
            raise _unusable(
                f"the secret {name} was entered for {sealed.origin} and is not sent to {origin}",
                code="credential_origin",
                public=f"The stored credential was entered for {sealed.origin}, and this address is {origin}. "
                "Enter the credential again.",
            )
        value = opener.open(sealed, SecretBinding(integration.college_id, integration.id, name)).strip()
        if not value or not value.isprintable():
            raise _unusable(
                f"the secret {name} holds characters that no request can carry",
                code="credential_malformed",
                public="The stored credential holds line breaks or control characters. Enter it again.",
            )
        return value
    raise _unusable(
        f"no secret {' or '.join(fields)} is stored",
        code="credential_missing",
        public="No credential is stored for this integration. Enter the API key, token or password.",
    )


def fixed_credential(integration: Integration, opener: SecretOpener) -> Credential:
    """The credential of an integration whose authentication needs no exchange."""
    settings = integration.settings
    match settings.auth_type:
        case AuthType.API_KEY:
            place = settings.api_key_placement
            value = place.prefix + open_secret(opener, integration, "apiKey")
            if place.placement == "query":
                return Credential(params=((place.name, value),))
            return Credential(headers={place.name: _ascii(value)})
        case AuthType.BEARER:
            return bearer(open_secret(opener, integration, "apiKey"))
        case AuthType.BASIC:
            secret = open_secret(opener, integration, "password", "apiKey")
            pair = secret if settings.username is None else f"{settings.username}:{secret}"
            if ":" not in pair:
                raise _unusable(
                    "basic authentication without a user name",
                    code="credential_missing",
                    public="Basic authentication needs a user name: set 'username', or write the API key as "
                    "user:password.",
                )
            return basic(pair)
        case AuthType.OAUTH:
            raise AssertionError("OAuth credentials are exchanged for a token first")


def bearer(token: str) -> Credential:
    """A token pasted together with its scheme is fine."""
    bare = token[7:].strip() if token[:7].lower() == "bearer " else token
    return Credential(headers={"Authorization": f"Bearer {_ascii(bare)}"})


def basic(pair: str) -> Credential:
    """RFC 7617, in UTF-8."""
    return Credential(headers={"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"})


def secret_params(integration: Integration) -> frozenset[str]:
    """Names of query parameters that hold a credential, and must not stay in a stored URL."""
    place = integration.settings.api_key_placement
    is_query = integration.settings.auth_type is AuthType.API_KEY and place.placement == "query"
    return frozenset([place.name, "access_token"] if is_query else ["access_token"])


def _ascii(value: str) -> str:
    if not value.isascii():
        raise _unusable(
            "the credential holds characters beyond ASCII, which no header can carry",
            code="credential_malformed",
            public="The stored credential holds characters that cannot be sent. Enter it again.",
        )
    return value


def _unusable(message: str, *, code: str, public: str) -> SourceError:
    return SourceError(message, error_class=ErrorClass.AUTH, code=code, public=public)
