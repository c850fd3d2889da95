"""What the paginators of Airbyte, dlt, Singer and faucet are tested with, said by our rules, which differ in this:

a short page ends nothing, a total is a hint and not required, a token seen before is an error and not an end, and what
says that there is more and not how is an error.
"""

from typing import Any

import orjson
import pytest
from hub_fetcher.paging.pagination import arrive, begin, foresee, step
from hub_fetcher.paging.position import End, PageFacts, Position
from hub_fetcher.paging.totals import counted, end
from hub_fetcher.requests.plan import plan_requests
from hub_fetcher.requests.request import SourceRequest, request_at
from hub_model.endpoints import Endpoint
from hub_model.errors import SourceError
from hub_model.integrations import IntegrationDraft
from pydantic import ValidationError

BASE = "https://api.example.com"
END = "the end"
INCOMPLETE = "the end, and not complete"


def endpoint_of(pagination: dict[str, Any], **more: Any) -> Endpoint:
    return Endpoint.model_validate({"path": "/rows", "pagination": pagination, **more})


def asked_at(endpoint: Endpoint, position: Position) -> SourceRequest:
    draft = {"name": "n", "type": "t", "baseUrl": BASE, "authType": "bearer", "endpoints": {"students": endpoint}}
    return request_at(plan_requests(IntegrationDraft.model_validate(draft), endpoint), position)


def places(
    pagination: dict[str, Any], *pages: tuple[int, Any], headers: Any = (), link: str | None = None
) -> list[Any]:
    """Where each page, so many records in an envelope, leads to."""
    position = begin(endpoint_of(pagination).pagination)
    found: list[Any] = []
    for records, body in pages:
        facts = PageFacts(url=f"{BASE}/api/items", body=body, records=records, headers=dict(headers), next_link=link)
        try:
            following = step(arrive(position, facts), facts)
        except SourceError as error:
            return [*found, error.code]
        if isinstance(following, End):
            return [*found, END if following.complete else INCOMPLETE]
        position = following
        found.append(position.place)
    return found


PAGE: dict[str, Any] = {"type": "page", "pageSize": 2}
OFFSET: dict[str, Any] = {"type": "offset", "pageSize": 10}
CURSOR: dict[str, Any] = {"type": "cursor", "cursorPath": "next_cursor", "sizeParam": "limit", "pageSize": 2}
MORE: dict[str, Any] = {"hasMorePath": "has_more"}


