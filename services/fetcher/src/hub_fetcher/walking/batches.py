"""What the walk of a data type gives: batches of records, and the message that ends the stream."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from hub_model.encoded import EncodedArray
from hub_model.errors import HubError, SourceError
from hub_model.messages import BatchFetched, Fault, StreamFinished, SyncFailed
from hub_model.records import DataType, Origin

from hub_fetcher.paging.guards import too_deep
from hub_fetcher.paging.position import End, Position
from hub_fetcher.walking.cutting import cut
from hub_fetcher.walking.ending import failed, is_snapshot, states_of
from hub_fetcher.walking.outputs import Outputs
from hub_fetcher.walking.place import Place


class Batches(Outputs):
    """Where the stream goes by windows, each batch tells what it held (``BatchFetched.edition``)."""

    def finished(self, end: End, place: Place, *, pages: int, now: datetime) -> StreamFinished:
        return StreamFinished(
            college_id=self._request.college_id,
            integration_id=self._request.integration_id,
            run_id=self._request.run_id,
            data_type=self._data_type,
            batches=self.sequence,
            pages=pages,
            records=self.records,
            complete=end.complete,
            finished_at=now,
            warnings=end.warnings,
            snapshot=end.complete and is_snapshot(place, self._reading),
            states=states_of(place, self.tally, self._reading, whole=True) if end.complete else {},
        )

    def failed(self, error: HubError, place: Place, position: Position, *, now: datetime) -> SyncFailed:
        return failed(
            self._request,
            too_deep(position, error) if isinstance(error, SourceError) else error,
            batches=self.sequence,
            now=now,
            states=states_of(place, self.tally, self._reading, whole=False),
        )

    def _packed(
        self,
        records: list[Any],
        encoded: bytes,
        faults: list[Fault],
        *,
        page: int,
        total: int | None = None,
        deletes: bool = False,
    ) -> Sequence[BatchFetched]:
        batches, start = [], 0
        for piece in list(cut(records, encoded, page=page)):  # all or none: each that is made is counted as sent
            end = start + len(piece)
            within = tuple(
                fault.model_copy(update={"index": fault.index - start})
                for fault in faults
                if start <= fault.index < end
            )
            batches.append(self._batch(piece, within, total=total, deletes=deletes))
            self.sequence += 1
            start = end
        return batches

    def _batch(
        self, records: EncodedArray, faults: tuple[Fault, ...], *, total: int | None, deletes: bool
    ) -> BatchFetched:
        request = self._request
        # Not validated: the records are the source's own, and validating would copy every one of them.
        return BatchFetched.model_construct(
            college_id=request.college_id,
            integration_id=request.integration_id,
            run_id=request.run_id,
            data_type=self._data_type,
            sequence=self.sequence,
            origin=Origin.POLL,
            # A record that moves while the pages are read is on two of them, and they are written in any order.
            observed_at=request.observed_at + timedelta(microseconds=self.sequence),
            records=records,
            expected_records=total,
            deletes=deletes,
            edition=blake2b(records.json, digest_size=8).hexdigest() if self._by_windows else "",
            faults=faults,
        )

    @property
    def _data_type(self) -> DataType:
        if self._request.data_type is None:
            raise AssertionError("a table has pieces, and no batches")
        return self._request.data_type
