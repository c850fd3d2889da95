"""Puts the transformer together: one queue, one handler."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import NoReturn

from hub_messaging.broker import Broker
from hub_messaging.clock import utc_now
from hub_messaging.opening import open_broker
from hub_messaging.router import Router
from hub_messaging.topology import declared, subscription_of
from hub_model.messages import BatchFetched
from hub_runtime.apart import run_apart
from hub_runtime.services import Service
from hub_security.redaction import Redactor
from hub_storage.opening import open_store
from hub_storage.repositories import SPECS, Integrations
from hub_storage.store import Store

from hub_transformer.handlers import transform_batch
from hub_transformer.mappings import Mappings
from hub_transformer.settings import TransformerSettings

NAME = "transformer"


def main() -> NoReturn:
    """The command ``hub-transformer``: this service as a process of its own."""
    redactor = Redactor()

    def build(settings: TransformerSettings, broker: Broker, store: Store) -> Service:
        return build_service(settings, broker=broker, store=store, clock=utc_now)

    run_apart(
        NAME,
        TransformerSettings,
        redactor=redactor,
        broker=lambda settings: declared(open_broker(settings.broker_url)),
        store=lambda settings: open_store(settings.store_url, SPECS),
        build=build,
    )


def build_service(
    settings: TransformerSettings, *, broker: Broker, store: Store, clock: Callable[[], datetime]
) -> Service:
    """The service; its queue exists once it has started."""
    mappings = Mappings(Integrations(store), clock=clock, ttl_s=settings.mapping_ttl_s, size=settings.mappings_kept)
    router = Router(broker, service=NAME, clock=clock)
    router.add(
        subscription_of("transformer.batches", prefetch=settings.transform_prefetch),
        {BatchFetched: partial(transform_batch, mappings=mappings)},
    )
    return Service(name=NAME, start=router.start, stop=router.stop, ready=store.ping, counts=router.counts)
