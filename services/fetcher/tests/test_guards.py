"""Loops are noticed and next links keep to their origin."""

from collections.abc import Iterable, Iterator

import pytest
from hub_fetcher.paging.guards import MAX_REMEMBERED, fingerprint, next_url, note_page, rehosted, remember, too_deep
from hub_fetcher.paging.links import next_link
from hub_fetcher.paging.position import End, Position
from hub_model.errors import ErrorClass, SourceError
from hub_model.pagination import CursorPagination, PagePagination, Pagination
from hypothesis import given
from hypothesis import strategies as st

HERE = "https://erp.example.edu:8443/api/students?page=1"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://erp.example.edu:8443/api/students?page=2", "https://erp.example.edu:8443/api/students?page=2"),
        ("/api/students?page=2", "https://erp.example.edu:8443/api/students?page=2"),
        ("?page=2", "https://erp.example.edu:8443/api/students?page=2"),
        ("students?page=2#top", "https://erp.example.edu:8443/api/students?page=2"),
        ("HTTPS://ERP.example.EDU:8443/x", "https://ERP.example.EDU:8443/x"),
        ("/api/students?q=\u00e9&c=%2F", "https://erp.example.edu:8443/api/students?q=%C3%A9&c=%2F"),
    ],
)
def test_next_links_of_any_form_are_resolved(link: str, expected: str) -> None:
    assert next_url(HERE, link) == expected


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/api/students?page=2",
        "//evil.example/api/students?page=2",
        "http://erp.example.edu:8443/api/students?page=2",
        "https://erp.example.edu/api/students?page=2",
        "http://127.0.0.1:8081/api/students?page=2",
        "https://erp.example.edu.evil.example:8443/",
    ],
)
def test_a_next_link_to_another_origin_is_an_error(link: str) -> None:
    with pytest.raises(SourceError) as caught:
        next_url(HERE, link)
    assert caught.value.code == "cross_origin_next"


@pytest.mark.parametrize(
    "link",
    [
        "https://erp.example.edu:8443@evil.example/",
        "https://user:pw@erp.example.edu:8443/",
        "https://erp.example.edu:8443\\@evil.example/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://erp.example.edu:99999999/",
        "https://[::1/",
        "/a\r\nHost: evil",
        "/a b",
        "/" + "x" * 9000,
    ],
)
def test_a_link_that_is_no_plain_address_is_an_error(link: str) -> None:
    with pytest.raises(SourceError) as caught:
        next_url(HERE, link)
    assert caught.value.code in ("next_url_invalid", "cross_origin_next")


@given(st.text(max_size=60))
def test_no_link_leads_away_from_the_origin(link: str) -> None:
    try:
        url = next_url(HERE, link)
    except SourceError:
        return
    assert url.lower().startswith("https://erp.example.edu:8443")
    assert url[len("https://erp.example.edu:8443") :][:1] in ("", "/", "?")


@given(st.lists(st.text(max_size=20), unique=True, max_size=50), st.data())
def test_a_token_that_comes_again_is_a_loop(tokens: list[str], data: st.DataObject) -> None:
    seen: tuple[int, ...] = ()
    for token in tokens:
        seen = remember(seen, token)
    if tokens:
        with pytest.raises(SourceError) as caught:
            remember(seen, data.draw(st.sampled_from(tokens)))
        assert caught.value.code == "pagination_loop"


def test_what_is_remembered_is_bounded() -> None:
    seen: tuple[int, ...] = ()
    for number in range(MAX_REMEMBERED + 10):
        seen = remember(seen, str(number))
    assert len(seen) == MAX_REMEMBERED
    assert max(seen) < 2**63
    assert remember(seen, "0")[-1] not in seen, "the oldest are forgotten"
    with pytest.raises(SourceError):
        remember(seen, str(MAX_REMEMBERED + 9))


def noted(pages: Iterable[bytes], *, kind: str = "cursor") -> Position | End:
    """The position after these pages."""
    pagination = {"cursor": CursorPagination(), "page": PagePagination()}[kind]
    position: Position | End = Position(pagination=pagination)
    for page in pages:
        assert isinstance(position, Position)
        position = note_page(position, page)
        if isinstance(position, Position):
            position = position.model_copy(update={"pages": position.pages + 1})
    return position


@pytest.mark.parametrize("kind", ["cursor", "page"])
def test_two_identical_pages_in_a_row_end_the_walk_with_an_error(kind: str) -> None:
    with pytest.raises(SourceError) as caught:
        noted([b"[1]", b"[1]"], kind=kind)
    assert caught.value.code == "pagination_loop"
    assert isinstance(noted([b"[1]", b"[2]", b"[3]"], kind=kind), Position)


