"""What may be written down of an exception. Only the hub's own errors may speak for themselves.

The text of an unexpected exception may quote the record it stumbled over, and an ordinary traceback ends with it.
"""

import traceback

import structlog
from hub_model.errors import HubError


def facts_of(error: BaseException) -> dict[str, str]:
    """Log fields: code and text of a HubError; of anything else its name and where it came from."""
    if isinstance(error, HubError):
        return {"error_code": error.code, "error": str(error)}
    return {"error_code": "internal_error", "error": type(error).__qualname__, "trace": trace_of(error)}


def trace_of(error: BaseException) -> str:
    """The frames and the names of the exceptions, without their texts."""
    parts = []
    current: BaseException | None = error
    while current is not None:
        parts.append("".join(traceback.format_tb(current.__traceback__)) + type(current).__qualname__)
        current = current.__cause__
    return "\nfrom\n".join(parts)


def log_failure(log: structlog.typing.FilteringBoundLogger, event: str, error: BaseException, **fields: object) -> None:
    """One error line for ``error``."""
    log.error(event, **fields, **facts_of(error))
