"""Pagers as pure functions: (position, facts of a response) -> the next position, or the end.

A walk stops only where the source says that there is no more, where its total is reached, or at an empty page. A
short page never ends a walk: servers clamp page sizes and hide rows. Where a token says how to go on, the token
decides and not the emptiness of the page.
"""

from typing import Any

from hub_model.errors import ErrorClass, SourceError
from hub_model.pagination import (
    AutoPagination,
    CursorPagination,
    LinkHeaderPagination,
    NextUrlPagination,
    OffsetPagination,
    PagePagination,
    Pagination,
)

from hub_fetcher.paging.guards import MAX_EMPTY_PAGES, next_url, pagination_stalled, remember
from hub_fetcher.paging.position import End, PageFacts, Position
from hub_fetcher.paging.signs import (
    TOTAL_PAGES_NAMES,
    as_count,
    count_at,
    find_count,
    find_has_more,
    find_next_number,
    find_total,
    normal_name,
)
from hub_fetcher.paths import MISSING, dig


def begin(pagination: Pagination, *, source: str = "") -> Position:
    """The position before the first request."""
    if isinstance(pagination, AutoPagination):
        return Position(source=source)
    return Position(pagination=pagination, place=first_place(pagination), source=source)


def first_place(pagination: Pagination) -> int | None:
    """The page number or offset of the first request, where it has one."""
    match pagination:
        case PagePagination():
            return pagination.start_from_page
        case OffsetPagination():
            return 0
        case _:
            return None


def step(position: Position, facts: PageFacts) -> Position | End:
    """Where to go after this response. The position's pagination is decided.

    Invariant: no response makes a walk endless: each step moves a number on, uses a token never used before, or ends.
    """
    position = with_total(position, facts)
    has_more = find_has_more(facts.body)
    match position.pagination:
        case PagePagination() as spec:
            return _next_page(spec, position, facts, has_more)
        case OffsetPagination():
            return _next_offset(position, facts, has_more)
        case CursorPagination() as spec:
            return _next_cursor(spec, position, facts, has_more)
        case NextUrlPagination() | LinkHeaderPagination() as spec:
            return _next_link(spec, position, facts, has_more)
        case _:
            return end(position, facts)


def with_total(position: Position, facts: PageFacts) -> Position:
    """The position with the latest total: where the integration says, else a header, else the usual names."""
    spec = position.pagination
    path = spec.total_path if isinstance(spec, PagePagination | OffsetPagination) else None
    if path is not None:
        total = count_at(facts.body, path)
    elif facts.total_header is not None:
        total = facts.total_header
    else:
        sign = find_total(facts.body, facts.records)
        total = as_count(sign.value) if sign else None
    if total is None:
        return position
    return position.model_copy(update={"total": total, "first_total": position.first_total or total})


def foresee(position: Position, limit: int) -> list[Position]:
    """The positions that will probably follow this one: for asking ahead, never for deciding."""
    if not isinstance(position.place, int):
        return []
    return [
        position.model_copy(update={"place": position.place + number * position.stride})
        for number in range(1, min(limit, position.further) + 1)
    ]


def end(position: Position, facts: PageFacts) -> End:
    """The end of the walk, held against the source's own total.

    Where records vanish in front of a numbered page, the rest move up, and some are passed over unseen.
    """
    total, read, first = position.total, facts.records_read, position.first_total
    if isinstance(position.place, int) and total is not None and first is not None and total < first:
        words = f"The source's own count fell from {first} to {total} while it was read, so some may have been missed."
        return End(complete=False, warnings=(f"{words} {read} were read; the next sync reads them all again.",))
    if total is None or total == read:
        return End()
    return End(complete=read > total, warnings=(f"The source said that there are {total} records and sent {read}.",))


def _next_page(spec: PagePagination, position: Position, facts: PageFacts, has_more: bool | None) -> Position | End:
    page = int(position.place or 0)
    following = find_next_number(facts.body)
    if has_more is None and following is not None:
        has_more = following > page
    last = _last_page(spec, facts)
    if last is not None:
        return end(position, facts) if page >= last else _onward(position, page + 1, further=last - page - 1)
    if not facts.records and _is_gap(position, facts, has_more):
        return position.model_copy(update={"place": page + 1, "empty_pages": position.empty_pages + 1, "further": 0})
    if _is_over(position, facts, has_more):
        return end(position, facts)
    if not facts.records:
        return _past_empty(position, page + 1)
    return _onward(position, page + 1, further=_further(position, facts))


