"""The source's own count of its records, and what it says about whether there is more."""

from typing import Any

from hub_model.errors import ErrorClass, SourceError
from hub_model.pagination import CountRequest, CursorPagination, OffsetPagination, PagePagination

from hub_fetcher.paging.position import End, PageFacts, Position, size_of
from hub_fetcher.paging.signs import as_count, as_flag, count_at, find_has_more, find_total
from hub_fetcher.paging.sizes import warnings_of
from hub_fetcher.paths import MISSING, dig

# Where a source shows only so many records of a list, it is a round number of thousands.
_DEEP = 1000


def with_total(position: Position, facts: PageFacts) -> Position:
    """The position with the latest total: where the integration says, else a header, else the usual names."""
    spec = position.pagination
    path = spec.total_path if isinstance(spec, PagePagination | OffsetPagination) else None
    if count_request(position):
        return position
    if path is not None:
        total = count_at(facts.body, path)
    elif facts.total_header is not None:
        total = facts.total_header
    else:
        sign = find_total(facts.body, facts.records)
        total = as_count(sign.value) if sign else None
    if total is None:
        return position
    first = total if position.first_total is None else position.first_total
    return position.model_copy(update={"total": total, "first_total": first})


def count_request(position: Position) -> CountRequest | None:
    """The request for the number of records, where the pagination begins with one."""
    return position.pagination.count if isinstance(position.pagination, PagePagination) else None


def counted(position: Position, body: Any) -> Position:
    """The position after the answer to the request for the number of records. SourceError if there is none in it."""
    count = count_request(position)
    total = count_at(body, count.total_path) if count else None
    if total is None:
        raise SourceError(
            "the answer to the request for the number of records holds no number where it should",
            error_class=ErrorClass.CONFIG,
            code="count_missing",
            public="The source's answer to the count request holds no number where the pagination's 'count' says. "
            "Correct its 'path' or 'totalPath'.",
        )
    size = size_of(position)
    further = -(-total // size.asked) - 1 if size else 0
    changes = {"counting": False, "total": total, "first_total": total, "stride": 1, "further": max(0, further)}
    return position.model_copy(update=changes)


def says_more(position: Position, facts: PageFacts) -> bool | None:
    """Whether the source says that there is more; None where it does not say.

    A path that the integration names and that leads nowhere says "no" only if it led somewhere before: else one that is
    written wrongly would end every walk after its first page.
    """
    spec = position.pagination
    if not isinstance(spec, PagePagination | OffsetPagination | CursorPagination) or spec.has_more_path is None:
        return find_has_more(facts.body)
    found = dig(facts.body, spec.has_more_path)
    if found is MISSING:
        return False if position.has_flag else None
    if isinstance(spec, OffsetPagination) and spec.has_more_value is not None:
        return str(found).strip().lower() == spec.has_more_value.strip().lower()
    flag = as_flag(found)
    return bool(found) if flag is None else flag


def with_flag(position: Position, facts: PageFacts) -> Position:
    """The position that remembers whether what ``has_more_path`` leads to was ever there."""
    path = getattr(position.pagination, "has_more_path", None)
    if path is None or position.has_flag or dig(facts.body, path) is MISSING:
        return position
    return position.model_copy(update={"has_flag": True})


def end(position: Position) -> End:
    """The end of the walk, held against the source's own total.

    Where records vanish in front of a numbered page, the rest move up, and some are passed over unseen.
    """
    total, read, first = position.total, position.records, position.first_total
    told = warnings_of(position)
    if position.is_numbered and total is not None and first is not None and total < first:
        words = f"The source's own count fell from {first} to {total} while it was read, so some may have been missed."
        return End(complete=False, warnings=(f"{words} {read} were read; the next sync reads them all again.", *told))
    if total is None or total == read:
        return End(warnings=told)
    words = f"The source said that there are {total} records and sent {read}."
    if position.is_numbered and read < total and read >= _DEEP and read % _DEEP == 0:
        words += f" It may show no more than {read} of a list; {BEYOND}"
    return End(complete=read > total, warnings=(words, *told))


BEYOND = (
    "read by its cursor or next link if it has one, or cut the list into parts: by 'incremental' with 'step', or by a "
    "parent stream."
)
