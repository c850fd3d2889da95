"""Tells a college, in its integration's log, why its webhooks are refused; the sender is not told as much."""

from datetime import datetime

import structlog
from hub_model.errors import HubError, InvalidInput, Unauthenticated
from hub_model.ids import derived_id
from hub_model.logs import LogEntry, LogLevel
from hub_storage.repositories import Logs

from hub_webhook_gateway.background import Background
from hub_webhook_gateway.endpoints import Endpoint

log = structlog.get_logger(__name__)

_MAX_REMEMBERED = 10_000


class Refusals:
    """At most one entry per integration, cause and minute, so that a flood of bad requests writes next to nothing."""

    def __init__(self, logs: Logs, background: Background) -> None:
        self._logs = logs
        self._background = background
        self._written: dict[str, None] = {}

    def note(self, endpoint: Endpoint, error: HubError, now: datetime) -> None:
        """Write the entry after the answer, if there is none yet."""
        entry_id = derived_id(
            endpoint.integration_id, "webhook.refused", error.code, str(error), int(now.timestamp()) // 60
        )
        if entry_id in self._written:
            return
        self._written[entry_id] = None
        if len(self._written) > _MAX_REMEMBERED:
            del self._written[next(iter(self._written))]
        log.info(
            "webhook.refused",
            college_id=endpoint.college_id,
            integration_id=endpoint.integration_id,
            error_code=error.code,
        )
        entry = LogEntry(
            id=entry_id,
            college_id=endpoint.college_id,
            integration_id=endpoint.integration_id,
            at=now,
            level=LogLevel.WARNING,
            event="webhook.refused",
            message=_message(error),
            code=error.code,
        )
        self._background.start(self._logs.add(entry))


def _message(error: HubError) -> str:
    if isinstance(error, Unauthenticated):
        return f"A webhook was refused: {error}. Check the sender's secret and how it signs the body."
    if isinstance(error, InvalidInput) and error.issues:
        places = ", ".join(dict.fromkeys(issue.pointer or "the body" for issue in error.issues))
        return f"A webhook was refused: {error} (at {places})"
    return f"A webhook was refused: {error}"
