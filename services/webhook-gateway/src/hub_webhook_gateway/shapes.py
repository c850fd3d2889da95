"""The shapes a webhook's body may have, and the records in it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from hub_model.errors import InvalidInput, Issue
from hub_model.messages import fits_batch
from hub_model.records import DataType

_EVENT_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_SINGULARS = {"student": DataType.STUDENTS, "subject": DataType.SUBJECTS, "mark": DataType.MARKS}
_DELETIONS = frozenset(["deleted", "removed"])
# What a number may grow to when it is written anew: 1e15 becomes 1000000000000000.0.
_MAX_REWRITING = 5


@dataclass(slots=True)
class Push:
    """The records a body holds. ``event_id`` is the sender's own name for the event, where the body has one.

    Not frozen, though nobody changes one: there is one for every event.
    """

    data_type: DataType
    records: Sequence[Any]
    event_id: str | None = None


def read_push(document: Any, *, data_types: frozenset[DataType], default: DataType | None) -> Push:
    """Find the records in a body; InvalidInput names what is missing.

    - ``{"dataType": "attendance", "records": [...], "eventId"?: ...}``
    - ``{"type": "attendance.updated", "timestamp": ..., "data": {...} or [...]}`` (Standard Webhooks)
    - ``{"success": true, "data": [...]}``, one record, or an array of records, where ``default`` says what they are

    ``data_types`` are those the integration collects.
    """
    push = _read(document, default)
    if push.data_type not in data_types:
        raise _invalid("", "data_type_not_collected", f"This integration does not collect {push.data_type}.")
    for index, record in enumerate(push.records):
        if not isinstance(record, dict):
            raise _invalid(f"/{index}", "record_expected", "Each record is a JSON object.")
    return push


def split(records: Sequence[Any], body_bytes: int) -> Iterator[list[Any]]:
    """The records in batches that fit in a message each; InvalidInput if one alone does not."""
    if not records:
        return
    if fits_batch(len(records), body_bytes * _MAX_REWRITING):
        yield list(records)
        return
    batch: list[Any] = []
    batch_bytes = 0
    for index, record in enumerate(records):
        size = len(orjson.dumps(record)) + 1
        if batch and not fits_batch(len(batch) + 1, batch_bytes + size):
            yield batch
            batch, batch_bytes = [], 0
        if not fits_batch(1, size):
            raise _invalid(f"/{index}", "record_too_large", "This record alone is too large for a message.")
        batch.append(record)
        batch_bytes += size
    if batch:
        yield batch


def _read(document: Any, default: DataType | None) -> Push:
    if isinstance(document, list):
        return Push(_needed(default), document)
    if not isinstance(document, dict):
        raise _invalid("", "object_expected", "The body is a JSON object or an array of them.")
    if "dataType" in document:
        return _typed(document)
    if (data_type := _announced_type(document)) is not None:
        return Push(data_type, _records(document["data"], "/data"))
    if "data" in document and ("success" in document or document.keys() == {"data"}):
        if document.get("success", True) is not True:
            raise _invalid("/success", "not_successful", "A body that says it failed holds no records.")
        return Push(_needed(default), _records(document["data"], "/data"), _event_id(document))
    if isinstance(document.get("records"), list):
        return Push(_needed(default), document["records"], _event_id(document))
    return Push(_needed(default), [document])


def _typed(document: dict[str, Any]) -> Push:
    try:
        data_type = DataType(document["dataType"])
    except ValueError:
        known = ", ".join(DataType)
        raise _invalid("/dataType", "unknown_data_type", f"dataType is one of {known}.") from None
    if not isinstance(document.get("records"), list):
        raise _invalid("/records", "records_expected", "Beside dataType stands an array of records.")
    return Push(data_type, document["records"], _event_id(document))


def _announced_type(document: dict[str, Any]) -> DataType | None:
    """The data type in a Standard Webhooks ``type`` such as ``attendance.updated``; None if the body is not one."""
    event_type = document.get("type")
    if not isinstance(event_type, str) or "data" not in document:
        return None
    noun, _, verb = event_type.lower().partition(".")
    data_type = _SINGULARS.get(noun) or next((known for known in DataType if known == noun), None)
    if data_type is None:
        if "timestamp" in document:
            raise _invalid("/type", "unknown_event_type", "type begins with a data type, as in attendance.updated.")
        return None
    if verb in _DELETIONS:
        # Its data would be stored as if it were new; a delete is a record with the mapping's mark of deletion.
        raise _invalid("/type", "deletion_not_supported", "Send deletions as records that the mapping marks deleted.")
    return data_type


def _records(data: Any, pointer: str) -> Sequence[Any]:
    if isinstance(data, list):
        return data
    if isinstance(data, dict):
        return [data]
    raise _invalid(pointer, "records_expected", "data is a record or an array of records.")


def _event_id(document: dict[str, Any]) -> str | None:
    event_id = document.get("eventId")
    if event_id is None:
        return None
    if not isinstance(event_id, str) or not _EVENT_ID.fullmatch(event_id):
        raise _invalid("/eventId", "event_id_malformed", "eventId has 1 to 128 letters, digits or the signs _ . : -")
    return event_id


def _needed(default: DataType | None) -> DataType:
    if default is None:
        raise _invalid(
            "/dataType",
            "data_type_missing",
            'Say what the records are: {"dataType": "attendance", "records": [...]}, or set webhook.dataType.',
        )
    return default


def _invalid(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput(message, [Issue(pointer, code, message)])
