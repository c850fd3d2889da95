"""What a principal writes: the seed's examples are accepted, and bad input is refused with what to mend."""

import copy
from typing import Any

import pytest
from hub_model.access import credential_origin
from hub_model.addresses import check_headers, check_url, origin_of
from hub_model.auth import AuthType
from hub_model.integrations import IntegrationDraft, SyncState
from hub_model.records import DataType
from pydantic import ValidationError

COLLEGE_ERP = {
    "name": "College ERP",
    "type": "student-management",
    "baseUrl": "https://erp.college.edu/api/v1",
    "authType": "bearer",
    "apiKey": "your-bearer-token",
    "endpoints": {
        "attendance": "/attendance/records",
        "marks": "/examination/results",
        "students": "/students/list",
        "faculty": "/staff/list",
    },
    "syncInterval": 30,
    "enabled": True,
}
BIOMETRIC = {
    "name": "BiometricAttendance",
    "type": "attendance",
    "baseUrl": "https://attendance.example.com",
    "authType": "api-key",
    "apiKey": "your-api-key",
    "headers": {"X-College-ID": "12345"},
    "endpoints": {"attendance": "/api/attendance/today"},
    "syncInterval": 15,
    "enabled": True,
}
MOODLE = {
    "name": "Moodle LMS",
    "type": "lms",
    "baseUrl": "https://lms.college.edu/webservice/rest",
    "authType": "api-key",
    "apiKey": "moodle-token",
    "endpoints": {
        "students": "/server.php?wsfunction=core_user_get_users",
        "subjects": "/server.php?wsfunction=core_course_get_courses",
        "marks": "/server.php?wsfunction=core_grades_get_grades",
    },
    "syncInterval": 60,
    "enabled": True,
}


def draft(**changes: Any) -> IntegrationDraft:
    return IntegrationDraft.model_validate({**copy.deepcopy(COLLEGE_ERP), **changes})


def refusal(**changes: Any) -> tuple[tuple[str | int, ...], str]:
    """Where the one mistake is and what is said of it."""
    with pytest.raises(ValidationError) as caught:
        draft(**changes)
    (mistake,) = caught.value.errors()
    return mistake["loc"], mistake["msg"]


@pytest.mark.parametrize("example", [COLLEGE_ERP, BIOMETRIC, MOODLE], ids=lambda example: example["name"])
def test_the_seeds_examples_are_accepted_as_they_are(example: dict[str, Any]) -> None:
    accepted = IntegrationDraft.model_validate(copy.deepcopy(example))
    assert accepted.name == example["name"]
    assert accepted.api_key is not None
    assert accepted.api_key.get_secret_value() == example["apiKey"]
    assert {data_type: endpoint.path for data_type, endpoint in accepted.endpoints.items()} == example["endpoints"]
    assert (accepted.sync_interval, accepted.enabled) == (example["syncInterval"], True)


@pytest.mark.parametrize("example", [COLLEGE_ERP, BIOMETRIC, MOODLE], ids=lambda example: example["name"])
def test_a_draft_without_its_secret_is_read_back_from_what_is_stored(example: dict[str, Any]) -> None:
    accepted = IntegrationDraft.model_validate({**copy.deepcopy(example), "apiKey": None})
    assert IntegrationDraft.model_validate(accepted.model_dump(mode="json", by_alias=True)) == accepted


def test_a_secret_is_not_shown_by_repr_or_json() -> None:
    shown = repr(draft()) + draft().model_dump_json() + str(draft().model_dump(mode="json"))
    assert "your-bearer-token" not in shown


def test_untouched_fields_of_a_form_are_no_endpoints() -> None:
    assert set(draft(endpoints={"students": "/s", "marks": "", "faculty": None}).endpoints) == {DataType.STUDENTS}
    with pytest.raises(ValidationError, match="'students', 'faculty'"):
        draft(endpoints={"students": "/s", "pupils": ""})
    where, _ = refusal(endpoints={"students": "", "marks": None})
    assert where == ("endpoints",)


