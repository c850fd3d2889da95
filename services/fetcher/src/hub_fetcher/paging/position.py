"""Where a walk through the pages of one stream stands: a value that travels in ``page.requested``."""

from dataclasses import dataclass
from typing import Any

from hub_model.base import Instant, Value
from hub_model.pagination import AutoPagination, NoPagination, Pagination


class Position(Value):
    """The next request and what must be remembered to judge its response.

    ``pagination`` is None until a first response has decided it; from then on it is fixed, as is ``records_path`` (""
    is the body itself). ``place`` is the page number, offset, cursor or URL of the next request; None is the plain
    request. ``counting``: the next request asks for the number of records. ``size`` is the page size asked for, where
    that is not the pagination's own any more. ``total`` is the source's own count, where it gave one, and
    ``first_total`` the first it gave. ``seen`` and ``fingerprint`` belong to the loop guards. ``resume_at``: the source
    asked us to wait until then. ``source`` tells whether the endpoint is still the one the walk began with. For asking
    ahead, never for deciding: ``further`` more requests will probably follow the next one, ``stride`` apart, with pages
    of ``page_bytes`` at most; ``ahead`` at once suited the source so far (0: not known).
    """

    pagination: Pagination | None = None
    records_path: str | None = None
    place: int | str | None = None
    counting: bool = False
    size: int = 0
    total: int | None = None
    first_total: int | None = None
    empty_pages: int = 0
    seen: tuple[int, ...] = ()
    fingerprint: str = ""
    resume_at: Instant | None = None
    source: str = ""
    further: int = 0
    stride: int = 0
    page_bytes: int = 0
    ahead: int = 0

    def to_message(self) -> dict[str, Any]:
        """The form that ``Position.model_validate`` reads back."""
        # Only the outermost nothings are left out: a pagination's null may differ from its default.
        dumped = self.model_dump(mode="json", by_alias=True)
        return {name: value for name, value in dumped.items() if value is not None and value not in ("", [])}


@dataclass(frozen=True, slots=True)
class PageSize:
    """The name that takes the size of a page, and the size that is asked for."""

    param: str
    asked: int


def size_of(position: Position) -> PageSize | None:
    """The size that the position's request asks for; None where it asks for none."""
    spec = position.pagination
    if spec is None or isinstance(spec, AutoPagination | NoPagination) or not spec.size_param:
        return None
    return PageSize(spec.size_param, position.size or spec.page_size)


def is_in_body(pagination: Pagination | None) -> bool:
    """Whether paging values go into the request's body."""
    return not isinstance(pagination, AutoPagination | NoPagination | None) and pagination.inject_into == "body"


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What a pager may know of one response.

    ``url`` is the requested one without credentials. ``records`` are in this page, ``records_before`` in the pages
    before it. ``next_link`` is the Link header's rel="next", ``total_header`` a count given in a header.
    """

    url: str
    body: Any
    records: int
    records_before: int = 0
    records_path: str = ""
    next_link: str | None = None
    total_header: int | None = None

    @property
    def records_read(self) -> int:
        return self.records_before + self.records


@dataclass(frozen=True, slots=True)
class End:
    """The walk is over. ``complete`` is False when the source itself says that there is more."""

    complete: bool = True
    warnings: tuple[str, ...] = ()
