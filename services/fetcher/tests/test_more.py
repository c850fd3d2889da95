"""Signs that a first response is not the whole, in places where no pager looks: each was once read as a success."""

from typing import Any

import pytest
from hub_model.messages import StreamFinished, SyncFailed

ROWS = [{"id": number} for number in range(100)]

# Beside a first page of 100 records, in the body.
BODIES: list[dict[str, Any]] = [
    {"total": "1,250"},
    {"total": "1,25,000"},
    {"summary": {"totalRecords": 1250}},
    {"header": {"pages": 13}},
    {"recordCount": 1250},
    {"scrollId": "c2Nhbjs2"},
    {"continuation": "c2Nhbjs2"},
    {"isTruncated": True, "nextMarker": "s100"},
    {"links": [{"rel": "self", "href": "/students"}, {"rel": "next", "href": "/students?page=2"}]},
    {"link": [{"relation": "next", "url": "/students?page=2"}]},
]
# Beside a bare list.
HEADERS = [
    {"X-Next-Page": "2"},
    {"X-Total-Pages": "13"},
    {"X-Next-Cursor": "c2Nhbjs2"},
    {"Content-Range": "items 0-99/1250"},
    {"Content-Range": "0-99/*"},
    {"X-Pagination": '{"TotalCount":1250,"PageSize":100,"CurrentPage":1,"TotalPages":13}'},
]


@pytest.mark.parametrize("beside", BODIES, ids=str)
async def test_what_a_body_says_of_more_is_no_success(college: Any, walk_all: Any, beside: Any) -> None:
    college.answer = lambda asked: college.json({"data": ROWS, **beside})
    walked = await walk_all()
    assert isinstance(walked.last, SyncFailed)
    assert (walked.last.code, len(walked.records)) == ("pagination_unknown", 100)


@pytest.mark.parametrize("headers", HEADERS, ids=str)
async def test_what_headers_say_of_more_is_no_success(college: Any, walk_all: Any, headers: Any) -> None:
    college.answer = lambda asked: college.json(ROWS, **headers)
    walked = await walk_all()
    assert (walked.last.code, len(walked.records)) == ("pagination_unknown", 100)
    assert next(iter(headers)).lower() in walked.last.public.lower(), "the sign is named"


@pytest.mark.parametrize(
    ("beside", "headers"),
    [
        ({"total": "100"}, {"X-Total-Pages": "1"}),
        ({"summary": {"totalRecords": 100}, "pages": 1}, {"X-Next-Page": ""}),
        ({"isTruncated": False, "nextMarker": None, "total": 100}, {"Content-Range": "items 0-99/100"}),
        ({"links": [{"rel": "self"}, "next"], "hasMore": False}, {"X-Pagination": "no json"}),
        ({"scrollId": "c2Nhbjs2", "total": 100}, {}),
    ],
)
async def test_what_says_that_this_is_all_is_no_sign(college: Any, walk_all: Any, beside: Any, headers: Any) -> None:
    college.answer = lambda asked: college.json({"data": ROWS, **beside}, **headers)
    walked = await walk_all()
    assert isinstance(walked.last, StreamFinished)
    assert (walked.last.complete, len(walked.records)) == (True, 100)


@pytest.mark.parametrize(
    ("rows", "endpoint", "is_told"),
    [(100, {}, True), (99, {}, False), (100, {"pagination": {"type": "none"}}, False)],
    ids=["a page's usual size", "another number", "said to be all"],
)
async def test_a_bare_list_as_long_as_pages_are_is_told_with_what_to_do(
    college: Any, walk_all: Any, rows: int, endpoint: Any, is_told: bool
) -> None:
    college.answer = lambda asked: college.json(ROWS[:rows])
    walked = await walk_all(endpoint)
    assert walked.last.complete
    assert [f"Exactly {rows} records" in warning for warning in walked.last.warnings] == [True] * is_told
