"""Logs as one JSON object per line on stderr: structlog's native pipeline for ours, a bridge for everybody else's.

Fields: ``timestamp`` (ISO 8601, UTC), ``level``, ``event`` (a dotted constant), ``service``, and what is bound in
contextvars. Exceptions are written as type and frames; the text only of those whose text is known to be harmless.
"""

import logging
import sys
import traceback
from collections.abc import Sequence
from typing import Any, BinaryIO

import orjson
import structlog
from hub_model.errors import HubError
from structlog.typing import EventDict, Processor, WrappedLogger

from hub_runtime.settings import LogLevel

_LEVELS = {level: logging.getLevelNamesMapping()[level.upper()] for level in LogLevel}
_MAX_CHAIN = 5
_MAX_FRAMES = 30
_QUIET = ("uvicorn.access", "uvicorn.error", "httpx2", "httpcore2", "asyncio.selector", "pymongo")


def configure_logging(
    *,
    service: str,
    level: LogLevel = LogLevel.INFO,
    processors: Sequence[Processor] = (),
    stream: BinaryIO | None = None,
) -> None:
    """Set the process's logging up, once, in ``main``.

    ``processors`` run last before rendering, on every line, also on those of third parties: redaction goes there.
    """
    chain: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _ServiceName(service),
        _render_exception,
        *processors,
        structlog.processors.JSONRenderer(serializer=_dumps),
    ]
    target = stream or sys.stderr.buffer
    structlog.configure(
        processors=chain,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.BytesLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    _capture_stdlib(_LEVELS[level])


class _ServiceName:
    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event.setdefault("service", self._name)
        return event


def _render_exception(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """``exc_info`` as a list, outermost first.

    The text of an arbitrary exception may quote what was processed (pydantic's quotes its input), so only the hub's
    own errors and the operating system's keep theirs.
    """
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given is True else None
    if isinstance(given, tuple):
        error = given[1]
    chain: list[dict[str, Any]] = []
    while error is not None and len(chain) < _MAX_CHAIN:
        described: dict[str, Any] = {"type": f"{type(error).__module__}.{type(error).__qualname__}"}
        if isinstance(error, HubError | OSError):
            described["message"] = str(error)
        frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
        described["frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        chain.append(described)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if chain:
        event["exception"] = chain
    return event


class _StructlogHandler(logging.Handler):
    """Passes a stdlib record through structlog. Its text becomes a field, since an event is a constant."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            structlog.get_logger().log(
                record.levelno,
                "library.logged",
                logger=record.name,
                message=record.getMessage(),
                exc_info=record.exc_info,
            )
        except Exception:  # noqa: BLE001 - logging must never raise into the library that logs; handleError reports it
            self.handleError(record)


def _capture_stdlib(level: int) -> None:
    root = logging.getLogger()
    root.handlers = [_StructlogHandler()]
    root.setLevel(max(level, logging.INFO))
    logging.captureWarnings(capture=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _dumps(event: EventDict, **_: Any) -> bytes:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS)
