"""A record as its document, to and fro. Its shape is described in the package.

``_revision`` counts the writes. ``_merges`` holds a *mark* ``{batch, outcome, at}`` of each batch that wrote the
record, for as long as nothing else tells what the batch did to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from hub_model.base import format_datetime, parse_datetime
from hub_model.records import DataType, Outcome, StoredRecord

from hub_storage.adapters.mongodb.documents import (
    BsonDocument,
    encode,
    escape_name,
    from_bson,
    to_bson,
    unescape_name,
)
from hub_storage.entries import GROUPS, HELD, PLAIN, Entry, described
from hub_storage.json_text import to_text, to_value
from hub_storage.merged_batches import CODES, OUTCOMES, content_of
from hub_storage.merging import Decision, StoredRow
from hub_storage.records import MergeBatch
from hub_storage.scalars import check_text
from hub_storage.versions import instant, micros


@dataclass(frozen=True, slots=True)
class Mark:
    """What a batch did to a record, remembered on the record itself."""

    batch: str
    outcome: Outcome
    at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What a merge needs to know of a stored record before it knows whether to write it."""

    revision: int
    entry: Entry | None
    marks: tuple[Mark, ...]


def set_prefix(college_id: str, data_type: DataType) -> str:
    """How the ids of a college's records of one type begin. The record's key follows."""
    college = check_text(college_id, "a college's id").replace("%", "%25").replace(":", "%3A")
    return f"{college}:{data_type.value}:"


def set_end(prefix: str) -> str:
    """The first text behind all that begin so."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def batch_token(batch: MergeBatch) -> str:
    """The same for every delivery of a batch, and another if the batch comes with other content."""
    digest = blake2b(content_of(batch.writes), digest_size=12)
    digest.update(batch.id.encode(errors="surrogatepass"))
    return digest.hexdigest()


def known_fields(integration_id: str) -> list[str]:
    """What of a record's document :func:`to_known` reads."""
    return ["_revision", "_merges", f"sources.{escape_name(integration_id)}"]


def to_known(document: BsonDocument, integration_id: str) -> Known:
    entry = document.get("sources", {}).get(escape_name(integration_id))
    marks = tuple(
        Mark(mark["batch"], OUTCOMES[mark["outcome"]], parse_datetime(mark["at"])) for mark in document["_merges"]
    )
    return Known(document["_revision"], _to_entry(entry) if entry else None, marks)


def to_rules(document: BsonDocument) -> StoredRow:
    """The record for the rules of a merge."""
    return StoredRow(
        data=to_text(from_bson(document["data"])),
        sources={unescape_name(name): _to_entry(entry) for name, entry in document["sources"].items()},
        deleted=document["deleted"],
        created_at=micros(parse_datetime(document["createdAt"])),
        updated_at=micros(parse_datetime(document["updatedAt"])),
    )


def to_record(document: BsonDocument) -> StoredRecord:
    """The record for a reader."""
    return StoredRecord(
        key=document["key"],
        data=from_bson(document["data"]),
        deleted=document["deleted"],
        created_at=parse_datetime(document["createdAt"]),
        updated_at=parse_datetime(document["updatedAt"]),
        sources={unescape_name(name): described(_to_entry(entry)) for name, entry in document["sources"].items()},
    )


def to_document(batch: MergeBatch, decision: Decision, revision: int, marks: Iterable[Mark]) -> BsonDocument:
    """The document to write; InvalidInput if the record is not plain JSON, TooLarge if it is too large."""
    plain = to_value(to_text({"data": decision.data, "sources": decision.sources}))
    return encode(
        {
            "_id": set_prefix(batch.college_id, batch.data_type) + decision.key,
            "collegeId": batch.college_id,
            "dataType": batch.data_type.value,
            "key": decision.key,
            "data": to_bson(plain["data"]),
            "deleted": decision.deleted,
            "createdAt": _text(decision.created_at),
            "updatedAt": _text(decision.updated_at),
            "sources": {escape_name(name): _from_entry(entry) for name, entry in plain["sources"].items()},
            "_revision": revision,
            "_merges": [
                {"batch": mark.batch, "outcome": CODES[mark.outcome], "at": format_datetime(mark.at)} for mark in marks
            ],
        }
    )


def _to_entry(entry: Mapping[str, Any]) -> Entry:
    version, lag = (None, 0) if entry["version"] is None else _to_stamp(entry)
    at = micros(parse_datetime(entry["at"]))
    plain = [entry["hash"], version, entry["sourceId"], entry["runId"], at, entry["deleted"], lag]
    groups = [[*_to_stamp(group), group["fields"]] for group in entry.get("fieldVersions", ())]
    if "holds" in entry:
        return [*plain, groups, entry["holds"]]
    return [*plain, groups] if "fieldVersions" in entry else plain


def _from_entry(entry: Sequence[Any]) -> dict[str, Any]:
    content_hash, version, source_id, run_id, at, deleted, lag = entry[:PLAIN]
    written = {
        "hash": content_hash,
        **({"version": None, "observedAt": None} if version is None else _from_stamp(version, lag)),
        "sourceId": source_id,
        "runId": run_id,
        "at": _text(at),
        "deleted": bool(deleted),
    }
    if len(entry) > GROUPS:
        written["fieldVersions"] = [{**_from_stamp(*stamp), "fields": fields} for *stamp, fields in entry[GROUPS]]
    if len(entry) > HELD:
        written["holds"] = entry[HELD]
    return written


def _to_stamp(written: Mapping[str, Any]) -> tuple[int, int]:
    version, observed_at = written["version"], written["observedAt"]
    at = micros(parse_datetime(version))
    return at, 0 if version == observed_at else micros(parse_datetime(observed_at)) - at


def _from_stamp(version: int, lag: int) -> dict[str, str]:
    return {"version": _text(version), "observedAt": _text(version + lag)}


def _text(microseconds: int) -> str:
    return format_datetime(instant(microseconds))
