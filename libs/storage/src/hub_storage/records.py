"""The record store port: canonical records, merged by natural key. The one hot operation is native in each adapter."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub_model.records import DataType, Outcome, RecordWrite, StoredRecord


@dataclass(frozen=True, slots=True)
class MergeBatch:
    """Records of one batch. ``id`` is the same for every delivery of the batch; no key occurs twice in ``writes``."""

    id: str
    college_id: str
    data_type: DataType
    integration_id: str
    run_id: str
    writes: Sequence[RecordWrite]
    merged_at: datetime


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """A page of one college's records of one type, ordered by key.

    ``fields`` are canonical fields that must equal a value (studentId, date, ...); ``updated_since`` finds what
    changed; ``after`` is the last key of the page before.
    """

    fields: Mapping[str, Any]
    updated_since: datetime | None = None
    include_deleted: bool = False
    limit: int = 100
    after: str | None = None


class RecordStore(ABC):
    """Canonical records. The identity of one is (college, data type, key).

    Invariant: a record whose content is unchanged is not rewritten.
    Invariant: an older version never overwrites a newer one from the same integration.
    Invariant: merging a batch again, after any crash, reports the same outcomes and stores nothing twice.
    Invariant: fields that the integration does not map are not touched.
    """

    @abstractmethod
    async def merge(self, batch: MergeBatch) -> Sequence[Outcome]:
        """Merge every record; the outcomes are in the order of ``batch.writes`` and durable.

        For each record the store compares what this integration last wrote (its entry in ``sources``): a newer
        stored version is STALE, an equal hash is UNCHANGED, otherwise the fields of ``data`` are set (INSERTED,
        UPDATED), or the record becomes a tombstone (DELETED; UNCHANGED if it is one or never was). A repeated
        batch id reports what the first merge of it did.
        """

    @abstractmethod
    async def get(self, college_id: str, data_type: DataType, key: str) -> StoredRecord | None:
        """One record, tombstones included."""

    @abstractmethod
    async def find(self, college_id: str, data_type: DataType, query: RecordQuery) -> Sequence[StoredRecord]:
        """A page of records in the order of their keys."""

    @abstractmethod
    async def count(self, college_id: str, data_type: DataType) -> int:
        """How many records there are, without tombstones."""
