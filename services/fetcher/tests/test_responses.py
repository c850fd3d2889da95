"""Bodies are JSON with records in them, or errors. Never zero records by accident."""

import gzip
from typing import Any

import orjson
import pytest
from hub_fetcher.paths import MISSING, dig
from hub_fetcher.responses.decode import UnreadableBody, decode
from hub_fetcher.responses.records import find_records
from hub_model.errors import ErrorClass, SourceError
from hub_model.records import DataType
from hypothesis import given
from hypothesis import strategies as st

ROWS = [{"id": 1}, {"id": 2}]


def find(body: Any, path: str | None = None) -> tuple[str, list[Any]]:
    return find_records(body, DataType.STUDENTS, path)


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
        find({"alpha": ROWS, "beta": ROWS, "gamma": 1})
    assert "alpha, beta" in caught.value.public
    assert "gamma" not in caught.value.public


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"success": False, "error": "token expired", "data": None}, ErrorClass.AUTH),
        ({"success": False, "data": []}, ErrorClass.DATA),
        ({"success": "false", "data": ROWS}, ErrorClass.DATA),
        ({"ok": False}, ErrorClass.DATA),
        ({"status": "error", "message": "database is down"}, ErrorClass.DATA),
        ({"status": False, "message": "Invalid API key", "data": []}, ErrorClass.AUTH),
        ({"error": "Invalid Credentials."}, ErrorClass.AUTH),
        ({"Error": "true", "Msg": "no records", "PunchData": []}, ErrorClass.DATA),
        ({"error": {"code": 5}, "data": ROWS}, ErrorClass.DATA),
        ({"data": [], "errors": [{"message": "user not authorized"}]}, ErrorClass.AUTH),
        ({"status": 500, "message": "database is down", "data": []}, ErrorClass.DATA),
        ({"statusCode": "503", "data": []}, ErrorClass.DATA),
        ({"code": 401, "message": "Unauthorized", "data": []}, ErrorClass.AUTH),
        ({"response": {"success": False, "message": "token expired", "data": []}}, ErrorClass.AUTH),
        ({"exception": "moodle_exception", "errorcode": "invalidtoken", "message": "Invalid token"}, ErrorClass.AUTH),
        ({"exc_type": "PermissionError", "exception": "frappe.exceptions.PermissionError: no"}, ErrorClass.AUTH),
        (
            {"statusInfoSet": [{"imsx_codeMajor": "failure", "imsx_description": "bad filter"}], "users": []},
            ErrorClass.DATA,
        ),
    ],
)
def test_a_body_that_reports_an_error_under_status_200_is_never_zero_records(body: Any, expected: ErrorClass) -> None:
    with pytest.raises(SourceError) as caught:
        find(body)
    assert caught.value.error_class is expected


@pytest.mark.parametrize(
    "extra",
    [
        {"error": None},
        {"error": ""},
        {"error": False},
        {"error": 0},
        {"Error": "false"},
        {"errors": []},
        {"errors": ["one row left out"]},
        {"status": "ok"},
        {"status": 200},
        {"status": True},
        {"success": 1},
        {"exception": None},
        {"code": 0, "msg": ""},
        {"code": 450, "msg": "a number of the source's own"},
    ],
)
def test_a_body_that_reports_no_error_is_read(extra: dict[str, Any]) -> None:
    assert find({"data": ROWS, **extra})[1] == ROWS


def test_errors_never_repeat_what_the_source_said() -> None:
    body = {"success": False, "message": "student canary-name: token canary-key is bad"}
    with pytest.raises(SourceError) as caught:
        find(body)
    assert "canary" not in str(caught.value) + caught.value.public


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty_body"),
        (b" \n ", "empty_body"),
        (b"<!DOCTYPE html><h1>Maintenance</h1>", "not_json"),
        (b"<students><student/></students>", "not_json"),
        (b'{"data": [{"id": 1}, {"id"', "not_json"),
        (b"OK", "not_json"),
        (b"\xff\xfe", "not_json"),
        (gzip.compress(b"{}"), "not_json"),
        (b'{"a": NaN}', "not_json"),
        (b"[" * 100_000, "not_json"),
    ],
)
def test_what_is_no_json_is_an_error(body: bytes, code: str) -> None:
    with pytest.raises(UnreadableBody) as caught:
        decode(body, "application/json", label="/students")
    assert caught.value.code == code
    assert caught.value.__cause__ is None


def test_a_login_page_is_about_credentials() -> None:
    page = b"<html><form><input name='u'><input type = \"password\" name='p'></form></html>"
    with pytest.raises(SourceError) as caught:
        decode(page, "text/html", label="/students")
    assert caught.value.error_class is ErrorClass.AUTH


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"name": "\xc3\x89va"}', "text/html"),
        (b'\xef\xbb\xbf{"name": "\xc3\x89va"}', "application/json; charset=utf-8"),
        (b'{"name": "\xc9va"}', 'application/json; charset="iso-8859-1"'),
        ('{"name": "\xc9va"}'.encode("utf-16"), "application/json; charset=utf-16"),
        (b'  {"name": "\\u00c9va"}\n', ""),
    ],
)
def test_content_types_may_lie_and_charsets_may_differ(body: bytes, content_type: str) -> None:
    assert decode(body, content_type, label="/s") == {"name": "\xc9va"}


def test_an_unknown_charset_is_an_error_of_ours() -> None:
    with pytest.raises(UnreadableBody):
        decode(b"{}", "application/json; charset=klingon", label="/s")


@given(st.integers(min_value=-(10**40), max_value=10**40))
def test_no_digit_of_a_whole_number_is_lost(number: int) -> None:
    value = decode(orjson.dumps({"id": 1}).replace(b"1", str(number).encode()), "", label="/s")["id"]
    assert value == (number if -(2**63) <= number < 2**64 else str(number))
    assert orjson.loads(orjson.dumps(value)) == value


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
