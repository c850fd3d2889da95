"""What an event does to a run, and what its handler owes afterwards. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub_model import run_transitions
from hub_model.messages import BatchWritten, StreamFinished, SyncFailed
from hub_model.records import DataType
from hub_model.rivals import Losses
from hub_model.runs import Run, Stream, StreamStatus

from hub_writer.rivals import may_have_rivals

ProgressEvent = BatchWritten | StreamFinished | SyncFailed


@dataclass(frozen=True, slots=True)
class Ended:
    """The streams that came to an end, and whether the run did."""

    streams: tuple[Stream, ...]
    run: bool


@dataclass(frozen=True, slots=True)
class Recorded:
    """The run as the event left it, and what the event has to answer for."""

    run: Run
    ended: Ended


class Uncompared(Exception):
    """A stream may not end before its batches were compared with each other, see ``rivals``."""

    def __init__(self, run: Run, data_type: DataType) -> None:
        super().__init__(f"the batches of {data_type} have not been compared")
        self.run, self.data_type = run, data_type


def apply_each(run: Run, events: Sequence[ProgressEvent], losses: Mapping[DataType, Losses]) -> list[Recorded]:
    """What each of the events does, as if they had come one after the other; the last leaves the run as it ends up.

    ``losses`` is what the comparison of the batches of a stream has found; raises Uncompared where it has to be made.
    """
    recorded = []
    for event in events:
        before, run = run, apply(run, event)
        run = _compared(before, run, losses)
        recorded.append(Recorded(run, ended_by(before, run)))
    return recorded


def _compared(before: Run, run: Run, losses: Mapping[DataType, Losses]) -> Run:
    for data_type, stream in run.streams.items():
        was_running = before.streams[data_type].status is StreamStatus.RUNNING
        # What failed and remembers nothing is read again, and compared then.
        is_kept = stream.status is StreamStatus.SUCCEEDED or bool(stream.covered)
        if was_running and is_kept and may_have_rivals(stream):
            if data_type not in losses:
                raise Uncompared(run, data_type)
            run = run_transitions.add_losses(run, data_type, losses[data_type])
    return run


def apply(run: Run, event: ProgressEvent) -> Run:
    """The run after the event; an equal run when the event brings nothing new."""
    match event:
        case BatchWritten():
            return run_transitions.record_batch(run, event)
        case StreamFinished():
            return run_transitions.finish_stream(run, event)
        case SyncFailed():
            return run_transitions.fail(run, event)


def ended_by(before: Run, after: Run) -> Ended:
    """What the event that led from ``before`` to ``after`` has ended, and so has to be announced by its handler.

    An event that changed nothing may be the repetition of one whose handler died half way, so it answers for
    everything that is over. One that did change something answers for its own effect alone: what had ended before is
    in the hands of the event that ended it, which is not acknowledged before it is done.
    """
    ended = tuple(stream for stream in after.streams.values() if stream.status is not StreamStatus.RUNNING)
    if before == after:
        return Ended(ended, after.status.is_final)
    return Ended(
        tuple(stream for stream in ended if before.streams[stream.data_type].status is StreamStatus.RUNNING),
        after.status.is_final and not before.status.is_final,
    )
