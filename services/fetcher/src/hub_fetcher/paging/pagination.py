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

from hub_fetcher.paging.detection import detect, pagination_unknown
from hub_fetcher.paging.guards import (
    MAX_EMPTY_PAGES,
    MAX_HOLES,
    next_url,
    pagination_stalled,
    rehosted,
    remember,
)
from hub_fetcher.paging.position import End, PageFacts, Position, size_of
from hub_fetcher.paging.signs import TOTAL_PAGES_NAMES, as_count, count_at, find_count, find_next_number, normal_name
from hub_fetcher.paging.sizes import with_size
from hub_fetcher.paging.totals import end, says_more, with_flag, with_total
from hub_fetcher.paths import MISSING, dig


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
    counts = {"pages": position.pages + 1, "records": position.records + facts.records}
    return with_total(position.model_copy(update=counts), facts)


def step(position: Position, facts: PageFacts) -> Position | End:
    """Where to go after the page that ``arrive`` has counted.

    Invariant: no response makes a walk endless: each step moves a number on, uses a token never used before, or ends.
    """
    position = with_size(with_flag(position, facts), facts)
    has_more = says_more(position, facts)
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
            return end(position)


def foresee(position: Position, limit: int) -> list[Position]:
    """The positions that will probably follow this one: for asking ahead, never for deciding."""
    if not position.is_numbered or position.counting or not isinstance(position.place, int):
        return []
    return [
        position.model_copy(update={"place": position.place + number * position.stride})
        for number in range(1, min(limit, position.further) + 1)
    ]


def _next_page(spec: PagePagination, position: Position, facts: PageFacts, has_more: bool | None) -> Position | End:
    page = int(position.place or 0)
    following = find_next_number(facts.body)
    if has_more is None and following is not None:
        has_more = following > page
    last = _last_page(spec, facts)
    if last is not None and not _is_contradicted(position, facts):
        if page >= last:
            return end(position)
        return _past(position, facts, page + 1, most_holes=MAX_HOLES, further=last - page - 1)
    if not facts.records and _is_gap(position, facts, has_more):
        return _past(position, facts, page + 1)
    if _is_over(position, facts, has_more):
        return end(position)
    # Where the total does not end the walk, an empty page does.
    further = _further(position, facts) + (1 if position.may_overlap and position.total is not None else 0)
    return _past(position, facts, page + 1, further=further)


def _next_offset(position: Position, facts: PageFacts, has_more: bool | None) -> Position | End:
    offset = int(position.place or 0)
    if not facts.records and position.stride and (has_more or _is_gap(position, facts, has_more)):
        return _past(position, facts, offset + position.stride)
    if _is_over(position, facts, has_more):
        return end(position)
    if not facts.records:
        raise pagination_stalled()
    size = size_of(position)
    if size and facts.records < size.asked:
        # Either the source clamps, or rows of the page are hidden, and then those behind them come once more.
        position = position.model_copy(update={"may_overlap": True})
    return _past(position, facts, offset + facts.records, stride=facts.records, further=_further(position, facts))


def _is_contradicted(position: Position, facts: PageFacts) -> bool:
    """Whether the total promises more after a first page that is as long as pages get.

    Then the last page's number is not right: it is counted in pages of the size that was asked for.
    """
    is_first = position.pages == 1 and position.is_filled and facts.records > 0
    return is_first and position.total is not None and position.total > position.records


def _is_gap(position: Position, facts: PageFacts, has_more: bool | None) -> bool:
    """Whether an empty page may be a hole: the total promises more, no flag denies it, and holes were few so far.

    Unlike a flag that says so page by page, a total may just be wrong; then the walk ends, with a warning.
    """
    promised = position.total is not None and position.total > position.records > 0
    return promised and has_more is None and position.empty_pages < MAX_EMPTY_PAGES


def _is_over(position: Position, facts: PageFacts, has_more: bool | None) -> bool:
    """Whether numbered pages end here. A flag outweighs the total, and a total that proved too low says nothing.

    Where records may have come twice, their number does not tell that all have come.
    """
    if has_more is not None:
        return not has_more
    return not facts.records or (position.total == position.records and not position.may_overlap)


