"""What people read afterwards: an integration's log, its rejected records, the audit trail, webhook receipts."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from hub_model.base import Instant, Value
from hub_model.counts import Counts
from hub_model.errors import ErrorClass
from hub_model.ids import derived_id
from hub_model.records import DataType

# The event of the line that the writer adds for every pushed batch it has stored.
WEBHOOK_WRITTEN = "webhook.written"


class LogLevel(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogEntry(Value):
    """One line of an integration's log. ``event`` is a constant such as ``sync.finished``; ``message`` is prose."""

    id: str
    college_id: str
    integration_id: str
    at: Instant
    level: LogLevel
    event: str
    message: str
    run_id: str | None = None
    data_type: DataType | None = None
    counts: Counts | None = None
    error_class: ErrorClass | None = None
    code: str | None = None


class RejectedRecord(Value):
    """A raw record that did not become canonical, with every issue: the college's own data, shown to its principal."""

    id: str
    college_id: str
    integration_id: str
    run_id: str
    data_type: DataType
    raw: Any
    issues: list[dict[str, str]]
    mapping_version: int
    at: Instant


class AuditEntry(Value):
    """Who did, or tried to do, what. ``changes`` holds before and after without secrets."""

    id: str
    college_id: str
    at: Instant
    actor: str
    role: str
    action: str
    target: str | None = None
    allowed: bool = True
    changes: dict[str, Any] = Field(default_factory=dict)
    request_id: str | None = None


@dataclass(slots=True)
class WebhookReceipt:
    """That an event was seen, and when first: ``fingerprint`` is the SHA-256 of its body.

    ``occurrence``: how often the same has been a new event since; the receipt is the last one's. ``is_sent_back``:
    its messages could not be published, and its sender was told to send it again. Otherwise it says nothing of the
    event's messages: they may never have been confirmed. Neither frozen nor validated: there is one for every event.
    """

    id: str
    college_id: str
    integration_id: str
    fingerprint: str
    received_at: datetime
    occurrence: int = 0
    is_sent_back: bool = False

    @property
    def run_id(self) -> str:
        """Under which the batches of this occurrence are found."""
        return derived_id(self.id, "again", self.occurrence) if self.occurrence else self.id
