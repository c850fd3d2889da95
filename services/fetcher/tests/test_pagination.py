"""Pagers against simulated sources: every row once, whatever the page size, and always an end."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hub_fetcher.paging.pagination import arrive, begin, foresee, step
from hub_fetcher.paging.position import End, PageFacts, Position
from hub_fetcher.requests.plan import plan_requests
from hub_fetcher.requests.request import request_at
from hub_fetcher.responses.records import find_records
from hub_model.endpoints import Endpoint
from hub_model.errors import SourceError
from hub_model.integrations import IntegrationDraft
from hub_model.records import DataType
from hypothesis import given
from hypothesis import strategies as st

BASE = "https://erp.example.edu/v1"

# query -> (body, target of the Link header's rel="next")
Api = Callable[[dict[str, str]], tuple[Any, str | None]]


@dataclass(frozen=True)
class Walked:
    rows: list[int]
    requests: int
    end: End


def walk(pagination: dict[str, Any] | None, api: Api, *, limit: int = 400) -> Walked:
    """Walk a simulated source to its end, carrying the position through its written form."""
    endpoint = Endpoint.model_validate({"path": "/rows", **({"pagination": pagination} if pagination else {})})
    settings = IntegrationDraft.model_validate(
        {"name": "n", "type": "t", "baseUrl": BASE, "authType": "bearer", "endpoints": {"students": endpoint}}
    )
    plan = plan_requests(settings, endpoint)
    position = begin(endpoint.pagination)
    rows: list[int] = []
    for requests in range(1, limit + 1):
        url = request_at(plan, position).url
        query = {name: values[-1] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}
        body, link = api(query)
        _, found = find_records(body, DataType.STUDENTS, endpoint.records_path)
        facts = PageFacts(url=url, body=body, records=len(found), next_link=link)
        rows += [row["id"] for row in found]
        following = step(arrive(position, facts), facts)
        if isinstance(following, End):
            return Walked(rows, requests, following)
        position = Position.model_validate(following.to_message())
    raise AssertionError(f"no end after {limit} requests")


def some(start: int, count: int, total: int) -> list[dict[str, int]]:
    return [{"id": number} for number in range(start, min(start + count, total))]


sizes = st.integers(min_value=1, max_value=40)
totals = st.integers(min_value=0, max_value=150)


@dataclass(frozen=True)
class Rows:
    """A source of ``total`` rows that gives at most ``cap`` per page, whatever is asked, and ``own`` if nothing is."""

    total: int
    cap: int
    own: int

    def size(self, query: dict[str, str]) -> int:
        return min(int(query.get("limit", self.own)), self.cap)

    def page(self, query: dict[str, str], first: int = 1) -> tuple[int, list[dict[str, int]]]:
        number = int(query.get("page", first))
        size = self.size(query)
        return number, some((number - first) * size, size, self.total)

    def at(self, query: dict[str, str]) -> tuple[int, list[dict[str, int]]]:
        offset = int(query.get("offset", 0))
        return offset, some(offset, self.size(query), self.total)


sources = st.builds(Rows, total=totals, cap=sizes, own=sizes)


@given(source=sources, asked=sizes, first=st.sampled_from([0, 1]), told=st.sampled_from(["nothing", "total", "pages"]))
def test_numbered_pages_give_every_row_exactly_once(source: Rows, asked: int, first: int, told: str) -> None:
    def api(query: dict[str, str]) -> tuple[Any, None]:
        _, rows = source.page(query, first)
        pages = -(-source.total // source.size(query))
        extra = {"nothing": {}, "total": {"total": str(source.total)}, "pages": {"totalPages": pages}}[told]
        return {"data": rows, **extra}, None

    walked = walk({"type": "page", "pageSize": asked, "startFromPage": first}, api)
    assert walked.rows == list(range(source.total))
    assert walked.end.complete


@given(source=sources, asked=sizes, with_total=st.booleans())
def test_offsets_give_every_row_exactly_once(source: Rows, asked: int, with_total: bool) -> None:
    def api(query: dict[str, str]) -> tuple[Any, None]:
        _, rows = source.at(query)
        return {"data": rows, **({"meta": {"totalCount": source.total}} if with_total else {})}, None

    walked = walk({"type": "offset", "pageSize": asked}, api)
    assert walked.rows == list(range(source.total))
    assert walked.end == End()


@given(filled=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=12))
def test_a_cursor_decides_and_not_the_emptiness_of_a_page(filled: list[tuple[int, int]]) -> None:
    """Up to three empty pages in a row, each with a next cursor, lose nothing."""
    sizes_in_order = [size for empty, rows in filled for size in (*[0] * empty, rows)]
    starts = [sum(sizes_in_order[:index]) for index in range(len(sizes_in_order) + 1)]

    def api(query: dict[str, str]) -> tuple[Any, None]:
        index = int(query.get("cursor", 0))
        size = sizes_in_order[index] if sizes_in_order else 0
        following = index + 1 if index + 1 < len(sizes_in_order) else None
        return {"data": some(starts[index], size, 10**6), "next": following}, None

    assert walk({"type": "cursor", "cursorPath": "next"}, api).rows == list(range(starts[-1]))


@given(
    source=sources,
    form=st.sampled_from(["{base}/rows?offset={n}", "/v1/rows?offset={n}", "rows?offset={n}", "?offset={n}"]),
    kind=st.sampled_from(["link_header", "next_url", "auto"]),
)
def test_links_of_any_form_give_every_row_exactly_once(source: Rows, form: str, kind: str) -> None:
    def api(query: dict[str, str]) -> tuple[Any, str | None]:
        offset, rows = source.at(query)
        after = offset + len(rows)
        link = form.format(base=BASE, n=after) if after < source.total else None
        return ({"items": rows}, link) if kind == "link_header" else ({"items": rows, "next": link}, None)

    spec = {"type": kind, "nextUrlPath": "next"} if kind == "next_url" else {"type": kind}
    assert walk(spec, api).rows == list(range(source.total))


@given(source=sources, as_text=st.booleans())
def test_the_seeds_envelope_needs_no_pagination_setting(source: Rows, as_text: bool) -> None:
    def api(query: dict[str, str]) -> tuple[Any, None]:
        number, rows = source.page(query)
        told = {"page": number, "limit": source.size(query), "total": source.total}
        pagination = {name: str(value) for name, value in told.items()} if as_text else told
        return {"success": True, "data": rows, "pagination": pagination}, None

    walked = walk(None, api)
    assert walked.rows == list(range(source.total))
    assert walked.end == End()


ENVELOPES: dict[str, Callable[[Rows, dict[str, str]], Any]] = {
    "page and total pages": lambda rows, query: {
        "data": rows.page(query)[1],
        "current_page": rows.page(query)[0],
        "last_page": max(1, -(-rows.total // rows.size(query))),
    },
    "page and has more": lambda rows, query: {
        "records": rows.page(query)[1],
        "page": rows.page(query)[0],
        "has_more": rows.page(query)[0] * rows.size(query) < rows.total,
    },
    "page and limit alone": lambda rows, query: {
        "rows": rows.page(query)[1],
        "page": rows.page(query)[0],
        "limit": rows.size(query),
    },
    "number of the next page": lambda rows, query: {
        "data": rows.page(query)[1],
        "meta": {"nextPage": rows.page(query)[0] + 1 if rows.page(query)[0] * rows.size(query) < rows.total else None},
    },
    "spring": lambda rows, query: {
        "content": rows.page(query, 0)[1],
        "number": rows.page(query, 0)[0],
        "totalPages": -(-rows.total // rows.size(query)),
        "totalElements": rows.total,
        "last": (rows.page(query, 0)[0] + 1) * rows.size(query) >= rows.total,
    },
    "offset and total": lambda rows, query: {
        "students": rows.at(query)[1],
        "offset": rows.at(query)[0],
        "total": rows.total,
    },
    "linways": lambda rows, query: {
        "data": rows.page(query)[1],
        "_meta": {
            "totalRecords": str(rows.total),
            "currentPage": str(rows.page(query)[0]),
            "hasNextPage": rows.page(query)[0] * rows.size(query) < rows.total,
        },
    },
}


@pytest.mark.parametrize("envelope", ENVELOPES)
@given(source=sources)
def test_usual_envelopes_are_detected(envelope: str, source: Rows) -> None:
    walked = walk(None, lambda query: (ENVELOPES[envelope](source, query), None))
    assert walked.rows == list(range(source.total))
    assert walked.end.complete


@pytest.mark.parametrize(
    ("field", "param"),
    [("next_cursor", "cursor"), ("nextPageToken", "pageToken"), ("next_page_token", "page_token")],
)
def test_cursors_with_usual_names_are_detected(field: str, param: str) -> None:
    def api(query: dict[str, str]) -> tuple[Any, None]:
        start = int(query.get(param, 0))
        return {"data": some(start, 10, 35), "meta": {field: start + 10 if start + 10 < 35 else ""}}, None

    assert walk(None, api).rows == list(range(35))


def test_a_bare_array_is_one_page() -> None:
    walked = walk(None, lambda query: (some(0, 10, 10), None))
    assert (walked.rows, walked.requests) == (list(range(10)), 1)


def test_a_count_that_equals_the_rows_of_the_page_is_not_taken_for_more() -> None:
    assert walk(None, lambda query: ({"count": 10, "results": some(0, 10, 10)}, None)).requests == 1


def test_a_count_of_the_rows_of_each_page_is_no_total() -> None:
    def api(query: dict[str, str]) -> tuple[Any, None]:
        start = int(query.get("cursor", 0))
        rows = some(start, 10, 25)
        return {"count": len(rows), "data": rows, "next_cursor": start + 10 if start < 20 else None}, None

    assert walk(None, api).end == End()


def test_a_field_called_after_is_a_cursor_only_among_others_about_paging() -> None:
    assert walk(None, lambda query: ({"data": some(0, 5, 5), "after": "2024-01-01"}, None)).requests == 1
    body = {"data": some(0, 5, 9), "paging": {"cursors": {"after": "x"}}}
    last = {"data": some(5, 5, 9), "paging": {}}
    assert walk(None, lambda query: (last if query.get("after") == "x" else body, None)).rows == list(range(9))


def test_more_records_than_sent_and_no_way_to_the_rest_is_an_error() -> None:
    with pytest.raises(SourceError) as caught:
        walk(None, lambda query: ({"total": 250, "data": some(0, 100, 250)}, None))
    assert caught.value.code == "pagination_unknown"


def test_a_mark_of_the_next_page_that_is_no_url_is_an_error_and_no_guess() -> None:
    with pytest.raises(SourceError) as caught:
        walk(None, lambda query: ({"data": some(0, 5, 9), "next": "ABC"}, None))
    assert caught.value.code == "pagination_unknown"


def test_a_short_page_does_not_end_a_walk() -> None:
    pages = {1: some(0, 10, 99), 2: some(10, 3, 99), 3: some(13, 10, 99), 4: []}
    walked = walk({"type": "page", "pageSize": 10}, lambda query: ({"data": pages[int(query["page"])]}, None))
    assert walked.rows == list(range(23))


def test_an_empty_page_in_the_middle_does_not_end_a_walk_whose_last_page_is_known() -> None:
    pages = {1: some(0, 10, 99), 2: [], 3: some(10, 10, 99)}
    walked = walk({"type": "page"}, lambda query: ({"data": pages[int(query["page"])], "total_pages": "3"}, None))
    assert walked.rows == list(range(20))


def test_an_empty_page_in_the_middle_does_not_end_a_walk_whose_total_promises_more() -> None:
    pages = {1: some(0, 10, 99), 2: [], 3: some(10, 10, 99)}
    walked = walk({"type": "page"}, lambda query: ({"data": pages.get(int(query["page"]), []), "total": 20}, None))
    assert (walked.rows, walked.end) == (list(range(20)), End())


@pytest.mark.parametrize("spec", [{"type": "page", "pageSize": 10}, {"type": "offset", "pageSize": 10}])
def test_rows_that_vanish_while_they_are_read_make_a_walk_incomplete(spec: dict[str, Any]) -> None:
    """With every request the first row goes, so each later page begins one row too far."""
    remaining = [{"id": number} for number in range(31)]

    def api(query: dict[str, str]) -> tuple[Any, None]:
        remaining.pop(0)
        start = int(query["offset"]) if "offset" in query else (int(query["page"]) - 1) * 10
        return {"data": remaining[start : start + 10], "total": len(remaining)}, None

    walked = walk(spec, api)
    assert not {11, 22} & set(walked.rows)
    assert not walked.end.complete
    assert "fell from 30 to" in walked.end.warnings[0]


def test_fewer_rows_than_the_total_are_a_warning_and_not_complete() -> None:
    pages = {1: some(0, 10, 99)}
    walked = walk({"type": "page"}, lambda query: ({"data": pages.get(int(query["page"]), []), "total": 25}, None))
    assert not walked.end.complete
    assert walked.end.warnings == ("The source said that there are 25 records and sent 10.",)


def test_more_rows_than_the_total_are_a_warning_and_complete() -> None:
    """A total that proved too low does not end the walk either."""
    pages = {1: some(0, 10, 99), 2: some(10, 10, 99), 3: []}
    walked = walk({"type": "page"}, lambda query: ({"data": pages[int(query["page"])], "total": 5}, None))
    assert walked.rows == list(range(20))
    assert walked.end.complete
    assert walked.end.warnings


def test_a_total_that_appears_in_the_middle_of_a_record_set_of_another_meaning_can_be_overruled() -> None:
    """``totalPath`` names the right one."""
    spec = {"type": "offset", "pageSize": 10, "totalPath": "meta.rows"}

    def api(query: dict[str, str]) -> tuple[Any, None]:
        return {"total": 10, "meta": {"rows": 25}, "data": some(int(query["offset"]), 10, 25)}, None

    assert walk(spec, api).rows == list(range(25))


@pytest.mark.parametrize("body", [{}, {"next": None}, {"next": ""}, {"next": "  "}, {"next": False}])
def test_a_missing_null_or_empty_cursor_ends_the_walk(body: dict[str, Any]) -> None:
    assert walk({"type": "cursor", "cursorPath": "next"}, lambda query: ({"data": [], **body}, None)).requests == 1


def test_zero_is_a_cursor() -> None:
    def api(query: dict[str, str]) -> tuple[Any, None]:
        return ({"data": [{"id": 1}]}, None) if query.get("cursor") == "0" else ({"data": [{"id": 0}], "next": 0}, None)

    assert walk({"type": "cursor", "cursorPath": "next"}, api).rows == [0, 1]


@pytest.mark.parametrize(
    ("pagination", "body", "code"),
    [
        ({"type": "cursor", "cursorPath": "next"}, {"data": [1], "next": {"a": 1}}, "cursor_not_scalar"),
        ({"type": "cursor", "cursorPath": "nxt"}, {"data": [1], "hasMore": True}, "cursor_missing"),
        ({"type": "next_url", "nextUrlPath": "next"}, {"data": [1], "next": 7}, "next_url_invalid"),
        ({"type": "offset"}, {"data": [], "hasMore": True}, "pagination_stalled"),
    ],
)
def test_what_cannot_be_followed_is_an_error(pagination: dict[str, Any], body: Any, code: str) -> None:
    with pytest.raises(SourceError) as caught:
        walk(pagination, lambda query: ({**body, "data": [{"id": 1} for _ in body["data"]]}, None))
    assert caught.value.code == code


@pytest.mark.parametrize("tokens", ["A", "AB", "ABCD"])
def test_a_token_that_was_seen_before_ends_the_walk_with_an_error_also_in_a_cycle_of_several_tokens(
    tokens: str,
) -> None:
    served = iter(range(100))

    def api(query: dict[str, str]) -> tuple[Any, None]:
        number = next(served)
        return {"data": [{"id": number}], "next": tokens[number % len(tokens)]}, None

    with pytest.raises(SourceError) as caught:
        walk({"type": "cursor", "cursorPath": "next"}, api)
    assert caught.value.code == "pagination_loop"
    assert next(served) == len(tokens) + 1


def test_a_next_link_back_to_the_first_page_is_a_loop_that_is_noticed_before_it_is_followed() -> None:
    served = itertools.count()

    def api(query: dict[str, str]) -> Any:
        next(served)
        return {"data": [{"id": 1}], "next": "/v1/rows"}, None

    with pytest.raises(SourceError) as caught:
        walk({"type": "next_url", "nextUrlPath": "next"}, api)
    assert caught.value.code == "pagination_loop"
    assert next(served) == 1


def test_a_cursor_with_nothing_but_empty_pages_ends_in_an_error() -> None:
    numbers = iter(range(100))
    with pytest.raises(SourceError) as caught:
        walk({"type": "cursor", "cursorPath": "next"}, lambda query: ({"data": [], "next": next(numbers)}, None))
    assert caught.value.code == "pagination_stalled"
    assert next(numbers) == 4


@pytest.mark.parametrize(
    "spec", [{"type": "cursor", "cursorPath": "next"}, {"type": "next_url", "nextUrlPath": "next"}, {"type": "auto"}]
)
def test_a_flag_that_says_no_ends_a_walk_although_there_is_a_cursor_or_a_link(spec: dict[str, Any]) -> None:
    body = {"data": [{"id": 1}], "next": "/v1/rows?after=1", "has_more": False}
    assert walk(spec, lambda query: (body, None)).requests == 1


@given(
    source=sources, asked=sizes, ahead=st.integers(min_value=0, max_value=6), kind=st.sampled_from(["page", "offset"])
)
def test_what_is_foreseen_is_what_comes_where_pages_are_full(source: Rows, asked: int, ahead: int, kind: str) -> None:
    """Never more than there is, and in order."""
    pagination = {"type": kind, "pageSize": asked}
    places: list[int | str | None] = []
    foreseen: list[list[int | str | None]] = []
    position = begin(Endpoint.model_validate({"path": "/rows", "pagination": pagination}).pagination)
    while True:
        places.append(position.place)
        query = {"page": str(position.place), "offset": str(position.place), "limit": str(asked)}
        _, rows = source.page(query) if kind == "page" else source.at(query)
        facts = PageFacts(url=BASE, body={"total": source.total}, records=len(rows))
        following = step(arrive(position, facts), facts)
        if isinstance(following, End):
            break
        foreseen.append([item.place for item in foresee(following, ahead)])
        position = following
    # The empty page at the end, which a source has to send that clamps a size: its offset is not foreseen.
    unseen = 1 if kind == "offset" and len(places) > 1 and source.cap < asked else 0
    for index, guesses in enumerate(foreseen):
        assert guesses == places[index + 2 : index + 2 + len(guesses)]
        assert len(guesses) == max(0, min(ahead, len(places) - index - 2 - unseen))


def test_no_page_is_foreseen_behind_the_last_one() -> None:
    pagination = Endpoint.model_validate({"path": "/r", "pagination": {"type": "page", "pageSize": 10}}).pagination
    facts = PageFacts(url=BASE, body={"totalPages": 4}, records=10)
    following = step(arrive(begin(pagination), facts), facts)
    assert isinstance(following, Position)
    assert [position.place for position in foresee(following, 9)] == [3, 4]


def test_nothing_is_foreseen_where_the_response_decides() -> None:
    facts = PageFacts(url=BASE, body={"total": 100, "next": "b"}, records=10)
    position = begin(
        Endpoint.model_validate({"path": "/r", "pagination": {"type": "cursor", "cursorPath": "next"}}).pagination
    )
    following = step(arrive(position, facts), facts)
    assert isinstance(following, Position)
    assert foresee(following, 4) == []
