"""Every service in one process, over one SQLite file, behind one port."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import hub_config_api.main
import hub_fetcher.main
import hub_scheduler.main
import hub_transformer.main
import hub_webhook_gateway.main
import hub_writer.main
import structlog
from hub_messaging.broker import Broker
from hub_messaging.clock import Clock, utc_now
from hub_runtime.logging import configure_logging
from hub_runtime.metrics import new_registry
from hub_runtime.process import run_until_signal
from hub_runtime.services import Readiness, Service
from hub_runtime.serving import HttpServer, process_app
from hub_security.redaction import Redactor
from hub_storage.store import Store
from starlette.types import ASGIApp

from hub_standalone.backend import open_file
from hub_standalone.front import front_page
from hub_standalone.local import local_url, misspelt_variables
from hub_standalone.settings import StandaloneSettings

log = structlog.get_logger(__name__)

NAME = "standalone"


@dataclass(frozen=True, kw_only=True)
class System:
    """All services, in the order they start, and the one app in front of them."""

    services: Sequence[Service]
    app: ASGIApp
    readiness: Readiness


def build_system(
    settings: StandaloneSettings,
    *,
    broker: Broker,
    store: Store,
    redactor: Redactor | None = None,
    clock: Clock = utc_now,
) -> System:
    """The system over any broker and store; nothing is started.

    Whoever consumes starts before whoever publishes to it: a message for which no queue was ever declared is refused.
    """
    redactor = redactor or Redactor()
    services = [
        hub_writer.main.build_service(settings, broker=broker, store=store, clock=clock),
        hub_transformer.main.build_service(settings, broker=broker, store=store, clock=clock),
        hub_fetcher.main.build_service(settings, broker=broker, store=store, clock=clock, on_secret=redactor.add),
        hub_scheduler.main.build_service(settings, broker=broker, store=store, clock=clock),
        hub_config_api.main.build_service(settings, broker=broker, store=store, clock=clock),
        hub_webhook_gateway.main.build_service(settings, broker=broker, store=store, clock=clock, redactor=redactor),
    ]
    *_, config_api, gateway = services
    readiness = Readiness(services)
    apps = {"": config_api.app, "/api/webhooks": gateway.app, "/": front_page}
    app = process_app(
        {prefix: app for prefix, app in apps.items() if app is not None},
        readiness=readiness,
        registry=new_registry(services),
    )
    return System(services=services, app=app, readiness=readiness)


@asynccontextmanager
async def open_adapters(settings: StandaloneSettings) -> AsyncIterator[tuple[Broker, Store]]:
    """The broker and the store, in one file; they are closed before the file is."""
    async with open_file(settings.database) as both:
        yield both


@asynccontextmanager
async def open_system(settings: StandaloneSettings, *, redactor: Redactor) -> AsyncIterator[str]:
    """The whole system, running while the block runs, for a caller with more to do in the same process.

    Yields the address it answers at.
    """
    async with open_adapters(settings) as (broker, store), AsyncExitStack() as stack:
        system = build_system(settings, broker=broker, store=store, redactor=redactor)
        for service in system.services:
            await service.start()
            stack.push_async_callback(service.stop, settings.shutdown_grace_s)
        server = HttpServer(system.app, host=settings.http_host, port=settings.http_port)
        await server.start()
        stack.push_async_callback(server.stop, settings.shutdown_grace_s)
        for service in system.services:
            if service.on_stopping is not None:
                stack.callback(service.on_stopping)
        yield local_url(settings.http_host, server.port)


async def run_system(settings: StandaloneSettings) -> int:
    """Run until SIGTERM or SIGINT; return the exit code of the process."""
    redactor = Redactor()
    configure_logging(service=NAME, level=settings.log_level, processors=[redactor])
    for name, meant in misspelt_variables(StandaloneSettings).items():
        log.warning("settings.unknown", variable=name, did_you_mean=meant or None)
    async with open_adapters(settings) as (broker, store):
        return await serve(build_system(settings, broker=broker, store=store, redactor=redactor), settings)


async def serve(system: System, settings: StandaloneSettings) -> int:
    """Run the system until SIGTERM or SIGINT, and say on stdout where it answers; return the exit code."""
    server = HttpServer(system.app, host=settings.http_host, port=settings.http_port)

    def announce() -> None:
        """For people, and for whoever asked for port 0."""
        url = local_url(settings.http_host, server.port)
        print(f"Student Hub Integrations: {url} (its API: {url}/docs)", flush=True)

    return await run_until_signal(
        system.services,
        grace_s=settings.shutdown_grace_s,
        server=server,
        readiness=system.readiness,
        on_started=announce,
    )