@pytest.mark.parametrize(
    ("pagination", "pages", "expected"),
    [
        # Airbyte's page and offset increments
        pytest.param(PAGE, [(2, {})], [2], id="a full page goes on"),
        pytest.param(PAGE, [(2, {}), (1, {})], [2, 3], id="a partial page goes on"),
        pytest.param(PAGE, [(2, {}), (0, {})], [2, END], id="an empty page ends it"),
        pytest.param({**PAGE, "startFromPage": 0}, [(2, {}), (2, {})], [1, 2], id="pages from 0"),
        pytest.param({**PAGE, "startFromPage": 12}, [(2, {})], [13], id="pages from 12"),
        pytest.param({**PAGE, "sizeParam": None}, [(0, {})], [END], id="no page size"),
        pytest.param(OFFSET, [(10, {}), (5, {}), (0, {})], [10, 15, END], id="the offset follows what was received"),
        # dlt's totals
        pytest.param(OFFSET, [(10, {"total": 20}), (10, {"total": 20})], [10, END], id="the total ends it"),
        pytest.param(OFFSET, [(10, {"total": "20"}), (10, {"total": "20"})], [10, END], id="a total as text"),
        pytest.param(OFFSET, [(10, {"total": "invalid"})], [10], id="an invalid total is none"),
        pytest.param(OFFSET, [(10, {"total": {"count": 5}})], [10], id="a structure is no total"),
        pytest.param(OFFSET, [(10, {"total": None}), (0, {"total": None})], [10, END], id="a null total is none"),
        pytest.param({**OFFSET, "totalPath": "n"}, [(10, {}), (0, {})], [10, END], id="a total that is missing"),
        pytest.param(OFFSET, [(10, {"total": -1})], [10], id="a negative total is none"),
        pytest.param(OFFSET, [(10, {"total": True})], [10], id="true is not 1"),
        pytest.param(OFFSET, [(0, {"total": 0})], [END], id="nothing at all"),
        pytest.param(OFFSET, [(0, {"total": 5})], [INCOMPLETE], id="no offset leads past an empty first page"),
        pytest.param(PAGE, [(0, {"total": 5})], [INCOMPLETE], id="no page is looked for behind an empty first one"),
        pytest.param(OFFSET, [(10, {"total": 30}), (0, {"total": 30})], [10, 20], id="an empty page before the total"),
        pytest.param(
            {**PAGE, "totalPagesPath": "n"}, [(2, {"n": 3}), (2, {"n": 3}), (2, {"n": 3})], [2, 3, END], id="pages"
        ),
        pytest.param({**PAGE, "totalPagesPath": "n"}, [(2, {"n": "3"})], [2], id="pages as text"),
        pytest.param(
            {**PAGE, "startFromPage": 0, "totalPagesPath": "n"}, [(2, {"n": 2}), (2, {"n": 2})], [1, END], id="0 and 1"
        ),
        pytest.param(
            {**PAGE, "startFromPage": 0},
            [(2, {"last_page": 2}), (2, {"last_page": 2}), (2, {"last_page": 2})],
            [1, 2, END],
            id="the number of the last page is no count of pages",
        ),
        pytest.param(
            {**PAGE, "totalPagesPath": "n"},
            [(2, {"n": 7}), *[(0, {"n": 7})] * 5, (2, {"n": 7})],
            [2, 3, 4, 5, 6, 7, END],
            id="many empty pages before a last one whose number is known",
        ),
        pytest.param(
            {"type": "page", "pageSize": 10}, [(5, {"total": 9, "totalPages": 1})], [2], id="pages of a size not given"
        ),
        pytest.param({**PAGE, "totalPagesPath": "n"}, [(2, {"n": "invalid"})], [2], id="invalid pages are none"),
        # dlt's flags
        pytest.param({**OFFSET, **MORE}, [(10, {"has_more": False})], [END], id="a flag that says no"),
        pytest.param({**OFFSET, **MORE}, [(10, {"has_more": "true"})], [10], id="a flag as text"),
        pytest.param({**OFFSET, **MORE}, [(10, {"has_more": "no"})], [END], id="a flag as another text"),
        pytest.param({**OFFSET, **MORE}, [(10, {})], [10], id="a flag that is not there says nothing"),
        pytest.param(
            {**OFFSET, **MORE}, [(10, {"has_more": 1}), (3, {})], [10, END], id="a flag that is not there any more"
        ),
        pytest.param(
            {**OFFSET, **MORE}, [(0, {"has_more": True})], ["pagination_stalled"], id="a flag and no first row"
        ),
        pytest.param(
            {**PAGE, **MORE},
            [(2, {"total": 9, "has_more": True}), (0, {"total": 9, "has_more": False})],
            [2, INCOMPLETE],
            id="a flag that says no at an empty page outweighs a total",
        ),
        pytest.param(PAGE, [(2, {"nextPage": 2}), (2, {"nextPage": 2})], [2, END], id="a next page that is this one"),
        pytest.param({**PAGE, "hasMorePath": "next"}, [(2, {"next": "http://10.0.0.1/"})], [2], id="a URL as a flag"),
        pytest.param({**PAGE, "hasMorePath": "next"}, [(2, {"next": None})], [END], id="no URL as a flag"),
        pytest.param({**OFFSET, **MORE}, [(10, {"total": 10, "has_more": True})], [10], id="a flag outweighs a total"),
        pytest.param(
            {**OFFSET, "hasMorePath": "s", "hasMoreValue": "MORE"},
            [(10, {"s": "MORE"}), (10, {"s": "more"}), (3, {"s": "OK"})],
            [10, 20, END],
            id="a word that says that there is more",
        ),
        pytest.param(
            {**OFFSET, "hasMorePath": "s", "hasMoreValue": "MORE"}, [(0, {"s": "NO MATCH"})], [END], id="another word"
        ),
        # Singer
        pytest.param({**PAGE, **MORE}, [(2, {"has_more": True}), (0, {"has_more": True})], [2, 3], id="holes"),
        pytest.param(CURSOR, [(2, {"next_cursor": "abc"}), (2, {"next_cursor": "abc"})], ["abc", "pagination_loop"]),
        # dlt's cursors
        pytest.param(CURSOR, [(0, {"next_cursor": "c2"})], ["c2"], id="an empty page with a cursor goes on"),
        pytest.param(CURSOR, [(1, {"next_cursor": ""})], [END], id="an empty cursor"),
        pytest.param({**CURSOR, **MORE}, [(1, {"next_cursor": "", "has_more": True})], ["cursor_missing"]),
        pytest.param({**CURSOR, **MORE}, [(1, {"next_cursor": "c", "has_more": "false"})], [END], id="a flag over it"),
        pytest.param({**CURSOR, **MORE}, [(1, {"next_cursor": "c"})], ["c"], id="a missing flag over it"),
        pytest.param(CURSOR, [(1, {"next_cursor": 0})], [0], id="0 is a cursor"),
        pytest.param(CURSOR, [(1, {"next_cursor": 7}), (1, {"next_cursor": "7"})], [7, "pagination_loop"]),
        pytest.param(CURSOR, [(1, {"next_cursor": 1.5})], ["1.5"], id="a number that is not whole"),
        pytest.param(CURSOR, [(1, {"next_cursor": ["a"]})], ["cursor_not_scalar"]),
        # a path that leads nowhere ends a walk, and it is said that this may be wrong
        pytest.param(CURSOR, [(2, {"nextCursor": "c"})], [INCOMPLETE], id="a full first page without any cursor"),
        pytest.param(CURSOR, [(1, {})], [END], id="a short first page without any cursor"),
        pytest.param(CURSOR, [(2, {"total": 2})], [END], id="a full first page that is all there is"),
        pytest.param(CURSOR, [(2, {"next_cursor": None})], [END], id="a full page that says that it is the last"),
        pytest.param(CURSOR, [(2, {"next_cursor": "c"}), (2, {})], ["c", END], id="a full last page"),
    ],
)
def test_where_a_page_leads_to(pagination: dict[str, Any], pages: list[tuple[int, Any]], expected: list[Any]) -> None:
    assert places(pagination, *pages) == expected


