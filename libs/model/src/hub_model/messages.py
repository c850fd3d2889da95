"""Every message that crosses the broker, and the registry of their wire names.

Past tense is an event (any number of subscribers), imperative is a command (one owner). A message's wire name is
its routing key and never changes with the code; its version is part of the CloudEvents type. Unknown fields are
ignored. Messages carry ids, never secrets.

One file, longer than most, because it is the one list of what services say to each other.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import Field

from hub_model.base import Instant, Value
from hub_model.counts import Counts
from hub_model.errors import ErrorClass, HubError
from hub_model.ids import derived_id
from hub_model.records import DataType, Origin
from hub_model.stream_states import StreamState


class Trigger(StrEnum):
    """Why a run was started."""

    MANUAL = "manual"
    ENABLE = "enable"
    INTERVAL = "interval"
    WEBHOOK = "webhook"
    RECOVERY = "recovery"


class Message(Value):
    """Base of all messages. ``college_id`` scopes every one of them.

    ``mandatory``: publishing fails when no queue is bound; False for facts nobody may be listening to.
    ``hands_over``: whoever takes it up supersedes the handler that gave it, so it is published only when all that
    the handler gave before it is confirmed.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    mandatory: ClassVar[bool] = True
    hands_over: ClassVar[bool] = False

    college_id: str
    integration_id: str

    @property
    def message_id(self) -> str:
        """Derived from what the message is about: a repetition has the same id."""
        raise NotImplementedError

    @property
    def subject(self) -> str:
        """What the message is about, for people reading a queue: college/integration."""
        return f"{self.college_id}/{self.integration_id}"


class RunMessage(Message):
    """A message that belongs to a run; if it is given up, the run is told (see ``hub_messaging.middleware``)."""

    run_id: str


class SyncRequested(RunMessage):
    """Start this run."""

    name = "sync.requested"
    trigger: Trigger
    data_types: tuple[DataType, ...]
    requested_at: Instant

    @property
    def message_id(self) -> str:
        return derived_id(self.run_id, self.name)


class PageRequested(RunMessage):
    """Fetch the next stretch of pages of one stream.

    ``position`` is the pager's serialised state, opaque to everyone but the fetcher; ``sequence`` numbers the next
    batch. Both travel with the chain, so that any worker can go on where the last one stopped.
    Without ``data_type`` it is the chain that prepares the tables which others need, one after another: ``table`` is
    the one it reads now, ``data_types`` are those that wait for it, and ``sequence`` numbers the table's pieces.
    """

    name = "page.requested"
    hands_over = True
    data_type: DataType | None = None
    table: str | None = None
    data_types: tuple[DataType, ...] = ()
    step: int = 0
    sequence: int = 0
    pages: int = 0
    records: int = 0
    observed_at: Instant
    position: dict[str, Any] = Field(default_factory=dict)
    parked: int = 0

    @property
    def message_id(self) -> str:
        return derived_id(self.run_id, self.name, self.data_type or "", self.step, self.parked)


class Fault(Value):
    """Why the record at ``index`` of a fetched batch is of no use as it is."""

    index: int
    code: str
    message: str


class BatchFetched(RunMessage):
    """Raw records of one stream; :func:`fits_batch` says how many and how large.

    ``observed_at`` is when the walk began (poll) or the event was received (webhook), and a microsecond later with
    each batch: the version of a record whose source gives no modification time. ``expected_records`` is the source's
    own total, where it says one. ``deletes``: every record says that one is gone (``Endpoint.deletes``). ``faults`` are
    records that were found wanting already, so that they are rejected. ``edition`` tells what a page held at different
    times apart: a stretch that is fetched again after a crash may find rows where others were, and of a window that
    counts as read no copy may be taken for another.
    For a webhook, ``run_id`` is derived from the event, so that one event is one small run of its own.
    """

    name = "batch.fetched"
    data_type: DataType
    sequence: int
    origin: Origin
    observed_at: Instant
    records: list[Any]
    expected_records: int | None = None
    deletes: bool = False
    faults: tuple[Fault, ...] = ()
    edition: str = ""

    @property
    def message_id(self) -> str:
        return _batch_id(self)


