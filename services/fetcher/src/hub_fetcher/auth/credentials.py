"""What is added to a request, and who gives it. Knows nothing of how it is come by.

Invariant: a credential is sent to no origin but the one it was entered for.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from hub_model.auth import AuthType, Placement
from hub_model.errors import ErrorClass, SourceError
from hub_model.integrations import Integration


class Outgoing(NamedTuple):
    """A request as it will be sent, or was."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """What is added to a request. Never shown: it is left out of ``repr``.

    ``fields`` go into the body, or into the query of a request without one. ``sign`` gives further headers for the
    request as all the rest has made it. ``generation`` numbers the tokens that were bought one after another.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    sign: Callable[[Outgoing], Mapping[str, str]] | None = field(default=None, repr=False)
    generation: int = 0

    def beside(self, other: "Credential") -> "Credential":
        """Both at once; what is signed or numbered is this one."""
        return replace(
            self,
            headers={**other.headers, **self.headers},
            params=(*self.params, *other.params),
            fields=(*self.fields, *other.fields),
        )


class Authenticator(Protocol):
    """Gives the credential for a request, and another one when the source refused it."""

    async def credential(self) -> Credential:
        """The credential to send now."""

    async def renew(self, refused: Credential, asked: Outgoing, answer: Mapping[str, str]) -> bool:
        """The source refused it, with these headers: whether there is a newer credential to try, once."""


class FixedCredential:
    """A credential that is what it is."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    async def credential(self) -> Credential:
        return self._credential

    async def renew(self, refused: Credential, asked: Outgoing, answer: Mapping[str, str]) -> bool:
        return False


class WithKeys:
    """A credential of any kind, with keys that go beside it."""

    def __init__(self, inner: Authenticator, keys: Credential) -> None:
        self._inner = inner
        self._keys = keys

    async def credential(self) -> Credential:
        return (await self._inner.credential()).beside(self._keys)

    async def renew(self, refused: Credential, asked: Outgoing, answer: Mapping[str, str]) -> bool:
        return await self._inner.renew(refused, asked, answer)


def placed(place: Placement, value: str, *, generation: int = 0) -> Credential:
    """The value where the settings want it."""
    text = f"{place.prefix}{value}{place.suffix}"
    match place.placement:
        case "query":
            return Credential(params=((place.name, text),), generation=generation)
        case "body":
            return Credential(fields=((place.name, text),), generation=generation)
        case "header":
            return Credential(headers={place.name: sendable(text)}, generation=generation)


def bearer(token: str) -> Credential:
    """A token pasted together with its scheme is fine."""
    bare = token[7:].strip() if token[:7].lower() == "bearer " else token
    return Credential(headers={"Authorization": f"Bearer {sendable(bare)}"})


def basic(pair: str) -> Credential:
    """RFC 7617, in UTF-8."""
    return Credential(headers={"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"})


def secret_params(integration: Integration) -> frozenset[str]:
    """Names of query parameters that hold a credential, and must not stay in a stored URL."""
    settings = integration.settings
    places: list[Placement] = list(settings.extra_keys)
    if settings.auth_type is AuthType.API_KEY:
        places.append(settings.api_key_placement)
    if settings.oauth is not None:
        places.append(settings.oauth.token_placement)
    if settings.login is not None:
        places.append(settings.login.request_authentication)
    return frozenset(["access_token", *(place.name for place in places if place.placement != "header")])


def sendable(value: str) -> str:
    """The value, if a header can carry it; else SourceError."""
    if not value.isascii():
        raise unusable(
            "the credential holds characters beyond ASCII, which no header can carry",
            code="credential_malformed",
            public="The stored credential holds characters that cannot be sent. Enter it again.",
        )
    return value


def unusable(message: str, *, code: str, public: str) -> SourceError:
    """The error of a credential that is no use."""
    return SourceError(message, error_class=ErrorClass.AUTH, code=code, public=public)
