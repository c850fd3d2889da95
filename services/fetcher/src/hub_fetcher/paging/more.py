"""What tells that a first response is not the whole, where nothing in it tells how to ask for the rest.

Never for paging: a sign here ends the walk with an error that asks for a 'pagination', for what lies behind it would be
lost without a word.
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson

from hub_fetcher.paging.position import PageFacts
from hub_fetcher.paging.signs import TOTAL_PAGES_NAMES, as_count, as_flag, normal_name, walk_signs

# Counts of all records, wherever they stand. That of this page alone is told by some under the same names.
_COUNTS = frozenset(
    [
        "totalcount",
        "totalrecords",
        "totalrecord",
        "totalitems",
        "totalresults",
        "totalelements",
        "totalrows",
        "totalhits",
        "totalfound",
        "recordstotal",
        "recordcount",
        "rowcount",
        "resultcount",
        "numfound",
    ]
)
_FLAGS = frozenset(
    [
        "truncated",
        "istruncated",
        "incompleteresults",
        "moreavailable",
        "hasmoreitems",
        "hasmoreresults",
        "hasmorerecords",
        "hasmoredata",
    ]
)
_MARKS = frozenset(
    [
        "scrollid",
        "continuation",
        "nextmarker",
        "nextcursormark",
        "nextpagecursor",
        "nextbookmark",
        "resumptiontoken",
        "paginationtoken",
        "lastevaluatedkey",
    ]
)
_MARK_HEADERS = re.compile(r"(x-)?(next-?(page|cursor|token|marker|offset|link)|continuation-?token)$")
_PAGES_HEADERS = ("x-total-pages", "x-wp-totalpages", "x-page-count", "x-pages")
_RANGE = re.compile(r"[\w-]*\s*(\d+)-(\d+)/(\d+|\*)$")

# Sizes of pages that sources choose where they are not asked for one.
ROUND = frozenset([20, 25, 30, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000])


def told_of_more(facts: PageFacts) -> str | None:
    """What says so, by its name; None where nothing does."""
    return next(_in_body(facts.body, facts.records), None) or next(_in_headers(facts), None)


def _in_body(body: Any, records: int) -> Iterator[str]:
    for name, value in _fields(body):
        normal = normal_name(name)
        if normal in _COUNTS or normal in TOTAL_PAGES_NAMES:
            count = as_count(value)
            if count is not None and count > (records if normal in _COUNTS else 1):
                yield f"'{name}' is {count}"
        elif normal in _FLAGS and as_flag(value):
            yield f"'{name}' is true"
        elif normal in _MARKS and value and str(value).strip():
            yield f"'{name}' holds a mark"
        elif normal in ("links", "link") and isinstance(value, list) and any(map(_is_next, value)):
            yield f"'{name}' has one to the next page"


def _fields(body: Any) -> Iterator[tuple[str, Any]]:
    """Where paging usually stands, and any object beside the records: not every source calls it by a usual name."""
    yield from ((sign.name, sign.value) for sign in walk_signs(body))
    for beside in body.values() if isinstance(body, dict) else ():
        if isinstance(beside, dict):
            yield from beside.items()


def _is_next(link: Any) -> bool:
    if not isinstance(link, dict):
        return False
    relation = link.get("rel", link.get("relation"))
    return "next" in (relation if isinstance(relation, list) else [relation])


def _in_headers(facts: PageFacts) -> Iterator[str]:
    for name, value in facts.headers.items():
        if _MARK_HEADERS.match(name.lower()) and value.strip() not in ("", "0", "null"):
            yield f"the header '{name}' holds a mark"
    for name in _PAGES_HEADERS:
        if (as_count(facts.headers.get(name)) or 0) > 1:
            yield f"the header '{name}' is {facts.headers[name]}"
    if found := _RANGE.match(facts.headers.get("content-range", "").strip()):
        last, total = int(found[2]), found[3]
        if total == "*" or int(total) > last + 1:
            yield f"the header 'content-range' is {found[0]}"
    # ASP.NET writes its paging as JSON into a header.
    try:
        paging = orjson.loads(facts.headers.get("x-pagination", "null"))
    except orjson.JSONDecodeError:
        return
    yield from (f"the header 'x-pagination' says that {words}" for words in _in_body(paging, facts.records))
