"""Rows of one run that are identified alike and say different things: all but one of them are lost.

Within a batch the mapping counts them. Between batches neither the mapping nor the store can: a row that is stored as
it was leaves no mark of the run there, so one that follows and says otherwise looks like news of it. So each polled
batch leaves a print of its rows, 20 bytes a row, beside the run's tables, and they are compared when the stream ends.
"""

from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Sequence
from hashlib import blake2b
from itertools import chain
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from hub_model.base import format_datetime
from hub_model.messages import BatchTransformed
from hub_model.records import DataType, Origin, Outcome
from hub_model.runs import Run, Stream
from hub_storage.repositories import Tables
from hub_storage.repositories.tables import Piece

# A row's key, content, version and id in its source.
_PRINT = Struct("<QIII")
_UNTOLD = 0
# So many keys take some 30 MB.
_KEYS_AT_ONCE = 100_000
# The later of two rows with one key meets one of these.
_SECOND = (Outcome.UPDATED, Outcome.STALE)


class _Row(NamedTuple):
    content: int
    version: int
    source_id: int

    def is_lost_among(self, others: Sequence["_Row"]) -> bool:
        """Whether it contradicts another row, and is none that was met before."""
        return self not in others and any(map(self._contradicts, others))

    def _contradicts(self, other: "_Row") -> bool:
        """Whether they say different things though nothing tells that they are two states of one row."""
        if self.content == other.content:
            return False
        if _UNTOLD not in (self.source_id, other.source_id) and self.source_id != other.source_id:
            return True
        return self.version == other.version or _UNTOLD in (self.version, other.version)


class Rivals:
    """The prints of runs, kept among their tables and dropped with them."""

    def __init__(self, tables: Tables, *, keys_at_once: int = _KEYS_AT_ONCE) -> None:
        self._tables = tables
        self._keys_at_once = keys_at_once

    async def note(self, batch: BatchTransformed, outcomes: Sequence[Outcome]) -> None:
        """Keep the prints of a merged batch; what is pushed has no other batches beside it."""
        if batch.origin is Origin.POLL and batch.records:
            piece = Piece(batch.sequence, [_prints_of(batch, outcomes)])
            await self._tables.write(batch.college_id, batch.run_id, _table_of(batch.data_type), [piece])

    async def count(self, run: Run, data_type: DataType) -> int:
        """How many rows of a stream, all of which is written, were lost to rows of other batches."""
        parts = -(-_seconds(run.streams[data_type]) // self._keys_at_once)
        return sum([await self._count(run, data_type, part, parts) for part in range(parts)])

    async def _count(self, run: Run, data_type: DataType, part: int, parts: int) -> int:
        """Those with keys of one part of all."""
        rows: dict[int, list[_Row]] = {}
        async for _, second in self._prints(run, data_type):
            rows.update((key, []) for key, *_ in _PRINT.iter_unpack(second) if key % parts == part)
        lost = 0
        async for prints in self._prints(run, data_type):
            for key, *told in chain.from_iterable(map(_PRINT.iter_unpack, prints)):
                others = rows.get(key)
                if others is not None:
                    row = _Row(*told)
                    lost += row.is_lost_among(others)
                    others.append(row)
        return lost

    async def _prints(self, run: Run, data_type: DataType) -> AsyncIterator[tuple[bytes, bytes]]:
        async for piece in self._tables.all_pieces(run.college_id, run.id, _table_of(data_type)):
            for row in piece.rows:
                yield b64decode(row["first"]), b64decode(row["second"])


def may_have_rivals(stream: Stream) -> bool:
    """Whether rows of several batches may have met."""
    return (stream.batches or 0) > 1 and _seconds(stream) > 0


def _seconds(stream: Stream) -> int:
    """How many rows came upon a record that said something else."""
    return stream.counts.updated + stream.counts.stale


def _table_of(data_type: DataType) -> str:
    return f"rivals/{data_type}"  # no stream has such a name


def _prints_of(batch: BatchTransformed, outcomes: Sequence[Outcome]) -> dict[str, str]:
    observed = format_datetime(batch.observed_at)
    first, second = bytearray(), bytearray()
    for record, outcome in zip(batch.records, outcomes, strict=True):
        if not record.get("deleted", False):
            version, source_id = record["version"], record.get("sourceId")
            prints = second if outcome in _SECOND else first
            prints += _PRINT.pack(
                int.from_bytes(blake2b(record["key"].encode(errors="surrogatepass"), digest_size=8).digest()),
                crc32(record["hash"].encode()),
                _UNTOLD if version == observed else crc32(version.encode()),
                _UNTOLD if source_id is None else crc32(source_id.encode(errors="surrogatepass")),
            )
    return {"first": b64encode(first).decode(), "second": b64encode(second).decode()}
