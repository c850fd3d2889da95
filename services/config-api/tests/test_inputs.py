"""Bad input gets a problem that names the field and the fix, and changes nothing."""

import copy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest


def changed(draft: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The draft with one thing changed; the path's steps are separated by dots."""
    body: dict[str, Any] = copy.deepcopy(draft)
    *parents, last = path.split(".")
    place = body
    for step in parents:
        place = place.setdefault(step, {})
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return body


PASSWORD = {"username": "{{ username }}", "password": "{{ password }}"}
WINDOWS = "/endpoints/marks/incremental"
VERSIONS = {"type": "change_version"}
DEEP: Any = 1
for _ in range(40):
    DEEP = [DEEP]
BAD: list[tuple[str, Any, str, str]] = [
    ("bogus", 1, "/bogus", "not known"),
    ("collegeId", "other-college", "/collegeId", "not known"),
    ("createdBy", "me", "/createdBy", "not known"),
    ("status", "active", "/status", "not known"),
    ("secrets", {}, "/secrets", "not known"),
    ("name", ..., "/name", "required"),
    ("name", "", "/name", "at least 1"),
    ("name", "x" * 121, "/name", "at most 120"),
    ("name", {"$ne": None}, "/name", "string"),
    ("syncInterval", 4, "/syncInterval", "shortest interval is 5"),
    ("syncInterval", "30", "/syncInterval", "integer"),
    ("syncInterval", 30.5, "/syncInterval", "integer"),
    ("syncInterval", 50_000, "/syncInterval", "43200"),
    ("enabled", "yes", "/enabled", "boolean"),
    ("baseUrl", "erp.college.edu", "/baseUrl", "https://"),
    ("baseUrl", "ftp://erp.college.edu", "/baseUrl", "https://"),
    ("baseUrl", "https://user:pw@erp.college.edu", "/baseUrl", "own fields"),
    ("baseUrl", "https://erp.college.edu/?token=x", "/baseUrl", "parameters"),
    ("baseUrl", "https://erp.college.edu:99999", "/baseUrl", "URL"),
    ("baseUrl", "http://127.0.0.1:9000", "/baseUrl", "not a public address"),
    ("baseUrl", "http://[::ffff:169.254.169.254]/", "/baseUrl", "not a public address"),
    ("baseUrl", "http://2130706433/", "/baseUrl", "plain IPv4"),
    ("baseUrl", "http://localhost/", "/baseUrl", "private network"),
    ("baseUrl", "http://metadata.google.internal/", "/baseUrl", "private network"),
    ("baseUrl", "https://erp.college.edu:6379", "/baseUrl", "port 6379"),
    ("authType", "magic", "/authType", "'api-key'"),
    ("apiKey", "********", "/apiKey", "placeholder"),
    ("apiKey", "", "/apiKey", "placeholder"),
    ("endpoints", {}, "/endpoints", "at least 1"),
    ("endpoints.grades", "/grades", "/endpoints/grades", "'marks'"),
    ("endpoints.marks", {"path": "/m", "pagnation": {}}, "/endpoints/marks/pagnation", "not known"),
    ("endpoints.marks", "https://evil.example/", "/endpoints/marks", "below the base URL"),
    (
        "endpoints.marks",
        {"path": "/m", "pagination": {"type": "page", "pageSize": 0}},
        "/endpoints/marks/pagination/pageSize",
        "greater",
    ),
    (
        "endpoints.attendance",
        {"path": "/a", "mapping": {"rules": [{"to": "nonsense", "from": "x"}]}},
        "/endpoints/attendance/mapping/rules/0/to",
        "no such field",
    ),
    (
        "endpoints.attendance",
        {"path": "/a", "mapping": {"rules": [{"to": "date", "from": "d", "do": ["explode"]}]}},
        "/endpoints/attendance/mapping/rules/0/do/0",
        "No such transform",
    ),
    ("endpoints.custom", {"path": "/c", "mapping": {}}, "/endpoints/custom/mapping/key", "identify"),
    (
        "endpoints.attendance",
        {"path": "/a", "when": [{"path": "a", "matches": "("}]},
        "/endpoints/attendance/when/0/matches",
        "RE2",
    ),
    (
        "endpoints.attendance",
        {"path": "/a", "deletes": {"path": "/d", "params": {"apiKey": "x"}}},
        "/endpoints/attendance/deletes/params/apiKey",
        "credential",
    ),
    (
        "streams",
        {"users": {"path": "/u", "fields": {"id": "$.id"}}},
        "/streams/users/fields/id",
        "dots",
    ),
    ("endpoints.marks", {"path": "/m", "headers": {"Host": "x"}}, "/endpoints/marks/headers", "Host"),
    ("endpoints.marks", {"path": "/m", "headers": {"X-Api-Key": "x"}}, "/endpoints/marks/headers/X-Api-Key", "apiKey"),
    ("endpoints.marks", {"path": "/m", "params": {"wstoken": "x"}}, "/endpoints/marks/params/wstoken", "apiKey"),
    ("endpoints.marks", "/m?api_key=canary", "/endpoints/marks/path", "apiKey"),
    ("endpoints.marks", "/m?pwd=canary", "/endpoints/marks/path", "apiKey"),
    (
        "endpoints.marks",
        {"path": "/m", "params": {"token": "canary"}},
        "/endpoints/marks/params/token",
        "not encrypted",
    ),
    (
        "endpoints.marks",
        {"path": "/m", "method": "POST", "body": {"authToken": "canary"}},
        "/endpoints/marks/body/authToken",
        "apiKey",
    ),
    ("endpoints.marks", {"path": "/m", "params": {"x-api-key": "c"}}, "/endpoints/marks/params/x-api-key", "apiKey"),
    ("headers", {"X-Auth-Token": "canary"}, "/headers/X-Auth-Token", '"name": "X-Auth-Token"'),
    ("headers", {"Authorization": "Bearer canary"}, "/headers", "authType"),
    ("headers", {"X-A": "line\r\nbreak"}, "/headers", "X-A"),
    ("apiKeyPlacement", {"name": "Host"}, "/apiKeyPlacement/name", "Host"),
    ("apiKeyPlacement", {"name": "a b"}, "/apiKeyPlacement/name", "header name"),
    ("apiKeyPlacement", {"prefix": "a\nb"}, "/apiKeyPlacement/prefix", "printable"),
    ("timeZone", "Mars/Olympus", "/timeZone", "IANA"),
    ("webhook", {"scheme": "standard", "secret": "too short"}, "/webhook/secret", "whsec_"),
    ("webhook", {"secret": "short"}, "/webhook/secret", "16"),
    ("webhook", {"secret": "********"}, "/webhook/secret", "placeholder"),
    ("authType", "oauth", "/oauth", "tokenUrl"),
    ("authType", "oauth1", "/oauth1", "consumerKey"),
    ("authType", "login", "/login", "loginRequester"),
    ("authType", "digest", "/username", "user name"),
    ("apiKeyPlacement", {"placement": "body", "suffix": "\u00e9"}, "/apiKeyPlacement/suffix", "printable"),
    ("apiKeyPlacement", {"placement": "cookie"}, "/apiKeyPlacement/placement", "'body'"),
    ("oauth", {"tokenUrl": "https://a.edu/t#x", "clientId": "a"}, "/oauth/tokenUrl", "#"),
    ("oauth", {"tokenUrl": "https://a.edu/t?client_secret=x", "clientId": "a"}, "/oauth/tokenUrl", "not encrypted"),
    ("oauth", {"tokenUrl": "https://a.edu/t", "clientId": "a", "grant": "implicit"}, "/oauth/grant", "'password'"),
    (
        "oauth",
        {"tokenUrl": "https://a.edu/t", "clientId": "a", "extraParams": {"password": "canary"}},
        "/oauth/extraParams/password",
        "not encrypted",
    ),
    (
        "oauth",
        {"tokenUrl": "https://a.edu/t", "clientId": "a", "extraParams": {"audience": "a\nb"}},
        "/oauth/extraParams/audience",
        "control characters",
    ),
    (
        "oauth",
        {"tokenUrl": "https://a.edu/t", "clientId": "a", "tokenPlacement": {"name": "Host"}},
        "/oauth/tokenPlacement/name",
        "Host",
    ),
    (
        "oauth",
        {"tokenUrl": "https://a.edu/t", "clientId": "a", "refreshToken": "canary\n1"},
        "/oauth/refreshToken",
        "line breaks",
    ),
    ("oauth", {"tokenUrl": "http://127.0.0.1/t", "clientId": "a"}, "/oauth/tokenUrl", "not a public address"),
    ("oauth1", {"consumerKey": "c", "consumerSecret": "*****"}, "/oauth1/consumerSecret", "placeholder"),
    ("oauth1", {"consumerKey": "c\0"}, "/oauth1/consumerKey", "control characters"),
    ("oauth1", {"consumerKey": "c", "signatureMethod": "PLAINTEXT"}, "/oauth1/signatureMethod", "HMAC-SHA1"),
    ("extraKeys", [{"name": "a.b"}], "/extraKeys/0/name", "pattern"),
    ("extraKeys", [{"name": "a"}, {"name": "A"}], "/extraKeys", "same name"),
    ("extraKeys", [{"name": "Authorization"}], "/extraKeys/0/name", "authType"),
    ("extraKeys", [{"name": "Host"}], "/extraKeys/0/name", "Host"),
    ("extraKeys", [{"name": "a", "value": "canary\0"}], "/extraKeys/0/value", "control characters"),
    ("login", {"loginRequester": {"path": "https://other.edu/login", "body": PASSWORD}}, "/login", "allowOtherOrigin"),
    (
        "login",
        {"loginRequester": {"path": "http://10.0.0.1/login", "body": PASSWORD}, "allowOtherOrigin": True},
        "/login/loginRequester/path",
        "not a public address",
    ),
    ("login", {"loginRequester": {"path": "/a/../b"}}, "/login/loginRequester/path", "'..'"),
    ("login", {"loginRequester": {"path": "/login"}}, "/login/loginRequester/body", "{{ password }}"),
    (
        "login",
        {"loginRequester": {"path": "/login", "body": {"password": "canary"}}},
        "/login/loginRequester/body/password",
        "not encrypted",
    ),
    (
        "login",
        {"loginRequester": {"path": "/login", "body": {"a": "{{ secret }}"}}},
        "/login/loginRequester/body",
        "username and password",
    ),
    (
        "login",
        {"loginRequester": {"path": "/login", "headers": {"Host": "x"}}},
        "/login/loginRequester/headers",
        "Host",
    ),
    (
        "login",
        {"loginRequester": {"path": "/login", "body": PASSWORD}, "expirationDuration": 0},
        "/login/expirationDuration",
        "greater",
    ),
    (
        "endpoints.marks",
        {"path": "/m", "method": "POST", "body": {"wstoken": "canary"}},
        "/endpoints/marks/body/wstoken",
        '"placement": "body"',
    ),
    (
        "endpoints.marks",
        {"path": "/m", "method": "POST", "body": {"key": "{{ credential.nobody }}"}},
        "/endpoints/marks/body",
        "place of no key",
    ),
    ("streams", {"courses": {"path": "/c?wstoken=canary"}}, "/streams/courses/path", "not encrypted"),
    ("apiKey", "x" * 20_000, "/apiKey", "16384"),
    ("name", "a\0b", "/name", "control characters"),
    ("type", "a\x1bb", "/type", "control characters"),
    ("username", "a\nb", "/username", "control characters"),
    ("apiKey", "canary\0", "/apiKey", "control characters"),
    ("apiKey", "canary\r\nX-A: b", "/apiKey", "line breaks"),
    ("password", "canary\0", "/password", "control characters"),
    ("apiKey", "   ", "/apiKey", "blank"),
    ("oauth", {"tokenUrl": "https://a.edu/t", "clientId": "a\0"}, "/oauth/clientId", "control characters"),
    ("oauth", {"tokenUrl": "https://a.edu/t", "clientId": "a", "scopes": ["b", "c\n"]}, "/oauth/scopes/1", "control"),
    (
        "oauth",
        {"tokenUrl": "https://a.edu/t", "clientId": "a", "clientSecret": "canary\n1"},
        "/oauth/clientSecret",
        "line breaks",
    ),
    *[
        ("endpoints.marks", {"path": "/m", "incremental": {"type": "datetime", **wrong}}, f"{WINDOWS}/{field}", words)
        for wrong, field, words in [
            ({"startDatetime": "2024-01-01T00:00:00"}, "startDatetime", "timezone"),
            ({"startDatetime": "0001-01-01T00:00:00Z"}, "startDatetime", "1970"),
            ({"timeZone": "Mars/Olympus"}, "timeZone", "IANA"),
            ({"lookbackWindow": "P999999999D"}, "lookbackWindow", "3660 days"),
            ({"safetyLag": "P999999999D"}, "safetyLag", "3660 days"),
            ({"apiRetentionPeriod": "P999999999D"}, "apiRetentionPeriod", "3660 days"),
            ({"fullEvery": "P999999999D"}, "fullEvery", "3660 days"),
            ({"step": "PT0.001S"}, "step", "1 minute"),
        ]
    ],
    *[
        ("endpoints.marks", {"path": "/m", "incremental": VERSIONS | {"versionsPath": path}}, WINDOWS, words)
        for path, words in [("https://evil.example/v", "base URL"), ("//evil/v", "base URL"), ("/../v", "'..'")]
    ],
    ("endpoints.marks", {"path": "/m", "incremental": VERSIONS | {"versionsPath": "/{{ parent.x }}"}}, WINDOWS, "fill"),
    (
        "endpoints.marks",
        {"path": "/m", "pagination": {"type": "page", "count": {"path": "/../v"}}},
        "/endpoints/marks/pagination",
        "'..'",
    ),
    ("endpoints.marks", {"path": "/m/{{ parent.id }}"}, "/endpoints/marks/path", "parent"),
    ("endpoints.marks", {"path": "/m", "params": {"a": ["{{ parent.id }}"]}}, "/endpoints/marks/params", "parent"),
    (
        "endpoints.marks",
        {"path": "/m", "params": {"a": "{{ window.start }}"}},
        "/endpoints/marks/params",
        "incremental",
    ),
    ("endpoints.marks", {"path": "/m", "text": {"delimiter": "\n"}}, "/endpoints/marks/text/delimiter", "character"),
    (
        "endpoints.marks",
        {"path": "/m", "text": {"columns": ["a", "a"]}},
        "/endpoints/marks/text/columns",
        "two columns",
    ),
    ("endpoints.marks", {"path": "/m", "params": {"a": [10**30]}}, "/endpoints/marks/params/a/0", "digits"),
    ("endpoints.marks", {"path": "/m", "params": {"a": DEEP}}, "/endpoints/marks/params/a", "levels"),
]


@pytest.mark.parametrize(("path", "value", "pointer", "words"), BAD, ids=[f"{p}-{c}" for p, _, c, _ in BAD])
async def test_a_bad_field_is_named_with_its_fix_and_changes_nothing(
    hub: Any, path: str, value: Any, pointer: str, words: str
) -> None:
    made = await hub.create(name="Before")
    body = changed(hub.draft, path, value)
    for method, target in (("POST", "/api/integrations"), ("PUT", f"/api/integrations/{made['id']}")):
        response = await hub.call(method, target, body)
        assert response.status_code == 422, response.text
        assert response.headers["content-type"] == "application/problem+json"
        problem = response.json()
        found = [error for error in problem["errors"] if error["pointer"].startswith(pointer)]
        assert found, problem
        assert words.lower() in found[0]["message"].lower(), problem
        assert "canary" not in response.text
    [only] = (await hub.get("/api/integrations"))["items"]
    assert (only["name"], only["revision"]) == ("Before", 1)
    assert [entry["action"] for entry in await hub.audit()] == ["createIntegration"]


async def test_two_joins_into_one_field_are_refused_for_one_would_be_lost(hub: Any) -> None:
    join = {"stream": "users", "left": "a", "right": "b", "as": "user"}
    body = {
        **hub.draft,
        "streams": {"users": {"path": "/u"}},
        "endpoints": {"marks": {"path": "/m", "joins": [join, join]}},
    }
    response = await hub.call("POST", "/api/integrations", body)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["/endpoints/marks/joins/1/as"]


async def test_every_mistake_is_told_at_once(hub: Any) -> None:
    body = {**hub.draft, "syncInterval": 4, "bogus": 1, "baseUrl": "x"}
    errors = (await hub.call("POST", "/api/integrations", body)).json()["errors"]
    assert {error["pointer"] for error in errors} == {"/syncInterval", "/bogus", "/baseUrl"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"not json",
        b'{"name": NaN}',
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b"{} {}",
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
    ids=["open", "text", "nan", "latin1", "surrogate", "two", "deep", "deep-object"],
)
async def test_malformed_json_is_a_bad_request(hub: Any, body: bytes) -> None:
    response = await hub.call("POST", "/api/integrations", headers=JSON, content=body)
    assert response.status_code == 400
    assert response.json()["type"] == "/problems/malformed-json"


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("nested", [False, True])
async def test_a_name_that_occurs_twice_is_a_bad_request_and_changes_nothing(hub: Any, nested: bool) -> None:
    made = await hub.create()
    target = f"/api/integrations/{made['id']}"
    body = orjson.dumps(hub.draft)
    where, name = (b'"endpoints":{', b"marks") if nested else (b"{", b"syncInterval")
    twice = body.replace(where, where + b'"' + name + b'":"/a","' + name + b'":"/b",', 1)
    toggle = b'{"enabled":false,"enabled":true}'
    asked = [("POST", "/api/integrations", twice), ("PUT", target, twice), ("PATCH", f"{target}/toggle", toggle)]
    for method, path, content in asked:
        response = await hub.call(method, path, headers=JSON, content=content)
        assert (response.status_code, response.json()["type"]) == (400, "/problems/malformed-json"), response.text
        assert "twice" in response.json()["detail"]
    [only] = (await hub.get("/api/integrations"))["items"]
    assert only["revision"] == 1


async def test_a_name_in_an_indian_script_keeps_its_joiners(hub: Any) -> None:
    name = "\u0936\u094d\u200d\u0930\u0940"
    assert (await hub.create(name=name))["name"] == name


async def test_a_credential_may_end_in_the_line_break_it_was_pasted_with(hub: Any) -> None:
    await hub.create(apiKey="your-bearer-token-0042\n")


@pytest.mark.parametrize("body", [b"null", b"[]", b'"text"', b"5", b""])
async def test_json_that_is_no_object_is_refused(hub: Any, body: bytes) -> None:
    response = await hub.call("POST", "/api/integrations", headers=JSON, content=body)
    assert response.status_code == 422, response.text


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_body_of_another_type_is_refused(hub: Any, content_type: str) -> None:
    headers = {"content-type": content_type}
    response = await hub.call("POST", "/api/integrations", headers=headers, content=orjson.dumps(hub.draft))
    assert (response.status_code, response.json()["type"]) == (415, "/problems/unsupported-media-type")
    assert "application/json" in response.json()["detail"]


async def test_an_oversized_body_is_refused_announced_or_chunked(hub: Any) -> None:
    body = orjson.dumps({**hub.draft, "type": "x" * 300_000})

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    for content in (body, chunks()):
        response = await hub.call("POST", "/api/integrations", headers=JSON, content=content)
        assert (response.status_code, response.json()["type"]) == (413, "/problems/too-large")
    assert (await hub.get("/api/integrations"))["items"] == []


@pytest.mark.parametrize(
    "body", [{}, {"enabled": "true"}, {"enabled": 1}, {"enabled": None}, {"enabled": True, "x": 1}]
)
async def test_a_toggle_takes_a_boolean_and_nothing_else(hub: Any, body: Any) -> None:
    made = await hub.create()
    response = await hub.call("PATCH", f"/api/integrations/{made['id']}/toggle", body)
    assert response.status_code == 422
    assert (await hub.get(f"/api/integrations/{made['id']}"))["revision"] == 1


@pytest.mark.parametrize("name", ["a b", '{"$ne":null}', "..%2fadmin", "x" * 65, "%00"])
async def test_an_id_is_plain_text(hub: Any, name: str) -> None:
    response = await hub.call("GET", f"/api/integrations/{name}")
    assert response.status_code in (404, 422)
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/api/integrations?limit=0", "/limit"),
        ("/api/integrations?limit=201", "/limit"),
        ("/api/integrations?limit=x", "/limit"),
        ("/api/integrations?cursor=nonsense", "/cursor"),
        ("/api/integrations?page=2", "/page"),
        ("/api/audit?cursor=%ff", "/cursor"),
        ("/api/records/attendance?studentid=CS1", "/studentid"),
        ("/api/records/attendance?studentId[$ne]=x", "/studentId[$ne]"),
        ("/api/records/attendance?date=20-07-2026", "/date"),
        ("/api/records/attendance?date=2026-02-30", "/date"),
        ("/api/records/attendance?updatedSince=9999-12-31T23:59:59-23:00", "/updatedSince"),
        ("/api/records/attendance?updatedSince=yesterday", "/updatedSince"),
        ("/api/records/attendance?updatedSince=2026-07-20T00:00:00", "/updatedSince"),
        ("/api/records/attendance?cursor=AAAA", "/cursor"),
        ("/api/records/grades", "/dataType"),
    ],
)
async def test_a_bad_parameter_is_named(hub: Any, path: str, pointer: str) -> None:
    response = await hub.call("GET", path)
    assert response.status_code == 422, response.text
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


async def test_a_private_address_is_fine_where_the_operator_allows_its_network(tmp_path: Path, open_hub: Any) -> None:
    async with open_hub(tmp_path, allowed_networks="127.0.0.0/8, 10.20.0.0/16") as hub:
        assert (await hub.create(baseUrl="http://127.0.0.1:9000"))["baseUrl"] == "http://127.0.0.1:9000"
        body = {**hub.draft, "name": "Second", "baseUrl": "http://10.21.0.1"}
        assert (await hub.call("POST", "/api/integrations", body)).status_code == 422