@pytest.mark.parametrize(("records", "is_told"), [(1000, True), (999, False), (1500, False), (3000, True)])
def test_a_list_that_ends_at_a_round_number_of_thousands_may_be_cut_off_there_and_that_is_told(
    records: int, is_told: bool
) -> None:
    told = end(Position(pagination=endpoint_of(PAGE).pagination, records=records, total=10_000, first_total=10_000))
    assert not told.complete
    assert (f"It may show no more than {records} of a list" in told.warnings[0]) is is_told


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"next-page-token": "t2"}, ["t2"]),
        ({"next-page-token": ""}, [END]),
        ({}, [END]),
        ({"next-page-token": "0"}, ["0"]),
    ],
)
def test_a_cursor_in_a_header_leads_on(header: dict[str, str], expected: list[Any]) -> None:
    spec = {"type": "cursor", "cursorHeader": "Next-Page-Token", "cursorParam": "pageToken"}
    assert places(spec, (1, [{"id": 1}]), headers=header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [({"link": '<https://api.example.com/rows>; rel="first"'}, END), ({}, INCOMPLETE)],
    ids=["links without a next one", "no links at all"],
)
def test_a_full_first_page_is_the_last_one_only_of_a_source_that_links(header: dict[str, str], expected: str) -> None:
    spec = {"type": "link_header", "sizeParam": "limit", "pageSize": 2}
    assert places(spec, (2, [{"id": 1}, {"id": 2}]), headers=header) == [expected]


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("/api/items?page=2", "/api/items?page=2"),
        ("/api/page/4/items?filter=active", "/api/page/4/items?filter=active"),
        ("/api/resource?page=3&category=books&sort=author", "/api/resource?page=3&category=books&sort=author"),
        ("/api/items?page=2&query=%E3%81%82", "/api/items?page=2&query=%E3%81%82"),
        ("https://api.example.com/api/items?page=2&param1=value1", "/api/items?page=2&param1=value1"),
        ("/learn/api/public/v1/courses?offset=100", "/learn/api/public/v1/courses?offset=100"),
    ],
)
@pytest.mark.parametrize("kind", ["next_url", "link_header"])
def test_a_next_link_is_followed_as_it_is_and_no_parameter_is_sent_twice(kind: str, link: str, expected: str) -> None:
    spec = {"type": "next_url", "nextUrlPath": "next", "sizeParam": "limit"}
    spec = spec if kind == "next_url" else {"type": "link_header", "sizeParam": "limit"}
    [place] = places(spec, (2, {"next": link}), link=link)
    assert place == BASE + expected
    endpoint = endpoint_of(spec, params={"param1": "value1"})
    position = begin(endpoint.pagination).model_copy(update={"place": place})
    assert asked_at(endpoint, position).url == place


