"""Walks without requests: the records of an endpoint are taken from the rows of a table."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from zoneinfo import ZoneInfo

from hub_mapping.derive import group_rows, punches_to_attendance
from hub_model.combining import Derive, Punches
from hub_model.errors import PermanentError
from hub_model.messages import MAX_BATCH_RECORDS
from hub_storage.repositories.tables import Piece, Row

from hub_fetcher.walking.outputs import Output
from hub_fetcher.walking.reading import Limits
from hub_fetcher.walking.walk import Walk


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
