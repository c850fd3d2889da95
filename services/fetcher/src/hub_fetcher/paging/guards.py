"""What keeps a walk from going round in circles or being led away. Always on."""

import re
from hashlib import blake2b, sha1
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from hub_model.errors import ErrorClass, SourceError
from hub_model.integrations import origin_of

MAX_REMEMBERED = 4096
MAX_EMPTY_PAGES = 3
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


def check_repeat(previous: str, current: str) -> None:
    """Invariant: two identical pages in a row end the walk with an error."""
    if previous == current:
        raise pagination_loop("the source sent the same page twice in a row")


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
