"""What an answer means: the endpoint's rules, then the status, then what the body says of itself."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx2
import orjson
import pytest
from hub_fetcher.responses.answers import Answer, Answers, Meaning
from hub_fetcher.responses.records import find_records
from hub_fetcher.responses.remarks import is_incomplete, sentences
from hub_model.endpoints import Endpoint
from hub_model.errors import ErrorClass, HubError, RateLimited, SourceError
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 1, 15, tzinfo=UTC)
ROWS = [{"id": 1}, {"id": 2}]
AUTH, CONFIG, DATA = ErrorClass.AUTH, ErrorClass.CONFIG, ErrorClass.DATA
TRANSIENT, RATE = ErrorClass.TRANSIENT, ErrorClass.RATE


def understand(
    status: int, body: Any, headers: Mapping[str, str] | None = None, label: str = "/s", **endpoint: Any
) -> Meaning:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    answers = Answers(Endpoint.model_validate({"path": "/s", **endpoint}), label)
    return answers.understand(Answer(status, httpx2.Headers(headers), content), NOW)


def error(status: int, body: Any, headers: Mapping[str, str] | None = None, **endpoint: Any) -> HubError:
    with pytest.raises(HubError) as caught:
        understand(status, body, headers, **endpoint)
    return caught.value


def records(status: int, body: Any, **endpoint: Any) -> list[Any]:
    meaning = understand(status, body, **endpoint)
    spec = Endpoint.model_validate({"path": "/s", **endpoint})
    return find_records(meaning.value, "students", spec.records_path, spec, is_vouched=meaning.is_vouched)[1]


CANVAS_403 = {"errors": [{"message": "user not authorized to perform that action"}]}
FRAPPE_403 = {
    "exc": '["Traceback canary"]',
    "exc_type": "PermissionError",
    "exception": "frappe.exceptions.PermissionError: canary",
    "_server_messages": '["{\\"message\\": \\"canary\\"}"]',
}
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="canvas-lms"'}
SOAP_FAULT = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:%s</faultcode>'
    b"<faultstring>%s</faultstring></s:Fault></s:Body></s:Envelope>"
)
ESSL = (
    b'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
    b'<soap:Body><GetTransactionsLogResponse xmlns="http://tempuri.org/"><GetTransactionsLogResult>%s'
    b"</GetTransactionsLogResult><strDataList>%s</strDataList></GetTransactionsLogResponse></soap:Body></soap:Envelope>"
)
ESSL_SPEC: dict[str, Any] = {
    "format": "text",
    "text": {
        "delimiter": "\t",
        "columns": ["code", "at", "direction"],
        "inside": "Envelope.Body.GetTransactionsLogResponse.strDataList",
    },
}
PROBLEM = {"detail": "canary", "type": "urn:ed-fi:api:%s", "title": "canary", "status": 404, "errors": ["canary"]}


def problem(kind: str) -> dict[str, Any]:
    return {**PROBLEM, "type": f"urn:ed-fi:api:{kind}"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected", "code"),
    [
        # Moodle
        (200, {}, {"exception": "moodle_exception", "errorcode": "invalidtoken"}, AUTH, "credentials_refused"),
        (200, {}, {"exception": "e", "errorcode": "accessexception"}, AUTH, "permission_missing"),
        (200, {}, {"exception": "e", "errorcode": "errorcoursecontextnotvalid"}, AUTH, "permission_missing"),
        (200, {}, {"exception": "e", "errorcode": "invalidparameter"}, CONFIG, "request_refused"),
        (200, {}, {"exception": "dml_read_exception", "errorcode": "x"}, TRANSIENT, "source_unavailable"),
        (200, {}, {"exception": "e", "errorcode": "sitemaintenance"}, TRANSIENT, "source_maintenance"),
        (200, {}, {"exception": "e", "errorcode": "canary", "message": "canary"}, DATA, "error_in_body"),
        (
            200,
            {},
            b"<?xml version='1.0'?><EXCEPTION class='e'><ERRORCODE>invalidtoken</ERRORCODE></EXCEPTION>",
            AUTH,
            None,
        ),
        (403, {}, b"", AUTH, "permission_missing"),
        # OneRoster
        (
            200,
            {},
            {"statusInfoSet": [{"imsx_codeMajor": "failure", "imsx_codeMinor": "invalid_filter_field"}]},
            CONFIG,
            "request_refused",
        ),
        (200, {}, {"imsx_codeMajor": "failure", "imsx_severity": "error"}, DATA, "error_in_body"),
        (401, {}, {"imsx_codeMajor": "failure", "imsx_codeMinor": "unauthorisedrequest"}, AUTH, "credentials_refused"),
        (403, {}, {"imsx_codeMajor": "failure", "imsx_codeMinor": "forbidden"}, AUTH, "permission_missing"),
        (
            400,
            {},
            {"imsx_CodeMinor": {"imsx_codeMinorField": [{"imsx_codeMinorFieldValue": "server_busy"}]}},
            RATE,
            "rate_limited",
        ),
        (404, {}, {"imsx_codeMinor": "unknownobject"}, CONFIG, "http_404"),
        (500, {}, {"imsx_codeMinor": "internal_server_error"}, TRANSIENT, "source_unavailable"),
        # Canvas
        (401, CHALLENGE, {"errors": [{"message": "Invalid access token."}]}, AUTH, "credentials_refused"),
        (401, {}, CANVAS_403, AUTH, "permission_missing"),
        (401, CHALLENGE, CANVAS_403, AUTH, "credentials_refused"),
        (403, {}, CANVAS_403, AUTH, "permission_missing"),
        (403, {}, b"403 Forbidden (Rate Limit Exceeded)", RATE, "rate_limited"),
        (429, {}, b"429 Too Many Requests (Rate Limit Exceeded)", RATE, "rate_limited"),
        (400, {}, {"error": "too many students"}, CONFIG, "http_400"),
        (422, {}, {"errors": {"name": [{"message": "canary", "error_code": "x"}]}}, CONFIG, "http_422"),
        # Ed-Fi
        (404, {}, problem("feature-disabled"), CONFIG, "feature_disabled"),
        (404, {}, problem("not-found"), CONFIG, "http_404"),
        (400, {}, problem("bad-request:parameter"), CONFIG, "http_400"),
        (401, {}, problem("security:authentication"), AUTH, "credentials_refused"),
        (403, {}, problem("security:authorization:access-denied:action"), AUTH, "permission_missing"),
        (409, {}, problem("conflict"), TRANSIENT, "source_unavailable"),
        # Frappe
        (403, {}, FRAPPE_403, AUTH, "permission_missing"),
        (401, {}, {"exc_type": "AuthenticationError"}, AUTH, "credentials_refused"),
        (403, {}, {"session_expired": 1, "exc_type": "SessionExpired"}, AUTH, "credentials_refused"),
        (404, {}, b"{}", CONFIG, "http_404"),
        (417, {}, {"exc_type": "ValidationError", "exception": "canary"}, CONFIG, "http_417"),
        (429, {"Retry-After": "7"}, b"Too Many Requests", RATE, "rate_limited"),
        (503, {}, {"exc_type": "InReadOnlyMode"}, TRANSIENT, "source_maintenance"),
        (503, {}, b"<html><h1>Updating</h1>under maintenance</html>", TRANSIENT, "source_maintenance"),
        (502, {}, b"<html><h1>Bad Gateway</h1></html>", TRANSIENT, "source_unavailable"),
        # Google
        (403, {}, {"error": {"code": 403, "status": "PERMISSION_DENIED"}}, AUTH, "permission_missing"),
        (
            403,
            {},
            {"error": {"status": "PERMISSION_DENIED", "errors": [{"reason": "rateLimitExceeded"}]}},
            RATE,
            "rate_limited",
        ),
        (401, {}, {"error": {"status": "UNAUTHENTICATED"}}, AUTH, "credentials_refused"),
        (429, {}, {"error": {"status": "RESOURCE_EXHAUSTED"}}, RATE, "rate_limited"),
        # BioTime
        (200, {}, {"count": 0, "next": None, "msg": "canary", "code": 1, "data": []}, DATA, "error_in_body"),
        (200, {}, {"msg": "canary", "code": -3, "data": []}, DATA, "error_in_body"),
        (403, {}, {"detail": "IsNotOpenAPI"}, CONFIG, "api_not_licensed"),
        # eTimeOffice
        (200, {}, {"Error": "true", "Msg": "Invalid User"}, AUTH, "credentials_refused"),
        (200, {}, {"Error": True, "Msg": "canary", "PunchData": []}, DATA, "error_in_body"),
        (200, {}, {"Error": "canary", "PunchData": []}, DATA, "error_in_body"),
        # openSIS, SchoolTime
        (200, {}, {"error": "Invalid Credentials."}, AUTH, "credentials_refused"),
        (200, {}, {"status": "false", "msg": "canary"}, DATA, "error_in_body"),
        # SOAP
        (200, {}, SOAP_FAULT % (b"Client", b"canary"), CONFIG, "request_refused"),
        (200, {}, SOAP_FAULT % (b"Server", b"canary"), TRANSIENT, "source_unavailable"),
        (200, {}, SOAP_FAULT % (b"Server", b"Invalid password"), AUTH, "credentials_refused"),
        (500, {}, SOAP_FAULT % (b"Client", b"canary"), CONFIG, "http_500"),
        (500, {}, SOAP_FAULT % (b"Server", b"canary"), TRANSIENT, "source_unavailable"),
        (500, {}, SOAP_FAULT % (b"Server", b"Invalid password"), AUTH, "credentials_refused"),
        (200, {}, ESSL % (b"Unathorised", b""), AUTH, "credentials_refused"),
        # Fedena
        (200, {}, b"<?xml version='1.0'?><errors><error>canary</error></errors>", DATA, "error_in_body"),
        (401, {}, b"<?xml version='1.0'?><errors><error>canary</error></errors>", AUTH, "credentials_refused"),
        # Others
        (200, {}, {"success": False, "error": "token expired", "data": None}, AUTH, "credentials_refused"),
        (200, {}, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}], AUTH, None),
        (200, {"Content-Type": "application/x-ndjson"}, b'{"error": "canary"}\n', DATA, "error_in_body"),
        (200, {}, b"null", CONFIG, "records_null"),
        (200, {}, b"", DATA, "empty_body"),
        (423, {}, b"", TRANSIENT, "source_unavailable"),
        (425, {}, b"", TRANSIENT, "source_unavailable"),
        (418, {}, b"", CONFIG, "http_418"),
        (451, {}, b"", CONFIG, "http_451"),
        (503, {"Retry-After": "5"}, b"", RATE, "rate_limited"),
        (302, {"Location": "https://h/login"}, b"", AUTH, "credentials_refused"),
    ],
)
def test_what_vendors_say_has_its_class(
    status: int, headers: dict[str, str], body: Any, expected: ErrorClass, code: str | None
) -> None:
    with pytest.raises(HubError) as caught:
        find_records(understand(status, body, headers).value, "students", None)
    assert (caught.value.error_class, caught.value.code) == (expected, code or caught.value.code)
    told = str(caught.value) + caught.value.public
    assert "canary" not in told
    assert caught.value.public.endswith(".")
    assert status < 400 or str(status) in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "content_type", "detail"),
    [
        (403, FRAPPE_403, "application/json; charset=utf-8", "(application/json, {} bytes, PermissionError)"),
        (200, {"exception": "e", "errorcode": "INVALIDTOKEN"}, "application/json", "({} bytes, invalidtoken)"),
        (200, {"error": "canary"}, "canary/canary", "(another content type, {} bytes)"),
        (500, b"", "", "(no content type, {} bytes)"),
        (200, b"gibberish", "text/plain", "(text/plain, {} bytes)"),
    ],
)
def test_an_operator_is_told_the_type_the_size_and_the_code_words(
    status: int, body: Any, content_type: str, detail: str
) -> None:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    told = str(error(status, content, {"Content-Type": content_type} if content_type else {}))
    assert detail.format(len(content)).lstrip("(") in told
    assert "canary" not in told


def test_the_wait_that_a_refusal_asks_for_is_kept() -> None:
    caught = error(429, b"Too Many Requests", {"Retry-After": "7"})
    assert isinstance(caught, RateLimited)
    assert caught.retry_after_s == 7


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"success": False, "data": []}, DATA),
        ({"success": "false", "data": ROWS}, DATA),
        ({"ok": False}, DATA),
        ({"status": "error", "message": "database is down"}, DATA),
        ({"status": "fail"}, DATA),
        ({"status": False, "message": "Invalid API key", "data": []}, AUTH),
        ({"error": {"code": 5}, "data": ROWS}, DATA),
        ({"data": [], "errors": [{"message": "user not authorized"}]}, AUTH),
        ({"status": 500, "message": "database is down", "data": []}, DATA),
        ({"statusCode": "503", "data": []}, DATA),
        ({"code": 401, "message": "Unauthorized", "data": []}, AUTH),
        ({"response": {"success": False, "message": "token expired", "data": []}}, AUTH),
        ({"result": {"status": "failed", "rows": ROWS}}, DATA),
    ],
)
def test_a_body_that_reports_an_error_under_status_200_is_never_zero_records(body: Any, expected: ErrorClass) -> None:
    assert error(200, body).error_class is expected


def test_the_object_that_holds_the_records_may_report_an_error_too() -> None:
    body = {"college": {"status": "failed", "rows": ROWS}, "term": 1}
    assert error(200, body, recordsPath="college.rows").code == "error_in_body"
    assert (
        records(200, {**body, "other": body["college"], "college": {"rows": ROWS}}, recordsPath="college.rows") == ROWS
    )


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
        {"code": 200, "message": "Fine"},
        {"code": 450, "msg": "a number of the source's own"},
    ],
)
def test_a_body_that_reports_no_error_is_read(extra: dict[str, Any]) -> None:
    assert records(200, {"data": ROWS, **extra}) == ROWS


@pytest.mark.parametrize(
    "extra", [{"code": 0, "msg": ""}, {"code": "STU", "msg": "x"}, {"code": 7}, {"code": 200, "msg": "x"}]
)
def test_a_code_that_says_nothing_of_an_error_leaves_an_empty_list_empty(extra: dict[str, Any]) -> None:
    assert records(200, {"data": [], **extra}) == []


def test_errors_among_records_are_records() -> None:
    rows = [{"id": 1, "error": "canary", "status": "fail"}, {"id": 2}]
    assert records(200, rows) == rows
    assert records(200, [{"id": 1, "status": "fail"}]) == [{"id": 1, "status": "fail"}]


# Other formats than the one that is expected


@pytest.mark.parametrize(
    ("body", "format_", "code"),
    [
        ({"error": "Invalid Credentials."}, "csv", "credentials_refused"),
        ({"error": "Invalid Credentials."}, "ndjson", "credentials_refused"),
        ({"error": "Invalid Credentials."}, "xml", "credentials_refused"),
        ({"error": "Invalid Credentials."}, "text", "credentials_refused"),
        ({"data": ROWS}, "csv", "wrong_format"),
        ({"data": ROWS}, "xml", "wrong_format"),
        ([{"id": 1}], "ndjson", "wrong_format"),
        (b"<?xml version='1.0'?><r/>", "json", "wrong_format"),
        (b"<?xml version='1.0'?><r/>", "csv", "wrong_format"),
        (b"<?xml version='1.0'?><errors><error>Invalid token</error></errors>", "json", "credentials_refused"),
    ],
)
def test_an_error_comes_in_whatever_format_and_data_in_the_one_that_is_expected(
    body: Any, format_: str, code: str
) -> None:
    assert error(200, body, format=format_).code == code


def test_lines_within_xml_are_records() -> None:
    body = ESSL % (b"Logs Count:2", b"0101&#9;2026-07-20 08:31:10&#9;in&#13;&#10;0102&#9;2026-07-20 08:32:00&#13;&#10;")
    assert records(200, body, **ESSL_SPEC) == [
        {"code": "0101", "at": "2026-07-20 08:31:10", "direction": "in"},
        {"code": "0102", "at": "2026-07-20 08:32:00"},
    ]


@pytest.mark.parametrize("lines", [b"", b"&#13;&#10;"])
def test_no_lines_within_xml_are_no_records(lines: bytes) -> None:
    assert records(200, ESSL % (b"Logs Count:0", lines), **ESSL_SPEC) == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (ESSL % (b"Unathorised", b"0101&#9;x"), "credentials_refused"),
        (ESSL % (b"Logs Count:1", b"Invalid device"), "not_text"),
        (ESSL % (b"Logs Count:1", b"<a>1</a>"), "records_missing"),
        (b'<soap:Envelope xmlns:soap="u"><soap:Body/></soap:Envelope>', "records_missing"),
        ({"Envelope": {"Body": {}}}, "records_missing"),
    ],
)
def test_lines_that_are_not_there_are_an_error(body: Any, code: str) -> None:
    assert error(200, body, **ESSL_SPEC).code == code


def test_csv_within_json_is_read_and_the_rest_of_the_answer_stays() -> None:
    spec: dict[str, Any] = {"format": "csv", "text": {"inside": "report.csv"}}
    body = {"report": {"csv": 'id,name\n1,"Rao, Rahul"\n', "rows": 1}, "next": "c2"}
    meaning = understand(200, body, **spec)
    assert meaning.value == {"report": {"csv": [{"id": "1", "name": "Rao, Rahul"}], "rows": 1}, "next": "c2"}
    assert records(200, body, **spec) == [{"id": "1", "name": "Rao, Rahul"}]


def test_status_204_has_no_content() -> None:
    assert understand(204, b"").has_content is False


# The endpoint's own rules: Airbyte's error handlers and dlt's response actions, by our names


def rules(*filters: dict[str, Any]) -> dict[str, Any]:
    return {"responseFilters": list(filters)}


@pytest.mark.parametrize(
    ("status", "body", "rule", "expected", "code"),
    [
        (503, b"", {"httpCodes": [501, 503], "action": "FAIL"}, DATA, "answer_refused"),
        (400, b"", {"httpCodes": [400], "action": "RETRY"}, TRANSIENT, "source_unavailable"),
        (402, b"", {"httpCodes": [402], "action": "FAIL"}, CONFIG, "answer_refused"),
        (403, b"", {"httpCodes": [403], "action": "FAIL"}, AUTH, "answer_refused"),
        (429, b"", {"httpCodes": [429], "action": "RETRY"}, TRANSIENT, "source_unavailable"),
        (500, b"", {"httpCodes": [500], "action": "RATE_LIMITED"}, RATE, "rate_limited"),
        (500, b"", {"httpCodes": [500], "action": "FAIL", "failureType": "config_error"}, CONFIG, "answer_refused"),
        (
            500,
            b"",
            {"httpCodes": [500], "action": "FAIL", "failureType": "transient_error"},
            TRANSIENT,
            "answer_refused",
        ),
        (500, b"", {"httpCodes": [500], "action": "RETRY", "failureType": "config_error"}, TRANSIENT, None),
        (404, {"a": "b"}, {"when": [{"path": "a", "equals": "B"}], "action": "FAIL"}, CONFIG, "answer_refused"),
        (
            403,
            {"error": "REQUEST_DENIED"},
            {"errorMessageContains": "denied", "action": "FAIL"},
            AUTH,
            "answer_refused",
        ),
        (
            200,
            {"data": ROWS, "quota": 0},
            {"when": [{"path": "quota", "equals": 0}], "action": "RATE_LIMITED"},
            RATE,
            None,
        ),
        (200, {"data": ROWS, "error": ""}, {"when": [{"path": "data", "exists": True}], "action": "FAIL"}, DATA, None),
        (200, b"not json", {"errorMessageContains": "NOT JSON", "action": "RETRY"}, TRANSIENT, None),
        (200, {"code": 9}, {"httpCodes": [200], "action": "REFRESH_TOKEN_THEN_RETRY"}, AUTH, "credentials_refused"),
    ],
)
def test_a_rule_that_matches_decides(
    status: int, body: Any, rule: dict[str, Any], expected: ErrorClass, code: str | None
) -> None:
    caught = error(status, body, **rules(rule))
    assert (caught.error_class, caught.code) == (expected, code or caught.code)
    assert f"answered {status}" in str(caught)
    assert "response filter 1" in str(caught)


@pytest.mark.parametrize(
    ("status", "body", "rule"),
    [
        (404, {"a": "b"}, {"httpCodes": [400, 403], "action": "IGNORE"}),
        (404, {"a": "b"}, {"httpCodes": [404], "when": [{"path": "a", "equals": "c"}], "action": "IGNORE"}),
        (404, b"no json", {"when": [{"path": "a", "exists": False}], "action": "IGNORE"}),
        (404, {"a": "b"}, {"httpCodes": [404], "errorMessageContains": "x", "action": "IGNORE"}),
    ],
)
def test_all_of_a_rule_must_match(status: int, body: Any, rule: dict[str, Any]) -> None:
    assert error(status, body, **rules(rule)).code == "http_404"


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (("RETRY", "FAIL"), "source_unavailable"),
        (("FAIL", "RETRY"), "answer_refused"),
        (("RATE_LIMITED", "IGNORE"), "rate_limited"),
    ],
)
def test_the_first_rule_that_matches_decides(actions: tuple[str, str], expected: str) -> None:
    both = [{"httpCodes": [400], "action": action} for action in actions]
    assert error(400, b"", **rules({"httpCodes": [402], "action": "SUCCESS"}, *both)).code == expected


def test_a_rule_may_vouch_for_an_answer_that_would_be_an_error() -> None:
    vouch = rules(
        {"httpCodes": [404], "action": "SUCCESS"},
        {"when": [{"path": "Msg", "contains": "no record"}], "action": "SUCCESS"},
    )
    assert records(404, {"data": ROWS}, **vouch) == ROWS
    told = {"Error": "true", "Msg": "No Record Found", "PunchData": []}
    assert records(200, told, **vouch) == []
    del told["PunchData"]
    assert records(200, told, recordsPath="PunchData", missingRecords="empty", **vouch) == []
    assert error(200, told).code == "error_in_body"
    assert error(404, b"no json", **vouch).code == "not_json"


def test_a_rule_may_ignore_a_refusal() -> None:
    ignore = rules({"httpCodes": [404, 422], "action": "IGNORE"})
    for status in (404, 422):
        meaning = understand(status, b"", **ignore)
        assert meaning.has_content is False
        assert isinstance(meaning.tolerated, SourceError)
        assert meaning.remarks == Counter({f"ignored:{status}": 1})
    assert error(400, b"", **ignore).code == "http_400"
    on_content = rules({"errorMessageContains": "post body 0", "action": "IGNORE"})
    assert understand(404, b'{"x": "Post body 0"}', **on_content).tolerated is not None


def test_a_rules_own_message_reaches_the_principal() -> None:
    rule = {"httpCodes": [403], "action": "FAIL", "errorMessage": "Ask the office for the key."}
    assert error(403, b"", **rules(rule)).public == "Ask the office for the key."


def test_a_rule_that_cannot_be_compiled_is_told() -> None:
    with pytest.raises(SourceError) as caught:
        understand(200, b"[]", **rules({"when": [{"path": "a", "matches": "("}], "action": "FAIL"}))
    assert (caught.value.code, caught.value.error_class) == ("filter_invalid", CONFIG)


# What comes beside records


def test_a_sources_warnings_are_counted_by_their_code_and_never_quoted() -> None:
    warnings = [
        {"item": "course", "itemid": 4, "warningcode": "nopermissions", "message": "canary"},
        {"item": "course", "itemid": 5, "warningcode": "nopermissions", "message": "canary"},
        {"item": "canary", "warningcode": "canary", "message": "canary"},
    ]
    meaning = understand(200, {"usergrades": ROWS, "warnings": warnings})
    assert meaning.remarks == Counter({"loss:nopermissions": 2, "loss:": 1})
    assert is_incomplete(meaning.remarks)
    assert all("canary" not in sentence for sentence in sentences(meaning.remarks))
    assert any("2 times" in sentence and "nopermissions" in sentence for sentence in sentences(meaning.remarks))


def test_a_plain_warning_takes_nothing_away() -> None:
    meaning = understand(200, {"data": ROWS, "warnings": ["parameter canary is deprecated"]})
    assert meaning.remarks == Counter({"warning:": 1})
    assert not is_incomplete(meaning.remarks)


def test_errors_beside_records_are_told_and_something_is_missing() -> None:
    meaning = understand(200, {"data": ROWS, "errors": ["canary"]})
    assert is_incomplete(meaning.remarks)


def test_a_search_that_was_not_narrowed_is_an_error() -> None:
    """Moodle ignores a search key that it does not know, and answers with everybody."""
    warning = {"item": "phone", "warningcode": "invalidfieldparameter", "message": "The search key 'canary' is not"}
    caught = error(200, {"users": ROWS, "warnings": [warning]})
    assert (caught.code, caught.error_class) == ("search_key_ignored", CONFIG)
    assert "canary" not in str(caught) + caught.public


def test_ragged_lines_are_counted() -> None:
    meaning = understand(200, b"id,name\n1,a\n2\n", format="csv")
    assert meaning.remarks == Counter({"ragged": 1})
    assert is_incomplete(meaning.remarks)


# Anything at all

names = st.sampled_from(
    ["data", "error", "errors", "status", "success", "message", "code", "warnings", "exception", "x"]
)
scalars = st.sampled_from([None, True, False, 0, 1, 500, "", "canary", "error", "canary token"])
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)


@given(
    status=st.sampled_from([200, 201, 206, 301, 400, 401, 403, 404, 409, 417, 422, 429, 500, 503]),
    body=documents.map(orjson.dumps) | st.binary(max_size=60) | st.sampled_from([b"canary", b"<r>canary</r>"]),
    content_type=st.sampled_from(["application/json", "text/html", "canary/canary", ""]),
    format_=st.sampled_from(["auto", "json", "csv", "xml", "ndjson", "text"]),
)
@settings(max_examples=300)
def test_no_answer_raises_anything_but_errors_of_ours_nor_is_quoted(
    status: int, body: bytes, content_type: str, format_: str
) -> None:
    told = ""
    try:
        records_of(understand(status, body, {"Content-Type": content_type}, format=format_))
    except HubError as caught:
        told = f"{caught} {caught.public} {caught.__cause__!r}"
    assert "canary" not in told


def records_of(meaning: Meaning) -> list[Any]:
    return find_records(meaning.value, "students", None)[1] if meaning.has_content else []


@given(
    extra=st.dictionaries(names.filter(lambda name: name not in ("data", "success", "error")), scalars, max_size=3),
    mark=st.sampled_from([{"success": False}, {"error": "canary"}, {"error": {"code": 1}}, {"success": "false"}]),
    rows=st.lists(st.just({"id": 1}), max_size=3),
)
def test_an_error_body_never_yields_records(extra: dict[str, Any], mark: dict[str, Any], rows: list[Any]) -> None:
    assert "canary" not in str(error(200, {"data": rows, **extra, **mark}))
