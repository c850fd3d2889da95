"""Pagers as pure functions: (position, facts of a response) -> the next position, or the end.

A walk stops only where the source says that there is no more, where its total is reached, or at an empty page. A
short page never ends a walk: servers clamp page sizes and hide rows. How to go on is a number (``numbered``), or a
token that the source gives (``tokens``).
"""

from hub_model.pagination import (
    AutoPagination,
    CursorPagination,
    LinkHeaderPagination,
    NextUrlPagination,
    NoPagination,
    OffsetPagination,
    PagePagination,
    Pagination,
)

from hub_fetcher.paging.detection import detect, pagination_unknown
from hub_fetcher.paging.more import ROUND
from hub_fetcher.paging.numbered import next_offset, next_page
from hub_fetcher.paging.position import End, PageFacts, Position
from hub_fetcher.paging.signs import find_has_more, find_total
from hub_fetcher.paging.sizes import with_size
from hub_fetcher.paging.tokens import next_cursor, next_link
from hub_fetcher.paging.totals import end, says_more, with_flag, with_total


def begin(pagination: Pagination, *, source: str = "") -> Position:
    """The position before the first request."""
    if isinstance(pagination, AutoPagination):
        return Position(source=source)
    counting = isinstance(pagination, PagePagination) and pagination.count is not None
    return Position(pagination=pagination, place=first_place(pagination), counting=counting, source=source)


def first_place(pagination: Pagination) -> int | None:
    """The page number or offset of the first request, where it has one."""
    match pagination:
        case PagePagination():
            return pagination.start_from_page
        case OffsetPagination():
            return 0
        case _:
            return None


def arrive(position: Position, facts: PageFacts) -> Position:
    """The position with this page counted, and its pagination decided. What is known of the total holds for it."""
    if position.pagination is None:
        pagination, place = detect(facts)
        if place is not None and place > (1 if isinstance(pagination, PagePagination) else 0):
            raise pagination_unknown(f"the first response is not the first page but {place}")
        position = position.model_copy(update={"pagination": pagination, "place": place})
        if isinstance(pagination, NoPagination) and _is_doubtful(facts):
            position = position.model_copy(update={"remarks": {**position.remarks, f"round:{facts.records}": 1}})
    counts = {"pages": position.pages + 1, "records": position.records + facts.records}
    return with_total(position.model_copy(update=counts), facts)


def _is_doubtful(facts: PageFacts) -> bool:
    """Whether the only response is as long as pages are, and does not tell how many records there are."""
    is_told = find_total(facts.body, facts.records) or facts.total_header is not None
    return facts.records in ROUND and not is_told and find_has_more(facts.body) is None


def step(position: Position, facts: PageFacts) -> Position | End:
    """Where to go after the page that ``arrive`` has counted.

    Invariant: no response makes a walk endless: each step moves a number on, uses a token never used before, or ends.
    """
    position = with_size(with_flag(position, facts), facts)
    has_more = says_more(position, facts)
    match position.pagination:
        case PagePagination() as spec:
            return next_page(spec, position, facts, has_more)
        case OffsetPagination():
            return next_offset(position, facts, has_more)
        case CursorPagination() as spec:
            return next_cursor(spec, position, facts, has_more)
        case NextUrlPagination() | LinkHeaderPagination() as spec:
            return next_link(spec, position, facts, has_more)
        case _:
            return end(position)


def foresee(position: Position, limit: int) -> list[Position]:
    """The positions that will probably follow this one: for asking ahead, never for deciding."""
    if not position.is_numbered or position.counting or not isinstance(position.place, int):
        return []
    return [
        position.model_copy(update={"place": position.place + number * position.stride})
        for number in range(1, min(limit, position.further) + 1)
    ]
