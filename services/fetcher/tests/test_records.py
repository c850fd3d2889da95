"""Where records are in a decoded body. A missing path is an error; a present and empty list is not."""

from typing import Any

import pytest
from hub_fetcher.paths import MISSING, dig, dig_every
from hub_fetcher.responses.records import find_records
from hub_model.endpoints import Request
from hub_model.errors import ErrorClass, SourceError

ROWS = [{"id": 1}, {"id": 2}]


def find(body: Any, path: str | None = None, *, is_vouched: bool = False, **request: Any) -> tuple[str, list[Any]]:
    spec = Request.model_validate({"path": "/s", **request})
    return find_records(body, "students", path, spec, is_vouched=is_vouched)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (ROWS, ""),
        ({"data": ROWS, "success": True}, "data"),
        ({"Data": ROWS}, "Data"),
        ({"results": ROWS, "next": None}, "results"),
        ({"students": ROWS, "total": 2}, "students"),
        ({"value": ROWS, "@odata.count": 2}, "value"),
        ({"users": ROWS, "warnings": []}, "users"),
        ({"PunchData": ROWS, "Error": False, "Msg": "Success"}, "PunchData"),
        ({"data": {"items": ROWS, "total": 2}}, "data.items"),
        ({"response": {"students": ROWS, "departments": [1]}}, "response.students"),
        ({"data": {"page": 1, "rows": ROWS}, "links": [], "roles": [1]}, "data.rows"),
        ({"message": ROWS}, "message"),
        ({"student_details": {"student": ROWS, "@count": "2"}}, "student_details.student"),
    ],
)
def test_records_are_found_in_the_usual_places(body: Any, path: str) -> None:
    assert find(body) == (path, ROWS)


@pytest.mark.parametrize("body", [[], {"data": []}, {"students": [], "errors": []}, {"data": {"items": []}}])
def test_a_present_and_empty_array_is_no_error(body: Any) -> None:
    assert find(body)[1] == []


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"data": ROWS}, "items", "records_missing"),
        ({"data": {"rows": ROWS}}, "data.records", "records_missing"),
        ({"data": None}, "data", "records_null"),
        ({"data": None}, None, "records_null"),
        (None, None, "records_null"),
        ({"data": {"id": 1}}, "data", "records_missing"),
        ({}, None, "records_missing"),
        ({"id": 1, "name": "x"}, None, "records_missing"),
        ({"data": None, "tags": []}, None, "records_null"),
        ({"students": None, "permissions": []}, None, "records_null"),
        ("text", None, "records_missing"),
        (7, None, "records_missing"),
        ({"a": ROWS, "b": ROWS}, None, "records_ambiguous"),
        ({"data": ROWS, "items": ROWS}, None, "records_ambiguous"),
        ({"data": {"a": ROWS, "b": ROWS}}, None, "records_ambiguous"),
    ],
)
def test_a_missing_records_path_is_an_error(body: Any, path: str | None, code: str) -> None:
    with pytest.raises(SourceError) as caught:
        find(body, path)
    assert caught.value.code == code
    assert caught.value.error_class is ErrorClass.CONFIG


def test_the_error_lists_the_arrays_that_could_be_meant() -> None:
    with pytest.raises(SourceError) as caught:
        find({"alpha": ROWS, "beta": ROWS, "Rahul Rao's": ROWS, "gamma": 1})
    assert "alpha, beta" in caught.value.public
    assert "gamma" not in caught.value.public
    assert "Rahul" not in caught.value.public


@pytest.mark.parametrize(
    ("body", "path", "expected"),
    [
        ({"data": [{"s": [1, 2]}, {"s": []}, {"s": [3]}]}, "data.*.s", [1, 2, 3]),
        ({"data": {"A": {"s": [1]}, "B": {"s": [2]}}}, "data.*.s", [1, 2]),
        ({"data": [[1], [], [2]]}, "data.*", [1, 2]),
        ([{"s": [1]}], "*.s", [1]),
        ({"a": {"x": [{"b": [1]}, {"b": [2]}], "y": [{"b": [3]}]}}, "a.*.*.b", [1, 2, 3]),
        ({"data": []}, "data.*.s", []),
        ({"data": {}}, "data.*.s", []),
    ],
)
def test_a_star_goes_through_every_entry(body: Any, path: str, expected: list[Any]) -> None:
    assert find(body, path) == (path, expected)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"data": [{"s": [1]}, {"t": [2]}]}, "records_missing"),
        ({"data": [{"s": [1]}, {"s": None}]}, "records_null"),
        ({"data": [{"s": [1]}, {"s": 5}]}, "records_missing"),
        ({"data": [{"s": [1]}, 5]}, "records_missing"),
        ({"data": None}, "records_null"),
        ({}, "records_missing"),
        ({"data": "text"}, "records_missing"),
    ],
)
def test_an_entry_without_records_is_an_error_too(body: Any, code: str) -> None:
    with pytest.raises(SourceError) as caught:
        find(body, "data.*.s")
    assert caught.value.code == code


