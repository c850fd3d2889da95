"""Paging worked out from a first response. The envelopes are shapes of real systems that dlt's detector is tested with;
what is expected differs where dlt stops after the first page: here that is another pager, or an error."""

from typing import Any

import pytest
from hub_fetcher.paging.detection import detect
from hub_fetcher.paging.pagination import arrive
from hub_fetcher.paging.position import PageFacts, Position
from hub_fetcher.responses.records import find_records
from hub_model.errors import SourceError
from hub_model.records import DataType

ROWS = [{"id": 1, "name": "A"}, {"id": 2, "name": "B"}]
LINKS = {
    "first": {"href": "http://api.example.com/items?page=0&size=2"},
    "self": {"href": "http://api.example.com/items?page=1&size=2"},
    "next": {"href": "http://api.example.com/items?page=2&size=2"},
}

# name, envelope, path of the records, the pager with what tells it apart
ENVELOPES: list[tuple[str, Any, str, dict[str, Any]]] = [
    (
        "offset, limit, total",
        {"data": ROWS, "pagination": {"offset": 0, "limit": 2, "total": 100}},
        "data",
        {"type": "offset", "offset_param": "offset", "total_path": "pagination.total"},
    ),
    (
        "page_info",
        {"items": ROWS, "page_info": {"current_page": 1, "items_per_page": 2, "total_pages": 50}},
        "items",
        {"type": "page", "page_param": "page", "total_pages_path": "page_info.total_pages"},
    ),
    (
        "next_cursor",
        {"products": ROWS, "next_cursor": "eyJpZCI6MTAyfQ=="},
        "products",
        {"type": "cursor", "cursor_path": "next_cursor", "cursor_param": "cursor"},
    ),
    (
        "cursors.next",
        {"results": ROWS, "cursors": {"next": "NjM/+A==", "previous": "MTk="}},
        "results",
        {"type": "cursor", "cursor_path": "cursors.next", "cursor_param": "cursor"},
    ),
    ("next_id", {"entries": ROWS, "next_id": 33, "limit": 2}, "entries", {"type": "cursor", "cursor_path": "next_id"}),
    (
        "page_number",
        {"comments": ROWS, "page_number": 1, "total_pages": 15},
        "comments",
        {"type": "page", "page_param": "page_number", "total_pages_path": "total_pages"},
    ),
    (
        "Django",
        {"count": 1023, "next": "https://api.example.org/accounts/?page=5", "previous": None, "results": ROWS},
        "results",
        {"type": "next_url", "next_url_path": "next"},
    ),
    (
        "HAL",
        {"_embedded": {"items": ROWS}, "_links": LINKS, "page": {"size": 2, "totalPages": 50, "number": 1}},
        "_embedded.items",
        {"type": "next_url", "next_url_path": "_links.next.href"},
    ),
    (
        "links.nextPage",
        {
            "items": ROWS,
            "meta": {"currentPage": 1, "pageSize": 2, "totalPages": 50, "totalItems": 100},
            "links": {"firstPage": "/items?page=1&limit=2", "nextPage": "/items?page=2&limit=2"},
        },
        "items",
        {"type": "next_url", "next_url_path": "links.nextPage"},
    ),
    (
        "currentPage, totalPages",
        {"data": ROWS, "pagination": {"currentPage": 1, "pageSize": 2, "totalPages": 5, "totalItems": 10}},
        "data",
        {"type": "page", "page_param": "page", "total_pages_path": "pagination.totalPages"},
    ),
    (
        "page, perPage",
        {"items": ROWS, "pagination": {"page": 1, "perPage": 2, "total": 10, "totalPages": 5}},
        "items",
        {"type": "page", "total_path": "pagination.total", "total_pages_path": "pagination.totalPages"},
    ),
    (
        "links.next",
        {
            "data": ROWS,
            "meta": {"currentPage": 1, "itemsPerPage": 2, "totalItems": 10, "totalPages": 5},
            "links": {"first": "/api/items?page=1", "previous": None, "next": "/api/items?page=2"},
        },
        "data",
        {"type": "next_url", "next_url_path": "links.next"},
    ),
    (
        "page, pages",
        {"page": 1, "per_page": 10, "total": 100, "pages": 10, "data": ROWS},
        "data",
        {"type": "page", "total_pages_path": "pages", "total_path": "total"},
    ),
    (
        "currentPage outside",
        {"currentPage": 1, "pageSize": 10, "totalPages": 5, "totalRecords": 50, "items": ROWS},
        "items",
        {"type": "page", "page_param": "page", "total_pages_path": "totalPages"},
    ),
    (
        "paging.current, which dlt cannot detect",
        {"articles": ROWS, "paging": {"current": 1, "size": 2, "total": 60}},
        "articles",
        {"type": "page", "page_param": "page", "total_path": "paging.total"},
    ),
    (
        "total_count",
        {"feed": ROWS, "offset": 0, "limit": 2, "total_count": 200},
        "feed",
        {"type": "offset", "total_path": "total_count"},
    ),
    (
        "page_details.number",
        {"query_results": ROWS, "page_details": {"number": 1, "size": 2, "total_elements": 50, "total_pages": 25}},
        "query_results",
        {"type": "page", "page_param": "page", "total_pages_path": "page_details.total_pages"},
    ),
    (
        "pagination_details",
        {"posts": ROWS, "pagination_details": {"current_page": 1, "posts_per_page": 2, "total_pages": 50}},
        "posts",
        {"type": "page", "page_param": "page", "total_pages_path": "pagination_details.total_pages"},
    ),
    (
        "page_metadata.index",
        {"catalog": ROWS, "page_metadata": {"index": 1, "size": 2, "total_items": 20, "total_pages": 10}},
        "catalog",
        {"type": "page", "page_param": "page", "total_pages_path": "page_metadata.total_pages"},
    ),
    ("bare array", ROWS, "", {"type": "none"}),
    (
        "HubSpot",
        {"results": ROWS, "paging": {"next": {"after": "2", "link": "https://api.example.com/x?after=2"}}},
        "results",
        {"type": "next_url", "next_url_path": "paging.next.link"},
    ),
    (
        "OData",
        {"value": ROWS, "@odata.nextLink": "https://api.example.com/v4/X?$skiptoken=2"},
        "value",
        {"type": "next_url", "next_url_path": "@odata.nextLink"},
    ),
    (
        "the server gives the next offset",
        {"data": ROWS, "next_offset": 2},
        "data",
        {"type": "cursor", "cursor_param": "offset", "cursor_path": "next_offset"},
    ),
    ("number of the next page under next", {"data": ROWS, "next": 2}, "data", {"type": "page", "start_from_page": 1}),
]


