"""The shapes a body may have, and how its records are cut into messages."""

import json
from typing import Any

import pytest
from hub_model.errors import InvalidInput
from hub_model.messages import MAX_BATCH_RECORDS, fits_batch
from hub_model.records import DataType
from hub_webhook_gateway.shapes import Push, read_push, split
from hypothesis import given
from hypothesis import strategies as st

ALL = frozenset(DataType)
ATTENDANCE = DataType.ATTENDANCE
ROW = {"studentId": "CS2101", "attendance": "present"}


def read(document: Any, default: DataType | None = ATTENDANCE) -> Push:
    return read_push(document, data_types=ALL, default=default)


def refuses(document: Any, default: DataType | None = ATTENDANCE) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(document, default)
    return caught.value.issues[0].code


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"dataType": "marks", "records": [ROW]}, Push(DataType.MARKS, [ROW])),
        ({"dataType": "marks", "records": []}, Push(DataType.MARKS, [])),
        ({"dataType": "marks", "records": [ROW], "eventId": "e-1"}, Push(DataType.MARKS, [ROW], "e-1")),
        ({"type": "attendance.updated", "timestamp": "t", "data": ROW}, Push(ATTENDANCE, [ROW])),
        ({"type": "student.created", "data": [ROW, ROW]}, Push(DataType.STUDENTS, [ROW, ROW])),
        ({"type": "Subjects", "data": ROW}, Push(DataType.SUBJECTS, [ROW])),
        ({"type": "mark.updated", "data": ROW, "timestamp": "t"}, Push(DataType.MARKS, [ROW])),
        ({"success": True, "data": [ROW], "pagination": {"page": 1}}, Push(ATTENDANCE, [ROW])),
        ({"success": True, "data": ROW, "eventId": "e:2"}, Push(ATTENDANCE, [ROW], "e:2")),
        ({"data": [ROW]}, Push(ATTENDANCE, [ROW])),
        ({"records": [ROW], "eventId": "e"}, Push(ATTENDANCE, [ROW], "e")),
        (ROW, Push(ATTENDANCE, [ROW])),
        ([ROW, ROW], Push(ATTENDANCE, [ROW, ROW])),
        # a record that has a field of one of these names is still a record
        ({"type": "lab", "data": 7, **ROW}, Push(ATTENDANCE, [{"type": "lab", "data": 7, **ROW}])),
        ({"eventId": 7, **ROW}, Push(ATTENDANCE, [{"eventId": 7, **ROW}])),
        ({"records": "12", **ROW}, Push(ATTENDANCE, [{"records": "12", **ROW}])),
        ({}, Push(ATTENDANCE, [{}])),
    ],
)
def test_each_shape_yields_its_records(document: Any, expected: Push) -> None:
    assert read(document) == expected


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("text", "object_expected"),
        (7, "object_expected"),
        (None, "object_expected"),
        ({"dataType": "grades", "records": []}, "unknown_data_type"),
        ({"dataType": "Marks", "records": []}, "unknown_data_type"),
        ({"dataType": ["marks"], "records": []}, "unknown_data_type"),
        ({"dataType": {"$ne": None}, "records": []}, "unknown_data_type"),
        ({"dataType": "marks"}, "records_expected"),
        ({"dataType": "marks", "records": ROW}, "records_expected"),
        ({"dataType": "marks", "records": [ROW], "eventId": 7}, "event_id_malformed"),
        ({"dataType": "marks", "records": [ROW], "eventId": "x" * 129}, "event_id_malformed"),
        ({"dataType": "marks", "records": [ROW, 7]}, "record_expected"),
        ([[ROW]], "record_expected"),
        ([None], "record_expected"),
        ({"type": "invoice.paid", "timestamp": "t", "data": ROW}, "unknown_event_type"),
        ({"type": "attendance.deleted", "timestamp": "t", "data": ROW}, "deletion_not_supported"),
        ({"type": "attendance.updated", "timestamp": "t", "data": "x"}, "records_expected"),
        ({"success": False, "data": [ROW]}, "not_successful"),
        ({"success": "no", "data": [ROW]}, "not_successful"),
        ({"success": True, "data": None}, "records_expected"),
    ],
)
def test_what_has_no_records_says_where(document: Any, code: str) -> None:
    assert refuses(document) == code


@pytest.mark.parametrize("document", [ROW, [ROW], {"success": True, "data": [ROW]}, {"records": [ROW]}])
def test_a_body_that_does_not_say_what_it_holds_needs_a_default(document: Any) -> None:
    assert refuses(document, default=None) == "data_type_missing"


def test_a_type_the_integration_does_not_collect_is_refused() -> None:
    with pytest.raises(InvalidInput, match="does not collect marks"):
        read_push({"dataType": "marks", "records": []}, data_types=frozenset([ATTENDANCE]), default=None)


@given(
    sizes=st.lists(st.integers(0, 60_000), max_size=60),
    many=st.integers(0, 1200),
)
def test_batches_hold_every_record_in_order_and_fit_a_message(sizes: list[int], many: int) -> None:
    records: list[Any] = [{"text": "x" * size} for size in sizes] + [{"n": n} for n in range(many)]
    batches = list(split(records, len(json.dumps(records))))
    assert [record for batch in batches for record in batch] == records
    assert all(0 < len(batch) <= MAX_BATCH_RECORDS for batch in batches) or not records
    for batch in batches:
        assert fits_batch(len(batch), sum(len(json.dumps(record)) for record in batch))


def test_small_bodies_are_one_batch() -> None:
    assert list(split([ROW] * 500, 20_000)) == [[ROW] * 500]
    assert [len(batch) for batch in split([ROW] * 1201, 60_000)] == [500, 500, 201]


def test_large_records_are_spread_over_as_few_batches_as_fit() -> None:
    records = [{"text": "x" * 50_000, "n": n} for n in range(60)]
    batches = list(split(records, 3_100_000))
    assert [record for batch in batches for record in batch] == records
    assert [len(batch) for batch in batches] == [20, 20, 20]


def test_a_record_too_large_for_a_message_is_refused() -> None:
    huge = {"text": "x" * 1_040_000}
    with pytest.raises(InvalidInput) as caught:
        list(split([ROW, huge], 1_040_100))
    assert caught.value.issues[0].pointer == "/1"
