"""What becomes of each record of a batch: pure rules over what is stored and what comes in.

Unchanged content that is polled writes nothing, unless the source itself tells a newer time for it: then only that
time is kept, so that what the source wrote before it stays out. A time of our own (the source tells none) is then the
one at which the content last changed, and what counts as older is older than that. What is pushed moves the time in
either case: pushes are few, and each of them may be delivered late.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hub_model.records import Outcome, RecordWrite

from hub_storage.entries import (
    DELETED,
    SOURCE_ID,
    Entry,
    heard_again,
    held_by,
    is_by_field,
    is_heard_again,
    repeats,
    versions_of,
    with_held,
)
from hub_storage.holders import left_unsaid, places_of, settle_said, unsaid
from hub_storage.json_text import to_text, to_value
from hub_storage.records import MergeBatch
from hub_storage.versions import Stamp, Versions, is_newer, micros

# What these leave as it was; neither moves a record's time.
_AT_REST = (Outcome.UNCHANGED, Outcome.STALE)


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


class _Change(NamedTuple):
    """What a write does to an entry that is not newer as a whole, and the ``values`` to set.

    ``is_due``: anything it says is not older than what is known. ``is_repetition``: it says what the integration said
    last, so nothing is to be set: another one may have set a field, or deleted the record, since. ``is_told``: its hash
    now tells that.
    """

    versions: Versions
    values: Mapping[str, Any]
    is_due: bool
    is_repetition: bool
    is_told: bool


class _Effect(NamedTuple):
    """The integration's new entry, what is to be set, and the outcome if only the entry is new."""

    entry: Entry
    values: Mapping[str, Any]
    told: Outcome | None


