"""From configuration to URLs."""

from typing import Any

import pytest
from hub_fetcher.paging.pagination import begin
from hub_fetcher.paging.position import Position
from hub_fetcher.requests.request import plan_requests, url_at, without_params
from hub_model.endpoints import Endpoint
from hub_model.errors import SourceError
from hub_model.integrations import IntegrationDraft
from hub_model.pagination import NextUrlPagination


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
    return url_at(plan_requests(settings(**draft), parsed), begin(parsed.pagination))


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
    assert url_at(plan, position) == "https://erp.example.edu/x?p=2"


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