class Reject(Value):
    """One raw record that could not become canonical, with every reason.

    ``index`` is its place in the fetched batch.
    """

    index: int
    raw: Any
    issues: list[dict[str, str]]


class BatchTransformed(RunMessage):
    """Canonical records of one batch, ready to be merged.

    Each of ``records`` is ``{key, data, hash, version, sourceId?, deleted?}`` (see ``records.RecordWrite``; version
    in ``base.format_datetime`` form). The key of a delete is "" where the source told nothing but the ``sourceId``.
    ``duplicates`` were dropped in favour of another of their key in the same batch. ``overruled`` said something else
    than another of their key though nothing tells that both are states of one row; so many were lost. ``undecided``
    ones may have been, see ``rivals``. ``skipped`` were left out by the mapping's condition.
    """

    name = "batch.transformed"
    data_type: DataType
    sequence: int
    origin: Origin
    observed_at: Instant
    records: list[dict[str, Any]]
    rejects: list[Reject] = Field(default_factory=list)
    duplicates: int = 0
    overruled: int = 0
    undecided: int = 0
    skipped: int = 0
    mapping_version: int = 1
    expected_records: int | None = None
    edition: str = ""

    @property
    def message_id(self) -> str:
        return _batch_id(self)


def _batch_id(batch: BatchFetched | BatchTransformed) -> str:
    editions = (batch.edition,) if batch.edition else ()
    return derived_id(batch.run_id, batch.name, batch.data_type, batch.sequence, *editions)


class BatchWritten(RunMessage):
    """One batch is durably merged. ``overruled`` and ``undecided`` as in ``BatchTransformed``."""

    name = "batch.written"
    data_type: DataType
    sequence: int
    origin: Origin
    counts: Counts
    written_at: Instant
    expected_records: int | None = None
    overruled: int = 0
    undecided: int = 0

    @property
    def message_id(self) -> str:
        return derived_id(self.run_id, self.name, self.data_type, self.sequence)


class StreamFinished(RunMessage):
    """The walk of one stream ended. ``batches`` were sent; ``complete`` says every page was seen.

    ``snapshot``: it has seen everything that the source has now, so what it has not seen is gone. ``states`` are what
    the streams that it read by windows have covered, to be remembered once all batches are written.
    """

    name = "stream.finished"
    data_type: DataType
    batches: int
    pages: int
    records: int
    complete: bool
    finished_at: Instant
    warnings: tuple[str, ...] = ()
    snapshot: bool = False
    states: dict[str, StreamState] = Field(default_factory=dict)

    @property
    def message_id(self) -> str:
        return derived_id(self.run_id, self.name, self.data_type)


class SyncFailed(RunMessage):
    """A stream cannot go on; without ``data_type`` those of ``data_types``, or the whole run if none is named.

    ``batches`` is how many batches the fetcher had sent before it stopped; None when a batch itself was lost to
    an error further down. ``detail`` is for operators, ``public`` for principals; neither holds secrets or data.
    ``states`` are the windows that were read before it stopped.
    """

    name = "sync.failed"
    data_type: DataType | None = None
    data_types: tuple[DataType, ...] = ()
    stage: str
    error_class: ErrorClass
    code: str
    public: str
    detail: str = ""
    batches: int | None = None
    failed_at: Instant
    states: dict[str, StreamState] = Field(default_factory=dict)

    @property
    def message_id(self) -> str:
        return derived_id(self.run_id, self.name, self.data_type or "", self.stage, self.code, *self.data_types)


class SyncFinished(RunMessage):
    """A run reached its end; every batch it sent is written."""

    name = "sync.finished"
    mandatory = False
    status: str
    counts: Counts
    finished_at: Instant

    @property
    def message_id(self) -> str:
        return derived_id(self.run_id, self.name)


