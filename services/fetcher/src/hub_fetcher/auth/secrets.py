"""Opening an integration's secrets, and the credentials that are made of them as they are."""

from hub_model.access import credential_origin
from hub_model.auth import AuthType
from hub_model.integrations import Integration
from hub_security.vault import SecretBinding, SecretOpener

from hub_fetcher.auth.credentials import Credential, basic, bearer, placed, unusable


def open_secret(opener: SecretOpener, integration: Integration, *names: str) -> str:
    """The first of these secrets that is stored; SourceError if none is, or if it was entered for another origin."""
    origin = credential_origin(integration.settings)
    for name in names:
        sealed = integration.secrets.get(name)
        if sealed is None:
            continue
        if sealed.origin != origin:
            raise unusable(
                f"the secret {name} was entered for {sealed.origin} and is not sent to {origin}",
                code="credential_origin",
                public=f"The stored credential was entered for {sealed.origin}, and this address is {origin}. "
                "Enter the credential again.",
            )
        value = opener.open(sealed, SecretBinding(integration.college_id, integration.id, name)).strip()
        if not value or not value.isprintable():
            raise unusable(
                f"the secret {name} holds characters that no request can carry",
                code="credential_malformed",
                public="The stored credential holds line breaks or control characters. Enter it again.",
            )
        return value
    raise unusable(
        f"no secret {' or '.join(names)} is stored",
        code="credential_missing",
        public="No credential is stored for this integration. Enter the API key, token or password.",
    )


def open_optional(opener: SecretOpener, integration: Integration, *names: str) -> str | None:
    """As ``open_secret``, or None where none of them is stored."""
    return open_secret(opener, integration, *names) if any(name in integration.secrets for name in names) else None


def user_and_password(opener: SecretOpener, integration: Integration) -> tuple[str, str]:
    """``username`` with ``password`` or ``apiKey``; without a user name the secret holds both, as user:password."""
    secret = open_secret(opener, integration, "password", "apiKey")
    if integration.settings.username is not None:
        return integration.settings.username, secret
    user, colon, password = secret.partition(":")
    if not colon:
        raise unusable(
            "a credential without a user name",
            code="credential_missing",
            public="This way of authentication needs a user name: set 'username', or write the API key as "
            "user:password.",
        )
    return user, password


def fixed_credential(integration: Integration, opener: SecretOpener) -> Credential | None:
    """The credential of an integration whose authentication needs no exchange; None if it needs one."""
    settings = integration.settings
    match settings.auth_type:
        case AuthType.API_KEY:
            return placed(settings.api_key_placement, open_secret(opener, integration, "apiKey"))
        case AuthType.BEARER:
            return bearer(open_secret(opener, integration, "apiKey"))
        case AuthType.BASIC:
            return basic(":".join(user_and_password(opener, integration)))
        case _:
            return None


def extra_keys(integration: Integration, opener: SecretOpener) -> Credential | None:
    """What goes beside the credential, if anything does."""
    keys: Credential | None = None
    for key in integration.settings.extra_keys:
        credential = placed(key, open_secret(opener, integration, key.secret_name))
        keys = credential if keys is None else keys.beside(credential)
    return keys
