"""OAuth 2.0 (RFC 6749): what is sent to the token endpoint, and what its answer says. Pure."""

from datetime import timedelta
from urllib.parse import quote_plus, urlencode

import orjson
from hub_model.auth import OAuthSettings
from hub_model.integrations import Integration
from hub_security.vault import SecretOpener

from hub_fetcher.auth.credentials import basic, unusable
from hub_fetcher.auth.exchange import Bought, TokenRequest, is_token, life_of
from hub_fetcher.auth.secrets import open_optional, open_secret
from hub_fetcher.paging.signs import as_count

_DEFAULT_LIFE = timedelta(hours=1)
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
# What an endpoint says that does not know the client, whatever the refresh token is.
_CLIENT_ERRORS = frozenset(["invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"])


def token_request(
    settings: OAuthSettings, integration: Integration, opener: SecretOpener, refresh_token: str | None
) -> TokenRequest:
    """The exchange. That the secrets may go to the token endpoint is part of what they are bound to."""
    form: dict[str, str] = {"grant_type": settings.grant}
    match settings.grant:
        case "refresh_token":
            form["refresh_token"] = refresh_token or open_secret(opener, integration, "refreshToken")
        case "password":
            form["username"] = integration.settings.username or ""
            form["password"] = open_secret(opener, integration, "password")
    if settings.scopes:
        form["scope"] = " ".join(settings.scopes)
    form |= settings.extra_params
    is_client_alone = settings.grant == "client_credentials"
    opened = open_secret if is_client_alone else open_optional
    secret = opened(opener, integration, "clientSecret", "apiKey")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if secret is None or settings.client_authentication == "body":
        form["client_id"] = settings.client_id
        form |= {"client_secret": secret} if secret is not None else {}
    else:
        # RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
        headers |= basic(f"{quote_plus(settings.client_id)}:{quote_plus(secret)}").headers
    return TokenRequest(settings.token_url, "the token endpoint", headers=headers, body=urlencode(form))


def read_token(status: int, body: bytes, *, is_refresh: bool = False, is_uncertain: bool = False) -> Bought:
    """The token in an endpoint's answer; SourceError (auth) if there is none.

    ``is_uncertain``: an earlier exchange with the same refresh token was sent, and its answer did not arrive.
    """
    try:
        answer = orjson.loads(body)
    except ValueError:
        answer = None
    fields = answer if isinstance(answer, dict) else {}
    token, refresh = fields.get("access_token"), fields.get("refresh_token")
    if is_token(token):
        return Bought(
            str(token),
            life_of(as_count(fields.get("expires_in")), default=_DEFAULT_LIFE),
            str(refresh) if is_refresh and is_token(refresh) else None,
        )
    error = fields.get("error")
    known = error if isinstance(error, str) and error in _ERRORS else ""
    reason = f" ({known})" if known else ""
    what = f"the token endpoint answered {status} without an access token{reason}"
    if is_refresh and known not in _CLIENT_ERRORS and 400 <= status < 500:
        if is_uncertain:
            raise unusable(
                f"{what}, after an exchange whose answer was lost",
                code="refresh_token_lost",
                public="The refresh token was used, and the answer with the new one was lost. Connect this system "
                "again: obtain a new refresh token and enter it.",
            )
        raise unusable(
            what,
            code="refresh_token_refused",
            public=f"The token endpoint does not accept the refresh token any more{reason}. Connect this system again: "
            "obtain a new refresh token and enter it.",
        )
    raise unusable(
        what,
        code="token_refused",
        public=f"The token endpoint gives no access token{reason}. Check tokenUrl, clientId, the client secret and the "
        "scopes.",
    )
