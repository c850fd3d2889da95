"""The life of a process: start services in order, serve, stop in reverse on a signal. Knows no service by name."""

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog

from hub_runtime.services import Readiness, Server, Service

log = structlog.get_logger(__name__)

EXIT_DRAINED = 0
EXIT_INCOMPLETE = 1
_LEAST_GRACE_S = 0.5
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def run_until_signal(
    services: Sequence[Service],
    *,
    grace_s: float,
    server: Server | None = None,
    readiness: Readiness | None = None,
    on_started: Callable[[], None] | None = None,
) -> int:
    """Run the services until SIGTERM or SIGINT, then drain; return the exit code of the process.

    The server accepts requests before the first service starts, so that an orchestrator can ask how far the start is.

    0: everything in flight was finished. 1: something was given back or cut off, or the server or a service failed.
    128 + signal: a second signal came, and nothing was waited for. A service that cannot start is raised after those
    before it were stopped; a signal that comes while they start stops them too.
    """
    signals: asyncio.Queue[int] = asyncio.Queue()
    with _queued_signals(signals):
        started: list[Service] = []
        try:
            asked = await _unless_signalled(_start(services, started, server, readiness), signals)
        except BaseException:
            await _drain(started, server, grace_s)
            raise
        failed = False
        if not asked:
            _spare_the_collector()
            _take_short_turns()
            log.info("process.started", services=[service.name for service in started])
            if on_started is not None:
                on_started()
            failed = await _wait(signals, started, server)
        if readiness is not None:
            readiness.stopping = True
        code = await _drain_or_second_signal(_drain(started, server, grace_s), signals)
        log.info("process.stopped", exit_code=code)
        return max(code, EXIT_INCOMPLETE) if failed else code


async def _start(
    services: Sequence[Service], started: list[Service], server: Server | None, readiness: Readiness | None
) -> None:
    """Start in order; what has started is added to ``started`` as it does."""
    pending = tuple(services)
    if readiness is not None:
        readiness.pending = pending
    if server is not None:
        await server.start()
    for number, service in enumerate(services, 1):
        await service.start()
        started.append(service)
        if readiness is not None:
            readiness.pending = pending[number:]


async def _unless_signalled(start: Coroutine[Any, Any, None], signals: asyncio.Queue[int]) -> bool:
    """Let the start come to its end, or end it when a signal comes; say whether one came."""
    starting = asyncio.ensure_future(start)
    asked = asyncio.ensure_future(signals.get())
    try:
        await asyncio.wait([starting, asked], return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            starting.result()
            return False
        log.info("process.stopping", signal=signal.Signals(asked.result()).name)
        starting.cancel()
        await asyncio.wait([starting])
        if not starting.cancelled() and (error := starting.exception()) is not None:
            log.warning("process.start_failed", exc_info=error)
        return True
    finally:
        asked.cancel()
        starting.cancel()


def _spare_the_collector() -> None:
    """Let the cyclic collector look at what is new, and not at every module and every batch, again and again.

    A batch is hundreds of dictionaries without a cycle among them, which reference counting frees. With the default
    thresholds, collecting cost a seventh of a sync's processor time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _take_short_turns() -> None:
    """Let a thread that waits for the interpreter wait half a millisecond, not five.

    The thread that writes to SQLite needs it for moments, many times in a transaction. With the default, mapping one
    batch held up the writing of another at each of them.
    """
    sys.setswitchinterval(0.0005)


def run(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run ``main`` on uvloop where it is installed, on asyncio's own loop elsewhere; return its exit code."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


@contextmanager
def _queued_signals(signals: asyncio.Queue[int]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, signals.put_nowait, number)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def _wait(signals: asyncio.Queue[int], services: Sequence[Service], server: Server | None) -> bool:
    """Wait for a signal, or for the server or a service to fail; say whether one failed."""
    asked = asyncio.ensure_future(signals.get())
    failures = {service.name: service.failed for service in services if service.failed is not None}
    if server is not None:
        failures["server"] = server.failed
    waits = {name: asyncio.ensure_future(failed()) for name, failed in failures.items()}
    try:
        await asyncio.wait([asked, *waits.values()], return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            log.info("process.stopping", signal=signal.Signals(asked.result()).name)
            return False
        for name, wait in waits.items():
            if wait.done():
                log.error("process.failed", service=name, exc_info=wait.exception())
        return True
    finally:
        asked.cancel()
        for wait in waits.values():
            wait.cancel()


async def _drain_or_second_signal(drain: Coroutine[Any, Any, bool], signals: asyncio.Queue[int]) -> int:
    draining = asyncio.ensure_future(drain)
    again = asyncio.ensure_future(signals.get())
    await asyncio.wait([draining, again], return_when=asyncio.FIRST_COMPLETED)
    if not draining.done():
        draining.cancel()
        await asyncio.wait([draining])
        return 128 + again.result()
    again.cancel()
    return EXIT_DRAINED if draining.result() else EXIT_INCOMPLETE


async def _drain(services: Sequence[Service], server: Server | None, grace_s: float) -> bool:
    deadline = time.monotonic() + grace_s
    for service in reversed(services):
        if service.on_stopping is not None:
            service.on_stopping()
    answered = await server.stop(_left(deadline)) if server is not None else True
    return await _stop_services(services, deadline) and answered


async def _stop_services(services: Sequence[Service], deadline: float) -> bool:
    """Stop in reverse order. One that fails to stop does not keep the others from stopping."""
    finished = True
    for service in reversed(services):
        try:
            drained = await service.stop(_left(deadline))
        except Exception:
            log.exception("service.stop_failed", service=service.name)
            drained = False
        log.info("service.stopped", service=service.name, drained=drained)
        finished = finished and drained
    return finished


def _left(deadline: float) -> float:
    """What is left of the grace; a little even when it is used up, so that each service can give its work back."""
    return max(_LEAST_GRACE_S, deadline - time.monotonic())
