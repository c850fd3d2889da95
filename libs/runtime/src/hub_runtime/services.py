"""The parts of a process: its services, the server in front of them, and whether they can take requests."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from hub_model.errors import Unavailable
from starlette.types import ASGIApp

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Service:
    """One part of a process.

    ``start`` returns when the service works; ``stop(grace_s)`` stops taking work, waits that long for what is in
    flight and says whether all of it was finished. ``app`` is its HTTP interface, ``ready`` raises when it could not
    serve a request now. ``on_stopping`` is called first of all at shutdown and ends what would otherwise never end,
    such as a live stream. ``failed`` returns only when the service can do no more and the process should end.
    ``counts`` is what it has counted since it started, for ``/metrics``, by name.
    """

    name: str
    start: Callable[[], Awaitable[None]]
    stop: Callable[[float], Awaitable[bool]]
    app: ASGIApp | None = None
    ready: Callable[[], Awaitable[None]] | None = None
    on_stopping: Callable[[], None] | None = None
    failed: Callable[[], Awaitable[None]] | None = None
    counts: Callable[[], Mapping[str, int]] | None = None


class Server(Protocol):
    """What accepts requests while the services run; ``hub_runtime.serving.HttpServer`` is one."""

    async def start(self) -> None:
        """Return when requests are accepted."""

    async def stop(self, grace_s: float) -> bool:
        """Accept no more, wait for the answers in flight, say whether all were given."""

    async def failed(self) -> None:
        """Return only when the server has ended without being asked to."""


class Readiness:
    """Whether this process should be sent requests: all services have started and say so, nobody asked it to stop.

    ``pending`` are those that have yet to start; ``run_until_signal`` keeps it.
    """

    def __init__(self, services: Sequence[Service], *, timeout_s: float = 5.0) -> None:
        self._services = tuple(services)
        self._timeout_s = timeout_s
        self.pending: tuple[Service, ...] = ()
        self.stopping = False

    async def failures(self) -> list[str]:
        """The names of the services that are not ready."""
        results = await asyncio.gather(*(self._is_ready(service) for service in self._services))
        return [service.name for service, ready in zip(self._services, results, strict=True) if not ready]

    def check_started(self) -> None:
        """Raise Unavailable while services have yet to start: they cannot take a request."""
        if self.pending:
            raise Unavailable(
                f"{self.pending[0].name} has not started",
                retry_after_s=2,
                public="The service is just starting. Try again in a moment.",
            )

    async def _is_ready(self, service: Service) -> bool:
        if service in self.pending:
            return False
        if service.ready is None:
            return True
        try:
            async with asyncio.timeout(self._timeout_s):
                await service.ready()
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is "not ready", and the log says why
            log.warning("service.not_ready", service=service.name, error_type=type(error).__name__)
            return False
        return True
