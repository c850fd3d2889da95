"""What keeps a walk from going round in circles or being led away. Always on."""

import re
from hashlib import blake2b, sha1
from urllib.parse import quote, urldefrag, urljoin, urlsplit, urlunsplit

from hub_model.addresses import origin_of
from hub_model.errors import ErrorClass, SourceError

from hub_fetcher.paging.position import End, PageFacts, Position
from hub_fetcher.paging.sizes import warnings_of
from hub_fetcher.paging.totals import BEYOND, end

MAX_REMEMBERED = 4096
MAX_EMPTY_PAGES = 3
MAX_HOLES = 50  # where the number of the last page is known
_MAX_URL = 8192
_URL_CHARS = "%/:?#[]@!$&'()*+,;=~"
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")


def remember(seen: tuple[int, ...], token: str) -> tuple[int, ...]:
    """The ring with this token in it; SourceError if the walk was there before.

    Invariant: a token that was seen before ends the walk with an error, also in a cycle of several tokens.
    """
    # 56 bits: exact in every JSON reader that keeps 64-bit integers, and a false alarm once in millions of walks.
    mark = int.from_bytes(blake2b(token.encode(), digest_size=7).digest())
    if mark in seen:
        raise pagination_loop("the source sent a next-page mark that it had sent before")
    return (*seen, mark)[-MAX_REMEMBERED:]


def fingerprint(encoded_records: bytes) -> str:
    """Tells two pages apart by their records alone: the envelope may hold a page number or the time."""
    return sha1(encoded_records, usedforsecurity=False).hexdigest()[:20]


def note_page(position: Position, encoded_records: bytes) -> Position | End:
    """The position that remembers this page, which is not counted yet and not empty.

    Invariant: a page that comes twice in a row, or in a cycle of any length, ends the walk, and never as complete.
    Where numbers led to other pages before, a source that repeats its last one has no more; for that it has only this
    sign, so the end is not certain. Cycles are found by Brent's method: a page is held against the last whose number
    was a power of two.
    """
    mark = fingerprint(encoded_records)
    if mark == position.fingerprint and position.is_numbered and position.pages > 1:
        if position.total == position.records:
            return end(position)
        words = f"After {position.records} records the source sent its last page again in place of an empty one."
        return End(
            complete=False,
            warnings=(
                f"{words} That was taken for the end. If the source tells a total or whether there is more, name it in "
                "the endpoint's 'pagination'.",
                *warnings_of(position),
            ),
        )
    if mark == position.fingerprint:
        raise pagination_loop("the source sent the same page twice in a row")
    if mark == position.landmark:
        raise pagination_loop("the source sent a page that it had sent before")
    is_power = (position.pages + 1) & position.pages == 0 or not position.landmark
    return position.model_copy(update={"fingerprint": mark, **({"landmark": mark} if is_power else {})})


def past(
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


def pagination_loop(what: str) -> SourceError:
    return SourceError(
        f"{what}; the paging would never end",
        error_class=ErrorClass.CONFIG,
        code="pagination_loop",
        public=(
            "The source sends the same page again and again, so it ignores or repeats its paging parameter. "
            "Compare the endpoint's 'pagination' with the source's documentation."
        ),
    )


def pagination_stalled() -> SourceError:
    return SourceError(
        "the source says that there is more, and sends no records",
        error_class=ErrorClass.DATA,
        code="pagination_stalled",
        public="The source says that there are more records, but its pages are empty. Try again later, or ask its "
        "operator.",
    )


def rehosted(requested: str, link: str) -> str:
    """The link's path and query at the origin that was asked, for a server that knows itself by another name.

    Behind a proxy the path in a link may be shorter than the one outside.
    """
    try:
        parts = urlsplit(urljoin(requested, link.strip()))
    except ValueError:
        return link  # not an address; that is told where it is used
    own = urlsplit(requested)
    is_inner = own.path.endswith(parts.path) and parts.path not in ("", "/")
    return urlunsplit((own.scheme, own.netloc, own.path if is_inner else parts.path or "/", parts.query, ""))


def too_deep(position: Position, error: SourceError) -> SourceError:
    """The refusal of a page far into a list, told as what it most likely is."""
    if not position.is_numbered or position.records < 1000 or error.code not in ("http_400", "http_422", "http_416"):
        return error
    return SourceError(
        f"{error} after {position.records} records",
        error_class=ErrorClass.CONFIG,
        code="paging_too_deep",
        public=f"The source gave {position.records} records and refuses to go further into the list by numbers. "
        f"Such sources offer another way: {BEYOND}",
    )


def next_url(requested: str, link: str) -> str:
    """The next page's full URL from a link of any form.

    Invariant: a next link to another origin is an error, and nothing is sent there.
    """
    try:
        url = quote(urldefrag(urljoin(requested, link.strip())).url, safe=_URL_CHARS)
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname is not None and "@" not in parts.netloc
        origin = origin_of(url) if usable else None
    except ValueError:
        origin = None
    if origin is None or len(url) > _MAX_URL or _UNSAFE.search(link.strip()):
        raise SourceError(
            "the link to the next page is not an address that can be asked for",
            error_class=ErrorClass.CONFIG,
            code="next_url_invalid",
            public="The source's link to the next page is not a usable address. Choose another kind of 'pagination'.",
        )
    if origin != origin_of(requested):
        raise SourceError(
            f"the link to the next page leads from {origin_of(requested)} to {origin}",
            error_class=ErrorClass.CONFIG,
            code="cross_origin_next",
            public=(
                f"The source's link to the next page leads to {origin}, which is not the base URL's "
                f"{origin_of(requested)}, so it was not followed. If that is the same system behind another name, use "
                "that name as the base URL, or choose 'page' or 'offset' pagination."
            ),
        )
    return url
