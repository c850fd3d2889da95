"""Rows of other tables put into records: each table is read once into memory, by the joined value, and kept a while."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from hub_mapping.paths import compile_path
from hub_mapping.shaping import compile_fields
from hub_mapping.texts import key_text
from hub_model.endpoints import Join
from hub_storage.repositories.tables import Piece

# What an entry takes beside its text: the value it is found by, and its place.
_ENTRY_BYTES = 200


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


class Joiner:
    """Puts the row that belongs to a record into it. Several rows for one value: ``many`` has all, else the last."""

    def __init__(self, joins: Sequence[Join], lookups: Sequence[Lookup]) -> None:
        self._joins = [
            (join, compile_path(join.left), lookup, compile_fields(join.fields) if join.fields else None)
            for join, lookup in zip(joins, lookups, strict=True)
        ]

    def join(self, record: dict[str, Any]) -> tuple[dict[str, Any], list[Join]]:
        """The record with its rows, and the joins that found none."""
        joined, missing = dict(record), []
        for join, left, lookup, prune in self._joins:
            key = key_text(left(joined))
            texts = lookup.rows.get(key, ()) if key is not None else ()
            if not texts:
                missing.append(join)
                continue
            rows = [orjson.loads(text) for text in (texts if join.many else texts[-1:])]
            rows = [prune(row) for row in rows] if prune else rows
            joined[join.as_] = rows if join.many else rows[0]
        return joined, missing


async def _load(right: str, pieces: AsyncIterator[Piece]) -> Lookup:
    pick = compile_path(right)
    rows: dict[str, list[bytes]] = {}
    size = 0
    async for piece in pieces:
        for row in piece.rows:
            key = key_text(pick(row))
            if key is not None:
                text = orjson.dumps(row)
                rows.setdefault(key, []).append(text)
                size += len(text) + _ENTRY_BYTES
    return Lookup(rows, size)