@pytest.mark.parametrize(("envelope", "path", "expected"), [e[1:] for e in ENVELOPES], ids=[e[0] for e in ENVELOPES])
def test_the_paging_of_usual_envelopes_is_detected(envelope: Any, path: str, expected: dict[str, Any]) -> None:
    found, records = find_records(envelope, DataType.STUDENTS, None)
    assert (found, records) == (path, ROWS)
    pagination, _ = detect(PageFacts(url="https://api.example.com/x", body=envelope, records=2))
    told = pagination.model_dump()
    assert {name: told[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"next_link": "/x?page=2"}, {"type": "link_header"}),
        ({"headers": {"next-page-token": "abc"}}, {"type": "cursor", "cursor_header": "next-page-token"}),
    ],
)
def test_headers_say_it_surest(facts: dict[str, Any], expected: dict[str, Any]) -> None:
    body = {"data": ROWS, "page": 1, "total": 50}
    told = detect(PageFacts(url="https://api.example.com/x", body=body, records=2, **facts))[0].model_dump()
    assert {name: told[name] for name in expected} == expected


def test_a_header_that_is_there_and_empty_says_nothing() -> None:
    body = {"data": ROWS, "page": 1, "total": 50}
    facts = PageFacts(url="https://api.example.com/x", body=body, records=2, headers={"next-page-token": ""})
    assert detect(facts)[0].type == "page"


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        ({"page": 0, "totalPages": 9}, {"type": "page", "start_from_page": 0, "total_pages_path": "totalPages"}),
        ({"current_page": 1, "last_page": 9}, {"type": "page", "start_from_page": 1, "total_pages_path": None}),
        ({"pageCount": 9}, {"type": "page", "start_from_page": 1}),
        ({"pageCount": 1}, {"type": "none"}),
        ({"start": 0}, {"type": "none"}),
        ({"start": 0, "limit": 2}, {"type": "offset", "offset_param": "start"}),
    ],
)
def test_what_numbers_beside_the_records_mean(envelope: dict[str, Any], expected: dict[str, Any]) -> None:
    facts = PageFacts(url="https://api.example.com/x", body={"data": ROWS, **envelope}, records=2)
    told = detect(facts)[0].model_dump()
    assert {name: told[name] for name in expected} == expected


@pytest.mark.parametrize(
    "envelope",
    [
        {"data": ROWS, "page": 3, "total": 60},
        {"data": ROWS, "page": 2, "total": 60},
        {"data": ROWS, "offset": 40, "limit": 2, "total": 200},
        {"data": ROWS, "offset": 1, "limit": 2, "total": 200},
        {"data": ROWS, "pagination_details": {"current_page": 4, "total_pages": 50}},
    ],
)
def test_a_first_response_that_is_not_the_first_page_is_an_error(envelope: Any) -> None:
    """What lies before it would never be read."""
    with pytest.raises(SourceError) as caught:
        arrive(Position(), PageFacts(url="https://api.example.com/x", body=envelope, records=2))
    assert caught.value.code == "pagination_unknown"


def test_one_entity_in_place_of_records_is_an_error() -> None:
    with pytest.raises(SourceError) as caught:
        find_records({"id": 101, "product_name": "A"}, DataType.STUDENTS, None)
    assert caught.value.code == "records_missing"
