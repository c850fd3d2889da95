"""Where a webhook address leads: the integration's college, scheme, secrets and data types, remembered briefly."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network

import structlog
from hub_mapping.pushes import CompiledPushes, compile_pushes
from hub_model.errors import SecretUnreadable
from hub_model.integrations import Integration, SealedSecret
from hub_model.records import DataType
from hub_model.webhooks import WebhookSettings
from hub_security.vault import SecretBinding, SecretOpener

log = structlog.get_logger(__name__)

Locate = Callable[[str], Awaitable[Integration | None]]

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_REMEMBERED = 10_000
_SECRET = "webhookSecret"  # noqa: S105 - a field's name
_PREVIOUS_SECRET = "webhookSecretPrevious"  # noqa: S105 - a field's name


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What the gateway needs to know of an integration that takes webhooks.

    ``previous_secret`` is accepted until ``previous_until``; ``secret`` is empty where the scheme has none. ``default``
    is what a body holds that does not say so. ``networks`` is empty if pushes may come from anywhere.
    """

    integration_id: str
    college_id: str
    webhook: WebhookSettings
    secret: str
    previous_secret: str | None
    previous_until: datetime
    data_types: frozenset[DataType]
    default: DataType | None
    pushes: CompiledPushes
    networks: Sequence[IPv4Network | IPv6Network]

    def secrets_at(self, now: datetime) -> tuple[str, ...]:
        """The secrets a signature may be made with now."""
        if self.previous_secret is not None and now < self.previous_until:
            return (self.secret, self.previous_secret)
        return (self.secret,)


class Endpoints:
    """Finds endpoints by the id in the address. Unknown ones are remembered too: asking again costs no lookup."""

    def __init__(
        self,
        locate: Locate,
        opener: SecretOpener,
        *,
        remember_s: float,
        rotation_overlap_s: float,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._locate = locate
        self._opener = opener
        self._remember_s = remember_s
        self._overlap = timedelta(seconds=rotation_overlap_s)
        self._steady = steady
        self._remembered: dict[str, tuple[float, Endpoint | None]] = {}
        self._lookups: dict[str, asyncio.Task[Endpoint | None]] = {}

    async def find(self, integration_id: str) -> Endpoint | None:
        """The endpoint; None if there is no such integration, or it is disabled, or has no readable secret."""
        if not _ID.fullmatch(integration_id):
            return None
        known = self._remembered.get(integration_id)
        if known is not None and known[0] > self._steady():
            return known[1]
        lookup = self._lookups.get(integration_id)
        if lookup is None:
            # One for all who ask at once: opening a secret costs as much as taking several webhooks.
            lookup = self._lookups[integration_id] = asyncio.create_task(self._look_up(integration_id))
            lookup.add_done_callback(lambda _: self._lookups.pop(integration_id, None))
        # Shielded: whoever goes away must not take the answer from the others.
        return await asyncio.shield(lookup)

    async def _look_up(self, integration_id: str) -> Endpoint | None:
        integration = await self._locate(integration_id)
        endpoint = self._endpoint_of(integration) if integration is not None else None
        self._remembered.pop(integration_id, None)
        self._remembered[integration_id] = (self._steady() + self._remember_s, endpoint)
        if len(self._remembered) > _MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        return endpoint

    def _endpoint_of(self, integration: Integration) -> Endpoint | None:
        webhook = integration.settings.webhook or WebhookSettings()
        sealed = integration.secrets.get(_SECRET)
        if not integration.settings.enabled or (sealed is None and webhook.has_secret):
            return None
        secret = self._open(integration, sealed) if sealed else ""
        if secret is None:
            return None
        collected = frozenset(integration.settings.endpoints)
        previous = integration.secrets.get(_PREVIOUS_SECRET)
        return Endpoint(
            integration_id=integration.id,
            college_id=integration.college_id,
            webhook=webhook,
            secret=secret,
            previous_secret=self._open(integration, previous) if previous else None,
            previous_until=sealed.set_at + self._overlap if sealed else integration.updated_at,
            data_types=collected | ({webhook.data_type} if webhook.data_type else frozenset()),
            default=webhook.data_type or (next(iter(collected)) if len(collected) == 1 else None),
            pushes=compile_pushes(webhook, collected),
            networks=[ip_network(text) for text in webhook.allowed_networks],
        )

    def _open(self, integration: Integration, sealed: SealedSecret) -> str | None:
        # Both are bound to the first field: a rotation moves the old one without sealing it anew.
        binding = SecretBinding(integration.college_id, integration.id, _SECRET)
        try:
            return self._opener.open(sealed, binding)
        except SecretUnreadable as error:
            # Answered like a wrong signature; the operators must learn of it here.
            log.error(  # noqa: TRY400 - where it was raised says nothing
                "webhook.secret_unreadable",
                college_id=integration.college_id,
                integration_id=integration.id,
                error_code=error.code,
                key_id=sealed.key_id,
            )
            return None
