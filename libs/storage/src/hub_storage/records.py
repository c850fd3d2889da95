"""The record store port: canonical records, merged by natural key. The one hot operation is native in each adapter."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub_model.records import DataType, Outcome, RecordWrite, StoredRecord


@dataclass(frozen=True, slots=True)
class MergeBatch:
    """Records of one batch. ``id`` is the same for every delivery of the batch; no key occurs twice in ``writes``.

    ``observed_at`` is when the data was seen. A write of that very version has no time from its source; without
    ``observed_at`` none has. ``is_partial``: the writes were pushed and speak for the fields they have alone, where
    others speak for all that the integration has of the record. A delete always speaks for the whole record.

    ``connected`` are the integrations that the college has: what others said once, nobody can take back any more, so
    it stands against nobody. It is remembered all the same, for one that is merely not known yet. None: not known, and
    all count.
    """

    id: str
    college_id: str
    data_type: DataType
    integration_id: str
    run_id: str
    writes: Sequence[RecordWrite]
    merged_at: datetime
    observed_at: datetime | None = None
    is_partial: bool = False
    connected: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """A page of one college's records of one type, ordered by key.

    ``fields`` are canonical fields, or entries of one (``extensions.hostel``), that must equal a value; None: null
    or missing. ``updated_since`` finds what changed at or after that time; ``after`` is the last key of the page
    before.
    """

    fields: Mapping[str, Any]
    updated_since: datetime | None = None
    include_deleted: bool = False
    limit: int = 100
    after: str | None = None


class RecordStore(ABC):
    """Canonical records. The identity of one is (college, data type, key).

    Any number of merges may run at once, on the same records too: each record of a batch is merged atomically, the
    batch as a whole is not, and a merge that raises Unavailable may have merged a part, which repeating it completes.

    Invariant: a record whose content is unchanged is not rewritten.
    Invariant: an older version never overwrites a newer one from the same integration, field by field.
    Invariant: merging a batch again, after any crash, reports the same outcomes and stores nothing twice.
    Invariant: fields that the integration does not map are not touched.
    Invariant: no integration takes away a value by having none; only who said it last takes it back.
    """

    @abstractmethod
    async def merge(self, batch: MergeBatch) -> Sequence[Outcome]:
        """Merge every record; the outcomes are in the order of ``batch.writes`` and durable.

        For each record the store compares what this integration last wrote, its entry in ``sources``. Of two times
        of the source's the later is newer, of equal ones the one of the data that was seen later. A time of the
        source's is not held against a time of observation: of those two, the data that was seen later is newer.

        - it is a delete that tells another ``source_id`` than this integration's newest write did (of pushes the newest
          that told one): STALE. The row that is gone is not the one that the record comes from now. In turn, such a
          delete keeps no other row's writes out;
        - a newer version of every field is there: STALE. A full write or a delete has the version of every field,
          also of those that it leaves out; a partial write has that of its own;
        - the same content is there: UNCHANGED, and nothing is written, except the time if it is newer and the source
          itself tells it, or the write is partial. For polls a time of observation is therefore the one at which the
          integration's content last changed;
        - ``deleted``: the record becomes a tombstone, which keeps its data and keeps older writes out. DELETED, or
          UNCHANGED if it is one already or never was. A delete that any field is newer than is STALE, and keeps out
          what is older than it all the same. While another integration says the record, a delete only takes back what
          its own said alone: UPDATED, or UNCHANGED if that was nothing. Once nobody says it, such
          a delete counts if it comes again under a newer time;
        - otherwise those fields of ``data`` are set that are not there newer. A None leaves alone what another
          integration said, and each entry of an object (``externalIds``) belongs to who said it, see ``holders``. Where
          a value is taken back thereby, the next repetition by another integration may bring its own. Of a tombstone
          that several have written, what nobody says is not brought back.
          INSERTED if there was no record or a tombstone, UPDATED, or UNCHANGED if another integration has given every
          field this value. REPLACED instead of UPDATED if it is polled from another ``source_id`` than what this
          integration wrote last, which was no delete.

        Writes of one integration therefore end the same in whatever order they arrive, but for three things: a field
        that only pushes have is lost when one comes after a newer full write; of a record that was deleted and came
        back by partial writes, the fields that nobody has written since are those that the tombstone had, or none; and
        what another integration said is gone if a push that is late sets it and a newer one, already there, had none.

        ``updated_at`` moves with every outcome but STALE and UNCHANGED. A repeated batch id reports what the first
        merge of it did. Raises InvalidInput, and merges nothing, if a record is not plain JSON.
        """

    @abstractmethod
    async def get(self, college_id: str, data_type: DataType, key: str) -> StoredRecord | None:
        """One record, tombstones included."""

    @abstractmethod
    async def find(self, college_id: str, data_type: DataType, query: RecordQuery) -> Sequence[StoredRecord]:
        """A page of records in the order of their keys. Raises InvalidInput for what is no field's name."""

    @abstractmethod
    async def keys_of_rows(
        self, college_id: str, data_type: DataType, integration_id: str, source_ids: Sequence[str]
    ) -> Mapping[str, str]:
        """The keys of the records that this integration last wrote from one of these rows of its source, tombstones
        included, each with the row's id.

        There is no index for it: the time grows with the college's records of the type.
        """

    @abstractmethod
    async def count(self, college_id: str, data_type: DataType) -> int:
        """How many records there are, without tombstones."""
