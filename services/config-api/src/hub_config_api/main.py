"""Puts the config-api together."""

from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

import httpx2
from hub_messaging.broker import Broker, Subscription
from hub_messaging.clock import utc_now
from hub_messaging.opening import open_broker
from hub_messaging.publisher import Publisher
from hub_messaging.router import Router
from hub_messaging.topology import declared
from hub_model.errors import Unavailable
from hub_model.ids import new_id
from hub_model.messages import ProbeFinished, ProbeProgressed
from hub_runtime.apart import run_apart
from hub_runtime.services import Service
from hub_security.jwks import JwksCache, KeySource, SharedKey
from hub_security.keys import load_public_keys
from hub_security.redaction import Redactor
from hub_security.tokens import TokenVerifier
from hub_security.vault import SecretSealer
from hub_storage.opening import open_store
from hub_storage.repositories import (
    SPECS,
    Audit,
    IdempotencyKeys,
    Integrations,
    Logs,
    Rejects,
    Runs,
    StreamStates,
    Tokens,
)
from hub_storage.store import Store

from hub_config_api.api.app import create_app
from hub_config_api.backend import Backend
from hub_config_api.destinations import Destinations
from hub_config_api.live import LIVE_MESSAGES, LiveFeed
from hub_config_api.probes import Probes
from hub_config_api.settings import ConfigApiSettings

NAME = "config-api"
_JWKS_TIMEOUT_S = 5.0
# Well before ABANDONED_AFTER_S of IdempotencyKeys: who has the key by then, on whatever clock, is alone with it.
KEYED_LIMIT_S = 20.0


def main() -> NoReturn:
    """The command ``hub-config-api``: this service as a process of its own."""
    redactor = Redactor()

    def build(settings: ConfigApiSettings, broker: Broker, store: Store) -> Service:
        return build_service(settings, broker=broker, store=store, clock=utc_now)

    run_apart(
        NAME,
        ConfigApiSettings,
        redactor=redactor,
        broker=lambda settings: declared(open_broker(settings.broker_url)),
        store=lambda settings: open_store(settings.store_url, SPECS),
        build=build,
        check=lambda settings: load_public_keys(settings.public_keys_file),
    )


def build_service(
    settings: ConfigApiSettings, *, broker: Broker, store: Store, clock: Callable[[], datetime]
) -> Service:
    """The service. Without public keys and a way to check tokens it does not start."""
    backend = _backend(settings, broker=broker, store=store, clock=clock)
    router = _router(backend, broker=broker, clock=clock)

    def end_waits() -> None:
        backend.live.close()
        backend.probes.close()

    return Service(
        name=NAME,
        start=router.start,
        stop=router.stop,
        counts=router.counts,
        app=create_app(backend, max_body_bytes=settings.max_body_bytes),
        ready=store.ping,
        on_stopping=end_waits,
    )


def _backend(settings: ConfigApiSettings, *, broker: Broker, store: Store, clock: Callable[[], datetime]) -> Backend:
    publisher = Publisher(broker, source=NAME, clock=clock)
    return Backend(
        integrations=Integrations(store),
        runs=Runs(store),
        states=StreamStates(store),
        logs=Logs(store),
        rejects=Rejects(store),
        audit=Audit(store),
        idempotency_keys=IdempotencyKeys(store),
        tokens=Tokens(store),
        records=store.records,
        publisher=publisher,
        sealer=SecretSealer(load_public_keys(settings.public_keys_file)),
        verifier=TokenVerifier(
            _key_source(settings),
            issuer=settings.token_issuer,
            audience=settings.token_audience,
            max_lifetime_s=settings.token_max_lifetime_s,
        ),
        destinations=Destinations(
            allowed_networks=settings.allowed_networks,
            refused_networks=settings.refused_networks,
            allowed_ports=settings.allowed_ports,
        ),
        probes=Probes(publisher, timeout_s=settings.probe_timeout_s),
        live=LiveFeed(backlog=settings.live_backlog, streams_per_college=settings.live_streams),
        clock=clock,
        public_url=settings.public_url,
        heartbeat_s=settings.live_heartbeat_s,
        keyed_limit_s=KEYED_LIMIT_S,
    )


def _router(backend: Backend, *, broker: Broker, clock: Callable[[], datetime]) -> Router:
    """Two queues of this process alone: what live views show, and the answers its own tests wait for."""
    router = Router(broker, service=NAME, clock=clock)
    process_id = new_id()
    router.add(
        Subscription(
            queue=f"{NAME}.live.{process_id}",
            routing_keys=[message_type.name for message_type in LIVE_MESSAGES],
            prefetch=64,
            durable=False,
        ),
        dict.fromkeys(LIVE_MESSAGES, backend.live.show_event),
    )
    router.add(
        Subscription(
            queue=f"{NAME}.probes.{process_id}",
            routing_keys=[ProbeProgressed.name, ProbeFinished.name],
            durable=False,
        ),
        {ProbeProgressed: backend.probes.record_progress, ProbeFinished: backend.probes.record_answer},
    )
    return router


def _key_source(settings: ConfigApiSettings) -> KeySource:
    if settings.token_secret is not None:
        return SharedKey(settings.token_secret.get_secret_value())
    url = settings.jwks_url or ""

    async def fetch() -> bytes:
        try:
            async with httpx2.AsyncClient(timeout=_JWKS_TIMEOUT_S, trust_env=False) as client:
                response = await client.get(url)
                response.raise_for_status()
                return response.content
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unavailable(f"the key set could not be fetched: {type(error).__name__}") from error

    return JwksCache(fetch)
