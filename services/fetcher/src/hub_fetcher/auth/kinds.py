"""From an integration's settings to what gives its credentials."""

from datetime import datetime
from hashlib import blake2b
from typing import Any

import orjson
from hub_model.access import Access, credential_origin, needed_secrets
from hub_model.auth import AuthType, LoginSettings, OAuthSettings, login_url
from hub_model.integrations import Integration
from hub_security.vault import SecretOpener
from hub_storage.repositories.tokens import TokenPlace

from hub_fetcher.auth.credentials import Authenticator, FixedCredential, WithKeys, unusable
from hub_fetcher.auth.digest import DigestCredential, DigestSessions
from hub_fetcher.auth.exchange import Bought, exchange
from hub_fetcher.auth.login import login_request, read_login
from hub_fetcher.auth.oauth import read_token, token_request
from hub_fetcher.auth.oauth1 import oauth1_credential
from hub_fetcher.auth.secrets import extra_keys, fixed_credential, open_secret, user_and_password
from hub_fetcher.auth.tokens import Purchase, TokenCache, TokenCredential
from hub_fetcher.transport import Transport


class Authenticators:
    """What the credentials of all integrations share: keys, tokens, Digest challenges, and the way to a source."""

    def __init__(self, transport: Transport, opener: SecretOpener, tokens: TokenCache) -> None:
        self._transport = transport
        self._opener = opener
        self._tokens = tokens
        self._digests = DigestSessions()

    def of(self, integration: Integration) -> Authenticator:
        """What gives the integration's credentials. SourceError or SecretUnreadable if they are no use."""
        authenticator = self._alone(integration)
        keys = extra_keys(integration, self._opener)
        return WithKeys(authenticator, keys) if keys is not None else authenticator

    def _alone(self, integration: Integration) -> Authenticator:
        settings, opener = integration.settings, self._opener
        fixed = fixed_credential(integration, opener)
        if fixed is not None:
            return FixedCredential(fixed)
        match settings.auth_type:
            case AuthType.OAUTH if settings.oauth is not None:
                return self._bought_with_oauth(integration, settings.oauth)
            case AuthType.OAUTH1 if settings.oauth1 is not None:
                return FixedCredential(oauth1_credential(settings.oauth1, integration, opener))
            case AuthType.DIGEST:
                user, password = user_and_password(opener, integration)
                identity = _digest_of([integration.college_id, integration.id, _versions(integration), user])
                return DigestCredential(self._digests.get(identity, user, password))
            case AuthType.LOGIN if settings.login is not None:
                return self._logged_in(integration, settings.login)
        raise unusable(
            f"authType {settings.auth_type} without its settings",
            code="credential_missing",
            public=f"The settings of authType {settings.auth_type} are missing. Edit the integration.",
        )

    def _bought_with_oauth(self, integration: Integration, settings: OAuthSettings) -> Authenticator:
        is_refresh = settings.grant == "refresh_token"
        transport, opener = self._transport, self._opener
        token_request(settings, integration, opener, None)  # what cannot be asked for is told before anything is

        async def buy(refresh_token: str | None, is_uncertain: bool) -> Bought:
            request = token_request(settings, integration, opener, refresh_token)
            return await exchange(
                transport,
                request,
                lambda status, body: read_token(status, body, is_refresh=is_refresh, is_uncertain=is_uncertain),
            )

        purchase = _purchase(integration, needed_secrets(integration.settings)[0], buy, is_refresh=is_refresh)
        return TokenCredential(self._tokens, purchase, settings.token_placement)

    def _logged_in(self, integration: Integration, settings: LoginSettings) -> Authenticator:
        transport = self._transport
        user = integration.settings.username or ""
        password = open_secret(self._opener, integration, "password", "apiKey")
        request = login_request(settings, integration.settings.base_url, user, password)

        async def buy(refresh_token: str | None, is_uncertain: bool) -> Bought:
            now: datetime = transport.clock()
            return await exchange(transport, request, lambda status, body: read_login(settings, now, status, body))

        purchase = _purchase(integration, ("password", "apiKey"), buy)
        return TokenCredential(self._tokens, purchase, settings.request_authentication)


def _purchase(integration: Integration, names: tuple[str, ...], buy: Any, *, is_refresh: bool = False) -> Purchase:
    """A refresh token outlives edits of everything but itself; other tokens end with any of the secrets."""
    secret = next(integration.secrets[name] for name in names if name in integration.secrets)
    versions = _versions(integration)
    key = ["refreshToken", secret.version, secret.key_id, secret.set_at.isoformat()] if is_refresh else versions
    return Purchase(
        place=TokenPlace(
            college_id=integration.college_id,
            integration_id=integration.id,
            key=_digest_of(key),
            identity=_digest_of([versions, _depends_on(integration.settings)]),
        ),
        key_id=secret.key_id,
        origin=secret.origin,
        buy=buy,
    )


def _versions(integration: Integration) -> list[Any]:
    """Of the credentials; a webhook's secret has nothing to do with them."""
    return sorted(
        (name, sealed.version, sealed.key_id, sealed.set_at.isoformat())
        for name, sealed in integration.secrets.items()
        if not name.startswith("webhook")
    )


def _depends_on(settings: Access) -> list[Any]:
    oauth, login = settings.oauth, settings.login
    bare = settings.without_secrets()["oauth"]
    return [
        settings.auth_type,
        credential_origin(settings),
        settings.username,
        bare.model_dump(mode="json", exclude={"token_placement"}) if oauth is not None else None,
        login.model_dump(mode="json", exclude={"request_authentication"}) if login is not None else None,
        login_url(login, settings.base_url) if login is not None else None,
    ]


def _digest_of(parts: Any) -> str:
    return blake2b(orjson.dumps(parts), digest_size=16).hexdigest()
