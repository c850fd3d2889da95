"""What every route works with, built once in ``main`` and reached through the request."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fastapi import Request
from hub_messaging.publisher import Publisher
from hub_security.tokens import TokenVerifier
from hub_security.vault import SecretSealer
from hub_storage.records import RecordStore
from hub_storage.repositories import Audit, IdempotencyKeys, Integrations, Logs, Rejects, Runs, StreamStates, Tokens

from hub_config_api.destinations import Destinations
from hub_config_api.live import LiveFeed
from hub_config_api.probes import Probes


@dataclass(frozen=True, kw_only=True)
class Backend:
    """Repositories, publisher, keys and clock. ``public_url`` is where the outside reaches webhooks.

    ``heartbeat_s``: how often a silent live stream shows that it is still there. ``keyed_limit_s``: how long a request
    with an Idempotency-Key may take.
    """

    integrations: Integrations
    runs: Runs
    states: StreamStates
    logs: Logs
    rejects: Rejects
    audit: Audit
    idempotency_keys: IdempotencyKeys
    tokens: Tokens
    records: RecordStore
    publisher: Publisher
    sealer: SecretSealer
    verifier: TokenVerifier
    destinations: Destinations
    probes: Probes
    live: LiveFeed
    clock: Callable[[], datetime]
    public_url: str
    heartbeat_s: float
    keyed_limit_s: float


def backend_of(request: Request) -> Backend:
    """The backend of the app that serves this request."""
    backend = request.app.state.backend
    if not isinstance(backend, Backend):
        raise TypeError("the app was created without a backend")
    return backend
