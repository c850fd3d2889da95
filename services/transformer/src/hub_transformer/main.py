"""Puts the transformer together: one queue, one handler."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from hub_messaging.broker import Broker, Subscription
from hub_messaging.router import Router
from hub_model.messages import BatchFetched
from hub_runtime.process import Service
from hub_storage.repositories import Integrations
from hub_storage.store import Store

from hub_transformer.handlers import transform_batch
from hub_transformer.mappings import Mappings
from hub_transformer.settings import TransformerSettings

NAME = "transformer"


def build_service(
    settings: TransformerSettings, *, broker: Broker, store: Store, clock: Callable[[], datetime]
) -> Service:
    """The service; its queue exists once it has started."""
    mappings = Mappings(Integrations(store), clock=clock, ttl_s=settings.mapping_ttl_s, size=settings.mappings_kept)
    router = Router(broker, service=NAME, clock=clock)
    router.add(
        Subscription("transformer.batches", [BatchFetched.name], prefetch=settings.transform_prefetch),
        {BatchFetched: partial(transform_batch, mappings=mappings)},
    )
    return Service(name=NAME, start=router.start, stop=router.stop, ready=store.ping)
