"""What holds for a whole record of each type."""

from datetime import UTC, datetime

import pytest
from hub_mapping import compile_mapping
from hub_mapping.keys import KEY_PARTS
from hub_mapping.schemas import SCHEMAS, Kind
from hub_model.mappings import Mapping
from hub_model.records import DataType

MARK = {"studentId": "1", "subjectId": "S", "examId": "E"}
CLASS = {"subjectId": "S", "dayOfWeek": "mon", "startTime": "09:00"}


def mapped(data_type: DataType, record: dict[str, object]) -> dict[str, object]:
    """The canonical data, or pointer -> code of what is wrong."""
    mapping = compile_mapping(Mapping(), data_type, time_zone="Asia/Kolkata")
    batch = mapping.map_batch([record], observed_at=datetime(2024, 1, 20, tzinfo=UTC))
    if batch.rejects:
        return {issue["pointer"]: issue["code"] for issue in batch.rejects[0].issues}
    data = batch.records[0]["data"]
    assert isinstance(data, dict)
    return data


@pytest.mark.parametrize("data_type", [DataType.STUDENTS, DataType.FACULTY])
def test_a_name_is_made_of_its_parts_where_there_is_no_whole_one(data_type: DataType) -> None:
    key = KEY_PARTS[data_type][0][0]
    parts = {key: "1", "firstName": " Asha ", "middleName": "", "lastName": "Rao"}
    assert mapped(data_type, parts)["name"] == "Asha Rao"
    assert mapped(data_type, {**parts, "name": "A. Rao"})["name"] == "A. Rao"
    assert mapped(data_type, {key: "1"}) == {"/name": "missing"}


@pytest.mark.parametrize(
    ("obtained", "most", "percentage"),
    [(45, 50, 90), ("42.5", "60", 70.83), (0, 50, 0), (110, 100, 110), (-5, 100, -5), (1, 3, 33.33), (2, 3, 66.67)],
)
def test_a_percentage_follows_from_the_marks(obtained: object, most: object, percentage: float) -> None:
    data = mapped(DataType.MARKS, {**MARK, "marksObtained": obtained, "maxMarks": most})
    assert data["percentage"] == percentage
    assert type(data["percentage"]) is type(percentage)


def test_a_percentage_of_the_source_is_kept_and_none_is_invented() -> None:
    assert mapped(DataType.MARKS, {**MARK, "marksObtained": 1, "maxMarks": 3, "percentage": 33})["percentage"] == 33
    assert "percentage" not in mapped(DataType.MARKS, {**MARK, "marksObtained": 1})
    assert "percentage" not in mapped(DataType.MARKS, {**MARK, "marksObtained": 1e15, "maxMarks": 1e-15})


def test_no_marks_are_not_zero_marks() -> None:
    data = mapped(DataType.MARKS, {**MARK, "marksObtained": None, "maxMarks": 50})
    assert data["marksObtained"] is None
    assert "percentage" not in data


@pytest.mark.parametrize(
    ("changes", "issues"),
    [
        ({"maxMarks": 0}, {"/maxMarks": "out_of_range"}),
        ({"maxMarks": -5}, {"/maxMarks": "out_of_range"}),
        ({"attempt": -1}, {"/attempt": "out_of_range"}),
        ({"attempt": 1.5}, {"/attempt": "not_an_integer"}),
        ({"subjectId": None}, {"/subjectId": "missing"}),
        ({"subjectId": ["S"]}, {"/subjectId": "wrong_type"}),
        ({"examId": ""}, {"/examId": "missing"}),
        ({"marksObtained": "AB"}, {"/marksObtained": "not_a_number"}),
    ],
)
def test_a_wrong_mark_is_rejected(changes: dict[str, object], issues: dict[str, str]) -> None:
    assert mapped(DataType.MARKS, {**MARK, **changes}) == issues


@pytest.mark.parametrize(
    ("changes", "issues"),
    [
        ({"endTime": "08:00"}, {"/endTime": "not_after_start"}),
        ({"endTime": "9:00"}, {"/endTime": "not_after_start"}),
        ({"subjectId": None}, {"/subjectId": "missing"}),
        ({"dayOfWeek": None}, {"/dayOfWeek": "missing"}),
        ({"dayOfWeek": "M"}, {"/dayOfWeek": "not_allowed"}),
        ({"dayOfWeek": 1}, {"/dayOfWeek": "not_allowed"}),
        ({"startTime": None}, {"/startTime": "missing"}),
    ],
)
def test_a_wrong_class_is_rejected(changes: dict[str, object], issues: dict[str, str]) -> None:
    assert mapped(DataType.TIMETABLE, {**CLASS, **changes}) == issues


def test_lists_and_maps_of_ids() -> None:
    faculty = {
        "facultyId": "F",
        "name": "A",
        "subjectIds": ["CS1", 2, None, " "],
        "externalIds": {"moodle": 5, "x": ""},
    }
    data = mapped(DataType.FACULTY, faculty)
    assert data["subjectIds"] == ["CS1", "2"]
    assert data["externalIds"] == {"moodle": "5"}
    wrong = {**faculty, "subjectIds": "CS1,CS2", "externalIds": {"a.b": 1}}
    assert mapped(DataType.FACULTY, wrong) == {"/subjectIds": "wrong_type", "/externalIds": "bad_name"}
    assert mapped(DataType.FACULTY, {**faculty, "subjectIds": ["x"] * 501})["/subjectIds"] == "too_long"


def test_long_text_is_an_issue_and_never_cut() -> None:
    assert mapped(DataType.STUDENTS, {"studentId": "1" * 257, "name": "x" * 501}) == {
        "/studentId": "too_long",
        "/name": "too_long",
    }


@pytest.mark.parametrize("data_type", list(KEY_PARTS))
def test_what_makes_a_key_is_text_or_a_whole_number(data_type: DataType) -> None:
    kinds = {SCHEMAS[data_type][name].kind for part in KEY_PARTS[data_type] for name in part}
    assert kinds <= {Kind.ID, Kind.TEXT, Kind.DATE, Kind.CLOCK, Kind.WORD, Kind.INTEGER}
