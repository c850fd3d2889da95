"""OAuth 1.0a (RFC 5849): every request is signed; oauthlib does the signing."""

from collections.abc import Mapping
from typing import Literal, cast
from urllib.parse import quote, urlsplit, urlunsplit

from hub_model.auth import OAuth1Settings
from hub_model.errors import ErrorClass, SourceError
from hub_model.integrations import Integration
from hub_security.vault import SecretOpener
from oauthlib.oauth1 import Client

from hub_fetcher.auth.attaching import content_type_of
from hub_fetcher.auth.credentials import Credential, Outgoing
from hub_fetcher.auth.secrets import open_optional, open_secret

_FORM = "application/x-www-form-urlencoded"
# What oauthlib reads in a query, beside letters, digits and "-._~"; the rest is written with a percent sign for it.
_IN_QUERY = "%=&;:+,*@!()/?'$~"


def oauth1_credential(settings: OAuth1Settings, integration: Integration, opener: SecretOpener) -> Credential:
    """A credential that signs each request it is attached to."""
    client = Client(
        settings.consumer_key,
        client_secret=open_secret(opener, integration, "consumerSecret", "apiKey"),
        resource_owner_key=open_optional(opener, integration, "token"),
        resource_owner_secret=open_optional(opener, integration, "tokenSecret"),
        signature_method=settings.signature_method,
        realm=settings.realm,
    )
    return Credential(sign=lambda request: signature(client, request))


def signature(client: Client, request: Outgoing) -> Mapping[str, str]:
    """The Authorization header of the request. Of a body only a form is part of what is signed (section 3.4.1.3.1)."""
    parts = urlsplit(request.url)
    url = urlunsplit(parts._replace(query=quote(parts.query, safe=_IN_QUERY)))
    method = cast(Literal["GET", "POST"], request.method)
    form = request.body if method != "GET" and content_type_of(request.headers) == _FORM else None
    try:
        _, headers, _ = client.sign(url, http_method=method, body=form, headers={"Content-Type": _FORM} if form else {})
    except ValueError as error:
        # Without its text, which repeats the URL.
        raise SourceError(
            f"the request cannot be signed ({type(error).__name__})",
            error_class=ErrorClass.CONFIG,
            code="request_unsignable",
            public="The request cannot be signed as configured. Write its parameters percent-encoded.",
        ) from None
    return {"Authorization": headers["Authorization"]}
