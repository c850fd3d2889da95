"""Tells a college, in its integration's log, what became of its pushes; their sender is told less."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from hub_model.errors import HubError, InvalidInput, Unauthenticated
from hub_model.ids import derived_id
from hub_model.logs import LogEntry, LogLevel
from hub_model.records import DataType
from hub_model.webhooks import WebhookScheme
from hub_storage.repositories import Logs

from hub_webhook_gateway.background import Background
from hub_webhook_gateway.endpoints import Endpoint

log = structlog.get_logger(__name__)

_MAX_REMEMBERED = 10_000
_MOST_A_MINUTE = 20
_SIGNED = "Check the sender's secret and how it signs the body."
_ADVICE = {
    WebhookScheme.LEGACY: _SIGNED,
    WebhookScheme.STANDARD: _SIGNED,
    WebhookScheme.HMAC: _SIGNED,
    WebhookScheme.TOKEN: "Check the secret and the address that the sender has.",
    WebhookScheme.JWT: "Check that the sender signs what it sends, and 'claims'.",
}
_IGNORED = "A webhook was taken and nothing done: no rule of 'syncs' is about it, or none for data that is synced."


class _Said(NamedTuple):
    """The entries of an integration in a minute since the epoch."""

    minute: int
    entry_ids: frozenset[str]


_NOTHING = _Said(0, frozenset())


class CollegeLog:
    """Each message once a minute, and few in all, so that a flood of requests writes next to nothing.

    Entries are written after the answer.
    """

    def __init__(self, logs: Logs, background: Background) -> None:
        self._logs = logs
        self._background = background
        self._said: dict[str, _Said] = {}

    def refused(self, endpoint: Endpoint, error: HubError, now: datetime) -> None:
        """A push that is not taken."""
        self._add(endpoint, "webhook.refused", _reason(endpoint, error), now, level=LogLevel.WARNING, code=error.code)

    def ignored(self, endpoint: Endpoint, now: datetime) -> None:
        """A push that is taken, and that nothing is done about."""
        self._add(endpoint, "webhook.ignored", _IGNORED, now)

    def sync_asked(
        self, endpoint: Endpoint, data_types: Sequence[DataType], due: datetime | None, now: datetime
    ) -> None:
        """A push that has brought a sync forward; for all data types if none is named. ``due`` is None in a pause."""
        names = ", ".join(data_types) or "all data types"
        message = f"A webhook says that there is news: {names} will be synced when the pause of this integration ends."
        if due is not None:
            wait = max(timedelta(0), due - now)
            message = f"A webhook says that there is news: {names} will be synced in {round(wait.total_seconds())} s."
        self._add(endpoint, "webhook.sync_asked", message, now)

    def _add(
        self,
        endpoint: Endpoint,
        event: str,
        message: str,
        now: datetime,
        *,
        level: LogLevel = LogLevel.INFO,
        code: str | None = None,
    ) -> None:
        minute = int(now.timestamp()) // 60
        entry_id = derived_id(endpoint.integration_id, event, message, minute)
        said = self._said.get(endpoint.integration_id, _NOTHING)
        said = said if said.minute == minute else _Said(minute, frozenset())
        if entry_id in said.entry_ids or len(said.entry_ids) >= _MOST_A_MINUTE:
            return
        self._said.pop(endpoint.integration_id, None)
        self._said[endpoint.integration_id] = _Said(minute, said.entry_ids | {entry_id})
        if len(self._said) > _MAX_REMEMBERED:
            del self._said[next(iter(self._said))]
        log.info(event, college_id=endpoint.college_id, integration_id=endpoint.integration_id, error_code=code)
        entry = LogEntry(
            id=entry_id,
            college_id=endpoint.college_id,
            integration_id=endpoint.integration_id,
            at=now,
            level=level,
            event=event,
            message=message,
            code=code,
        )
        self._background.start(self._logs.add(entry))


def _reason(endpoint: Endpoint, error: HubError) -> str:
    if isinstance(error, Unauthenticated):
        return f"A webhook was refused: {error}. {_ADVICE[endpoint.webhook.scheme]}"
    if isinstance(error, InvalidInput) and error.issues:
        places = ", ".join(dict.fromkeys(issue.pointer or "the body" for issue in error.issues))
        return f"A webhook was refused: {error} (at {places})"
    return f"A webhook was refused: {error}"
