"""The rows of streams that are read for others, in numbered pieces, kept for the one run that has read them.

They are students' data, so they go when their run ends (``handover.end_run``); what a crash leaves is swept by the
scheduler.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hub_model.errors import Unavailable
from hub_model.ids import derived_id
from hub_model.stream_states import StreamState

from hub_storage.collection import CollectionSpec, Document, Index, Query, Range
from hub_storage.store import Store

SPEC = CollectionSpec("tables", (Index(("collegeId", "runId", "stream", "number")), Index(("runId",))))

# Of a piece's rows as JSON: with the other fields of its document below 256 KiB.
MAX_PIECE_BYTES = 192 * 1024
_END = -1
_READ_AT_ONCE = 16

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TableEnd:
    """How a table ended: pieces beyond ``pieces`` are what a repeated stretch has left and do not count.

    ``complete``: its rows are all that the source has; if not, ``warnings`` say why. ``snapshot`` and ``state`` as in
    ``StreamFinished``: for those who take the rows for their records.
    """

    pieces: int
    rows: int
    complete: bool
    warnings: tuple[str, ...] = ()
    snapshot: bool = False
    state: StreamState | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    number: int
    rows: Sequence[Row]


class Tables:
    """Tables by run. Writing a piece again replaces it, so a stretch that is repeated leaves nothing twice."""

    def __init__(self, store: Store) -> None:
        self._collection = store.collection(SPEC)

    async def write(self, college_id: str, run_id: str, stream: str, pieces: Sequence[Piece]) -> None:
        """Keep these pieces; those of a number that is there already are replaced."""
        await self._put(
            {
                _id(college_id, run_id, stream, piece.number): {
                    **_key(college_id, run_id, stream),
                    "number": piece.number,
                    "rows": list(piece.rows),
                }
                for piece in pieces
            }
        )

    async def close(self, college_id: str, run_id: str, stream: str, end: TableEnd) -> None:
        """Say that the table is whole. Before that nobody reads it."""
        state = None if end.state is None else end.state.model_dump(mode="json", by_alias=True)
        document = {
            **_key(college_id, run_id, stream),
            "number": _END,
            "pieces": end.pieces,
            "rows": end.rows,
            "complete": end.complete,
            "warnings": list(end.warnings),
            "snapshot": end.snapshot,
            "state": state,
        }
        await self._put({_id(college_id, run_id, stream, _END): document})

    async def find(self, college_id: str, run_id: str, stream: str) -> TableEnd | None:
        """How the table ended; None if it has not, or is gone."""
        stored = await self._collection.get(_id(college_id, run_id, stream, _END))
        if stored is None or stored.document["collegeId"] != college_id:
            return None
        found = stored.document
        return TableEnd(
            pieces=found["pieces"],
            rows=found["rows"],
            complete=found["complete"],
            warnings=tuple(found["warnings"]),
            snapshot=found["snapshot"],
            state=None if found["state"] is None else StreamState.model_validate(found["state"]),
        )

    async def pieces(
        self, college_id: str, run_id: str, stream: str, end: TableEnd, *, first: int = 0
    ) -> AsyncIterator[Piece]:
        """The pieces from the one of this number on, in order. Raises Unavailable if one is not there any more."""
        number = first
        while number < end.pieces:
            found = await self._find(college_id, run_id, stream, Range(gte=number, lt=end.pieces))
            if [piece.number for piece in found] != list(range(number, number + len(found))) or not found:
                raise Unavailable(f"a piece of the table {stream!r} is gone", code="table_gone")
            for piece in found:
                yield piece
            number += len(found)

    async def all_pieces(self, college_id: str, run_id: str, stream: str) -> AsyncIterator[Piece]:
        """The pieces that are there, in order: for a table that nobody closes, nor misses a piece of."""
        number = 0
        while found := await self._find(college_id, run_id, stream, Range(gte=number)):
            for piece in found:
                yield piece
            number = found[-1].number + 1

    async def drop(self, college_id: str, run_id: str) -> int:
        """Remove all tables of the run; how many documents they were."""
        return await self._collection.delete_all({"collegeId": college_id, "runId": run_id})

    async def next_run_anywhere(self, after: str = "") -> tuple[str, str] | None:
        """The college and the run of some table, in the order of the runs' ids; for the sweep, over all colleges."""
        found = await self._collection.find(Query({"runId": Range(gt=after)}, sort="runId", limit=1))
        return (found[0].document["collegeId"], found[0].document["runId"]) if found else None

    async def _find(self, college_id: str, run_id: str, stream: str, numbers: Range) -> list[Piece]:
        """The next few pieces with these numbers."""
        query = Query({**_key(college_id, run_id, stream), "number": numbers}, sort="number", limit=_READ_AT_ONCE)
        found = await self._collection.find(query)
        return [Piece(stored.document["number"], stored.document["rows"]) for stored in found]

    async def _put(self, documents: Mapping[str, Document]) -> None:
        for document_id in await self._collection.insert(documents):
            await self._collection.update(document_id, partial(_replaced, documents[document_id]))


def _replaced(new: Document, _old: Document) -> Document:
    return new


def _key(college_id: str, run_id: str, stream: str) -> Document:
    return {"collegeId": college_id, "runId": run_id, "stream": stream}


def _id(college_id: str, run_id: str, stream: str, number: int) -> str:
    return derived_id(college_id, run_id, stream, number)
