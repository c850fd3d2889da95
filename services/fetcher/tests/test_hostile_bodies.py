"""Any JSON at all: the walk goes on, ends, or fails with an error of ours. It never breaks and never runs for ever."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hub_fetcher.requests.plan import plan_requests
from hub_fetcher.source import Page
from hub_fetcher.walking.reading import Limits, Reading
from hub_fetcher.walking.walk import Walk
from hub_model.endpoints import Endpoint
from hub_model.errors import SourceError
from hub_model.integrations import IntegrationDraft
from hub_model.messages import PageRequested, SyncFailed
from hub_model.records import DataType
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 1, 15, tzinfo=UTC)
IDS = {"college_id": "c", "integration_id": "i", "run_id": "r", "data_type": DataType.STUDENTS, "observed_at": NOW}

names = (
    st.sampled_from(["data", "items", "students", "error", "errors", "status", "success", "x"])
    | st.sampled_from(["pagination", "meta", "paging", "page", "limit", "total", "count", "total_pages", "offset"])
    | st.sampled_from(["next", "next_cursor", "nextPage", "has_more", "last", "links", "cursors", "after", "number"])
)
scalars = st.none() | st.booleans() | st.integers(-5, 500) | st.floats(-5, 500) | st.text(max_size=8)
values = scalars | st.sampled_from(["/rows?page=2", "?p=3", "https://evil.example/", "2", "true", "250"])
documents = st.recursive(
    values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6), max_leaves=25
)
PAGINATIONS: list[dict[str, Any]] = [
    {"type": "auto"},
    {"type": "none"},
    {"type": "page"},
    {"type": "page", "startFromPage": 0, "totalPath": "total", "totalPagesPath": "meta.total_pages"},
    {"type": "offset", "totalPath": "x"},
    {"type": "cursor", "cursorPath": "next"},
    {"type": "next_url", "nextUrlPath": "next"},
    {"type": "link_header"},
]


def open_walk(pagination: dict[str, Any], request: PageRequested | None = None) -> Walk:
    endpoint = Endpoint.model_validate({"path": "/rows", "pagination": pagination})
    draft = IntegrationDraft.model_validate(
        {
            "name": "n",
            "type": "t",
            "baseUrl": "https://erp.example.edu",
            "authType": "bearer",
            "endpoints": {"students": "/rows"},
        }
    )
    return Walk(
        request or PageRequested(**IDS),
        Reading(stream=endpoint, plan=plan_requests(draft, endpoint)),
        clock=lambda: NOW,
    )


@pytest.mark.parametrize("pagination", PAGINATIONS, ids=lambda pagination: pagination["type"])
@given(bodies=st.lists(documents, min_size=1, max_size=4), link=st.none() | st.text(max_size=10))
@settings(max_examples=60)
def test_no_json_breaks_a_walk(pagination: dict[str, Any], bodies: list[Any], link: str | None) -> None:
    walk = open_walk(pagination)
    for body in bodies:
        assert walk.requests_ahead(Limits())[0] == walk.next_request
        ended: Any
        try:
            walk.turn(Page(body=body, size=10, next_link=link))
            ended = walk.conclude() if walk.is_over else None
        except SourceError as error:
            ended = walk.ended(error)
        if ended is not None:
            assert ended.model_dump_json()
            return
        carried = walk.onward()
        assert isinstance(carried, PageRequested)
        walk = open_walk(pagination, PageRequested.model_validate_json(carried.model_dump_json()))


@given(
    script=st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from("ABCDEF"), st.sampled_from([None, True])), min_size=1, max_size=9
    ),
    kind=st.sampled_from(["cursor", "next_url"]),
)
def test_no_response_with_a_next_mark_makes_a_walk_endless(script: list[tuple[int, str, Any]], kind: str) -> None:
    """Six marks are six pages more at most, in whatever order and however empty."""
    walk = open_walk({"type": kind, ("cursorPath" if kind == "cursor" else "nextUrlPath"): "next"})
    for number in range(8):
        rows, mark, flag = script[number % len(script)]
        records = [{"id": number * 10 + row} for row in range(rows)]
        body = {"data": records, "next": mark if kind == "cursor" else f"?p={mark}", "has_more": flag}
        walk.turn(Page(body=body, size=len(orjson.dumps(body))))
        if walk.is_over:
            assert isinstance(walk.conclude(), SyncFailed)
            return
    raise AssertionError("still going on")
