"""What a response says about its own paging, found by name in the usual places."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hub_fetcher.paths import MISSING, dig

TOTAL_NAMES = frozenset(
    [
        "total",
        "totalcount",
        "totalrecords",
        "totalitems",
        "totalresults",
        "totalelements",
        "totalrows",
        "totalhits",
        "recordstotal",
        "odata.count",
    ]
)
COUNT_NAMES = frozenset(["count"])
TOTAL_PAGES_NAMES = frozenset(["totalpages", "pagecount", "lastpage", "numpages", "pagestotal", "pages"])
PAGE_NAMES = frozenset(["page", "currentpage", "pagenumber", "pageno", "pageindex"])
NEXT_NUMBER_NAMES = frozenset(["nextpage", "nextpagenumber", "next"])
SIZE_NAMES = frozenset(["limit", "perpage", "pagesize", "size"])
OFFSET_NAMES = frozenset(["offset", "skip", "start", "startindex", "startat"])
HAS_MORE_NAMES = frozenset(["hasmore", "hasnext", "hasnextpage", "hasmorepages", "moreresults", "morerecords"])
IS_LAST_NAMES = frozenset(["last", "islast", "islastpage", "lastpage"])

_CONTAINERS = frozenset(
    [
        "pagination",
        "paging",
        "pager",
        "paginator",
        "page",
        "pageinfo",
        "pagedetails",
        "pagemetadata",
        "pagingdetails",
        "paginationdetails",
        "paginationinfo",
        "meta",
        "metadata",
        "links",
        "cursor",
        "cursors",
        "info",
        "data",
        "result",
        "results",
    ]
)
_MAX_DEPTH = 3
# In thousands, or in thousands, lakhs and crores.
_GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{2,3}){0,5},[0-9]{3}")
_TRUE = frozenset(["true", "1", "yes"])
_FALSE = frozenset(["false", "0", "no"])


@dataclass(frozen=True, slots=True)
class Sign:
    """A field: its dotted path, its name as the source writes it, and its value."""

    path: str
    name: str
    value: Any


def normal_name(name: str) -> str:
    """``total_pages``, ``totalPages`` and ``Total-Pages`` are one name."""
    return name.lower().lstrip("_@$").replace("_", "").replace("-", "")


def walk_signs(body: Any, path: str = "", depth: int = 0) -> Iterator[Sign]:
    """Every field of the body and of the objects in it that commonly hold paging, outermost first."""
    if not isinstance(body, dict):
        return
    prefix = f"{path}." if path else ""
    for name, value in body.items():
        yield Sign(prefix + name, name, value)
    if depth < _MAX_DEPTH:
        for name, value in body.items():
            if isinstance(value, dict) and normal_name(name) in _CONTAINERS:
                yield from walk_signs(value, prefix + name, depth + 1)


def find_count(body: Any, names: frozenset[str]) -> Sign | None:
    """The first field of one of these names whose value is a whole number, perhaps written as text."""
    for sign in walk_signs(body):
        if normal_name(sign.name) in names and as_count(sign.value) is not None:
            return sign
    return None


def find_total(body: Any, records: int) -> Sign | None:
    """The source's count of all records.

    ``count`` is the total for some and the rows of this page for others; it is believed only where it differs.
    """
    total = find_count(body, TOTAL_NAMES)
    if total is None:
        total = find_count(body, COUNT_NAMES)
        if total is not None and as_count(total.value) == records:
            return None
    return total


def find_has_more(body: Any) -> bool | None:
    """What a has-more flag, or its opposite, says; None where there is none."""
    for sign in walk_signs(body):
        name = normal_name(sign.name)
        if name in HAS_MORE_NAMES and (flag := as_flag(sign.value)) is not None:
            return flag
        if name in IS_LAST_NAMES and isinstance(sign.value, bool):
            return not sign.value
    return None


def find_next_number(body: Any) -> int | None:
    """The number of the next page; 0 where the field is there and empty, None where there is no such field."""
    for sign in walk_signs(body):
        if normal_name(sign.name) in NEXT_NUMBER_NAMES:
            if sign.value is None or sign.value == "" or sign.value is False:
                return 0
            if (number := as_count(sign.value)) is not None:
                return number
    return None


def count_at(body: Any, path: str) -> int | None:
    """The whole number at a path that the integration names."""
    found = dig(body, path)
    return None if found is MISSING else as_count(found)


def as_count(value: Any) -> int | None:
    """A whole number that is not negative, or None. Text such as "250" or "1,250" is fine; true is not 1 here."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and _GROUPED.fullmatch(value.strip()):
        value = value.replace(",", "")
    if isinstance(value, str) and len(value) <= 18 and value.strip().isascii() and value.strip().isdigit():
        value = int(value)
    return value if isinstance(value, int) and value >= 0 else None


def as_flag(value: Any) -> bool | None:
    """True or False from the forms that sources use, or None."""
    text = str(value).strip().lower() if isinstance(value, bool | int | str) else ""
    return True if text in _TRUE else False if text in _FALSE else None
