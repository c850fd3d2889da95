"""From configuration to requests."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson
import pytest
from hub_fetcher.paging.pagination import begin
from hub_fetcher.paging.position import Position
from hub_fetcher.requests.plan import plan_requests
from hub_fetcher.requests.request import SourceRequest, request_at
from hub_fetcher.requests.urls import without_params
from hub_model.endpoints import Endpoint
from hub_model.errors import SourceError
from hub_model.integrations import IntegrationDraft
from hub_model.pagination import NextUrlPagination
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError


def settings(**draft: Any) -> IntegrationDraft:
    return IntegrationDraft.model_validate(
        {
            "name": "n",
            "type": "t",
            "baseUrl": "https://erp.example.edu/api/v1",
            "authType": "bearer",
            "endpoints": {"students": "/s"},
            **draft,
        }
    )


def first_url(endpoint: dict[str, Any], **draft: Any) -> str:
    parsed = Endpoint.model_validate(endpoint)
    return request_at(plan_requests(settings(**draft), parsed), begin(parsed.pagination)).url


def filled(endpoint: dict[str, Any], *, params: dict[str, str] | None = None, **places: Any) -> SourceRequest:
    """The first request for one row of the parent stream and one window."""
    parsed = Endpoint.model_validate(endpoint)
    return request_at(plan_requests(settings(), parsed).fill(places, params), begin(parsed.pagination))


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ({"path": "/students/list"}, "/students/list"),
        ({"path": "students"}, "/students"),
        ({"path": "/server.php?wsfunction=a_b&x="}, "/server.php?wsfunction=a_b&x="),
        (
            {"path": "/s", "params": {"q": "a b&c", "n": 5, "yes": True, "none": None, "ids": [1, 2], "o": {"a": 1}}},
            "/s?q=a%20b%26c&n=5&yes=true&ids=1&ids=2&o=%7B%22a%22%3A1%7D",
        ),
        ({"path": "/s", "pagination": {"type": "page"}}, "/s?limit=100&page=1"),
        ({"path": "/s", "pagination": {"type": "page", "startFromPage": 0, "sizeParam": None}}, "/s?page=0"),
        (
            {"path": "/s?limit=7&x=1", "params": {"page": 9}, "pagination": {"type": "page", "pageSize": 50}},
            "/s?x=1&limit=50&page=1",
        ),
        ({"path": "/s", "pagination": {"type": "offset", "offsetParam": "skip"}}, "/s?limit=100&skip=0"),
        ({"path": "/s", "pagination": {"type": "cursor", "cursorPath": "n", "sizeParam": "first"}}, "/s?first=100"),
        (
            {"path": "/s", "pagination": {"type": "link_header", "sizeParam": "per_page", "pageSize": 9}},
            "/s?per_page=9",
        ),
        ({"path": "/s", "pagination": {"type": "none"}}, "/s"),
    ],
)
def test_the_first_request_is_what_the_endpoint_says(endpoint: dict[str, Any], expected: str) -> None:
    assert first_url(endpoint) == "https://erp.example.edu/api/v1" + expected


def test_a_next_url_is_asked_for_as_it_is() -> None:
    plan = plan_requests(settings(), Endpoint(path="/s", params={"a": 1}))
    position = Position(pagination=NextUrlPagination(next_url_path="next"), place="https://erp.example.edu/x?p=2")
    assert request_at(plan, position).url == "https://erp.example.edu/x?p=2"


@pytest.mark.parametrize("headers", [{"Authorization": "x"}, {"Host": "evil"}, {"X": "a\r\nb"}, {"a b": "c"}])
def test_headers_that_may_not_be_sent_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(SourceError) as caught:
        plan_requests(settings(), Endpoint(path="/s", headers=headers))
    assert caught.value.code == "header_refused"


def test_headers_of_the_endpoint_win_in_any_spelling() -> None:
    plan = plan_requests(
        settings(headers={"X-One": "1", "accept": "text/json"}), Endpoint(path="/s", headers={"x-one": "2"})
    )
    assert plan.headers == {"accept": "text/json", "x-one": "2"}


def test_the_label_holds_no_query() -> None:
    assert plan_requests(settings(), Endpoint(path="/s?wstoken=canary")).label == "/api/v1/s"


def test_what_the_walk_depends_on_changes_its_source_and_the_mapping_does_not() -> None:
    plain = plan_requests(settings(), Endpoint(path="/s")).source
    assert plan_requests(settings(), Endpoint.model_validate({"path": "/s", "mapping": {"name": "n"}})).source == plain
    others = [
        {"path": "/t"},
        {"path": "/s", "params": {"a": 1}},
        {"path": "/s", "headers": {"a": "1"}},
        {"path": "/s", "recordsPath": "data"},
        {"path": "/s", "pagination": {"type": "none"}},
    ]
    assert len({plain, *(plan_requests(settings(), Endpoint.model_validate(other)).source for other in others)}) == 6


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/p?a=1&api_key=s&b=2", "https://h/p?a=1&b=2"),
        ("https://h/p?api%5Fkey=s", "https://h/p"),
        ("https://h/p?api_key=s&api_key=t&x=%2F", "https://h/p?x=%2F"),
        ("https://h/p?my_api_key=s", "https://h/p?my_api_key=s"),
        ("https://h/p", "https://h/p"),
    ],
)
def test_a_credential_is_taken_out_of_a_url(url: str, expected: str) -> None:
    assert without_params(url, frozenset(["api_key"])) == expected


@pytest.mark.parametrize(
    ("path", "row", "expected"),
    [
        ("/c/{{ parent.id }}/users", {"id": 7}, "/c/7/users"),
        ("/c/{{parent.id}}/users", {"id": "course-v1:X+Y+2026"}, "/c/course-v1%3AX%2BY%2B2026/users"),
        ("/c/{{ parent.id }}", {"id": "a b/c?d#e%f&g"}, "/c/a%20b%2Fc%3Fd%23e%25f%26g"),
        ("/c/{{ parent.ref.sourcedId }}", {"ref": {"sourcedId": "\u00e9"}}, "/c/%C3%A9"),
        ("/c/{{ parent.id }}-{{ parent.n }}", {"id": 0, "n": False}, "/c/0-false"),
        ("/c?course={{ parent.id }}&x=1", {"id": "a&b=+:"}, "/c?course=a%26b%3D%2B%3A&x=1"),
    ],
)
def test_a_parents_value_stands_in_the_path_and_cannot_leave_its_place(
    path: str, row: dict[str, Any], expected: str
) -> None:
    assert filled({"path": path}, parent=row).url == "https://erp.example.edu/api/v1" + expected


@given(value=st.text(min_size=1, max_size=30).filter(str.strip))
def test_no_value_of_a_parent_leads_to_another_path(value: str) -> None:
    try:
        url = filled({"path": "/c/{{ parent.id }}/users"}, parent={"id": value}).url
    except SourceError:
        return
    parts = urlsplit(url)
    assert (parts.netloc, parts.query, parts.fragment) == ("erp.example.edu", "", "")
    assert [unquote(part) for part in parts.path.split("/")] == ["", "api", "v1", "c", value, "users"]


@pytest.mark.parametrize(("row", "words"), [({}, "is missing"), ({"id": None}, "is null"), ({"id": "  "}, "is empty")])
@pytest.mark.parametrize(
    "endpoint",
    [
        {"path": "/c/{{ parent.id }}"},
        {"path": "/c", "params": {"course": "{{ parent.id }}"}},
        {"path": "/c", "params": {"q": "course={{ parent.id }}"}},
        {"path": "/c", "method": "POST", "body": {"deep": [{"id": "{{ parent.id }}"}]}},
    ],
)
def test_a_missing_value_of_a_parent_is_an_error_of_its_row_and_no_empty_text(
    endpoint: dict[str, Any], row: dict[str, Any], words: str
) -> None:
    with pytest.raises(SourceError) as caught:
        filled(endpoint, parent={**row, "secret": "canary"})
    assert (caught.value.code, caught.value.error_class) == ("parent_value_missing", "data")
    assert f"'id' {words}" in caught.value.public
    assert "canary" not in str(caught.value) + caught.value.public


@pytest.mark.parametrize(
    "value",
    ["..", ".", {"a": 1}, [1], "../../admin", "a/..", "a\\..\\b", "%2e%2e", "x%2f..%2fy", "..;/admin"],
)
def test_a_value_that_would_change_the_path_is_an_error_of_its_row(value: Any) -> None:
    with pytest.raises(SourceError) as caught:
        filled({"path": "/c/{{ parent.id }}/users"}, parent={"id": value})
    assert caught.value.code == "parent_value_unusable"


@pytest.mark.parametrize(
    "value", ["{{ credential.wstoken }}", "a {{credential.wstoken}} b", ["{{ credential.wstoken }}"]]
)
@pytest.mark.parametrize(
    "endpoint",
    [
        {"body": {"q": "{{ parent.name }}"}},
        {"body": {"q": "name is {{ parent.name }}"}},
        {"bodyType": "form", "body": {"q": "{{ parent.name }}"}},
        {"bodyType": "text", "body": "<q>{{ parent.name }}</q>", "headers": {"Content-Type": "text/xml"}},
    ],
)
def test_no_value_of_a_parent_says_where_the_credential_goes(endpoint: dict[str, Any], value: Any) -> None:
    with pytest.raises(SourceError) as caught:
        filled({"path": "/s", "method": "POST", **endpoint}, parent={"name": value})
    assert caught.value.code == "parent_value_unusable"


def test_values_of_two_parents_fields_do_not_make_a_credentials_place_together() -> None:
    with pytest.raises(SourceError) as caught:
        filled(
            {"path": "/s", "method": "POST", "body": {"q": "{{ parent.a }}{{ parent.b }}"}},
            parent={"a": "{{ cred", "b": "ential.wstoken }}"},
        )
    assert caught.value.code == "parent_value_unusable"


def test_no_cursor_says_where_the_credential_goes() -> None:
    paging = {"type": "cursor", "cursorPath": "next", "injectInto": "body"}
    endpoint = Endpoint.model_validate({"path": "/s", "method": "POST", "pagination": paging})
    position = begin(endpoint.pagination).model_copy(update={"place": "{{ credential.wstoken }}"})
    with pytest.raises(SourceError) as caught:
        request_at(plan_requests(settings(), endpoint), position)
    assert caught.value.code == "cursor_unusable"


def test_a_value_alone_keeps_its_type_and_within_words_it_is_text() -> None:
    body = {"ids": ["{{ parent.id }}"], "text": "id {{ parent.id }}", "all": "{{ parent.list }}"}
    request = filled({"path": "/c", "method": "POST", "body": body}, parent={"id": 7, "list": [1, 2]})
    assert orjson.loads(request.body or "") == {"ids": [7], "text": "id 7", "all": [1, 2]}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('[["student", "=", "{{ parent.name }}"]]', '[["student", "=", "O\\"Neil <x>"]]'),
        ("<Name>{{ parent.name }}</Name>", "<Name>O&quot;Neil &lt;x&gt;</Name>"),
        ("{{ parent.name }}: all", 'O"Neil <x>: all'),
    ],
)
def test_a_value_cannot_end_the_text_it_stands_in(template: str, expected: str) -> None:
    row = {"name": 'O"Neil <x>'}
    request = filled({"path": "/c", "method": "POST", "bodyType": "text", "body": template}, parent=row)
    assert request.body == expected
    assert dict(parse_qsl(urlsplit(filled({"path": "/c", "params": {"f": template}}, parent=row).url).query)) == {
        "f": expected
    }


def test_what_needs_a_bound_that_the_window_has_not_is_left_out() -> None:
    endpoint = {
        "path": "/s",
        "method": "POST",
        "params": {"filter": "modified>'{{ window.start }}'", "q": 1},
        "body": {
            "c": {"from": "{{ window.start }}", "to": "{{ window.end }}"},
            "f": [["m", ">=", "{{ window.start }}"]],
        },
    }
    first = filled(endpoint, window={"start": None, "end": "E"})
    assert first.url.endswith("/s?q=1")
    assert orjson.loads(first.body or "") == {"c": {"to": "E"}, "f": []}
    later = filled(endpoint, window={"start": "2026-01-01T00:00:00+05:30", "end": "E"})
    assert later.url.endswith("/s?filter=modified%3E%272026-01-01T00%3A00%3A00%2B05%3A30%27&q=1")
    assert orjson.loads(later.body or "")["f"] == [["m", ">=", "2026-01-01T00:00:00+05:30"]]


def test_a_path_that_needs_a_bound_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SourceError) as caught:
        filled({"path": "/since/{{ window.start }}"}, window={"start": None})
    assert caught.value.code == "window_missing"


def test_parameters_of_a_window_replace_those_of_their_names() -> None:
    assert filled({"path": "/s", "params": {"since": "x", "a": "1"}}, params={"since": "2026"}).url.endswith(
        "/s?a=1&since=2026"
    )


def test_brackets_are_written_as_php_reads_them() -> None:
    params = {
        "criteria": [{"key": "email", "value": "%25@x.edu"}],
        "options": {"ids": [5, 6]},
        "yes": True,
        "no": False,
        "none": None,
        "deep": {"a": [{"b": True}]},
    }
    url = filled({"path": "/s", "params": params, "nesting": "brackets"}).url
    assert parse_qsl(urlsplit(url).query) == [
        ("criteria[0][key]", "email"),
        ("criteria[0][value]", "%25@x.edu"),
        ("options[ids][0]", "5"),
        ("options[ids][1]", "6"),
        ("yes", "1"),
        ("no", "0"),
        ("deep[a][0][b]", "1"),
    ]
    form = filled({"path": "/s", "method": "POST", "body": params, "bodyType": "form", "nesting": "brackets"})
    assert form.body == urlsplit(url).query
    assert form.headers == (("Content-Type", "application/x-www-form-urlencoded"),)


def test_a_plain_form_repeats_lists_and_sends_objects_as_json() -> None:
    body = {"ids": [1, 2], "o": {"a": True}, "t": "x&y", "yes": True, "none": None}
    request = filled({"path": "/s", "method": "POST", "body": body, "bodyType": "form"})
    assert parse_qsl(request.body or "") == [
        ("ids", "1"),
        ("ids", "2"),
        ("o", '{"a":true}'),
        ("t", "x&y"),
        ("yes", "true"),
    ]


def test_paging_values_are_put_into_a_json_body_by_dotted_names_and_keep_their_type() -> None:
    endpoint = {
        "path": "/AcsEvent",
        "method": "POST",
        "body": {"AcsEventCond": {"searchID": "s", "major": 5, "maxResults": 1}},
        "pagination": {
            "type": "offset",
            "injectInto": "body",
            "offsetParam": "AcsEventCond.searchResultPosition",
            "sizeParam": "AcsEventCond.maxResults",
            "pageSize": 30,
        },
    }
    request = filled(endpoint)
    assert request.url.endswith("/AcsEvent")
    assert orjson.loads(request.body or "") == {
        "AcsEventCond": {"searchID": "s", "major": 5, "maxResults": 30, "searchResultPosition": 0}
    }
    assert endpoint["body"] == {"AcsEventCond": {"searchID": "s", "major": 5, "maxResults": 1}}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("options.0.value", "options.1.value"), {"options[0][value]": "0", "options[1][value]": "50"}),
        (("options[0][value]", "options[1][value]"), {"options[0][value]": "0", "options[1][value]": "50"}),
        (("from", "n"), {"options[0][value]": "x", "options[1][value]": "y", "from": "0", "n": "50"}),
    ],
)
def test_paging_values_are_put_into_a_form(names: tuple[str, str], expected: dict[str, str]) -> None:
    body = {"options": [{"name": "limitfrom", "value": "x"}, {"name": "limitnumber", "value": "y"}]}
    paging = {"type": "offset", "injectInto": "body", "offsetParam": names[0], "sizeParam": names[1], "pageSize": 50}
    endpoint = {"path": "/s", "method": "POST", "bodyType": "form", "nesting": "brackets", "body": body}
    sent = parse_qsl(filled({**endpoint, "pagination": paging}).body or "")
    fixed = {"options[0][name]": "limitfrom", "options[1][name]": "limitnumber"}
    assert dict(sent) == {**fixed, **expected}
    assert len(sent) == len(dict(sent))


def test_a_body_has_the_content_type_that_the_endpoint_gives_it() -> None:
    soap = {"path": "/s", "method": "POST", "bodyType": "text", "body": "<a/>", "headers": {"content-type": "text/xml"}}
    parsed = Endpoint.model_validate(soap)
    assert filled(soap).headers == ()
    assert plan_requests(settings(), parsed).headers["content-type"] == "text/xml"
    assert filled({"path": "/s", "method": "POST"}) == SourceRequest("https://erp.example.edu/api/v1/s", "POST")


@pytest.mark.parametrize(
    "endpoint",
    [
        {"path": "/s", "body": {"a": 1}},
        {"path": "/s", "pagination": {"type": "offset", "injectInto": "body"}},
        {"path": "/s", "method": "POST", "bodyType": "form", "body": "a=1"},
        {"path": "/s", "method": "POST", "bodyType": "text", "body": {"a": 1}},
        {"path": "/s", "method": "POST", "bodyType": "text", "pagination": {"type": "page", "injectInto": "body"}},
        {"path": "/s", "pagination": {"type": "page", "count": {"path": "/n?c={{ parnt.id }}"}}},
    ],
)
def test_a_body_that_cannot_be_sent_is_refused_with_the_settings(endpoint: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Endpoint.model_validate(endpoint)


def test_a_number_of_records_is_asked_for_at_a_path_of_its_own() -> None:
    endpoint = {
        "path": "/t/{{ parent.id }}",
        "params": {"a": 1},
        "pagination": {"type": "page", "count": {"path": "/t/{{ parent.id }}/count?q=1"}},
    }
    parsed = Endpoint.model_validate(endpoint)
    plan = plan_requests(settings(), parsed).fill({"parent": {"id": "x y"}})
    position = Position(pagination=parsed.pagination, counting=True)
    assert request_at(plan, position).url == "https://erp.example.edu/api/v1/t/x%20y/count?q=1"


def test_the_label_of_a_request_for_a_row_names_the_place_and_not_the_value() -> None:
    plan = plan_requests(settings(), Endpoint(path="/c/{{ parent.id }}/u")).fill({"parent": {"id": "canary"}})
    assert plan.label == "/api/v1/c/{{ parent.id }}/u"