def test_the_client_computes_an_offset_or_the_server_gives_it_and_never_both() -> None:
    """A client that added the page's length to an offset already advanced left out every second page."""
    given = {"type": "cursor", "cursorParam": "offset", "cursorPath": "next_offset"}
    body = {"offset": 0, "next_offset": 10}
    assert places(given, (10, body)) == [10]
    assert places(OFFSET, (10, body)) == [10]


@pytest.mark.parametrize(
    ("pagination", "place", "expected"),
    [
        ({"type": "page", "pageParam": "page"}, 2, {"page": 2, "limit": 100}),
        ({"type": "page", "pageParam": "page.next"}, 2, {"page": {"next": 2}, "limit": 100}),
        ({"type": "offset", "offsetParam": "pagination.offset"}, 2, {"pagination": {"offset": 2}, "limit": 100}),
        ({"type": "cursor", "cursorParam": "variables.after"}, "c2", {"variables": {"after": "c2"}}),
        ({"type": "cursor", "cursorParam": "after"}, 7, {"after": 7}),
        ({"type": "cursor"}, None, {}),
    ],
)
def test_a_paging_value_in_a_json_body_stands_beside_what_is_there(
    pagination: dict[str, Any], place: Any, expected: dict[str, Any]
) -> None:
    endpoint = endpoint_of({**pagination, "injectInto": "body"}, method="POST", body={"existing": "data"})
    request = asked_at(endpoint, begin(endpoint.pagination).model_copy(update={"place": place}))
    assert request.url == f"{BASE}/rows"
    assert orjson.loads(request.body or "") == {"existing": "data", **expected}


@pytest.mark.parametrize("size", [0, -1, "x", 10_001, 1.5])
def test_a_page_size_that_is_none_is_refused(size: Any) -> None:
    with pytest.raises(ValidationError):
        endpoint_of({"type": "page", "pageSize": size})


@pytest.mark.parametrize("answer", ["201", 201, {"count": "201"}])
def test_the_number_of_records_may_be_the_answer_or_in_it(answer: Any) -> None:
    path = "count" if isinstance(answer, dict) else ""
    position = begin(endpoint_of({**PAGE, "count": {"path": "/n", "totalPath": path}}).pagination)
    assert position.counting
    after = counted(position, answer)
    assert (after.total, after.counting, after.further) == (201, False, 100)
    assert [position.place for position in foresee(after, 3)] == [2, 3, 4]
    facts = PageFacts(url=BASE, body={"total": 5}, records=2)
    assert arrive(after, facts).total == 201


@pytest.mark.parametrize(
    ("named", "in_header", "total"),
    [({"totalPath": "n"}, 7, 5), ({}, 7, 7), ({}, None, 9), ({"totalPath": "x"}, 7, None)],
)
def test_a_total_that_is_named_outweighs_a_header_and_a_header_the_usual_names(
    named: dict[str, str], in_header: int | None, total: int | None
) -> None:
    position = begin(endpoint_of({**OFFSET, **named}).pagination)
    facts = PageFacts(url=BASE, body={"n": 5, "total": 9}, records=2, total_header=in_header)
    assert arrive(position, facts).total == total


@pytest.mark.parametrize("answer", [None, {}, {"count": -1}, {"count": "many"}, []])
def test_an_answer_without_the_number_of_records_is_an_error(answer: Any) -> None:
    position = begin(endpoint_of({**PAGE, "count": {"path": "/n", "totalPath": "count"}}).pagination)
    with pytest.raises(SourceError) as caught:
        counted(position, answer)
    assert caught.value.code == "count_missing"