def _next_offset(position: Position, facts: PageFacts, has_more: bool | None) -> Position | End:
    if _is_over(position, facts, has_more):
        return end(position, facts)
    if not facts.records:
        raise pagination_stalled()
    offset = int(position.place or 0) + facts.records
    return _onward(position, offset, stride=facts.records, further=_further(position, facts))


def _is_gap(position: Position, facts: PageFacts, has_more: bool | None) -> bool:
    """Whether an empty page may be a hole: the total promises more, no flag denies it, and holes were few so far.

    Unlike a flag that says so page by page, a total may just be wrong; then the walk ends, with a warning.
    """
    promised = position.total is not None and position.total > facts.records_read > 0
    return promised and has_more is None and position.empty_pages < MAX_EMPTY_PAGES


def _is_over(position: Position, facts: PageFacts, has_more: bool | None) -> bool:
    """Whether numbered pages end here. A flag outweighs the total, and a total that proved too low says nothing."""
    if has_more is not None:
        return not has_more
    return not facts.records or position.total == facts.records_read


def _next_cursor(spec: CursorPagination, position: Position, facts: PageFacts, has_more: bool | None) -> Position | End:
    token = dig(facts.body, spec.cursor_path)
    if has_more is False:
        return end(position, facts)
    if _is_end_token(token):
        return _end_of_tokens(position, facts, has_more)
    if isinstance(token, bool | dict | list):
        raise SourceError(
            f"the cursor at {spec.cursor_path} is not text or a number",
            error_class=ErrorClass.CONFIG,
            code="cursor_not_scalar",
            public=f"'{spec.cursor_path}' does not hold a cursor but a structure; correct the endpoint's 'cursorPath'.",
        )
    seen = remember(position.seen, str(token))
    return _by_token(position.model_copy(update={"seen": seen}), facts, str(token))


def _next_link(
    spec: NextUrlPagination | LinkHeaderPagination, position: Position, facts: PageFacts, has_more: bool | None
) -> Position | End:
    link = dig(facts.body, spec.next_url_path) if isinstance(spec, NextUrlPagination) else facts.next_link
    if has_more is False:
        return end(position, facts)
    if _is_end_token(link):
        return _end_of_tokens(position, facts, has_more)
    if not isinstance(link, str):
        raise SourceError(
            "the link to the next page is not text",
            error_class=ErrorClass.CONFIG,
            code="next_url_invalid",
            public="The path to the next page's URL holds something else; correct the endpoint's 'nextUrlPath'.",
        )
    url = next_url(facts.url, link)
    seen = position.seen or remember((), facts.url)
    return _by_token(position.model_copy(update={"seen": remember(seen, url)}), facts, url)


def _is_end_token(token: Any) -> bool:
    """0 is a token; null, nothing, "" and false are the end."""
    return token is None or token is MISSING or token is False or (isinstance(token, str) and not token.strip())


def _end_of_tokens(position: Position, facts: PageFacts, has_more: bool | None) -> End:
    if has_more:
        raise SourceError(
            "the source says that there is more, and not how to get it",
            error_class=ErrorClass.CONFIG,
            code="cursor_missing",
            public="The source says that there are more records, but the mark of the next page is not where the "
            "endpoint's 'pagination' says. Correct its path.",
        )
    return end(position, facts)


def _by_token(position: Position, facts: PageFacts, token: str) -> Position:
    return _onward(position, token) if facts.records else _past_empty(position, token)


def _past_empty(position: Position, place: int | str) -> Position:
    if position.empty_pages >= MAX_EMPTY_PAGES:
        raise pagination_stalled()
    return position.model_copy(update={"place": place, "empty_pages": position.empty_pages + 1, "further": 0})


def _onward(position: Position, place: int | str, *, stride: int = 1, further: int = 0) -> Position:
    return position.model_copy(update={"place": place, "empty_pages": 0, "stride": stride, "further": max(0, further)})


def _further(position: Position, facts: PageFacts) -> int:
    """How many pages will follow the next one, if each is as long as this one and the total is right."""
    return 0 if position.total is None else -(-(position.total - facts.records_read) // facts.records) - 1


def _last_page(spec: PagePagination, facts: PageFacts) -> int | None:
    if spec.total_pages_path is not None:
        pages = count_at(facts.body, spec.total_pages_path)
    else:
        sign = find_count(facts.body, TOTAL_PAGES_NAMES)
        pages = as_count(sign.value) if sign else None
        if sign and normal_name(sign.name) == "lastpage":
            return pages  # a number like those of the pages, also where they count from 0
    return None if pages is None else spec.start_from_page + pages - 1
