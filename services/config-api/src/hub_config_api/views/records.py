"""Canonical records, rejected ones, and the audit trail."""

from collections.abc import Mapping
from typing import Any

from hub_model.base import Instant, Value
from hub_model.logs import AuditEntry, RejectedRecord
from hub_model.records import DataType, StoredRecord


class RecordSource(Value):
    """What one integration last wrote of a record; ``version`` is the newest of any field.

    ``holds``, of a record that several have written: the fields whose value is what this one said last.
    """

    integration_id: str
    source_id: str | None = None
    version: str | None = None
    run_id: str | None = None
    at: str | None = None
    holds: list[str] | None = None


class RecordView(Value):
    """One canonical record; ``data`` follows the schema of its data type."""

    key: str
    data: dict[str, Any]
    deleted: bool
    created_at: Instant
    updated_at: Instant
    sources: list[RecordSource]


class RecordPage(Value):
    items: list[RecordView]
    next_cursor: str | None


class RejectView(Value):
    """A raw record that could not be used, and why."""

    id: str
    run_id: str
    data_type: DataType
    raw: Any
    issues: list[dict[str, str]]
    mapping_version: int
    at: Instant


class RejectPage(Value):
    items: list[RejectView]
    next_cursor: str | None


class AuditView(Value):
    id: str
    at: Instant
    actor: str
    role: str
    action: str
    target: str | None
    allowed: bool
    changes: dict[str, Any]
    request_id: str | None


class AuditPage(Value):
    items: list[AuditView]
    next_cursor: str | None


def record_view(record: StoredRecord) -> RecordView:
    return RecordView(
        key=record.key,
        data=record.data,
        deleted=record.deleted,
        created_at=record.created_at,
        updated_at=record.updated_at,
        sources=[_source_view(integration_id, source) for integration_id, source in sorted(record.sources.items())],
    )


def _source_view(integration_id: str, source: Mapping[str, Any]) -> RecordSource:
    pushed = [group["version"] for group in source.get("fieldVersions", ())]
    newest = max([source["version"] or "", *pushed])  # the order of these texts is time order
    return RecordSource(integration_id=integration_id, **{**source, "version": newest or None})


def reject_view(record: RejectedRecord) -> RejectView:
    return RejectView(**{name: getattr(record, name) for name in RejectView.model_fields})


def audit_view(entry: AuditEntry) -> AuditView:
    return AuditView(**{name: getattr(entry, name) for name in AuditView.model_fields})
