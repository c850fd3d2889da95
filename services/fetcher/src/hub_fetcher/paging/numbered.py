"""Where to go next by page number or by offset: on until a total, a flag or an empty page says that this is the end.

``has_more`` is what a flag of the source says, if it has one.
"""

from hub_model.pagination import PagePagination

from hub_fetcher.paging.guards import MAX_EMPTY_PAGES, MAX_HOLES, pagination_stalled, past
from hub_fetcher.paging.position import End, PageFacts, Position, size_of
from hub_fetcher.paging.signs import TOTAL_PAGES_NAMES, as_count, count_at, find_count, find_next_number, normal_name
from hub_fetcher.paging.totals import end


def next_page(spec: PagePagination, position: Position, facts: PageFacts, has_more: bool | None) -> Position | End:
    page = int(position.place or 0)
    following = find_next_number(facts.body)
    if has_more is None and following is not None:
        has_more = following > page
    last = _last_page(spec, facts)
    if last is not None and not _is_contradicted(position, facts):
        if page >= last:
            return end(position)
        return past(position, facts, page + 1, most_holes=MAX_HOLES, further=last - page - 1)
    if not facts.records and _is_gap(position, facts, has_more):
        return past(position, facts, page + 1)
    if _is_over(position, facts, has_more):
        return end(position)
    # Where the total does not end the walk, an empty page does.
    further = _further(position, facts) + (1 if position.may_overlap and position.total is not None else 0)
    return past(position, facts, page + 1, further=further)


def next_offset(position: Position, facts: PageFacts, has_more: bool | None) -> Position | End:
    offset = int(position.place or 0)
    if not facts.records and position.stride and (has_more or _is_gap(position, facts, has_more)):
        return past(position, facts, offset + position.stride)
    if _is_over(position, facts, has_more):
        return end(position)
    if not facts.records:
        raise pagination_stalled()
    size = size_of(position)
    if size and facts.records < size.asked:
        # Either the source clamps, or rows of the page are hidden, and then those behind them come once more.
        position = position.model_copy(update={"may_overlap": True})
    return past(position, facts, offset + facts.records, stride=facts.records, further=_further(position, facts))


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
