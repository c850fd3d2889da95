"""Rows of one run that are identified alike and say different things: all but one of them are lost.

Within a batch the mapping counts them. Between batches neither the mapping nor the store can: a row that is stored as
it was leaves no mark of the run there, so one that follows and says otherwise looks like news of it; and what another
integration, a push or a delete has made of the record meanwhile hides both. So each polled batch leaves a print of its
rows, 20 bytes a row, beside the run's tables, and they are compared when the stream ends.
"""

import asyncio
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from hub_model.base import format_datetime
from hub_model.messages import BatchTransformed
from hub_model.records import DataType, Origin
from hub_model.runs import Run, Stream
from hub_storage.repositories import Tables
from hub_storage.repositories.tables import Piece

# A row's key, content, version and id in its source.
_PRINT = Struct("<QIII")
_UNTOLD = 0
# So many rows take some 30 MB.
_ROWS_AT_ONCE = 100_000
# Each may have a row of every batch, and others wait meanwhile.
_KEYS_AT_A_STRETCH = 100
# Numbers that every store takes.
_NUMBER_BYTES = 6


class _Row(NamedTuple):
    content: int
    version: int
    source_id: int


class Rivals:
    """The prints of runs, kept among their tables and dropped with them."""

    def __init__(self, tables: Tables, *, rows_at_once: int = _ROWS_AT_ONCE) -> None:
        self._tables = tables
        self._rows_at_once = rows_at_once

    async def note(self, batch: BatchTransformed) -> None:
        """Keep the prints of a merged batch; what is pushed has no other batches beside it."""
        if batch.origin is Origin.POLL and batch.records:
            prints = _prints_of(batch)
            # By what it holds: a batch that is fetched again may hold other rows, and both are merged.
            number = int.from_bytes(blake2b(prints, digest_size=_NUMBER_BYTES).digest())
            piece = Piece(number, [{"prints": b64encode(prints).decode()}])
            await self._tables.write(batch.college_id, batch.run_id, _table_of(batch.data_type), [piece])

    async def count(self, run: Run, data_type: DataType) -> int:
        """How many rows of a stream, all of which is written, were lost to rows of other batches."""
        parts = -(-run.streams[data_type].counts.fetched // self._rows_at_once)
        return sum([await self._count(run, data_type, part, parts) for part in range(parts)])

    async def _count(self, run: Run, data_type: DataType, part: int, parts: int) -> int:
        """Those with keys of one part of all."""
        first: dict[int, _Row] = {}
        several: dict[int, dict[_Row, None]] = {}
        async for prints in self._prints(run, data_type):
            for key, *told in _PRINT.iter_unpack(prints):
                if key % parts == part:
                    row = _Row(*told)
                    if first.setdefault(key, row) != row:
                        several.setdefault(key, {first[key]: None})[row] = None
        lost = 0
        for number, rows in enumerate(several.values(), start=1):
            lost += _lost(rows)
            if number % _KEYS_AT_A_STRETCH == 0:
                await asyncio.sleep(0)
        return lost

    async def _prints(self, run: Run, data_type: DataType) -> AsyncIterator[bytes]:
        async for piece in self._tables.all_pieces(run.college_id, run.id, _table_of(data_type)):
            for row in piece.rows:
                yield b64decode(row["prints"])


def may_have_rivals(stream: Stream) -> bool:
    """Whether rows of several batches may have met."""
    return (stream.batches or 0) > 1


def _lost(rows: Collection[_Row]) -> int:
    """How many of these different rows of one key contradict another that was met before.

    They do if they say different things, and nothing tells that they are two states of one row.
    """
    lost = 0
    contents: set[int] = set()
    of_version: dict[int, set[int]] = defaultdict(set)
    of_source_id: dict[int, set[int]] = defaultdict(set)
    for content, version, source_id in rows:
        rivals = [of_version[version], of_version[_UNTOLD]] if version != _UNTOLD else [contents]
        if source_id != _UNTOLD and _has_other(contents, content):
            rivals += [told for other, told in of_source_id.items() if other != source_id]
        lost += any(_has_other(found, content) for found in rivals)
        contents.add(content)
        of_version[version].add(content)
        if source_id != _UNTOLD:
            of_source_id[source_id].add(content)
    return lost


def _has_other(contents: set[int], content: int) -> bool:
    return len(contents) > (content in contents)


def _table_of(data_type: DataType) -> str:
    return f"rivals/{data_type}"  # no stream has such a name


def _prints_of(batch: BatchTransformed) -> bytes:
    observed = format_datetime(batch.observed_at)
    prints = bytearray()
    for record in batch.records:
        if not record.get("deleted", False):
            version, source_id = record["version"], record.get("sourceId")
            prints += _PRINT.pack(
                int.from_bytes(blake2b(record["key"].encode(errors="surrogatepass"), digest_size=8).digest()),
                crc32(record["hash"].encode()),
                _UNTOLD if version == observed else crc32(version.encode()),
                _UNTOLD if source_id is None else crc32(source_id.encode(errors="surrogatepass")),
            )
    return bytes(prints)
