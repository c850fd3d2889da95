"""The rows of a parent table that are still to be asked for, in order, with the next ones in memory."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from hub_mapping.conditions import compile_conditions
from hub_mapping.shaping import compile_fields
from hub_model.combining import Parent
from hub_model.errors import ErrorClass, SourceError
from hub_storage.repositories.tables import Piece

from hub_fetcher.requests.request import SourceRequest
from hub_fetcher.responses.verdicts import Verdict

# From the piece of this number on.
ReadPieces = Callable[[int], AsyncIterator[Piece]]


@dataclass(slots=True)
class ParentRow:
    """A row and its place in the table. ``first`` is the first request for it, once worked out for this page size."""

    piece: int
    offset: int
    values: dict[str, Any]
    first: SourceRequest | None = None
    size: int = 0


class Parents:
    """Rows for which ``when`` does not hold are not asked for, and not counted. The table is the truth: nothing about
    it is remembered but the place of the present row."""

    def __init__(self, spec: Parent, read: ReadPieces, *, piece: int = 0, offset: int = 0) -> None:
        self.spec = spec
        self._holds = compile_conditions(spec.when)
        self._include = compile_fields(spec.include) if spec.include else None
        self._read = read
        self._rows: deque[ParentRow] = deque()
        self.begin(piece, offset)

    def begin(self, piece: int = 0, offset: int = 0) -> None:
        """Go on from this row: from the first one for each window."""
        self._pieces = self._read(piece)
        self._first = (piece, offset)
        self._rows.clear()
        self._is_read = False

    async def fill(self, count: int) -> None:
        """Have so many rows in memory, the present one included, or all that are left."""
        while len(self._rows) < count and not self._is_read:
            piece = await anext(self._pieces, None)
            if piece is None:
                self._is_read = True
                return
            self._rows.extend(
                ParentRow(piece.number, offset, values)
                for offset, values in enumerate(piece.rows)
                if (piece.number, offset) >= self._first and self._holds(values)
            )

    @property
    def present(self) -> ParentRow | None:
        """The row that is asked for now; None after the last one."""
        return self._rows[0] if self._rows else None

    def following(self, count: int) -> Iterator[ParentRow]:
        """Rows after the present one, as far as they are in memory."""
        return islice(self._rows, 1, 1 + max(0, count))

    def pass_on(self) -> None:
        """Go on to the next row."""
        self._rows.popleft()

    def included(self, row: ParentRow) -> dict[str, Any] | None:
        """What of the row each of its records holds under ``parent``."""
        return self._include(row.values) if self._include else None


def is_of_one_row(error: SourceError) -> bool:
    """Whether an error says nothing of the other rows. Credentials are everybody's; what they may not read is not."""
    if error.error_class in (ErrorClass.CONFIG, ErrorClass.DATA):
        return error.code not in ("header_refused", "table_too_large")
    return error.code == Verdict.PERMISSION
