"""Writes events to their runs: those of one run that are in hand at once, in one write of its document.

A run is one document that every event of it changes. Handlers that each read it and write it back are in each other's
way: all but one find that it has changed meanwhile, and begin anew.
"""

from collections.abc import Mapping, Sequence
from weakref import WeakValueDictionary

from hub_model.errors import NotFound, TransientError
from hub_model.records import DataType
from hub_model.rivals import Losses
from hub_model.runs import Run
from hub_runtime.batching import Batcher
from hub_storage.repositories import Runs

from hub_writer.progress import ProgressEvent, Recorded, Uncompared, apply_each
from hub_writer.rivals import Rivals

_Group = Batcher[ProgressEvent, Recorded | Exception]


class Recorder:
    """Events of different runs never wait for each other, and a bad event fails alone."""

    def __init__(self, runs: Runs, rivals: Rivals) -> None:
        self._runs = runs
        self._rivals = rivals
        # A group lives as long as somebody waits for it: a run that has ended takes no memory.
        self._groups: WeakValueDictionary[tuple[str, str], _Group] = WeakValueDictionary()

    async def record(self, event: ProgressEvent) -> Recorded:
        """Return once the event is in its run's document, with what it did there; NotFound if there is no such run."""
        run = (event.college_id, event.run_id)
        group = self._groups.get(run)
        if group is None:
            # One round at a time: the next gathers while this one is written.
            group = self._groups[run] = Batcher(self._record_all, max_rounds=1)
        recorded = await group.do(event)
        if isinstance(recorded, Exception):
            raise recorded
        return recorded

    async def _record_all(self, events: Sequence[ProgressEvent]) -> Sequence[Recorded | Exception]:
        try:
            return await self._write(events)
        except (TransientError, NotFound):
            raise  # true of each of them
        except Exception:
            if len(events) == 1:
                raise
            return [await self._record_alone(event) for event in events]

    async def _record_alone(self, event: ProgressEvent) -> Recorded | Exception:
        try:
            [recorded] = await self._write([event])
        except Exception as error:  # noqa: BLE001 - handed to `record`, which raises it to whoever brought this event
            return error
        return recorded

    async def _write(self, events: Sequence[ProgressEvent]) -> Sequence[Recorded]:
        losses: dict[DataType, Losses] = {}
        while True:
            try:
                return await self._write_with(events, losses)
            except Uncompared as stream:
                # Everything that the stream brought is written, so there is nothing more to compare later.
                losses[stream.data_type] = await self._rivals.count(stream.run, stream.data_type)

    async def _write_with(
        self, events: Sequence[ProgressEvent], losses: Mapping[DataType, Losses]
    ) -> Sequence[Recorded]:
        recorded: list[Recorded] = []

        def change(run: Run) -> Run | None:
            recorded[:] = apply_each(run, events, losses)
            after = recorded[-1].run
            return None if after == run else after

        await self._runs.change(events[0].college_id, events[0].run_id, change)
        return recorded