def test_an_endpoint_may_be_an_object() -> None:
    endpoint = {
        "path": "/s",
        "params": {"year": 2026},
        "recordsPath": "data.rows",
        "pagination": {"type": "offset", "pageSize": 50, "totalPath": "meta.total"},
        "mapping": {"studentId": "roll", "sourceId": "id"},
    }
    accepted = draft(endpoints={"students": endpoint, "marks": "/m"}).endpoints[DataType.STUDENTS]
    assert accepted.pagination.type == "offset"
    assert accepted.mapping.source_id == "id"
    assert [(rule.to, rule.from_) for rule in accepted.mapping.rules] == [("studentId", "roll")]


@pytest.mark.parametrize(
    ("changes", "where", "what"),
    [
        ({"nmae": "x"}, ("nmae",), "Extra inputs"),
        ({"name": ""}, ("name",), "at least 1"),
        ({"name": "   "}, ("name",), "at least 1"),
        ({"name": "x" * 121}, ("name",), "at most 120"),
        ({"syncInterval": 4}, ("syncInterval",), "shortest interval is 5 minutes"),
        ({"syncInterval": 0}, ("syncInterval",), "shortest interval is 5 minutes"),
        ({"syncInterval": -60}, ("syncInterval",), "shortest interval is 5 minutes"),
        ({"syncInterval": 43_201}, ("syncInterval",), "43200"),
        ({"syncInterval": "30"}, ("syncInterval",), "valid integer"),
        ({"syncInterval": 7.5}, ("syncInterval",), "valid integer"),
        ({"syncInterval": True}, ("syncInterval",), "valid integer"),
        ({"enabled": "yes"}, ("enabled",), "valid boolean"),
        ({"enabled": 1}, ("enabled",), "valid boolean"),
        ({"authType": "none"}, ("authType",), "'api-key', 'bearer', 'basic', 'oauth', 'oauth1', 'digest' or 'login'"),
        ({"endpoints": {}}, ("endpoints",), "at least 1"),
        ({"endpoints": "/s"}, ("endpoints",), "valid dictionary"),
        ({"endpoints": {"pupils": "/p"}}, ("endpoints", "pupils", "[key]"), "'students', 'faculty'"),
        ({"endpoints": {"students": 5}}, ("endpoints", "students"), "valid dictionary"),
        (
            {"endpoints": {"students": "https://evil.example/s"}},
            ("endpoints", "students", "path"),
            "below the base URL",
        ),
        ({"endpoints": {"students": "//evil.example/s"}}, ("endpoints", "students", "path"), "below the base URL"),
        ({"endpoints": {"students": "/a/../../etc"}}, ("endpoints", "students", "path"), "'..'"),
        ({"endpoints": {"students": "/a b"}}, ("endpoints", "students", "path"), "%20"),
        ({"endpoints": {"students": "/a\r\nHost: x"}}, ("endpoints", "students", "path"), "control characters"),
        (
            {"endpoints": {"students": {"path": "/s", "recordPath": "d"}}},
            ("endpoints", "students", "recordPath"),
            "Extra",
        ),
        ({"endpoints": {"students": {}}}, ("endpoints", "students"), "exactly one of 'path' and 'source'"),
        ({"baseUrl": "erp.college.edu"}, ("baseUrl",), "https://"),
        ({"baseUrl": "ftp://erp.college.edu"}, ("baseUrl",), "https://"),
        ({"baseUrl": "https://"}, ("baseUrl",), "names a host"),
        ({"baseUrl": "https://user:pw@erp.edu"}, ("baseUrl",), "user and password out of the URL"),
        ({"baseUrl": "https://erp.edu/?a=1"}, ("baseUrl",), "leave '?' and '#' out"),
        ({"baseUrl": "https://erp.edu/?"}, ("baseUrl",), "leave '?' and '#' out"),
        ({"baseUrl": "https://erp.edu/#x"}, ("baseUrl",), "leave '?' and '#' out"),
        ({"baseUrl": "https://erp.edu:0"}, ("baseUrl",), "port between 1 and 65535"),
        ({"baseUrl": "https://erp.edu:99999"}, ("baseUrl",), "not a URL"),
        ({"baseUrl": "https://érp.edu"}, ("baseUrl",), "ASCII"),
        ({"baseUrl": "https://erp.edu\\@evil.example"}, ("baseUrl",), "backslashes"),
        ({"baseUrl": "https://erp.edu/\n"}, ("baseUrl",), "control characters"),
        ({"headers": {"Authorization": "Bearer x"}}, ("headers",), "apiKey or password"),
        ({"headers": {"Host": "evil"}}, ("headers",), "set by the hub"),
        ({"headers": {"X-Forwarded-For": "1.1.1.1"}}, ("headers",), "set by the hub"),
        ({"headers": {"a b": "x"}}, ("headers",), "not a header name"),
        ({"headers": {"X-A": "x\r\nEvil: 1"}}, ("headers",), "printable ASCII"),
        ({"timeZone": "IST"}, ("timeZone",), "Asia/Kolkata"),
        ({"timeZone": "../../etc/passwd"}, ("timeZone",), "Asia/Kolkata"),
        ({"timeZone": ""}, ("timeZone",), "Asia/Kolkata"),
        ({"timeZone": "Asia"}, ("timeZone",), "Asia/Kolkata"),
        ({"authType": "oauth"}, ("oauth",), "tokenUrl and clientId"),
        ({"oauth": {"tokenUrl": "nowhere", "clientId": "c"}}, ("oauth", "tokenUrl"), "https://"),
        ({"apiKey": "********"}, ("apiKey",), "placeholder"),
        ({"apiKey": ""}, ("apiKey",), "placeholder"),
        ({"webhook": {"scheme": "none"}}, ("webhook", "scheme"), "'legacy', 'standard', 'hmac', 'jwt' or 'token'"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_bad_input_is_refused_with_the_field_and_what_to_mend(
    changes: dict[str, Any], where: tuple[str, ...], what: str
) -> None:
    found_where, found_what = refusal(**changes)
    assert found_where == where
    assert what in found_what


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        draft(syncInterval=4, baseUrl="nowhere", authType="none", extra=1)
    assert {mistake["loc"][0] for mistake in caught.value.errors()} == {"syncInterval", "baseUrl", "authType", "extra"}


@pytest.mark.parametrize("missing", ["name", "type", "baseUrl", "authType", "endpoints"])
def test_what_must_be_there_is_named_when_it_is_missing(missing: str) -> None:
    written = {name: value for name, value in COLLEGE_ERP.items() if name != missing}
    with pytest.raises(ValidationError) as caught:
        IntegrationDraft.model_validate(written)
    assert [mistake["loc"] for mistake in caught.value.errors()] == [(missing,)]


def test_names_lose_the_space_around_them_and_base_urls_their_last_slash() -> None:
    accepted = draft(name="  College ERP ", baseUrl="https://erp.college.edu/api/")
    assert (accepted.name, accepted.base_url) == ("College ERP", "https://erp.college.edu/api")


def test_what_is_left_out_has_a_default() -> None:
    accepted = IntegrationDraft.model_validate(
        {"name": "A", "type": "x", "baseUrl": "http://a", "authType": "basic", "endpoints": {"custom": "/c"}}
    )
    assert (accepted.sync_interval, accepted.enabled, accepted.time_zone) == (60, False, "Asia/Kolkata")
    assert SyncState() == SyncState(paused=False, active_run_id=None)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://ERP.College.edu/api", "https://erp.college.edu:443"),
        ("http://erp.college.edu/api", "http://erp.college.edu:80"),
        ("https://erp.college.edu:443", "https://erp.college.edu:443"),
        ("https://erp.college.edu:8443/x", "https://erp.college.edu:8443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def test_a_credential_is_bound_to_wherever_it_is_sent() -> None:
    oauth = {"tokenUrl": "https://login.example.com/token", "clientId": "c"}
    assert credential_origin(draft()) == "https://erp.college.edu:443"
    assert credential_origin(draft(oauth=oauth)) == "https://erp.college.edu:443"
    assert (
        credential_origin(draft(authType=AuthType.OAUTH, oauth=oauth))
        == "https://erp.college.edu:443 https://login.example.com:443"
    )
    own = {**oauth, "tokenUrl": "https://erp.college.edu/token"}
    assert credential_origin(draft(authType=AuthType.OAUTH, oauth=own)) == "https://erp.college.edu:443"


def test_good_urls_and_headers_come_back_as_they_are() -> None:
    assert check_url("https://[2001:db8::1]:8443/api") == "https://[2001:db8::1]:8443/api"
    assert check_headers({"X-College-ID": "12345", "Accept": "*/*"}) == {"X-College-ID": "12345", "Accept": "*/*"}
