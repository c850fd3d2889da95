"""Puts the webhook-gateway together."""

from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_network
from typing import NoReturn

from hub_messaging.broker import Broker
from hub_messaging.clock import utc_now
from hub_messaging.opening import open_broker
from hub_messaging.topology import declared
from hub_runtime.apart import run_apart
from hub_runtime.services import Service
from hub_security.egress import open_client
from hub_security.keys import PrivateKeys, load_private_keys, parse_private_keys
from hub_security.redaction import Redactor
from hub_security.vault import SecretOpener
from hub_storage.opening import open_store
from hub_storage.repositories import SPECS, Integrations, Logs, Receipts
from hub_storage.store import Store

from hub_webhook_gateway.api import create_app
from hub_webhook_gateway.background import Background
from hub_webhook_gateway.college_log import CollegeLog
from hub_webhook_gateway.early_syncs import EarlySyncs
from hub_webhook_gateway.endpoints import Endpoints
from hub_webhook_gateway.intake import SOURCE, Intake
from hub_webhook_gateway.key_sets import KeySets
from hub_webhook_gateway.limits import TokenBuckets
from hub_webhook_gateway.receiving import WebhookReceiver
from hub_webhook_gateway.settings import GatewaySettings
from hub_webhook_gateway.verifying import Verifier

NAME = SOURCE
# Senders wait for their answer meanwhile, and most of them no longer than this.
_KEYS_DEADLINE_S = 5.0


def main() -> NoReturn:
    """The command ``hub-webhook-gateway``: this service as a process of its own."""
    redactor = Redactor()

    def build(settings: GatewaySettings, broker: Broker, store: Store) -> Service:
        return build_service(settings, broker=broker, store=store, clock=utc_now, redactor=redactor)

    run_apart(
        NAME,
        GatewaySettings,
        redactor=redactor,
        broker=lambda settings: declared(open_broker(settings.broker_url)),
        store=lambda settings: open_store(settings.store_url, SPECS),
        build=build,
        check=_private_keys,
    )


def build_service(
    settings: GatewaySettings,
    *,
    broker: Broker,
    store: Store,
    clock: Callable[[], datetime],
    redactor: Redactor | None = None,
) -> Service:
    """The service. Without its private keys it does not start. ``redactor`` learns every secret that is opened."""
    background = Background()
    college_log = CollegeLog(Logs(store), background)
    opener = SecretOpener(_private_keys(settings), on_open=redactor.add if redactor else None)
    client = open_client(
        allowed_networks=settings.allowed_networks,
        refused_networks=settings.refused_networks,
        allowed_ports=settings.allowed_ports,
        timeout_s=_KEYS_DEADLINE_S,
    )
    receiver = WebhookReceiver(
        endpoints=Endpoints(
            Integrations(store).locate,
            opener,
            remember_s=settings.webhook_cache_s,
            rotation_overlap_s=settings.webhook_rotation_overlap_s,
        ),
        verifier=Verifier(KeySets(client, deadline_s=_KEYS_DEADLINE_S)),
        early_syncs=EarlySyncs(Integrations(store), college_log, delay_s=settings.webhook_sync_delay_s),
        intake=Intake(Receipts(store), Logs(store), broker),
        college_log=college_log,
        per_endpoint=TokenBuckets(settings.webhook_rate_per_s, settings.webhook_burst),
        per_client=TokenBuckets(settings.webhook_client_rate_per_s, settings.webhook_client_burst),
        clock=clock,
        max_body_bytes=settings.webhook_max_body_bytes,
        body_deadline_s=settings.webhook_body_deadline_s,
        trusted_proxies=[ip_network(text) for text in settings.trusted_proxies],
    )

    async def stop(grace_s: float) -> bool:
        is_done = await background.finish(grace_s)
        await client.aclose()
        return is_done

    return Service(name=NAME, start=_start, stop=stop, app=create_app(receiver), ready=store.ping)


async def _start() -> None:
    """Nothing runs before the first request."""


def _private_keys(settings: GatewaySettings) -> PrivateKeys:
    if settings.gateway_keys is not None:
        return parse_private_keys(settings.gateway_keys.get_secret_value(), name="HUB_GATEWAY_KEYS")
    return load_private_keys(settings.gateway_keys_file)