def _next_cursor(spec: CursorPagination, position: Position, facts: PageFacts, has_more: bool | None) -> Position | End:
    header = spec.cursor_header
    token = dig(facts.body, spec.cursor_path) if header is None else facts.headers.get(header.lower(), MISSING)
    if has_more is False:
        return end(position)
    if _is_end_token(token):
        return _end_of_tokens(position, facts, has_more, was_there=token is not MISSING)
    if isinstance(token, bool | dict | list):
        raise SourceError(
            f"the cursor at {spec.cursor_path} is not text or a number",
            error_class=ErrorClass.CONFIG,
            code="cursor_not_scalar",
            public=f"'{spec.cursor_path}' does not hold a cursor but a structure; correct the endpoint's 'cursorPath'.",
        )
    seen = remember(position.seen, str(token))
    place = token if isinstance(token, int) else str(token)
    return _past(position.model_copy(update={"seen": seen}), facts, place)


def _next_link(
    spec: NextUrlPagination | LinkHeaderPagination, position: Position, facts: PageFacts, has_more: bool | None
) -> Position | End:
    link = dig(facts.body, spec.next_url_path) if isinstance(spec, NextUrlPagination) else facts.next_link
    if has_more is False:
        return end(position)
    if _is_end_token(link):
        # A source that links to the first page or to this one would link to the next one too.
        was_there = link is not MISSING if isinstance(spec, NextUrlPagination) else "link" in facts.headers
        return _end_of_tokens(position, facts, has_more, was_there=was_there)
    if not isinstance(link, str):
        raise SourceError(
            "the link to the next page is not text",
            error_class=ErrorClass.CONFIG,
            code="next_url_invalid",
            public="The path to the next page's URL holds something else; correct the endpoint's 'nextUrlPath'.",
        )
    url = next_url(facts.url, rehosted(facts.url, link) if spec.rebuild_host else link)
    seen = position.seen or remember((), facts.url)
    return _past(position.model_copy(update={"seen": remember(seen, url)}), facts, url)


def _is_end_token(token: Any) -> bool:
    """0 is a token; null, nothing, "" and false are the end."""
    return token is None or token is MISSING or token is False or (isinstance(token, str) and not token.strip())


def _end_of_tokens(position: Position, facts: PageFacts, has_more: bool | None, *, was_there: bool) -> End:
    if has_more:
        raise SourceError(
            "the source says that there is more, and not how to get it",
            error_class=ErrorClass.CONFIG,
            code="cursor_missing",
            public="The source says that there are more records, but the mark of the next page is not where the "
            "endpoint's 'pagination' says. Correct its path.",
        )
    size = size_of(position)
    is_full = size is not None and facts.records >= size.asked
    if is_full and not was_there and position.pages == 1 and position.total != position.records:
        return End(
            complete=False,
            warnings=(
                f"The first page was full ({facts.records} records), and no mark of a next page was where 'pagination' "
                "says. If there are more records, correct that; if not, set a larger 'pageSize'.",
            ),
        )
    return end(position)


def _past(
    position: Position,
    facts: PageFacts,
    place: int | str,
    *,
    stride: int = 1,
    further: int = 0,
    most_holes: int = MAX_EMPTY_PAGES,
) -> Position:
    """On to the next place. So many empty pages in a row are holes; one more is a source that does not get on."""
    if facts.records:
        changes: dict[str, object] = {"place": place, "empty_pages": 0, "stride": stride, "further": max(0, further)}
        return position.model_copy(update=changes)
    if position.empty_pages >= most_holes:
        raise pagination_stalled()
    return position.model_copy(update={"place": place, "empty_pages": position.empty_pages + 1, "further": 0})


def _further(position: Position, facts: PageFacts) -> int:
    """How many pages will follow the next one, if each is as long as this one and the total is right."""
    if position.total is None or not facts.records:
        return 0
    return -(-(position.total - position.records) // facts.records) - 1


def _last_page(spec: PagePagination, facts: PageFacts) -> int | None:
    if spec.total_pages_path is not None:
        pages = count_at(facts.body, spec.total_pages_path)
    else:
        sign = find_count(facts.body, TOTAL_PAGES_NAMES)
        pages = as_count(sign.value) if sign else None
        if sign and normal_name(sign.name) == "lastpage":
            return pages  # a number like those of the pages, also where they count from 0
    return None if pages is None else spec.start_from_page + pages - 1
