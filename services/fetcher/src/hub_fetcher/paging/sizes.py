"""Page sizes: what a source makes of the size that it is asked for, and asking for less.

Some clamp a size without a word and some refuse it. Neither may cost a record: numbered pages mean something else
after every change of size.
"""

import re

from hub_model.errors import ErrorClass, HubError, SourceError
from hub_model.pagination import LinkHeaderPagination, NextUrlPagination, PagePagination

from hub_fetcher.paging.position import PageFacts, PageSize, Position, size_of

_REFUSING = frozenset([400, 413, 422])
_SIZE_WORDS = re.compile(
    r"limit|page.?size|per.?page|page.?len|max.?results|\btop\b|\btake\b|\bsize\b|too many|too large|too big"
)
_NOT_A_SIZE = re.compile(r"rate.?limit|limit.{0,12}(reached|exceeded)|quota")
_NUMBER = re.compile(r"\d{1,6}")


class PageSizeRefused(SourceError):
    """The source refuses a request with words about its size; ``largest`` is a size that it may have named, or 0."""

    def __init__(self, error: SourceError, numbers: tuple[int, ...]) -> None:
        super().__init__(str(error), error_class=error.error_class, code=error.code, public=error.public)
        self.numbers = numbers


def told_by(error: HubError, status: int, body: bytes) -> HubError:
    """The error of a response, as a refusal of the page size where its words are about that."""
    if status not in _REFUSING or not isinstance(error, SourceError):
        return error
    words = body[:4096].decode("utf-8", "replace").lower()
    if not _SIZE_WORDS.search(words) or _NOT_A_SIZE.search(words):
        return error
    return PageSizeRefused(error, tuple(int(number) for number in _NUMBER.findall(words)))


def asking_less(position: Position, error: SourceError) -> Position | None:
    """The same place with smaller pages, where the error is about their size and that can be done without a loss.

    A size is refused with the first request or never. An answer that is too large may come at any time.
    """
    size = size_of(position)
    is_refused = isinstance(error, PageSizeRefused) and position.pages == 0
    if size is None or size.asked < 2 or position.counting or not (is_refused or error.code == "response_too_large"):
        return None
    numbers = error.numbers if isinstance(error, PageSizeRefused) else ()
    changes = {"refused_size": position.refused_size or size.asked, "further": 0}
    if position.pages == 0:
        return position.model_copy(update={**changes, "size": _smaller(size.asked, numbers)})
    spec = position.pagination
    if isinstance(spec, NextUrlPagination | LinkHeaderPagination):
        return None  # the size is part of the source's own link
    if not isinstance(spec, PagePagination):
        return position.model_copy(update={**changes, "size": _smaller(size.asked, numbers)})
    if not position.is_filled:
        return None  # who ignores or clamps the size would skip records for a new page number
    smaller = next(part for part in range(size.asked // 2, 0, -1) if size.asked % part == 0)
    behind = (int(position.place or 0) - spec.start_from_page) * size.asked
    place = spec.start_from_page + behind // smaller
    return position.model_copy(update={**changes, "size": smaller, "place": place, "is_unproven": True})


def with_size(position: Position, facts: PageFacts) -> Position:
    """The position with what the page shows of the source's page size.

    Numbered pages shorter than asked may come from a source that clamps the rows and not the numbers, so that each page
    begins where a full one would have ended. From there on exactly what it gave is asked for: then both kinds agree,
    and if it was rows hidden from us that made the page short, some come twice.
    SourceError where a smaller size, asked for in the middle, turns out not to be heeded.
    """
    size = size_of(position)
    if size is None or not facts.records:
        if position.is_unproven:
            raise _size_ignored()
        return position
    if position.is_unproven and facts.records != size.asked and position.total != position.records:
        raise _size_ignored()
    if position.pages == 1 and _is_clamped(position, facts, size):
        return position.model_copy(update={"size": facts.records, "is_filled": True, "may_overlap": True})
    if position.is_unproven or (not position.is_filled and facts.records == size.asked):
        return position.model_copy(update={"is_unproven": False, "is_filled": True})
    return position


def warnings_of(position: Position) -> tuple[str, ...]:
    """What a person should know about the sizes of a walk that is over."""
    size = size_of(position)
    if not position.refused_size or size is None:
        return ()
    words = f"The source does not give pages of {position.refused_size} records; pages of {size.asked} were asked for."
    return (f"{words} Set the pagination's 'pageSize' to that, and a sync asks only once.",)


def _is_clamped(position: Position, facts: PageFacts, size: PageSize) -> bool:
    """Whether a first page that is shorter than asked shows a clamp, and not rows that are hidden from us."""
    if not isinstance(position.pagination, PagePagination) or facts.records >= size.asked:
        return False
    return facts.records * 10 >= size.asked or facts.records % 10 == 0 or facts.records % 25 == 0


def _smaller(asked: int, numbers: tuple[int, ...]) -> int:
    """The largest number that the source named and that may be its limit, else half."""
    return max((number for number in numbers if asked // 20 <= number < asked and number > 0), default=asked // 2)


def _size_ignored() -> SourceError:
    return SourceError(
        "a page is too large, and the source does not heed a smaller page size in the middle",
        error_class=ErrorClass.CONFIG,
        code="response_too_large",
        public="The source's answer is too large, and smaller pages could not be had on the way. Set a smaller "
        "'pageSize' in the endpoint's 'pagination'; if that changes nothing, correct its 'sizeParam'.",
    )