class RecordsChanged(RunMessage):
    """Records of one type differ from before. Counts only: who wants the records reads them through the API."""

    name = "records.changed"
    mandatory = False
    data_type: DataType
    sequence: int
    counts: Counts
    changed_at: Instant

    @property
    def message_id(self) -> str:
        return derived_id(self.run_id, self.name, self.data_type, self.sequence)


class IntegrationChanged(Message):
    """An integration was created, updated, toggled or deleted."""

    name = "integration.changed"
    mandatory = False
    change: str
    revision: int
    changed_at: Instant

    @property
    def message_id(self) -> str:
        return derived_id(self.integration_id, self.name, self.change, self.revision)


class ProbeRequested(Message):
    """Test the connection of an integration; the answer is a ProbeFinished with the same probe_id."""

    name = "probe.requested"
    probe_id: str
    requested_at: Instant

    @property
    def message_id(self) -> str:
        return derived_id(self.probe_id, self.name)


class ProbeCheck(Value):
    """One step of a connection test. ``fix`` says what to do when it failed; with ``ok`` it is a warning."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


class ProbeProgressed(Message):
    """One step of a connection test is done; ``sequence`` is its place among the steps, from 0."""

    name = "probe.progressed"
    mandatory = False
    probe_id: str
    sequence: int
    check: ProbeCheck

    @property
    def message_id(self) -> str:
        return derived_id(self.probe_id, self.name, self.sequence)


class ProbeFinished(Message):
    """The result of a connection test."""

    name = "probe.finished"
    mandatory = False
    probe_id: str
    ok: bool
    checks: tuple[ProbeCheck, ...]
    finished_at: Instant

    @property
    def message_id(self) -> str:
        return derived_id(self.probe_id, self.name)


REGISTRY: Mapping[str, type[Message]] = MappingProxyType(
    {
        message_type.name: message_type
        for message_type in (
            SyncRequested,
            PageRequested,
            BatchFetched,
            BatchTransformed,
            BatchWritten,
            StreamFinished,
            SyncFailed,
            SyncFinished,
            RecordsChanged,
            IntegrationChanged,
            ProbeRequested,
            ProbeProgressed,
            ProbeFinished,
        )
    }
)

MAX_BATCH_RECORDS = 500
MAX_MESSAGE_BYTES = 1024 * 1024

# What mapping may add to one record on the wire: canonical names, key and hash, or the issues of a reject. Five
# hundred records grow by half a message at most, so raw records of half a message always fit.
MAX_RECORD_GROWTH_BYTES = 1000
# What the records of a batch and their growth may take; the rest is for the message's own fields.
MAX_BATCH_BYTES = MAX_MESSAGE_BYTES - 16 * 1024


def fits_batch(records: int, encoded_bytes: int) -> bool:
    """Whether so many raw records, together so large as JSON, may travel in one BatchFetched.

    Room is left for what mapping adds to each, so that the BatchTransformed made of it fits in a message too,
    whether its records become canonical or are rejected with their issues.
    """
    return records <= MAX_BATCH_RECORDS and encoded_bytes + records * MAX_RECORD_GROWTH_BYTES <= MAX_BATCH_BYTES


def failure_of(message: RunMessage, *, stage: str, error: Exception, now: datetime) -> SyncFailed:
    """The SyncFailed that tells a run that one of its messages was given up because of ``error``."""
    known = error if isinstance(error, HubError) else None
    return SyncFailed(
        college_id=message.college_id,
        integration_id=message.integration_id,
        run_id=message.run_id,
        data_type=getattr(message, "data_type", None),
        data_types=message.data_types if isinstance(message, PageRequested) else (),
        stage=stage,
        error_class=known.error_class if known else ErrorClass.BUG,
        code=known.code if known else "internal_error",
        public=known.public if known else "An internal error stopped this sync; the operators have been told.",
        detail=str(known) if known else type(error).__name__,
        batches=None,
        failed_at=now,
    )
