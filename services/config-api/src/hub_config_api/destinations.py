"""Which addresses an integration may have.

What can be told from the text is refused at once; what a name leads to, the fetcher checks with every request.
"""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from hub_model.auth import login_url
from hub_model.errors import Issue, SourceError
from hub_model.integrations import IntegrationDraft
from hub_security.addresses import AddressPolicy, parse_networks
from hub_security.hosts import PortPolicy, check_url, refused

_JWKS_URL = "/webhook/jwt/jwksUrl"


class Destinations:
    """The operator's rules: private networks only where they are allowed, and no ports of other protocols."""

    def __init__(
        self, *, allowed_networks: Sequence[str], refused_networks: Sequence[str], allowed_ports: Sequence[int]
    ) -> None:
        self._policy = AddressPolicy(allowed=parse_networks(allowed_networks), refused=parse_networks(refused_networks))
        self._ports = PortPolicy(frozenset(allowed_ports))

    def issues(self, draft: IntegrationDraft) -> Iterator[Issue]:
        """What is wrong with the draft's addresses."""
        addresses = {"/baseUrl": draft.base_url}
        if draft.oauth is not None:
            addresses["/oauth/tokenUrl"] = draft.oauth.token_url
        if draft.login is not None:
            addresses["/login/loginRequester/path"] = login_url(draft.login, draft.base_url)
        if draft.webhook is not None and draft.webhook.jwt is not None:
            addresses[_JWKS_URL] = draft.webhook.jwt.jwks_url
        for pointer, url in addresses.items():
            try:
                self._check(url)
                if pointer == _JWKS_URL and urlsplit(url).scheme == "http" and not self._policy.allowed:
                    raise refused("keys that signatures are checked with come by https://")
            except SourceError as error:
                yield Issue(pointer, error.code, error.public)

    def _check(self, url: str) -> None:
        host = check_url(url, self._ports)
        if host.address is not None and not self._policy.permits(host.address):
            raise refused("it is not a public address, nor in a network the operator allows")
        if host.is_internal and not self._policy.allowed:
            raise refused("the name belongs to a private network")
