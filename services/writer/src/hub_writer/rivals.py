"""Rows of one run that are identified alike and say different things: all but one of them are lost, or may be.

Within a batch the mapping counts them. Between batches neither the mapping nor the store can: a row that is stored as
it was leaves no mark of the run there, so one that follows and says otherwise looks like news of it; and what another
integration, a push or a delete has made of the record meanwhile hides both. So each polled batch leaves a print of its
rows, 20 bytes a row, beside the run's tables, and they are compared when the stream ends.
"""

import asyncio
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from hashlib import blake2b
from struct import Struct
from zlib import crc32

from hub_model.base import format_datetime
from hub_model.messages import BatchTransformed
from hub_model.records import DataType, Origin
from hub_model.rivals import Losses, Row, count_losses
from hub_model.runs import Run, Stream
from hub_storage.repositories import Tables
from hub_storage.repositories.tables import Piece

# A row's key, content, version and id in its source.
_PRINT = Struct("<QIII")
_UNTOLD = 0
# So many rows take some 30 MB.
_ROWS_AT_ONCE = 100_000
# Twice 16 MB, enough for eight million rows; with more, more keys pass for some that have several rows.
_MOST_BITS = 27
# Each may have a row of every batch, and others wait meanwhile.
_KEYS_AT_A_STRETCH = 100
# Numbers that every store takes.
_NUMBER_BYTES = 6


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

    async def count(self, run: Run, data_type: DataType) -> Losses:
        """How many rows of a stream, all of which is written, were lost to rows of other batches.

        The prints are read once to learn which keys may have several rows, and once for each hundred thousand rows
        that have such a key: where every key comes once, twice up to about a million and a half rows.
        """
        sieve = _Sieve(run.streams[data_type].counts.fetched)
        async for prints in self._prints(run, data_type):
            sieve.add(prints)
        parts = -(-sieve.rows // self._rows_at_once)
        return sum([await self._count(run, data_type, sieve, part, parts) for part in range(parts)], Losses())

    async def _count(self, run: Run, data_type: DataType, sieve: "_Sieve", part: int, parts: int) -> Losses:
        """Those with keys of one part of those that may have several rows."""
        rows: dict[int, dict[Row, None]] = defaultdict(dict)
        async for prints in self._prints(run, data_type):
            for key, *told in sieve.several(prints):
                if key % parts == part:
                    rows[key][Row(*told)] = None
        losses = Losses()
        for number, of_one in enumerate(rows.values(), start=1):
            if len(of_one) > 1:
                losses += count_losses(of_one)
            if number % _KEYS_AT_A_STRETCH == 0:
                await asyncio.sleep(0)
        return losses

    async def _prints(self, run: Run, data_type: DataType) -> AsyncIterator[bytes]:
        async for piece in self._tables.all_pieces(run.college_id, run.id, _table_of(data_type)):
            for row in piece.rows:
                yield b64decode(row["prints"])


class _Sieve:
    """Which keys may have several rows: all that have, and up to six in a hundred of the others. 4 to 8 bytes a row."""

    def __init__(self, rows: int) -> None:
        bits = 1 << min(_MOST_BITS, (16 * rows).bit_length())
        self._mask = bits - 1
        self._seen, self._several = bytearray(bits // 8 + 1), bytearray(bits // 8 + 1)
        self.rows = 0  # of such keys, at most

    def add(self, prints: bytes) -> None:
        seen, several, mask = self._seen, self._several, self._mask
        for key, *_ in _PRINT.iter_unpack(prints):
            place, bit = (key & mask) >> 3, 1 << (key & 7)
            if seen[place] & bit:
                self.rows += 1 if several[place] & bit else 2
                several[place] |= bit
            else:
                seen[place] |= bit

    def several(self, prints: bytes) -> Iterator[tuple[int, ...]]:
        """The prints whose keys may have several rows."""
        several, mask = self._several, self._mask
        return (row for row in _PRINT.iter_unpack(prints) if several[(row[0] & mask) >> 3] >> (row[0] & 7) & 1)


def may_have_rivals(stream: Stream) -> bool:
    """Whether rows of several batches may have met."""
    return (stream.batches or 0) > 1


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
                crc32(source_id.encode(errors="surrogatepass")) if source_id else _UNTOLD,
            )
    return bytes(prints)