def test_the_values_of_an_object_are_records_with_their_key() -> None:
    body = {"data": {"57": {"name": "Rahul"}, "58": {"name": "Asha", "key": "own"}, "59": "odd"}}
    assert find(body, "data", recordsFrom="values")[1] == [
        {"key": "57", "name": "Rahul"},
        {"name": "Asha", "key": "own"},
        {"key": "59", "value": "odd"},
    ]
    assert find({"data": {}}, "data", recordsFrom="values")[1] == []
    assert find({"data": []}, "data", recordsFrom="values")[1] == []  # PHP's empty object
    assert find({"data": [{"n": 1}]}, "data", recordsFrom="values")[1] == [{"key": "0", "n": 1}]


def test_nested_objects_by_key_are_reached_by_stars() -> None:
    """openSIS: year, school, student."""
    body = {"data": {"2026": {"X College": {"57": {"ALT_ID": "101"}}, "Y": {"58": {"ALT_ID": "102"}}}}}
    found = find(body, "data.*.*", recordsFrom="values")[1]
    assert found == [{"key": "57", "ALT_ID": "101"}, {"key": "58", "ALT_ID": "102"}]


def test_an_object_may_be_the_one_record() -> None:
    assert find({"id": 1}, "", recordsFrom="single")[1] == [{"id": 1}]
    assert find({"user": {"id": 1}}, "user", recordsFrom="single")[1] == [{"id": 1}]
    for body, code in [
        ({"user": None}, "records_null"),
        ({"user": [1]}, "records_missing"),
        ({}, "records_missing"),
    ]:
        with pytest.raises(SourceError) as caught:
            find(body, "user", recordsFrom="single")
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "studentSubmissions"),  # Google Classroom
        ({"AcsEvent": {"searchID": "s", "totalMatches": 0, "responseStatusStrg": "NO MATCH"}}, "AcsEvent.InfoList"),
        ({"name": "students", "@extensions": "x"}, "record"),  # PowerSchool
        ({"Error": False, "Msg": "Success", "IsAdmin": True}, "PunchData"),
        ({"data": None}, "data"),
        ({"warnings": [{"warningcode": "x"}]}, "users"),
        ({"data": [{"s": [1]}, {"t": [1]}]}, "data.*.s"),
    ],
)
def test_a_list_that_is_left_out_is_empty_where_the_endpoint_says_so(body: Any, path: str) -> None:
    assert find(body, path, missingRecords="empty")[1] in ([], [1])
    with pytest.raises(SourceError):
        find(body, path)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (None, "data"),
        ([], "data"),
        ("text", "data"),
        ({}, "AcsEvent.InfoList"),
        ({"AcsEvent": None}, "AcsEvent.InfoList"),
        ({"pupils": ROWS}, "students"),  # the list has another name: drift
        ({"data": {"pupils": ROWS}}, "data.students"),
        ({"message": "Internal server error"}, "students"),
        ({"data": {}, "errorCode": "E17"}, "data.students"),
        ({"students": {"id": 1}}, "students"),
        ({"students": "none"}, "students"),
        ({"other": []}, "data.*.s"),
        ({"other": []}, "students"),
        ({"data": [5]}, "data.*.s"),
    ],
)
def test_what_is_left_out_is_empty_only_where_nothing_speaks_against_it(body: Any, path: str) -> None:
    with pytest.raises(SourceError):
        find(body, path, missingRecords="empty")


def test_a_rule_of_the_endpoint_outweighs_what_speaks_against_an_empty_list() -> None:
    body = {"Error": False, "Msg": "No record found"}
    assert find(body, "PunchData", missingRecords="empty", is_vouched=True)[1] == []
    with pytest.raises(SourceError):
        find(body, "PunchData", is_vouched=True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", {"a": {"b": [{"c": 1}], "x.y": 2}, "@odata.nextLink": "u", "n": None}),
        ("a.b.0.c", 1),
        ("a.x.y", 2),
        ("@odata.nextLink", "u"),
        ("n", None),
        ("a.b.1", MISSING),
        ("a.b.c", MISSING),
        ("a.b.-1", MISSING),
        ("n.x", MISSING),
        ("z", MISSING),
        ("a..b", MISSING),
    ],
)
def test_a_dotted_path_leads_to_its_value(path: str, expected: Any) -> None:
    document = {"a": {"b": [{"c": 1}], "x.y": 2}, "@odata.nextLink": "u", "n": None}
    assert dig(document, path) == expected
    assert [value for value, _ in dig_every(document, path)] == [expected]
