"""Asking for smaller pages: when, how much smaller, from which place on, and when not at all."""

from typing import Any

import pytest
from hub_fetcher.paging.position import PageFacts, Position, size_of
from hub_fetcher.paging.sizes import PageSizeRefused, asking_less, warnings_of, with_size
from hub_model.errors import ErrorClass, SourceError
from hub_model.pagination import CursorPagination, NextUrlPagination, OffsetPagination, PagePagination, Pagination


def too_large() -> SourceError:
    return SourceError("too large", error_class=ErrorClass.DATA, code="response_too_large", public="Too large.")


def refused(*numbers: int) -> PageSizeRefused:
    error = SourceError("refused", error_class=ErrorClass.CONFIG, code="http_400", public="Refused.")
    return PageSizeRefused(error, numbers)


def offset(own_size: int, **changes: Any) -> Position:
    return Position(pagination=OffsetPagination(page_size=own_size), place=0, **changes)


def page(own_size: int, **changes: Any) -> Position:
    return Position(pagination=PagePagination(page_size=own_size), **changes)


def asked(position: Position | None) -> int | None:
    size = size_of(position) if position else None
    return size.asked if size else None


@pytest.mark.parametrize(
    ("numbers", "size"),
    [
        ((), 500),
        ((400,), 400),
        ((100, 400), 400),
        ((1000,), 500),
        ((2000, 0), 500),
        ((3, 40), 500),
        ((50,), 50),
    ],
)
def test_a_refused_size_becomes_the_largest_that_was_named_and_may_be_the_limit_or_half(
    numbers: tuple[int, ...], size: int
) -> None:
    assert asked(asking_less(offset(1000), refused(*numbers))) == size


def test_the_first_size_that_was_refused_is_the_one_that_is_told() -> None:
    first = asking_less(offset(100), refused())
    assert first is not None
    second = asking_less(first, refused())
    assert second is not None
    assert (second.refused_size, asked(second)) == (100, 25)
    (words,) = warnings_of(second)
    assert "does not give pages of 100 records; pages of 25 were asked for" in words
    assert warnings_of(offset(100)) == ()


@pytest.mark.parametrize(
    ("position", "error"),
    [
        (offset(100, pages=3), refused(50)),
        (offset(1), too_large()),
        (Position(pagination=OffsetPagination(size_param=None)), too_large()),
        (page(100, counting=True), too_large()),
        (page(100, pages=2, place=3), too_large()),
        (Position(pagination=NextUrlPagination(next_url_path="next", size_param="n"), pages=1), too_large()),
        (offset(100), SourceError("x", error_class=ErrorClass.CONFIG, code="http_400", public="X.")),
    ],
    ids=[
        "refused before",
        "one record",
        "no size",
        "the count",
        "no page was full",
        "the source's own link",
        "another",
    ],
)
def test_no_less_is_asked_for_where_that_would_not_help_or_pass_records_over(
    position: Position, error: SourceError
) -> None:
    assert asking_less(position, error) is None


@pytest.mark.parametrize("pagination", [OffsetPagination(), CursorPagination(cursor_path="next", size_param="n")])
def test_a_place_that_is_not_counted_in_pages_stays_where_it_is(pagination: Pagination) -> None:
    less = asking_less(Position(pagination=pagination, place=200, pages=2), too_large())
    assert less is not None
    assert (less.place, asked(less), less.is_unproven) == (200, 50, False)


@pytest.mark.parametrize(
    ("size", "start", "place", "smaller", "again_at"),
    [(10, 1, 3, 5, 5), (9, 1, 3, 3, 7), (10, 0, 2, 5, 4), (7, 1, 2, 1, 8)],
)
def test_a_page_in_the_middle_is_asked_for_in_parts_that_begin_where_it_begins(
    size: int, start: int, place: int, smaller: int, again_at: int
) -> None:
    pagination = PagePagination(page_size=size, start_from_page=start)
    position = Position(pagination=pagination, place=place, pages=2, records=2 * size, is_filled=True)
    less = asking_less(position, too_large())
    assert less is not None
    assert (asked(less), less.place, less.is_unproven) == (smaller, again_at, True)
    assert (again_at - start) * smaller == (place - start) * size


def facts(records: int) -> PageFacts:
    return PageFacts(url="https://erp.example.edu/rows", body={}, records=records)


def test_a_smaller_size_counts_as_heeded_with_the_first_page_that_is_so_long() -> None:
    unproven = page(10, pages=4, records=35, size=5, is_filled=True, is_unproven=True)
    assert not with_size(unproven, facts(5)).is_unproven
    for records in (0, 3, 10):
        with pytest.raises(SourceError) as caught:
            with_size(unproven, facts(records))
        assert caught.value.code == "response_too_large"
    at_the_end = unproven.model_copy(update={"total": 35})
    assert not with_size(at_the_end, facts(3)).is_unproven


@pytest.mark.parametrize(
    ("asked_for", "records", "size"),
    [(1000, 100, 100), (1000, 50, 50), (1000, 75, 75), (1000, 43, 1000), (100, 43, 43), (100, 100, 100)],
)
def test_a_first_page_that_is_shorter_than_asked_shows_a_clamp_unless_so_few_look_like_hidden_rows(
    asked_for: int, records: int, size: int
) -> None:
    position = with_size(page(asked_for, pages=1, records=records), facts(records))
    assert asked(position) == size
    assert (position.may_overlap, position.is_filled) == (records == size < asked_for, records == size)
    later = with_size(page(asked_for, pages=2, records=records), facts(records))
    assert asked(later) == asked_for
