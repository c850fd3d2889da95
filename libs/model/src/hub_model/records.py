"""What a record is: its type, its identity, how it is written, and what became of it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class DataType(StrEnum):
    """The kinds of data a college connects; the keys of an integration's ``endpoints``."""

    STUDENTS = "students"
    FACULTY = "faculty"
    SUBJECTS = "subjects"
    TIMETABLE = "timetable"
    ATTENDANCE = "attendance"
    MARKS = "marks"
    CUSTOM = "custom"


class Outcome(StrEnum):
    """What merging one record did.

    ``REPLACED``: updated, by another row of the source than the one that it came from. ``STALE``: the stored version is
    newer. ``DUPLICATE``: a newer copy was in the same batch.
    """

    INSERTED = "inserted"
    UPDATED = "updated"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    STALE = "stale"
    DELETED = "deleted"
    DUPLICATE = "duplicate"

    # Looked up several times for every record, and Enum's own is written in Python.
    __hash__ = str.__hash__


class Origin(StrEnum):
    """How a batch came in."""

    POLL = "poll"
    WEBHOOK = "webhook"

    @property
    def is_partial(self) -> bool:
        """Whether its records may hold only what has changed, so that what they do not mention stays as it is."""
        return self is Origin.WEBHOOK


@dataclass(slots=True)
class RecordWrite:
    """One canonical record on its way into the store.

    ``key`` is the natural key (a JSON array of strings, see ``hub_mapping.keys``); with the college and the data
    type it is the record's identity. ``data`` holds only the fields the integration maps, in camelCase.
    ``version`` orders writes from one integration: the source's own modification time, or the time the data was
    observed when the source gives none. ``content_hash`` covers ``data`` and nothing volatile. ``deleted`` marks
    an explicit delete: the record becomes a tombstone.

    Not frozen, though nobody changes one: there is one for every record, and freezing doubles what it costs.
    """

    key: str
    data: dict[str, Any]
    content_hash: str
    version: datetime
    source_id: str | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record as the store holds it.

    ``sources`` maps an integration's id to what it last wrote: ``{hash, version, sourceId, runId, at}``. Where pushed
    fields are newer than its last full write, ``version`` is the one of that write, None if there was none, and
    ``fieldVersions`` are theirs: ``[{version, fields}, ...]``. Where several integrations have written the record,
    ``holds`` are the fields, and entries of objects (``externalIds.moodleId``), whose value is what this one said last.
    """

    key: str
    data: dict[str, Any]
    deleted: bool
    created_at: datetime
    updated_at: datetime
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
