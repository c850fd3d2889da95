"""What becomes of each record of a batch: pure rules over what is stored and what comes in.

The store keeps, per record and integration, what the integration last wrote: an *entry*, in ``sources``. An entry
is compact, since there is one on every record: ``[hash, version, source id, run id, at, deleted, observed]`` with
instants as microseconds. ``observed``: the version is the time the data was seen, for want of one from the source.

Unchanged content writes nothing, unless the source itself tells a newer time for it: then only that time is kept,
so that what the source wrote before it stays out. A time of our own (the source tells none) is the one at which
the content last changed, and what counts as older is older than that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from hub_model.base import format_datetime
from hub_model.records import Outcome, RecordWrite, StoredRecord

from hub_storage.adapters.sqlite.json_text import to_text, to_value
from hub_storage.adapters.sqlite.record_tables import NewRow, indexed_date, indexed_student, instant, micros
from hub_storage.records import MergeBatch

Entry = list[Any]


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A stored record as its row has it."""

    key: str
    data: str
    sources: str
    deleted: int
    created_at: int
    updated_at: int

    def to_record(self) -> StoredRecord:
        """The record for a reader."""
        entries: dict[str, Entry] = to_value(self.sources)
        return StoredRecord(
            key=self.key,
            data=to_value(self.data),
            deleted=bool(self.deleted),
            created_at=instant(self.created_at),
            updated_at=instant(self.updated_at),
            sources={integration_id: _described(entry) for integration_id, entry in entries.items()},
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """The outcome of every write, the rows to store, and by how many the live records grow."""

    outcomes: list[Outcome]
    rows: list[NewRow]
    growth: int


def content_of(writes: Iterable[RecordWrite]) -> bytes:
    """A digest of what a batch brings: two deliveries of one batch have the same."""
    parts = [f"{write.key}{write.content_hash}{write.deleted:d}" for write in writes]
    return blake2b("\n".join(parts).encode(errors="surrogatepass"), digest_size=16).digest()


def settle(batch: MergeBatch, entries: Mapping[str, Entry | None]) -> dict[str, Outcome]:
    """The outcomes, by key, that follow from what the integration wrote last: nothing is to be written for these."""
    settled: dict[str, Outcome] = {}
    for write in batch.writes:
        if known := entries.get(write.key):
            if known[1] > micros(write.version) and not _is_seen_later(batch, write, known):
                settled[write.key] = Outcome.STALE
            elif _is_same(write, known) and not _tells_newer(batch, write, known):
                settled[write.key] = Outcome.UNCHANGED
    return settled


def _is_same(write: RecordWrite, known: Entry) -> bool:
    return bool(known[0] == write.content_hash and known[5] == write.deleted)


def _tells_newer(batch: MergeBatch, write: RecordWrite, known: Entry) -> bool:
    """Whether the source itself says that the content was confirmed later; a time of our own says no such thing."""
    is_told = batch.observed_at is not None and write.version != batch.observed_at
    return is_told and bool(known[1] < micros(write.version))


def _is_seen_later(batch: MergeBatch, write: RecordWrite, known: Entry) -> bool:
    """Whether the source's time of a write stands against a time of our own that the write was seen after.

    The two cannot be compared: a source that has just begun to tell its times tells of times long before we looked.
    """
    if batch.observed_at is None or write.version == batch.observed_at:
        return False
    return bool(known[6]) and bool(known[1] < micros(batch.observed_at))


def plan_merge(batch: MergeBatch, settled: Mapping[str, Outcome], stored: Mapping[str, RecordRow]) -> Plan:
    """Decide on every write of the batch, beyond those that are settled; each key occurs in it once."""
    at = micros(batch.merged_at)
    outcomes: list[Outcome] = []
    rows: list[NewRow] = []
    growth = 0
    for write in batch.writes:
        if outcome := settled.get(write.key):
            outcomes.append(outcome)
            continue
        outcome, row = _decide(batch, write, stored.get(write.key), at)
        outcomes.append(outcome)
        rows.append(row)
        if outcome is Outcome.INSERTED:
            growth += 1
        elif outcome is Outcome.DELETED:
            growth -= 1
    return Plan(outcomes, rows, growth)


def _decide(batch: MergeBatch, write: RecordWrite, row: RecordRow | None, at: int) -> tuple[Outcome, NewRow]:
    is_observed = write.version == batch.observed_at
    version, deleted = micros(write.version), int(write.deleted)
    entry = [write.content_hash, version, write.source_id, batch.run_id, at, deleted, int(is_observed)]
    if row is None:
        # A delete of what never was leaves a tombstone too: an older write may still be on its way.
        sources = {batch.integration_id: entry}
        outcome = Outcome.UNCHANGED if write.deleted else Outcome.INSERTED
        return outcome, _new_row(write, write.data, sources, (at, at))
    sources = to_value(row.sources)
    known = sources.get(batch.integration_id)
    sources[batch.integration_id] = entry
    data = to_value(row.data)
    # The same content under a newer time moves the time alone: another integration may have set a field since.
    if not write.deleted and not (known and _is_same(write, known)):
        data.update(write.data)
    outcome = _outcome(write, row, data)
    updated_at = row.updated_at if outcome is Outcome.UNCHANGED else max(row.updated_at, at)
    return outcome, _new_row(write, data, sources, (row.created_at, updated_at))


def _outcome(write: RecordWrite, row: RecordRow, data: dict[str, Any]) -> Outcome:
    """What setting ``data`` does to a stored record that its integration wrote otherwise, or never."""
    if write.deleted:
        return Outcome.UNCHANGED if row.deleted else Outcome.DELETED
    if row.deleted:
        return Outcome.INSERTED
    return Outcome.UNCHANGED if to_text(data) == row.data else Outcome.UPDATED


def _new_row(write: RecordWrite, data: dict[str, Any], sources: dict[str, Entry], times: tuple[int, int]) -> NewRow:
    student_id, date = indexed_student(write.key, data), indexed_date(data)
    return write.key, data, sources, int(write.deleted), *times, student_id, date


def _described(entry: Sequence[Any]) -> dict[str, Any]:
    content_hash, version, source_id, run_id, at, *_ = entry
    return {
        "hash": content_hash,
        "version": format_datetime(instant(version)),
        "sourceId": source_id,
        "runId": run_id,
        "at": format_datetime(instant(at)),
    }
