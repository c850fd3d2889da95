"""A service that runs as a process of its own: its settings, its log, its health port, and its broker and store.

Processes start in any order. One that comes before its broker or store waits for it, says so in the log and in its
readiness, and gives up after ``HUB_START_PATIENCE_S``; what waiting cannot mend, such as a wrong password, ends it
at once.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Generic, NoReturn, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

import structlog
from hub_model.errors import HubError, InvalidInput, TransientError, Unavailable
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from hub_runtime.http import problem_response
from hub_runtime.logging import configure_logging
from hub_runtime.metrics import new_registry
from hub_runtime.process import run, run_until_signal
from hub_runtime.services import Readiness, Service
from hub_runtime.serving import HttpServer, process_app
from hub_runtime.settings import RuntimeSettings, load_settings

log = structlog.get_logger(__name__)

EXIT_NOT_STARTED = 2
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 10.0
_LONGEST_TRY_S = 30.0


class Backend(Protocol):
    """A broker or a store. ``failed`` is what it is in :class:`hub_runtime.services.Service`."""

    async def failed(self) -> None: ...


class Redactor(Protocol):
    """Keeps secrets out of the log; a structlog processor."""

    def add(self, secret: str) -> None: ...

    def redact(self, text: str) -> str: ...

    def __call__(self, logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]: ...


S = TypeVar("S", bound=RuntimeSettings)
T = TypeVar("T")
B = TypeVar("B", bound=Backend)
D = TypeVar("D", bound=Backend)


def run_apart(
    name: str,
    kind: type[S],
    *,
    redactor: Redactor,
    broker: Callable[[S], AbstractAsyncContextManager[B]],
    store: Callable[[S], AbstractAsyncContextManager[D]],
    build: Callable[[S, B, D], Service],
    check: Callable[[S], object] | None = None,
) -> NoReturn:
    """Run one service until SIGTERM or SIGINT and exit: 2 if it could not start, else as ``run_until_signal`` says.

    ``check`` raises InvalidInput for what waiting cannot mend, such as a missing key, before anything is waited for.
    """
    _take_no_arguments(name, kind, sys.argv[1:])
    try:
        settings = load_settings(kind)
        for url in (settings.broker_url, settings.store_url):
            hide_password(url, redactor)
        configure_logging(service=name, level=settings.log_level, processors=[redactor])
        if check is not None:
            check(settings)
        the_broker = Need("broker", lambda: broker(settings), patience_s=settings.start_patience_s)
        the_store = Need("store", lambda: store(settings), patience_s=settings.start_patience_s)
        service = Later(
            name, lambda: build(settings, the_broker.value, the_store.value), patience_s=settings.start_patience_s
        )
        services = [the_broker.as_service(), the_store.as_service(), service.as_service()]
        readiness = Readiness(services)
        app = process_app({"": service.app}, readiness=readiness, registry=new_registry(services))
        server = HttpServer(app, host=settings.http_host, port=settings.http_port)
        code = run(
            lambda: run_until_signal(services, grace_s=settings.shutdown_grace_s, server=server, readiness=readiness)
        )
    except HubError as error:
        issues = error.issues if isinstance(error, InvalidInput) else ()
        lines = [f"hub-{name}: {error}", *(f"  {issue.pointer}: {issue.message}" for issue in issues)]
        sys.stderr.write(redactor.redact("\n".join(lines)) + "\n")
        code = EXIT_NOT_STARTED
    except Exception:  # its text may hold anything, so it is for the log to write it down
        log.exception("process.crashed")
        code = EXIT_NOT_STARTED
    sys.exit(code)


def _take_no_arguments(name: str, kind: type[RuntimeSettings], arguments: list[str]) -> None:
    """Exit with a list of the settings if there are any: who asks for --help does not want a service started."""
    if not arguments:
        return
    asked = arguments[0] in ("-h", "--help")
    lines = [f"hub-{name} takes no arguments. It reads these variables, or lines of .env:"]
    lines += [f"  HUB_{field.upper()}: {about.description}" for field, about in kind.model_fields.items()]
    (sys.stdout if asked else sys.stderr).write("\n".join(lines) + "\n")
    sys.exit(0 if asked else EXIT_NOT_STARTED)


async def patiently(
    what: str, action: Callable[[], Awaitable[T]], *, patience_s: float, first_pause_s: float = _FIRST_PAUSE_S
) -> T:
    """The result of ``action``, which is tried again, ever less often, while it raises TransientError.

    Raises Unavailable when the patience is used up.
    """
    deadline = time.monotonic() + patience_s
    pause_s = first_pause_s
    while True:
        try:
            return await action()
        except TransientError as error:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise Unavailable(
                    f"the {what} could not be reached within {patience_s:g} s (HUB_START_PATIENCE_S): {error}"
                ) from error
            wait_s = min(pause_s, left_s)
            log.warning("process.waiting", waiting_for=what, error_code=error.code, error=str(error), pause_s=wait_s)
        await asyncio.sleep(wait_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


class Need(Generic[B]):
    """Something to be opened before a service can start, with patience. ``value`` is there once it is open."""

    def __init__(
        self,
        name: str,
        opening: Callable[[], AbstractAsyncContextManager[B]],
        *,
        patience_s: float,
        first_pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        self._name = name
        self._opening = opening
        self._patience_s = patience_s
        self._first_pause_s = first_pause_s
        self._stack = AsyncExitStack()
        self._value: B | None = None

    @property
    def value(self) -> B:
        if self._value is None:
            raise Unavailable(f"the {self._name} is not open")
        return self._value

    def as_service(self) -> Service:
        return Service(name=self._name, start=self._start, stop=self._stop, failed=self._failed)

    async def _start(self) -> None:
        self._value = await patiently(
            self._name, self._open, patience_s=self._patience_s, first_pause_s=self._first_pause_s
        )
        log.info("process.connected", to=self._name)

    async def _open(self) -> B:
        try:
            async with asyncio.timeout(_LONGEST_TRY_S):
                return await self._stack.enter_async_context(self._opening())
        except TimeoutError as error:
            raise Unavailable(f"no connection within {_LONGEST_TRY_S:g} s") from error

    async def _stop(self, _: float) -> bool:
        await self._stack.aclose()
        return True

    async def _failed(self) -> None:
        await self.value.failed()


class Later:
    """A service that is built when its start comes, because only then its broker and store are open.

    They may fail it while it starts; then it is built anew, with the same patience as they were waited for.
    """

    def __init__(
        self, name: str, build: Callable[[], Service], *, patience_s: float, first_pause_s: float = _FIRST_PAUSE_S
    ) -> None:
        self._name = name
        self._build = build
        self._patience_s = patience_s
        self._first_pause_s = first_pause_s
        self._service: Service | None = None

    def as_service(self) -> Service:
        return Service(
            name=self._name,
            start=self._start,
            stop=self._stop,
            ready=self._ready,
            on_stopping=self._on_stopping,
            counts=self._counts,
        )

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The service's own app; requests come only once it has started."""
        app = self._built.app or problem_response(HTTPException(404), scope)
        await app(scope, receive, send)

    @property
    def _built(self) -> Service:
        if self._service is None:
            raise Unavailable(f"{self._name} has not started")
        return self._service

    async def _start(self) -> None:
        self._service = await patiently(
            "broker or the store", self._started, patience_s=self._patience_s, first_pause_s=self._first_pause_s
        )

    async def _started(self) -> Service:
        service = self._build()
        try:
            await service.start()
        except BaseException:
            await service.stop(0)
            raise
        return service

    async def _stop(self, grace_s: float) -> bool:
        return await self._built.stop(grace_s)

    async def _ready(self) -> None:
        if self._built.ready is not None:
            await self._built.ready()

    def _counts(self) -> Mapping[str, int]:
        return self._service.counts() if self._service is not None and self._service.counts is not None else {}

    def _on_stopping(self) -> None:
        if self._built.on_stopping is not None:
            self._built.on_stopping()


def hide_password(url: str, redactor: Redactor) -> None:
    """Let the password of a URL appear in no line of the log."""
    try:
        password = urlsplit(url).password
    except ValueError:
        password = url  # whatever it is, it is not for the log
    if password:
        redactor.add(password)
        redactor.add(unquote(password))
