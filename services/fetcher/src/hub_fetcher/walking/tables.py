"""Walks without a data type or without requests: reading a table for others, and taking records from one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from hub_mapping.derive import group_rows, punches_to_attendance
from hub_model.endpoints import Derive, Punches
from hub_model.errors import ErrorClass, HubError, PermanentError, SourceError
from hub_model.messages import MAX_BATCH_RECORDS, Fault
from hub_storage.repositories.tables import MAX_PIECE_BYTES, Piece, Row, TableEnd

from hub_fetcher.paging.position import End
from hub_fetcher.walking.batches import cut
from hub_fetcher.walking.ending import is_snapshot, state_of
from hub_fetcher.walking.place import added
from hub_fetcher.walking.reading import Limits
from hub_fetcher.walking.walk import Output, Walk


class TableWalk(Walk):
    """A walk whose records are kept as rows. It gives pieces, and at last a TableEnd, or the error of a table that
    nobody can use.

    A piece never spans two pages, as a batch does not, and for the same reason.
    """

    def ended(self, end: End | HubError) -> Output:
        if isinstance(end, HubError):
            return end
        return TableEnd(
            self._sequence,
            self._records,
            complete=end.complete,
            warnings=end.warnings,
            snapshot=end.complete and is_snapshot(self._place, self._reading),
            state=state_of(self._place, self._reading, whole=True) if end.complete else None,
        )

    def _pack(self, records: list[Any], encoded: bytes, faults: list[Fault], total: int | None) -> Sequence[Output]:
        lost = {fault.index: fault.code for fault in faults}
        lost |= {index: "not_an_object" for index, row in enumerate(records) if type(row) is not dict}
        if lost:
            self._records -= len(lost)
            for code in lost.values():
                self._place = self._place.model_copy(update={"dropped": added(self._place.dropped, {code: 1})})
            records = [row for index, row in enumerate(records) if index not in lost]
            encoded = orjson.dumps(records)
        self._place = self._place.model_copy(update={"bytes": self._place.bytes + len(encoded)})
        self._check_size()
        pieces = []
        for rows in list(cut(records, encoded, page=self._pages, most_bytes=MAX_PIECE_BYTES)):
            pieces.append(Piece(self._sequence, rows))
            self._sequence += 1
        return pieces

    def _check_size(self) -> None:
        most_rows, most_bytes = self._reading.most_rows, self._reading.most_bytes
        if self._records <= most_rows and self._place.bytes <= most_bytes:
            return
        name = self._request.table
        raise SourceError(
            f"the table {name} is larger than {most_rows} rows or {most_bytes} bytes",
            error_class=ErrorClass.CONFIG,
            code="table_too_large",
            public=f"'{name}' has more than {most_rows:,} rows, or they take more than {most_bytes / 1024**2:g} MiB. "
            "Keep fewer fields of each row with 'fields', fewer rows with 'when', or ask the source for fewer.",
        )


async def take_rows(
    walk: Walk, chunks: AsyncIterator[Piece], limits: Limits, *, monotonic: Callable[[], float]
) -> AsyncGenerator[Output, None]:
    """A stretch of an endpoint whose records are the rows of a table, in these chunks."""
    ends_at = monotonic() + limits.seconds
    try:
        async for chunk in chunks:
            if walk.has_read and (walk.is_spent(limits) or monotonic() >= ends_at):
                yield walk.onward()
                return
            for output in walk.take(chunk):
                yield output
        yield walk.conclude()
    except PermanentError as error:
        yield walk.ended(error)


async def derived(pieces: AsyncIterator[Piece], derive: Derive, zone: ZoneInfo, *, first: int) -> AsyncIterator[Piece]:
    """All rows through ``derive``, in chunks of a batch from the one of this number on.

    The same rows give the same chunks, so any worker can go on; it has to look at all rows again.
    """
    rows = [row async for piece in pieces for row in piece.rows]
    records = await asyncio.to_thread(_derive, rows, derive, zone)
    for number in range(first, -(-len(records) // MAX_BATCH_RECORDS)):
        yield Piece(number, records[number * MAX_BATCH_RECORDS :][:MAX_BATCH_RECORDS])


def _derive(rows: Iterable[Row], derive: Derive, zone: ZoneInfo) -> list[Row]:
    made = punches_to_attendance(rows, derive, zone) if isinstance(derive, Punches) else group_rows(rows, derive)
    return list(made)
