"""Puts the writer together: one queue for batches, one for the progress of runs."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from hub_messaging.broker import Broker, Subscription
from hub_messaging.router import Router
from hub_model.messages import BatchTransformed, BatchWritten, StreamFinished, SyncFailed
from hub_runtime.process import Service
from hub_storage.repositories import Integrations, Logs, Rejects, Runs
from hub_storage.store import Store

from hub_writer.handlers import Backend, record_progress, write_batch
from hub_writer.settings import WriterSettings

NAME = "writer"


def build_service(settings: WriterSettings, *, broker: Broker, store: Store, clock: Callable[[], datetime]) -> Service:
    """The service; its queues exist once it has started."""
    backend = Backend(
        records=store.records,
        rejects=Rejects(store),
        runs=Runs(store),
        integrations=Integrations(store),
        logs=Logs(store),
        clock=clock,
    )
    router = Router(broker, service=NAME, clock=clock)
    router.add(
        Subscription("writer.batches", [BatchTransformed.name], prefetch=settings.write_prefetch),
        {BatchTransformed: partial(write_batch, backend=backend)},
    )
    router.add(
        Subscription(
            "writer.progress",
            [BatchWritten.name, StreamFinished.name, SyncFailed.name],
            prefetch=settings.progress_prefetch,
        ),
        dict.fromkeys((BatchWritten, StreamFinished, SyncFailed), partial(record_progress, backend=backend)),
    )
    return Service(name=NAME, start=router.start, stop=router.stop, ready=store.ping)
