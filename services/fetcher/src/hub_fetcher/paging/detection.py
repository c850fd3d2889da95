"""Working out a source's paging from its first response. What is decided here is fixed for the rest of the walk.

Evidence is weighed from the surest down: a Link header, a next URL, a cursor with a usual name, then numbered pages.
Where nothing points onward, the response is the whole; where its own total says otherwise, that is an error.
"""

from hub_model.errors import ErrorClass, SourceError
from hub_model.pagination import (
    CursorPagination,
    LinkHeaderPagination,
    NextUrlPagination,
    NoPagination,
    OffsetPagination,
    PagePagination,
    Pagination,
)

from hub_fetcher.paging.more import told_of_more
from hub_fetcher.paging.position import PageFacts
from hub_fetcher.paging.signs import (
    OFFSET_NAMES,
    PAGE_NAMES,
    SIZE_NAMES,
    TOTAL_PAGES_NAMES,
    Sign,
    as_count,
    find_count,
    find_has_more,
    find_next_number,
    find_total,
    normal_name,
    walk_signs,
)

_NEXT_URL_NAMES = frozenset(["next", "nexturl", "nextlink", "nextpageurl", "nextpage", "nexthref", "odata.nextlink"])
_URL_STARTS = ("http://", "https://", "/", "?")

# The name of a field that holds the next cursor -> the parameter that takes it.
_CURSOR_PARAMS = {
    "nextcursor": "cursor",
    "cursornext": "cursor",
    "nextid": "cursor",
    "nextpagetoken": "pageToken",
    "nexttoken": "nextToken",
    "continuationtoken": "continuationToken",
    "nextoffset": "offset",
    "nextstart": "start",
    "nextskip": "skip",
    "after": "after",
}
_CURSOR_HEADERS = {"next-page-token": "pageToken"}


def detect(facts: PageFacts) -> tuple[Pagination, int | None]:
    """The paging of this response, and the page number or offset that the response itself has."""
    if facts.next_link is not None:
        return LinkHeaderPagination(), None
    for header, param in _CURSOR_HEADERS.items():
        if facts.headers.get(header):
            return CursorPagination(cursor_param=param, cursor_header=header), None
    for sign in walk_signs(facts.body):
        found = _from_next_url(sign) or _from_cursor(sign)
        if found is not None:
            return found, None
    return _numbered(facts)


def pagination_unknown(what: str, sign: str = "") -> SourceError:
    told = f" ({sign})" if sign else ""
    return SourceError(
        f"{what}, and nothing in the response says how to ask for the next page",
        error_class=ErrorClass.CONFIG,
        code="pagination_unknown",
        public=(
            f"The source has more records than it sent{told}, and the hub cannot see how to ask for the rest. "
            "Set 'pagination' on the endpoint as the source's documentation describes it."
        ),
    )


def _from_next_url(sign: Sign) -> Pagination | None:
    name = normal_name(sign.name)
    if name == "next" and isinstance(sign.value, dict):
        for inner in ("href", "url", "link"):
            if isinstance(target := sign.value.get(inner), str) and target.startswith(_URL_STARTS):
                return NextUrlPagination(next_url_path=f"{sign.path}.{inner}")
    if _is_among_cursors(sign):
        return None
    if name not in _NEXT_URL_NAMES or not isinstance(sign.value, str) or not sign.value.strip():
        return None
    if sign.value.startswith(_URL_STARTS) or "/" in sign.value or "?" in sign.value:
        return NextUrlPagination(next_url_path=sign.path)
    if as_count(sign.value) is not None:
        return None  # the number of the next page
    raise pagination_unknown(f"'{sign.path}' holds the mark of the next page but no URL")


def _from_cursor(sign: Sign) -> Pagination | None:
    name = normal_name(sign.name)
    param = "cursor" if name == "next" and _is_among_cursors(sign) else _CURSOR_PARAMS.get(name)
    if param == "after" and sign.path == sign.name:
        return None  # outside an object about paging it may mean anything
    if param is None or isinstance(sign.value, bool | dict | list) or sign.value is None or not str(sign.value).strip():
        return None
    return CursorPagination(cursor_param=_same_spelling(sign.name, param), cursor_path=sign.path)


def _is_among_cursors(sign: Sign) -> bool:
    return normal_name(sign.path.rpartition(".")[0].rpartition(".")[2]) in ("cursor", "cursors")


def _same_spelling(name: str, param: str) -> str:
    """``page_token`` where the source writes ``next_page_token``, ``pageToken`` where it writes ``nextPageToken``."""
    if "_" not in name.strip("_"):
        return param
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in param)


def _numbered(facts: PageFacts) -> tuple[Pagination, int | None]:
    total = find_total(facts.body, facts.records)
    total_path = total.path if total else None
    known = as_count(total.value) if total else facts.total_header
    page = _page_sign(facts)
    following = find_next_number(facts.body)
    offset = find_count(facts.body, OFFSET_NAMES)
    size = find_count(facts.body, SIZE_NAMES)
    pages = find_count(facts.body, TOTAL_PAGES_NAMES)
    has_more = find_has_more(facts.body)
    if page is not None:
        start = as_count(page.value) or 0
        spec = PagePagination(
            page_param=_param(page),
            size_param=None,
            start_from_page=start,
            total_path=total_path,
            total_pages_path=None if pages is None or normal_name(pages.name) == "lastpage" else pages.path,
        )
        return spec, start
    if offset is not None and (size or has_more is not None or known is not None):
        return OffsetPagination(offset_param=_param(offset), size_param=None, total_path=total_path), as_count(
            offset.value
        )
    if following or has_more or (pages is not None and (as_count(pages.value) or 0) > 1):
        # The commonest name; a source that does not know it repeats itself, and that is noticed.
        start = following - 1 if following else 1
        return PagePagination(size_param=None, start_from_page=start, total_path=total_path), start
    if known is not None and known > facts.records:
        raise pagination_unknown(f"the source says that there are {known} records and sent {facts.records}")
    if known is None and has_more is None and facts.records and (sign := told_of_more(facts)):
        raise pagination_unknown(sign, sign)
    return NoPagination(), None


def _page_sign(facts: PageFacts) -> Sign | None:
    sign = find_count(facts.body, PAGE_NAMES)
    if sign is not None:
        return sign
    # These mean something else as well; beside a count of pages, or in an object about paging, they are page numbers.
    has_pages = find_count(facts.body, TOTAL_PAGES_NAMES) is not None
    for sign in walk_signs(facts.body):
        is_page = normal_name(sign.name) in (("number", "index", "current") if has_pages else ("current",))
        if is_page and (has_pages or "." in sign.path) and as_count(sign.value) is not None:
            return sign
    return None


def _param(sign: Sign) -> str:
    """The request parameter that answers to an echoed field: ``page`` for ``currentPage``, else its own name."""
    return "page" if normal_name(sign.name) in ("currentpage", "number", "index", "current") else sign.name
