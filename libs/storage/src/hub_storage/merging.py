"""What becomes of each record of a batch: pure rules over what is stored and what comes in.

A store keeps, per record and integration, what the integration last wrote: an *entry*, in ``sources``. Here it is
``[hash, version, source id, run id, at, deleted, observed]`` with instants as microseconds since 1970, which is
compact, since there is one on every record. ``observed``: the version is the time the data was seen, for want of
one from the source.

Unchanged content writes nothing, unless the source itself tells a newer time for it: then only that time is kept,
so that what the source wrote before it stays out. A time of our own (the source tells none) is the one at which
the content last changed, and what counts as older is older than that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from hub_model.base import format_datetime
from hub_model.records import Outcome, RecordWrite

from hub_storage.json_text import to_text, to_value
from hub_storage.records import MergeBatch

Entry = list[Any]

# How a store writes an outcome down.
CODES = {
    Outcome.INSERTED: "i",
    Outcome.UPDATED: "u",
    Outcome.UNCHANGED: "=",
    Outcome.STALE: "s",
    Outcome.DELETED: "d",
}
OUTCOMES = {code: outcome for outcome, code in CODES.items()}

# A batch is delivered again within the broker's 24 hours; later, a repetition is simply compared anew.
REMEMBERED_FOR = timedelta(days=7)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A stored record as the rules see it; ``data`` is JSON text."""

    data: str
    sources: Mapping[str, Entry]
    deleted: bool
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a write, and what is to be stored for it."""

    key: str
    outcome: Outcome
    data: dict[str, Any]
    sources: dict[str, Entry]
    deleted: bool
    created_at: int
    updated_at: int


def micros(moment: datetime) -> int:
    """An instant as microseconds since 1970, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def instant(microseconds: int) -> datetime:
    """The inverse of :func:`micros`."""
    return _EPOCH + timedelta(microseconds=microseconds)


def content_of(writes: Iterable[RecordWrite]) -> bytes:
    """A digest of what a batch brings: two deliveries of one batch have the same."""
    parts = [f"{write.key}{write.content_hash}{write.deleted:d}" for write in writes]
    return blake2b("\n".join(parts).encode(errors="surrogatepass"), digest_size=16).digest()


def settled(batch: MergeBatch, write: RecordWrite, known: Entry | None) -> Outcome | None:
    """The outcome, if it follows from what the integration wrote last: then nothing is to be written."""
    if not known:
        return None
    if known[1] > micros(write.version) and not _is_seen_later(batch, write, known):
        return Outcome.STALE
    if _is_same(write, known) and not _tells_newer(batch, write, known):
        return Outcome.UNCHANGED
    return None


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


def decide(batch: MergeBatch, write: RecordWrite, row: StoredRow | None) -> Decision:
    """What a write that is not settled does to the stored record, if there is one."""
    at = micros(batch.merged_at)
    is_observed = write.version == batch.observed_at
    version, deleted = micros(write.version), int(write.deleted)
    entry = [write.content_hash, version, write.source_id, batch.run_id, at, deleted, int(is_observed)]
    if row is None:
        # A delete of what never was leaves a tombstone too: an older write may still be on its way.
        outcome = Outcome.UNCHANGED if write.deleted else Outcome.INSERTED
        return Decision(write.key, outcome, write.data, {batch.integration_id: entry}, write.deleted, at, at)
    known = row.sources.get(batch.integration_id)
    data = to_value(row.data)
    # The same content under a newer time moves the time alone: another integration may have set a field since.
    if not write.deleted and not (known and _is_same(write, known)):
        data.update(write.data)
    outcome = _outcome(write, row, data)
    return Decision(
        write.key,
        outcome,
        data,
        {**row.sources, batch.integration_id: entry},
        write.deleted,
        row.created_at,
        row.updated_at if outcome is Outcome.UNCHANGED else max(row.updated_at, at),
    )


def _outcome(write: RecordWrite, row: StoredRow, data: dict[str, Any]) -> Outcome:
    """What setting ``data`` does to a stored record that its integration wrote otherwise, or never."""
    if write.deleted:
        return Outcome.UNCHANGED if row.deleted else Outcome.DELETED
    if row.deleted:
        return Outcome.INSERTED
    return Outcome.UNCHANGED if to_text(data) == row.data else Outcome.UPDATED


def described(entry: Sequence[Any]) -> dict[str, Any]:
    """An entry for a reader."""
    content_hash, version, source_id, run_id, at, *_ = entry
    return {
        "hash": content_hash,
        "version": format_datetime(instant(version)),
        "sourceId": source_id,
        "runId": run_id,
        "at": format_datetime(instant(at)),
    }
