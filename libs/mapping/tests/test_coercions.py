"""What other tools coerce, and what becomes of it here: exactly, or rejected; never changed in silence.

The inputs are those of the case table of airbyte-cdk's type transformer and of its defects; the outcomes are ours.
"""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hub_mapping import compile_mapping
from hub_model.mappings import Mapping
from hub_model.records import DataType

MARK = {"studentId": "1", "subjectId": "S", "examId": "E"}
TEACHER = {"facultyId": "1", "name": "A"}
REJECTED = object()


def outcome(field: str, value: object) -> object:
    """What a field holds after mapping the value as it is, or REJECTED."""
    data_type, record = (
        (DataType.FACULTY, TEACHER) if field in ("subjectIds", "externalIds") else (DataType.MARKS, MARK)
    )
    mapping = compile_mapping(Mapping(), data_type, time_zone="UTC")
    raw = {**record, field: value}
    before = repr(raw)
    batch = mapping.map_batch([raw], observed_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert repr(raw) == before
    if batch.rejects:
        (reject,) = batch.rejects
        assert [issue["pointer"] for issue in reject.issues] == [f"/{field}"]
        assert reject.raw is raw
        return REJECTED
    return batch.records[0]["data"].get(field)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        # A number as text is written out exactly; what is no scalar is no text.
        ("grade", 12, "12"),
        ("grade", 12.0, "12"),
        ("grade", 1e21, REJECTED),
        ("grade", True, REJECTED),
        ("grade", None, None),
        ("grade", {"a": {"b": {"c": "deep"}}}, REJECTED),
        ("grade", [1, 2, 3], REJECTED),
        ("grade", "None", "None"),
        # Ids keep what is written.
        ("examId", "007", "007"),
        ("examId", 7, "7"),
        ("examId", 9007199254740993, "9007199254740993"),
        ("examId", 9007199254740992.0, REJECTED),
        ("examId", 12.5, REJECTED),
        # A whole number is never a part of one, and no zero is lost on the way.
        ("attempt", "12", 12),
        ("attempt", "12.0", 12),
        ("attempt", 12.0, 12),
        ("attempt", 12.7, REJECTED),
        ("attempt", "12.7", REJECTED),
        ("attempt", "007", REJECTED),
        ("attempt", "aa12", REJECTED),
        ("attempt", True, REJECTED),
        ("attempt", 2**63, REJECTED),
        ("attempt", {"value": "12"}, REJECTED),
        # Marks are exact numbers.
        ("marksObtained", "6.6666", 6.6666),
        ("marksObtained", "2", 2),
        ("marksObtained", 9007199254740993, 9007199254740993),
        ("marksObtained", "9007199254740993.5", REJECTED),
        ("marksObtained", "aa12", REJECTED),
        ("marksObtained", "nan", REJECTED),
        ("marksObtained", "1e400", REJECTED),
        ("marksObtained", float("nan"), REJECTED),
        ("marksObtained", float("inf"), REJECTED),
        ("marksObtained", "1,234", REJECTED),
        ("marksObtained", "85%", REJECTED),
        ("marksObtained", "AB", REJECTED),
        ("marksObtained", "-", REJECTED),
        ("marksObtained", "", None),
        ("marksObtained", False, REJECTED),
        ("marksObtained", [8], REJECTED),
        # A list is not made of something else.
        ("subjectIds", ["111", 111], ["111"]),
        ("subjectIds", ["111", 111, {"1": 111}], REJECTED),
        ("subjectIds", [["111"], [11]], REJECTED),
        ("subjectIds", "12", REJECTED),
        ("subjectIds", 12, REJECTED),
        ("subjectIds", None, None),
        ("subjectIds", {"key": "value"}, REJECTED),
        # Nor an object.
        ("externalIds", "value2", REJECTED),
        ("externalIds", {"a": [1, 2, 3]}, REJECTED),
        ("externalIds", {"a": 12, "b": None}, {"a": "12"}),
        ("extensions", {"a": {"b": [None, "2", 2.5]}}, {"a": {"b": [None, "2", 2.5]}}),
        ("extensions", ["one"], REJECTED),
        # A word outside its list stays visible.
        ("result", "false", "unknown"),
        ("result", ["pass"], REJECTED),
    ],
)
def test_a_value_is_kept_exactly_or_the_record_is_rejected(field: str, value: object, expected: object) -> None:
    found: Any = outcome(field, value)
    assert found is expected or found == expected
    assert type(found) is type(expected)


def test_a_number_that_json_text_holds_arrives_without_losing_digits() -> None:
    raw = orjson.loads(b'{"marksObtained": 9007199254740993, "grade": 0.1}')
    assert outcome("marksObtained", raw["marksObtained"]) == 9007199254740993
    assert outcome("grade", raw["grade"]) == "0.1"