class Rules:
    """What becomes of the writes of one batch."""

    def __init__(self, batch: MergeBatch) -> None:
        self.batch = batch
        self._is_partial = batch.is_partial
        self._at = micros(batch.merged_at)
        self._seen = None if batch.observed_at is None else micros(batch.observed_at)

    def settled(self, write: RecordWrite, known: Entry | None) -> Outcome | None:
        """The outcome, if it follows from what the integration wrote last: then nothing is to be written."""
        if not known:
            return None
        if _is_of_another_row(write, known):
            return Outcome.STALE if write.deleted else None
        stamp = self._stamp(write)
        if is_by_field(known):
            return self._settled_by_field(write, stamp, known)
        base = (known[1], known[6])
        if is_newer(base, stamp):
            return Outcome.STALE
        return Outcome.UNCHANGED if repeats(write, known) and not self._moves(base, stamp) else None

    def decide(self, write: RecordWrite, row: StoredRow | None) -> Decision:
        """What a write that is not settled does to the stored record, if there is one."""
        at, integration_id, stamp = self._at, self.batch.integration_id, self._stamp(write)
        if row is None:
            # A delete of what never was leaves a tombstone too: an older write may still be on its way.
            outcome = Outcome.UNCHANGED if write.deleted else Outcome.INSERTED
            entry = self._effect(write, stamp, None).entry
            return Decision(write.key, outcome, write.data, {integration_id: entry}, write.deleted, at, at)
        known = row.sources.get(integration_id)
        effect = self._effect(write, stamp, None if known and _is_of_another_row(write, known) else known)
        data, deleted = to_value(row.data), write.deleted
        sources = {**row.sources, integration_id: effect.entry}
        if len(sources) > 1:
            effect, sources, deleted = self._share(write, row, data, effect)
        data.update(effect.values)
        outcome = effect.told or _outcome(row, data, deleted=deleted)
        if outcome is Outcome.UPDATED and known and not self._is_partial and not known[DELETED]:
            outcome = Outcome.REPLACED if _are_two_rows(write, known) else outcome
        return Decision(
            write.key,
            outcome,
            data,
            sources,
            row.deleted if effect.told else deleted,
            row.created_at,
            row.updated_at if outcome in _AT_REST else max(row.updated_at, at),
        )

    def _share(
        self, write: RecordWrite, row: StoredRow, data: Mapping[str, Any], effect: _Effect
    ) -> tuple[_Effect, dict[str, Entry], bool]:
        """The effect on a record that others write too, all its entries then, and whether the record is deleted: not as
        long as another integration says it."""
        writer, connected, deleted = self.batch.integration_id, self.batch.connected, write.deleted
        (entry, values, told), known, held = effect, row.sources.get(writer), held_by(row.sources, data)
        is_again = known is not None and not row.deleted and is_heard_again(write, known)
        if known and is_again and not self._is_partial and not is_by_field(known):
            values = left_unsaid(data, values, held, writer, connected)
        if not entry[DELETED]:
            if row.deleted and told is None:
                unheard = {name: value for name, value in data.items() if name not in write.data}
                values = {**unsaid(places_of(unheard) - held.get(writer, set())), **values}
            values = settle_said(data, values, held, writer, connected)
        else:
            own = held.pop(writer, set())
            if not row.deleted and any(connected is None or name in connected for name in held):
                deleted, values = False, settle_said(data, unsaid(own), held, writer, connected)
                del held[writer]
            else:
                told = None  # what it repeats was another's to keep until now
        sources = {**row.sources, writer: entry}
        entries = {name: with_held(source, held.get(name)) for name, source in sources.items()}
        if deleted or not places_of(data) <= places_of({**data, **values}):
            others = {name: known for name, known in entries.items() if name != writer and not known[DELETED]}
            entries.update({name: heard_again(known) for name, known in others.items()})
        return _Effect(entry, values, told), entries, deleted

    def _stamp(self, write: RecordWrite) -> Stamp:
        if self._seen is None:
            return micros(write.version), 0
        if write.version == self.batch.observed_at:
            return self._seen, 0
        version = micros(write.version)
        return version, self._seen - version

    def _moves(self, base: Stamp, stamp: Stamp) -> bool:
        """Whether a write that is not older and says nothing new is kept for its time: a push, or a time of the
        source's own, which says that the content was confirmed later."""
        return base != stamp if self._is_partial else bool(stamp[1]) and base[0] < stamp[0]

    def _settled_by_field(self, write: RecordWrite, stamp: Stamp, known: Entry) -> Outcome | None:
        before, change = versions_of(known), self._change(write, stamp, known)
        base = before.base
        if base is not None and is_newer(base, stamp):
            return Outcome.STALE
        if not change.is_due:
            # The base moves, so that what is older stays out; but not with each repetition by the source.
            is_told = change.versions == before or (base is not None and base[0] == stamp[0])
            return Outcome.STALE if is_told else None
        moves = change.versions != before if self._is_partial else base is None or self._moves(base, stamp)
        return Outcome.UNCHANGED if change.is_repetition and not moves else None

    def _effect(self, write: RecordWrite, stamp: Stamp, known: Entry | None) -> _Effect:
        if not self._is_partial and not (known and is_by_field(known)):
            # Nearly every write, so it is the quick one.
            is_same = known is not None and repeats(write, known)
            entry = self._entry(write, write.content_hash, stamp, write.deleted)
            values = {} if is_same or write.deleted else write.data
            return _Effect(entry, values, Outcome.UNCHANGED if is_same else None)
        change = self._change(write, stamp, known)
        base = change.versions.base
        content_hash = write.content_hash if change.is_told else ""
        entry = self._entry(write, content_hash, base or (None, 0), write.deleted and change.is_due)
        if known and not known[DELETED] and self._keeps_row(write, stamp, known):
            entry[SOURCE_ID] = known[SOURCE_ID]
        if change.versions.fields or base is None:
            entry.append([[*stamp, names] for stamp, names in change.versions.groups()])
        if not change.is_due:
            return _Effect(entry, change.values, Outcome.STALE)
        return _Effect(entry, change.values, Outcome.UNCHANGED if change.is_repetition else None)

    def _entry(self, write: RecordWrite, content_hash: str, base: tuple[int | None, int], deleted: bool) -> Entry:
        version, lag = base
        return [content_hash, version, write.source_id, self.batch.run_id, self._at, int(deleted), lag]

    def _keeps_row(self, write: RecordWrite, stamp: Stamp, known: Entry) -> bool:
        """Whether the record still comes from the row that is known: a push need not tell it, and what is older than
        another push may tell one that was replaced since."""
        is_older = any(is_newer(field, stamp) for field in versions_of(known).fields.values())
        return is_older or (self._is_partial and write.source_id is None)

    def _change(self, write: RecordWrite, stamp: Stamp, known: Entry | None) -> _Change:
        before = versions_of(known) if known else Versions(None, {})
        is_same = known is not None and repeats(write, known)
        if write.deleted:
            after = before.covered(stamp)
            return _Change(after, {}, not after.fields, is_same, not after.fields)
        due = before.due(write.data, stamp)
        if self._is_partial:
            after = before.overlaid(due, stamp)
            # All in the base or none, for what was said last may have been a full write of which only some was due.
            is_repetition = is_same and len({name in before.fields for name in write.data}) == 1
            is_told = len(due) == len(write.data)
        else:
            after = before.covered(stamp)
            is_repetition = is_same and len(after.fields) == len(before.fields)
            is_told = bool(due)
        values = {} if is_repetition else {name: write.data[name] for name in due}
        return _Change(after, values, bool(due), is_repetition, is_told)


def _is_of_another_row(write: RecordWrite, known: Entry) -> bool:
    """Whether one of the two is a delete, and means a row of the source that the other does not come from, as where a
    correction deletes a row and makes another of the same key: it says nothing of that one. What does not tell its row
    means the record."""
    return write.deleted != known[DELETED] and _are_two_rows(write, known)


def _are_two_rows(write: RecordWrite, known: Entry) -> bool:
    return None not in (write.source_id, known[SOURCE_ID]) and write.source_id != known[SOURCE_ID]


def _outcome(row: StoredRow, data: dict[str, Any], *, deleted: bool) -> Outcome:
    """What setting ``data`` does to a stored record that its integration wrote otherwise, or never."""
    if deleted:
        return Outcome.UNCHANGED if row.deleted else Outcome.DELETED
    if row.deleted:
        return Outcome.INSERTED
    return Outcome.UNCHANGED if to_text(data) == row.data else Outcome.UPDATED
