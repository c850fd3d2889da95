"""Rows of other tables put into records: each table is read once into memory, by the joined value, and kept a while."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from hub_mapping.paths import Pick, compile_path
from hub_mapping.shaping import compile_fields
from hub_mapping.texts import key_text
from hub_model.combining import Join
from hub_storage.repositories.tables import Piece

# What an entry takes beside its text: the value it is found by, and its place.
_ENTRY_BYTES = 200
# Of several rows for one value so many are held against each other.
_COMPARED = 20


@dataclass(frozen=True, slots=True)
class Lookup:
    """The rows of a table by one value, as JSON: a tenth of what they take decoded. ``bytes`` is about their size."""

    rows: dict[str, list[bytes]]
    bytes: int


class Lookups:
    """The look-ups of one worker, for all its streams; those used last stay, as far as there is room."""

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[str, ...], Lookup] = OrderedDict()
        self._loading = asyncio.Lock()

    async def get(self, key: tuple[str, ...], right: str, pieces: Callable[[], AsyncIterator[Piece]]) -> Lookup:
        """The rows by their value at ``right``; ``key`` names table and run."""
        key = (*key, right)
        async with self._loading:  # one at a time: two streams often join the same table at once
            if key not in self._kept:
                self._kept[key] = await _load(right, pieces())
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and sum(lookup.bytes for lookup in self._kept.values()) > self._max_bytes:
                self._kept.popitem(last=False)
            return self._kept[key]


class Joined(NamedTuple):
    """A record with its rows, the joins that found none, and those that had to choose among different ones."""

    record: dict[str, Any]
    missing: list[Join]
    ambiguous: list[Join]


class Joiner:
    """Puts the rows that belong to records into them. Several for one value: ``many`` has all, else the last is taken.

    Made anew for each stretch: the rows that it has decoded are kept, and shared by the records that they belong to.
    """

    def __init__(self, joins: Sequence[Join], lookups: Sequence[Lookup]) -> None:
        self._joins = [
            _Join(join, compile_path(join.left), lookup, compile_fields(join.fields) if join.fields else None)
            for join, lookup in zip(joins, lookups, strict=True)
        ]

    def join(self, record: dict[str, Any]) -> Joined:
        """The record with its rows."""
        joined = Joined(dict(record), [], [])
        for join in self._joins:
            key = key_text(join.left(joined.record))
            found = join.found(key) if key is not None else None
            if found is None:
                joined.missing.append(join.spec)
                continue
            joined.record[join.spec.as_], is_one_of_several = found
            if is_one_of_several:
                joined.ambiguous.append(join.spec)
        return joined

    def forget(self) -> None:
        """Let go of the rows that were decoded: so they are those of one page at most."""
        for join in self._joins:
            join.decoded.clear()


@dataclass(slots=True)
class _Join:
    spec: Join
    left: Pick
    lookup: Lookup
    prune: Callable[[Any], dict[str, Any]] | None
    decoded: dict[str, tuple[Any, bool]] = field(default_factory=dict)

    def found(self, key: str) -> tuple[Any, bool] | None:
        """What is joined for this value, and whether it is one of several that differ; None where there is nothing."""
        if key not in self.lookup.rows:
            return None
        if key not in self.decoded:
            texts = self.lookup.rows[key]
            if self.spec.many:
                self.decoded[key] = [self._row(text) for text in texts], False
            else:
                last = self._row(texts[-1])
                self.decoded[key] = last, any(self._row(text) != last for text in set(texts[-_COMPARED:-1]))
        return self.decoded[key]

    def _row(self, text: bytes) -> Any:
        row = orjson.loads(text)
        return self.prune(row) if self.prune else row


async def _load(right: str, pieces: AsyncIterator[Piece]) -> Lookup:
    lookup = Lookup({}, 0)
    async for piece in pieces:
        lookup = lookup_of(piece.rows, right, onto=lookup)
    return lookup


def lookup_of(rows: Iterable[dict[str, Any]], right: str, *, onto: Lookup | None = None) -> Lookup:
    """The rows by their value at ``right``, beside those of ``onto``; a row without a value is nobody's."""
    found, size = (onto.rows, onto.bytes) if onto else ({}, 0)
    pick = compile_path(right)
    for row in rows:
        key = key_text(pick(row))
        if key is not None:
            text = orjson.dumps(row)
            found.setdefault(key, []).append(text)
            size += len(text) + _ENTRY_BYTES
    return Lookup(found, size)
