"""A run, one synchronisation of one integration, and how far each of its streams is: the values.

What happens to them, and the picture of it, is in ``run_transitions``.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from hub_model.base import Instant, Value
from hub_model.counts import Counts
from hub_model.errors import ErrorClass
from hub_model.intervals import has_all_below
from hub_model.messages import Trigger
from hub_model.records import DataType
from hub_model.stream_states import StreamState
from hub_model.waiting import Waiting

# The stage of a failure of the source itself: what came before it is good.
FETCH_STAGE = "fetch"


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self not in (RunStatus.QUEUED, RunStatus.RUNNING)


class StreamStatus(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Failure(Value):
    """Why a stream or run failed: ``public`` for a principal, ``detail`` for an operator."""

    error_class: ErrorClass
    code: str
    stage: str
    public: str
    detail: str = ""


_OVERRULED = "Records lost to others that are identified by the same fields and say something else: {count:,}."
_UNDECIDED = (
    "Records that may be lost to others that are identified by the same fields and say something else at another time: "
    "{count:,}. Nothing is lost where both are one row, which changed while it was read; where they are two rows, the "
    "older is. Map 'sourceId' if the source has ids of rows: then it is known."
)
_REPLACED = (
    "Records that come from another row of the source than before: {count:,}. If both rows are there, one is lost."
)
_TELL_APART = (
    "Map what tells them apart: 'period' or 'sessionId' of a class, 'examId' or 'attempt' of an exam, 'section' of a "
    "subject. Where they are one, as a student who is listed with each course, make one of them with 'derive'."
)


class Stream(Value):
    """The progress of one data type within a run.

    ``written`` holds the sequence numbers of the written batches as closed intervals; ``batches`` is how many were
    sent, once the fetcher has said so. ``complete``: the walk saw every page. ``snapshot`` and ``states`` as in
    ``StreamFinished``. ``expected_records`` is the largest total the source has told. ``overruled`` records had the key
    of another that said something else, and was no other state of the same row; of ``undecided`` ones nothing tells.
    """

    data_type: DataType
    status: StreamStatus = StreamStatus.RUNNING
    counts: Counts = Counts()
    written: tuple[tuple[int, int], ...] = ()
    batches: int | None = None
    pages: int = 0
    complete: bool = False
    expected_records: int | None = None
    overruled: int = 0
    undecided: int = 0
    failure: Failure | None = None
    waiting: Waiting | None = None
    warnings: tuple[str, ...] = ()
    snapshot: bool = False
    states: Mapping[str, StreamState] = Field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether all that the source has was seen, and nothing of it can be lost to another record of the same key."""
        return self.complete and not self.overruled and not self.undecided

    @property
    def doubts(self) -> tuple[str, ...]:
        """What a person should know of what was read, as sentences."""
        # Where rows overrule each other within a run, some of them look replaced.
        replaced = 0 if self.overruled else self.counts.replaced
        told = ((_OVERRULED, self.overruled), (_UNDECIDED, self.undecided), (_REPLACED, replaced))
        said = [text.format(count=count) for text, count in told if count]
        return (*self.warnings, " ".join([*said, _TELL_APART])) if said else self.warnings

    @property
    def covered(self) -> Mapping[str, StreamState]:
        """What may be remembered as read: nothing before every batch that was sent is written.

        Nor where what was read was of no use, for then it has to be read again.
        """
        was_used = self.failure is None or self.failure.stage == FETCH_STAGE
        is_written = self.batches is not None and has_all_below(self.written, self.batches)
        return self.states if was_used and is_written else {}


class Preparing(Value):
    """A table is being read that streams of the run wait for: which one, and how far it is."""

    table: str
    pages: int = 0
    rows: int = 0


class Run(Value):
    """One synchronisation. ``slot`` is the due time it was scheduled for, None when a person asked."""

    id: str
    college_id: str
    integration_id: str
    trigger: Trigger
    status: RunStatus = RunStatus.QUEUED
    streams: Mapping[DataType, Stream] = Field(default_factory=dict)
    created_at: Instant
    started_at: Instant | None = None
    finished_at: Instant | None = None
    progressed_at: Instant
    slot: Instant | None = None
    preparing: Preparing | None = None

    @property
    def counts(self) -> Counts:
        """Totals over all streams."""
        return sum((stream.counts for stream in self.streams.values()), Counts())

    @property
    def failure(self) -> Failure | None:
        """The first stream's failure in the order of the data types: the headline of a failed run."""
        return next((stream.failure for stream in self.streams.values() if stream.failure), None)

    @property
    def data_types(self) -> tuple[DataType, ...]:
        return tuple(self.streams)


def new_run(
    *,
    run_id: str,
    college_id: str,
    integration_id: str,
    trigger: Trigger,
    data_types: tuple[DataType, ...],
    now: datetime,
    slot: datetime | None = None,
) -> Run:
    """A queued run with one empty stream per data type."""
    return Run(
        id=run_id,
        college_id=college_id,
        integration_id=integration_id,
        trigger=trigger,
        streams={data_type: Stream(data_type=data_type) for data_type in data_types},
        created_at=now,
        progressed_at=now,
        slot=slot,
    )