def test_a_source_of_numbered_pages_that_repeats_its_last_one_ends_the_walk_and_it_is_not_called_complete() -> None:
    ended = noted([b"[1]", b"[2]", b"[3]", b"[3]"], kind="page")
    assert isinstance(ended, End)
    assert not ended.complete
    assert "its last page again" in ended.warnings[0]
    with pytest.raises(SourceError):
        noted([b"[1]", b"[2]", b"[3]", b"[3]"])


def test_a_last_page_that_comes_again_where_all_are_read_is_the_end_and_nothing_is_missing() -> None:
    read = Position(pagination=PagePagination(), pages=2, records=20, total=20, fingerprint=fingerprint(b"[2]"))
    assert note_page(read, b"[2]") == End()


@pytest.mark.parametrize(
    ("pagination", "records", "code", "told"),
    [
        (PagePagination(), 1000, "http_400", "paging_too_deep"),
        (PagePagination(), 999, "http_400", "http_400"),
        (PagePagination(), 5000, "http_403", "http_403"),
        (CursorPagination(), 5000, "http_400", "http_400"),
    ],
)
def test_a_refusal_far_into_a_list_that_is_read_by_numbers_is_told_as_what_it_is(
    pagination: Pagination, records: int, code: str, told: str
) -> None:
    error = SourceError("refused", error_class=ErrorClass.CONFIG, code=code, public="Refused.")
    assert too_deep(Position(pagination=pagination, records=records), error).code == told


@given(lead=st.integers(0, 20), length=st.integers(2, 60), kind=st.sampled_from(["cursor", "page"]))
def test_pages_that_come_again_in_a_cycle_of_any_length_end_the_walk_with_an_error(
    lead: int, length: int, kind: str
) -> None:
    used = 0

    def pages() -> Iterator[bytes]:
        nonlocal used
        for number in range(10 * (lead + length)):  # not for ever: a cycle that is not noticed fails the test
            used += 1
            yield b"%d" % (number if number < lead else lead + (number - lead) % length)

    with pytest.raises(SourceError) as caught:
        noted(pages(), kind=kind)
    assert caught.value.code == "pagination_loop"
    assert used <= 2 * max(lead + 1, length) + length + 1


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("http://127.0.0.1:8081/api/students?page=2", "https://erp.example.edu:8443/api/students?page=2"),
        ("http://inner/students?page=2#x", "https://erp.example.edu:8443/api/students?page=2"),
        ("//inner:99/other?page=2", "https://erp.example.edu:8443/other?page=2"),
        ("?page=2", "https://erp.example.edu:8443/api/students?page=2"),
        ("//inner?page=2", "https://erp.example.edu:8443/?page=2"),
        ("https://user:pw@evil.example/api/students?page=2", "https://erp.example.edu:8443/api/students?page=2"),
    ],
)
def test_a_link_of_a_server_that_knows_itself_by_another_name_leads_to_the_host_that_was_asked(
    link: str, expected: str
) -> None:
    assert next_url(HERE, rehosted(HERE, link)) == expected


@given(st.text(max_size=60))
def test_no_link_that_is_moved_to_our_host_leads_away_from_it(link: str) -> None:
    try:
        url = next_url(HERE, rehosted(HERE, link))
    except SourceError:
        return
    assert url.lower().startswith("https://erp.example.edu:8443/")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        (['<https://h/a?page=2>; rel="next"'], "https://h/a?page=2"),
        (['<https://h/a?p=1>; rel="prev", <https://h/a?p=3>; rel="next"'], "https://h/a?p=3"),
        (['</a?x=1,2;3>; title="a, b; rel=\\"x\\""; rel=next'], "/a?x=1,2;3"),
        (["<a>; rel=first", '<b>; REL="last NEXT"'], "b"),
        (['<a>; rel="nextish"'], None),
        (["<a>; rel=prev", "nonsense", "<>; rel=last"], None),
    ],
)
def test_the_next_link_is_found_among_others(headers: list[str], expected: str | None) -> None:
    assert next_link(headers) == expected


def test_a_link_header_is_read_to_a_bound() -> None:
    others = "<a>; rel=prev, " * 100
    assert next_link([others + "<b>; rel=next"]) == "b"
    assert next_link([others * 20 + "<b>; rel=next"]) is None
