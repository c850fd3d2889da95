"""Messages: known by their wire names, and recognisable when they come twice."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hub_model.errors import Conflict, ErrorClass, SourceError
from hub_model.messages import (
    MAX_BATCH_RECORDS,
    MAX_MESSAGE_BYTES,
    MAX_RECORD_GROWTH_BYTES,
    REGISTRY,
    BatchFetched,
    Message,
    PageRequested,
    RunMessage,
    SyncRequested,
    Trigger,
    failure_of,
    fits_batch,
)
from hub_model.records import DataType, Origin
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
IDS = {"college_id": "c1", "integration_id": "i1"}
RUN: dict[str, Any] = {**IDS, "run_id": "r1"}
FIELDS: dict[str, dict[str, Any]] = {
    "sync.requested": {**RUN, "trigger": "manual", "data_types": ["students"], "requested_at": NOW},
    "page.requested": {**RUN, "data_type": "students", "observed_at": NOW, "position": {"page": 2}},
    "batch.fetched": {
        **RUN,
        "data_type": "students",
        "sequence": 3,
        "origin": "poll",
        "observed_at": NOW,
        "records": [{"a.b": 1}, None, "text"],
    },
    "batch.transformed": {
        **RUN,
        "data_type": "students",
        "sequence": 3,
        "origin": "webhook",
        "observed_at": NOW,
        "records": [{"key": "k"}],
        "rejects": [{"index": 1, "raw": None, "issues": [{"field": "name"}]}],
    },
    "batch.written": {
        **RUN,
        "data_type": "students",
        "sequence": 3,
        "origin": "poll",
        "counts": {"fetched": 1, "inserted": 1},
        "written_at": NOW,
    },
    "stream.finished": {
        **RUN,
        "data_type": "students",
        "batches": 1,
        "pages": 1,
        "records": 1,
        "complete": True,
        "finished_at": NOW,
    },
    "sync.failed": {
        **RUN,
        "stage": "fetch",
        "error_class": "auth",
        "code": "unauthorized",
        "public": "Refused.",
        "failed_at": NOW,
    },
    "sync.finished": {**RUN, "status": "succeeded", "counts": {}, "finished_at": NOW},
    "records.changed": {**RUN, "data_type": "students", "sequence": 3, "counts": {}, "changed_at": NOW},
    "integration.changed": {**IDS, "change": "updated", "revision": 2, "changed_at": NOW},
    "probe.requested": {**IDS, "probe_id": "p1", "requested_at": NOW},
    "probe.progressed": {
        **IDS,
        "probe_id": "p1",
        "sequence": 0,
        "check": {"name": "name", "ok": True, "detail": "x"},
    },
    "probe.finished": {
        **IDS,
        "probe_id": "p1",
        "ok": False,
        "checks": [{"name": "connect", "ok": False, "detail": "x", "fix": "y"}],
        "finished_at": NOW,
    },
}


def message_of(name: str) -> Message:
    return REGISTRY[name].model_validate(FIELDS[name])


def test_every_message_is_registered_under_its_wire_name() -> None:
    assert FIELDS.keys() == REGISTRY.keys()
    assert all(message_type.name == name for name, message_type in REGISTRY.items())
    assert all(message_type.version == 1 for message_type in REGISTRY.values())


@pytest.mark.parametrize("name", FIELDS)
def test_a_message_is_read_back_from_json_and_has_the_same_id(name: str) -> None:
    message = message_of(name)
    again = REGISTRY[name].model_validate_json(message.model_dump_json(by_alias=True))
    assert again == message
    assert again.message_id == message.message_id
    assert message.subject == "c1/i1"


@pytest.mark.parametrize("name", FIELDS)
def test_a_newer_writers_field_is_ignored(name: str) -> None:
    assert REGISTRY[name].model_validate({**FIELDS[name], "newField": 1}) == message_of(name)


def test_the_ids_of_different_messages_differ() -> None:
    ids = {message_of(name).message_id for name in FIELDS}
    assert len(ids) == len(FIELDS)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("sync.requested", {"run_id": "r2"}),
        ("page.requested", {"step": 1}),
        ("page.requested", {"parked": 1}),
        ("page.requested", {"data_type": DataType.MARKS}),
        ("batch.fetched", {"sequence": 4}),
        ("batch.fetched", {"data_type": DataType.MARKS}),
        ("batch.written", {"run_id": "r2"}),
        ("sync.failed", {"data_type": DataType.MARKS}),
        ("sync.failed", {"code": "other"}),
        ("integration.changed", {"revision": 3}),
        ("probe.progressed", {"sequence": 1}),
        ("probe.finished", {"probe_id": "p2"}),
    ],
)
def test_what_a_message_is_about_is_in_its_id(name: str, change: dict[str, Any]) -> None:
    message = message_of(name)
    assert message.model_copy(update=change).message_id != message.message_id


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("batch.fetched", {"records": [], "observed_at": NOW.replace(year=2027)}),
        ("batch.written", {"written_at": NOW.replace(year=2027)}),
        ("sync.requested", {"trigger": Trigger.RECOVERY, "requested_at": NOW.replace(year=2027)}),
        ("sync.failed", {"failed_at": NOW.replace(year=2027), "detail": "x"}),
    ],
)
def test_a_repetition_has_the_same_id_whenever_it_was_made(name: str, change: dict[str, Any]) -> None:
    message = message_of(name)
    assert message.model_copy(update=change).message_id == message.message_id


@given(st.integers(1, 2 * MAX_BATCH_RECORDS), st.integers(0, 2 * MAX_MESSAGE_BYTES))
def test_a_batch_that_fits_leaves_room_for_what_mapping_adds(records: int, encoded_bytes: int) -> None:
    fits = fits_batch(records, encoded_bytes)
    grown = encoded_bytes + records * MAX_RECORD_GROWTH_BYTES
    assert not fits or (records <= MAX_BATCH_RECORDS and grown < MAX_MESSAGE_BYTES)
    if fits:
        assert fits_batch(records - 1, encoded_bytes)


def test_full_batches_of_ordinary_records_fit() -> None:
    assert fits_batch(MAX_BATCH_RECORDS, 400 * MAX_BATCH_RECORDS)
    assert not fits_batch(MAX_BATCH_RECORDS + 1, 0)


def given_up(message: RunMessage, error: Exception) -> dict[str, Any]:
    failure = failure_of(message, stage="transform", error=error, now=NOW)
    assert (failure.college_id, failure.integration_id, failure.run_id) == ("c1", "i1", "r1")
    assert (failure.stage, failure.batches, failure.failed_at) == ("transform", None, NOW)
    return failure.model_dump(include={"data_type", "error_class", "code", "public", "detail"})


def test_a_given_up_message_fails_its_stream_with_the_errors_own_words() -> None:
    batch = BatchFetched(**RUN, data_type=DataType.MARKS, sequence=1, origin=Origin.POLL, observed_at=NOW, records=[])
    error = SourceError("401 from erp", error_class=ErrorClass.AUTH, code="unauthorized", public="Refused.")
    assert given_up(batch, error) == {
        "data_type": DataType.MARKS,
        "error_class": ErrorClass.AUTH,
        "code": "unauthorized",
        "public": "Refused.",
        "detail": "401 from erp",
    }
    assert given_up(batch, Conflict("gone"))["public"] == "gone"


def test_a_given_up_message_without_a_stream_fails_the_whole_run() -> None:
    request = SyncRequested(**RUN, trigger=Trigger.MANUAL, data_types=(DataType.MARKS,), requested_at=NOW)
    assert given_up(request, Conflict("gone"))["data_type"] is None


def test_a_bug_is_told_without_its_text() -> None:
    page = PageRequested(**RUN, data_type=DataType.MARKS, observed_at=NOW)
    told = given_up(page, ValueError("canary: the record of Asha"))
    assert (told["error_class"], told["code"], told["detail"]) == (ErrorClass.BUG, "internal_error", "ValueError")
    assert "canary" not in str(told)
