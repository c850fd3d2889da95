"""Loops are noticed and next links keep to their origin."""

import time

import pytest
from hub_fetcher.paging.guards import MAX_REMEMBERED, check_repeat, fingerprint, next_url, remember
from hub_fetcher.paging.links import next_link
from hub_model.errors import SourceError
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


def test_two_identical_pages_in_a_row_end_the_walk_with_an_error() -> None:
    with pytest.raises(SourceError) as caught:
        check_repeat(fingerprint(b'[{"id":1}]'), fingerprint(b'[{"id":1}]'))
    assert caught.value.code == "pagination_loop"
    check_repeat(fingerprint(b'[{"id":1}]'), fingerprint(b'[{"id":2}]'))
    check_repeat("", fingerprint(b"[]"))


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


def test_a_hostile_link_header_costs_no_time() -> None:
    began = time.perf_counter()
    next_link(["<" + "a>;" * 100_000, "<a>" + '; x="' * 50_000, "<a" * 50_000])
    assert time.perf_counter() - began < 1
