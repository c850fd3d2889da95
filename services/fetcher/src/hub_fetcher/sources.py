"""Opening an endpoint of an integration: its requests, its credential, its bounds."""

from hub_model.endpoints import Request
from hub_model.integrations import Integration
from hub_security.vault import SecretOpener

from hub_fetcher.auth.credentials import Authenticator
from hub_fetcher.auth.kinds import Authenticators
from hub_fetcher.auth.tokens import TokenCache
from hub_fetcher.limits.budget import RetryBudget, RetryBudgets
from hub_fetcher.limits.pace import Paces
from hub_fetcher.requests.plan import plan_requests
from hub_fetcher.responses.answers import Answers
from hub_fetcher.source import Bounds, Source
from hub_fetcher.transport import Patience, Transport


class Sources:
    """What all walks share: the transport, the keys, the access tokens in use, and the limits."""

    def __init__(
        self, transport: Transport, opener: SecretOpener, tokens: TokenCache, patience: Patience, paces: Paces
    ) -> None:
        self.transport = transport
        self._authenticators = Authenticators(transport, opener, tokens)
        self._patience = patience
        self._paces = paces
        self._budgets = RetryBudgets()

    def open(
        self, integration: Integration, endpoint: Request, patience: Patience | None = None, *, run_id: str = ""
    ) -> Source:
        """The endpoint, ready to be read. Raises SourceError or SecretUnreadable if its credential is no use."""
        plan = plan_requests(integration.settings, endpoint)
        bounds = Bounds(
            patience=patience or self._patience,
            pace=self._paces.of(integration),
            allowed=integration.settings.limits,
            budget=self._budgets.of(run_id) if run_id else RetryBudget(),
        )
        answers = Answers(endpoint, plan.label)
        return Source(self.transport, plan, self.authenticator(integration), answers, bounds)

    def authenticator(self, integration: Integration) -> Authenticator:
        """What gives the credential of an integration."""
        return self._authenticators.of(integration)
