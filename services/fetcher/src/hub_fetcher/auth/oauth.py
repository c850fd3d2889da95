"""OAuth 2.0 client credentials (RFC 6749 section 4.4): tokens kept in memory, fetched once however many ask."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from urllib.parse import quote_plus, urlencode

import orjson
from hub_model.errors import ErrorClass, SourceError
from hub_model.integrations import Integration, OAuthSettings
from hub_security.vault import SecretOpener

from hub_fetcher.auth.credentials import Credential, basic, bearer, open_secret
from hub_fetcher.paging.signs import as_count

USABLE_LIFE = 0.9
_DEFAULT_LIFE_S = 3600
_MAX_TOKENS = 10_000
_MAX_TOKEN_CHARS = 16_384


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A form to be posted to a token endpoint, with the client's own credential."""

    url: str
    form: str = field(repr=False)
    credential: Credential


@dataclass(frozen=True, slots=True)
class Token:
    credential: Credential
    life_s: float


@dataclass(slots=True)
class _Entry:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: Token | None = None
    usable_until: float = 0.0


FetchToken = Callable[[TokenRequest], Awaitable[Token]]


class TokenCache:
    """Tokens by what they were issued for. Used until 90 % of their life.

    Invariant: requests that need a token at the same time cause one exchange.
    """

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    async def get(self, key: str, fetch: Callable[[], Awaitable[Token]], *, refused: Credential | None = None) -> Token:
        """The token of this key, fetched if there is none, or none but the one that was refused."""
        entry = self._entry(key)
        async with entry.lock:
            if entry.token is None or self._monotonic() >= entry.usable_until or entry.token.credential is refused:
                entry.token = None  # so that a failed exchange does not leave the old one in use
                entry.token = await fetch()
                entry.usable_until = self._monotonic() + entry.token.life_s * USABLE_LIFE
            return entry.token

    def _entry(self, key: str) -> _Entry:
        entry = self._entries.setdefault(key, _Entry())
        self._entries.move_to_end(key)
        while len(self._entries) > _MAX_TOKENS:
            self._entries.popitem(last=False)
        return entry


class OAuthCredential:
    """The access token of one integration, as an ``Authenticator``."""

    def __init__(self, integration: Integration, opener: SecretOpener, cache: TokenCache, fetch: FetchToken) -> None:
        settings = integration.settings.oauth
        if settings is None:
            raise SourceError(
                "authType oauth without oauth settings",
                error_class=ErrorClass.CONFIG,
                code="oauth_missing",
                public="OAuth needs 'oauth' with tokenUrl and clientId.",
            )
        self._request = token_request(settings, integration, opener)
        self._cache = cache
        self._fetch = fetch
        self._key = _cache_key(integration, settings)

    async def credential(self) -> Credential:
        return (await self._cache.get(self._key, self._exchange)).credential

    async def renew(self, refused: Credential) -> bool:
        await self._cache.get(self._key, self._exchange, refused=refused)
        return True

    async def _exchange(self) -> Token:
        return await self._fetch(self._request)


def token_request(settings: OAuthSettings, integration: Integration, opener: SecretOpener) -> TokenRequest:
    """The exchange. That the secret may go to the token endpoint is part of what it is bound to."""
    secret = open_secret(opener, integration, "clientSecret", "apiKey")
    form = {"grant_type": "client_credentials"}
    if settings.scopes:
        form["scope"] = " ".join(settings.scopes)
    if settings.client_authentication == "body":
        form |= {"client_id": settings.client_id, "client_secret": secret}
        return TokenRequest(settings.token_url, urlencode(form), Credential())
    # RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
    pair = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}"
    return TokenRequest(settings.token_url, urlencode(form), basic(pair))


def read_token(status: int, body: bytes) -> Token:
    """The token in an endpoint's answer; SourceError (auth) if there is none."""
    try:
        answer = orjson.loads(body)
    except ValueError:
        answer = None
    fields = answer if isinstance(answer, dict) else {}
    token = fields.get("access_token")
    if isinstance(token, str) and token.isprintable() and token.isascii() and 0 < len(token) <= _MAX_TOKEN_CHARS:
        return Token(bearer(token), as_count(fields.get("expires_in")) or _DEFAULT_LIFE_S)
    error = fields.get("error")
    reason = f" ({error})" if error in _ERRORS else ""
    raise SourceError(
        f"the token endpoint answered {status} without an access token{reason}",
        error_class=ErrorClass.AUTH,
        code="token_refused",
        public=f"The token endpoint gives no access token{reason}. Check tokenUrl, clientId, the client secret and the "
        "scopes.",
    )


_ERRORS = frozenset(
    [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    ]
)


def _cache_key(integration: Integration, settings: OAuthSettings) -> str:
    """Changes with the secret and with everything the token depends on."""
    versions = sorted((name, sealed.version, sealed.key_id) for name, sealed in integration.secrets.items())
    identity = orjson.dumps(
        [integration.college_id, integration.id, versions, settings.model_dump(mode="json", exclude={"client_secret"})]
    )
    return blake2b(identity, digest_size=16).hexdigest()
