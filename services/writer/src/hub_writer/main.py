"""Puts the writer together: one queue for batches, one for the progress of runs."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import NoReturn

from hub_messaging.broker import Broker
from hub_messaging.clock import utc_now
from hub_messaging.opening import open_broker
from hub_messaging.router import Router
from hub_messaging.topology import declared, subscription_of
from hub_model.messages import BatchTransformed, BatchWritten, StreamFinished, SyncFailed
from hub_runtime.apart import run_apart
from hub_runtime.services import Service
from hub_security.redaction import Redactor
from hub_storage.opening import open_store
from hub_storage.repositories import SPECS
from hub_storage.store import Store

from hub_writer.handlers import Backend, record_progress, write_batch
from hub_writer.settings import WriterSettings

NAME = "writer"


def main() -> NoReturn:
    """The command ``hub-writer``: this service as a process of its own."""
    redactor = Redactor()

    def build(settings: WriterSettings, broker: Broker, store: Store) -> Service:
        return build_service(settings, broker=broker, store=store, clock=utc_now)

    run_apart(
        NAME,
        WriterSettings,
        redactor=redactor,
        broker=lambda settings: declared(open_broker(settings.broker_url)),
        store=lambda settings: open_store(settings.store_url, SPECS),
        build=build,
    )


def build_service(settings: WriterSettings, *, broker: Broker, store: Store, clock: Callable[[], datetime]) -> Service:
    """The service; its queues exist once it has started."""
    backend = Backend.over(store, clock)
    router = Router(broker, service=NAME, clock=clock)
    router.add(
        subscription_of("writer.batches", prefetch=settings.write_prefetch),
        {BatchTransformed: partial(write_batch, backend=backend)},
    )
    router.add(
        subscription_of("writer.progress", prefetch=settings.progress_prefetch),
        dict.fromkeys((BatchWritten, StreamFinished, SyncFailed), partial(record_progress, backend=backend)),
    )
    return Service(name=NAME, start=router.start, stop=router.stop, ready=store.ping, counts=router.counts)
