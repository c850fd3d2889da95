"""Puts the scheduler together: one loop, three things per tick."""

import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NoReturn

from hub_messaging.broker import Broker
from hub_messaging.clock import utc_now
from hub_messaging.opening import open_broker
from hub_messaging.publisher import Publisher
from hub_messaging.topology import declared
from hub_model.errors import Unavailable
from hub_runtime.apart import run_apart
from hub_runtime.services import Service
from hub_security.redaction import Redactor
from hub_storage.opening import open_store
from hub_storage.repositories import SPECS, Integrations, Logs, Runs, Tables
from hub_storage.store import Store

from hub_scheduler.backend import Backend
from hub_scheduler.due_times import DueTimes
from hub_scheduler.leftovers import Leftovers
from hub_scheduler.recovery import Recovery
from hub_scheduler.settings import SchedulerSettings
from hub_scheduler.tick import start_due
from hub_scheduler.ticker import Ticker

NAME = "scheduler"


def main() -> NoReturn:
    """The command ``hub-scheduler``: this service as a process of its own."""
    redactor = Redactor()

    def build(settings: SchedulerSettings, broker: Broker, store: Store) -> Service:
        return build_service(settings, broker=broker, store=store, clock=utc_now)

    run_apart(
        NAME,
        SchedulerSettings,
        redactor=redactor,
        broker=lambda settings: declared(open_broker(settings.broker_url)),
        store=lambda settings: open_store(settings.store_url, SPECS),
        build=build,
    )


def build_service(
    settings: SchedulerSettings, *, broker: Broker, store: Store, clock: Callable[[], datetime]
) -> Service:
    """The service; it ticks once it has started."""
    tick = build_tick(settings, broker=broker, store=store, clock=clock)
    ticker = Ticker(tick, period_s=settings.tick_s, clock=clock)

    async def ready() -> None:
        await ticker.check()
        await store.ping()

    return Service(name=NAME, start=ticker.start, stop=ticker.stop, ready=ready)


def build_tick(
    settings: SchedulerSettings,
    *,
    broker: Broker,
    store: Store,
    clock: Callable[[], datetime],
    monotonic: Callable[[], float] = time.monotonic,
) -> Callable[[datetime], Awaitable[None]]:
    """Everything the scheduler does, once per call."""
    backend = Backend(
        integrations=Integrations(store),
        runs=Runs(store),
        tables=Tables(store),
        logs=Logs(store),
        publisher=Publisher(broker, source=NAME, clock=clock),
    )
    recovery = Recovery(
        backend,
        ping_broker=broker.ping,
        grace_s=settings.handover_grace_s,
        stall_after_s=settings.stall_after_s,
        monotonic=monotonic,
    )
    due_times = DueTimes(backend)
    leftovers = Leftovers(backend, monotonic=monotonic)

    async def tick(now: datetime) -> None:
        try:
            recovery.learn_of(await start_due(backend, now))
            recovery.learn_of(await due_times.check_page(now))
            await recovery.mend(now)
            await leftovers.sweep()
        except Unavailable as error:
            recovery.learn_of([error])
            raise

    return tick
