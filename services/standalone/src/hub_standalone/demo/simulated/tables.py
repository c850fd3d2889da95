"""Rows that change: each keeps its number for good, and every change has a moment and a version of its own."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from operator import itemgetter
from typing import Any

from hub_standalone.demo.world import Row

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as it is now, or as it was last if it is ``deleted``. ``number`` counts from 1 and is never given again."""

    number: int
    row: Row
    modified: datetime
    version: int
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """``before`` is None for a new row, ``after`` for a removed one."""

    version: int
    at: datetime
    number: int
    before: Row | None
    after: Row | None


class Clock:
    """Gives every change of a campus the next version, and its moment."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self._versions = count(1)
        self.version = 0

    def tick(self) -> int:
        self.version = next(self._versions)
        return self.version


class Table:
    """Rows by their key, in the order in which they came. ``log`` holds what happened since the first day."""

    def __init__(self, key: Sequence[str], clock: Clock) -> None:
        self._key = tuple(key)
        self._clock = clock
        self._entries: list[Entry] = []
        self._numbers: dict[Key, int] = {}
        self._groups: dict[tuple[str, ...], dict[Any, list[Entry]]] = {}
        self.log: list[Change] = []

    def fill(self, rows: Sequence[Row], modified: Callable[[Row], datetime]) -> None:
        """What is there on the first day; it is in no log."""
        for row in rows:
            self._put(Entry(len(self._entries) + 1, row, modified(row), self._clock.tick()))

    def __iter__(self) -> Iterator[Entry]:
        return (entry for entry in self._entries if not entry.deleted)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def rows(self) -> list[Row]:
        return [entry.row for entry in self]

    @property
    def with_deleted(self) -> Sequence[Entry]:
        return self._entries

    def get(self, *key: Any) -> Entry:
        """The last entry with that key, also if it is deleted."""
        if number := self._numbers.get(key):
            return self._entries[number - 1]
        return next(entry for entry in reversed(self._entries) if self._key_of(entry.row) == key)

    def numbered(self, number: int) -> Entry | None:
        """The entry of that number, unless it is deleted or there is none."""
        entry = self._entries[number - 1] if 0 < number <= len(self._entries) else None
        return None if entry is None or entry.deleted else entry

    def by(self, *fields: str) -> Mapping[Any, list[Entry]]:
        """The entries that are not deleted by what they have in that field, or in those fields as a tuple."""
        if fields not in self._groups:
            value_of = itemgetter(*fields)
            groups: dict[Any, list[Entry]] = defaultdict(list)
            for entry in self:
                groups[value_of(entry.row)].append(entry)
            self._groups[fields] = groups
        return self._groups[fields]

    def add(self, row: Row) -> Entry:
        assert self._key_of(row) not in self._numbers, f"{self._key_of(row)} is there already"
        entry = Entry(len(self._entries) + 1, row, self._clock.now(), self._clock.tick())
        self._put(entry)
        self._note(entry, None, row)
        return entry

    def change(self, *key: Any, **fields: Any) -> Entry:
        """Other values for some fields of a row, but not for those of its key."""
        entry = self._entries[self._numbers[key] - 1]
        row = {**entry.row, **fields}
        assert self._key_of(row) == key, "another key is another row: remove and add"
        changed = replace(entry, row=row, modified=self._clock.now(), version=self._clock.tick())
        self._put(changed)
        self._note(changed, entry.row, row)
        return changed

    def remove(self, *key: Any) -> Entry:
        entry = self._entries[self._numbers.pop(key) - 1]
        gone = replace(entry, modified=self._clock.now(), version=self._clock.tick(), deleted=True)
        self._entries[entry.number - 1] = gone
        self._note(gone, entry.row, None)
        return gone

    def _put(self, entry: Entry) -> None:
        if entry.number > len(self._entries):
            self._entries.append(entry)
        else:
            self._entries[entry.number - 1] = entry
        self._numbers[self._key_of(entry.row)] = entry.number
        self._groups.clear()

    def _note(self, entry: Entry, before: Row | None, after: Row | None) -> None:
        self._groups.clear()
        self.log.append(Change(entry.version, entry.modified, entry.number, before, after))

    def _key_of(self, row: Row) -> Key:
        return tuple(row[name] for name in self._key)
