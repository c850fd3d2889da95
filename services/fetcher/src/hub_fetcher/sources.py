"""Opening an endpoint of an integration: its requests, its credential, its bounds."""

from hub_model.endpoints import Endpoint
from hub_model.integrations import AuthType, Integration
from hub_security.vault import SecretOpener

from hub_fetcher.auth.credentials import Authenticator, FixedCredential, fixed_credential
from hub_fetcher.auth.oauth import OAuthCredential, TokenCache
from hub_fetcher.requests.plan import plan_requests
from hub_fetcher.source import Source
from hub_fetcher.transport import Patience, Transport


class Sources:
    """What all walks share: the transport, the keys, and the access tokens in use."""

    def __init__(self, transport: Transport, opener: SecretOpener, tokens: TokenCache, patience: Patience) -> None:
        self.transport = transport
        self._opener = opener
        self._tokens = tokens
        self._patience = patience

    def open(self, integration: Integration, endpoint: Endpoint, patience: Patience | None = None) -> Source:
        """The endpoint, ready to be read. Raises SourceError or SecretUnreadable if its credential is no use."""
        plan = plan_requests(integration.settings, endpoint)
        return Source(self.transport, plan, self.authenticator(integration), patience or self._patience)

    def authenticator(self, integration: Integration) -> Authenticator:
        """What gives the credential of an integration."""
        if integration.settings.auth_type is AuthType.OAUTH:
            return OAuthCredential(integration, self._opener, self._tokens, self.transport.fetch_token)
        return FixedCredential(fixed_credential(integration, self._opener))
