"""What a walk gives of each page: its records in their shape and counted, and packed as their kind of stream needs it.

The kinds are ``batches.Batches``, for a data type, and ``pieces.Pieces``, for a table that others need.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from hub_model.errors import HubError
from hub_model.messages import Fault, Message, PageRequested
from hub_storage.repositories.tables import Piece, TableEnd

from hub_fetcher.paging.position import End, Position
from hub_fetcher.walking.place import Place
from hub_fetcher.walking.reading import Reading
from hub_fetcher.walking.shaping import Shaper, encode_shaped
from hub_fetcher.walking.tally import Tally
from hub_fetcher.walking.times import Times

# Messages, or pieces of a table and at last how it ended.
Output = Message | Piece | TableEnd | HubError


class Outputs(ABC):
    """``sequence`` numbers the next output, ``records`` were given so far, ``tally`` says what they went through.

    Invariant: the outputs of a page, and their numbers, depend on the pages alone: not on where an earlier attempt
    ended, and not on what was asked ahead.
    """

    def __init__(self, request: PageRequested, reading: Reading, *, by_windows: bool) -> None:
        self.sequence, self.records = request.sequence, request.records
        self.tally = Tally.of(request.position)
        self._request = request
        self._reading = reading
        self._by_windows = by_windows
        self._shaper = reading.shaper or Shaper(reading.stream)
        self._times = Times(reading.stream.incremental if by_windows else None, reading.zone)

    def give(
        self,
        records: list[Any],
        encoded: bytes,
        *,
        page: int,
        now: datetime,
        total: int | None = None,
        parent: dict[str, Any] | None = None,
    ) -> Sequence[Output]:
        """The outputs that these records of a page make, in order. ``encoded`` is their JSON.

        ``total`` is how many the source says there are, ``parent`` what each of them holds of the row it belongs to.
        Raises SourceError where nothing of the page may be used.
        """
        undated, future = self._times.count(records, now)
        if undated or future:
            self.tally = self.tally.with_times(undated, future)
        faults: list[Fault] = []
        if not (self._shaper.is_plain and parent is None):
            shaped = self._shaper.shape(records, parent)
            encoded = encode_shaped(shaped.records)
            self.tally = self.tally.with_shaped(len(records), shaped)
            records, faults = shaped.records, shaped.faults
        self.records += len(records)
        return self._packed(records, encoded, faults, page=page, total=total if self._shaper.keeps_count else None)

    def give_deletes(self, records: list[Any], encoded: bytes, *, page: int) -> Sequence[Output]:
        """The same for records that say of others that they are gone."""
        self.records += len(records)
        return self._packed(records, encoded, [], page=page, deletes=True)

    @abstractmethod
    def _packed(
        self,
        records: list[Any],
        encoded: bytes,
        faults: list[Fault],
        *,
        page: int,
        total: int | None = None,
        deletes: bool = False,
    ) -> Sequence[Output]:
        """The records as outputs, all or none of them: ``sequence`` has moved past those that are returned."""

    @abstractmethod
    def finished(self, end: End, place: Place, *, pages: int, now: datetime) -> Output:
        """What tells that there is no more."""

    @abstractmethod
    def failed(self, error: HubError, place: Place, position: Position, *, now: datetime) -> Output:
        """What tells that it cannot go on, after what was given so far."""
