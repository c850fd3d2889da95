"""What the walk of a table gives, which is read for others: pieces of rows, and at last how the table ended."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from hub_model.errors import ErrorClass, HubError, SourceError
from hub_model.messages import Fault
from hub_storage.repositories.tables import MAX_PIECE_BYTES, Piece, TableEnd

from hub_fetcher.paging.position import End, Position
from hub_fetcher.walking.cutting import cut
from hub_fetcher.walking.ending import is_snapshot, state_of
from hub_fetcher.walking.outputs import Outputs
from hub_fetcher.walking.place import Place


class Pieces(Outputs):
    """The pieces hold what can be a row, and what cannot is counted; in the end a TableEnd, or the error of a table
    that nobody can use.
    """

    def finished(self, end: End, place: Place, *, pages: int, now: datetime) -> TableEnd:
        return TableEnd(
            self.sequence,
            self.records,
            complete=end.complete,
            warnings=end.warnings,
            snapshot=end.complete and is_snapshot(place, self._reading),
            state=state_of(place, self.tally, self._reading, whole=True) if end.complete else None,
        )

    def failed(self, error: HubError, place: Place, position: Position, *, now: datetime) -> HubError:
        return error

    def _packed(
        self,
        records: list[Any],
        encoded: bytes,
        faults: list[Fault],
        *,
        page: int,
        total: int | None = None,
        deletes: bool = False,
    ) -> Sequence[Piece]:
        lost = {fault.index: fault.code for fault in faults}
        lost |= {index: "not_an_object" for index, row in enumerate(records) if type(row) is not dict}
        if lost:
            self.records -= len(lost)
            records = [row for index, row in enumerate(records) if index not in lost]
            encoded = orjson.dumps(records)
        self.tally = self.tally.with_kept(len(encoded), Counter(lost.values()))
        self._check_size()
        pieces = []
        for rows in list(cut(records, encoded, page=page, most_bytes=MAX_PIECE_BYTES)):
            pieces.append(Piece(self.sequence, rows))
            self.sequence += 1
        return pieces

    def _check_size(self) -> None:
        most_rows, most_bytes = self._reading.most_rows, self._reading.most_bytes
        if self.records <= most_rows and self.tally.bytes <= most_bytes:
            return
        name = self._request.table
        raise SourceError(
            f"the table {name} is larger than {most_rows} rows or {most_bytes} bytes",
            error_class=ErrorClass.CONFIG,
            code="table_too_large",
            public=f"'{name}' has more than {most_rows:,} rows, or they take more than {most_bytes / 1024**2:g} MiB. "
            "Keep fewer fields of each row with 'fields', fewer rows with 'when', or ask the source for fewer.",
        )
