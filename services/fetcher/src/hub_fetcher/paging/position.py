"""Where a walk through the pages of one stream stands: a value that travels in ``page.requested``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub_model.base import Instant, Value
from hub_model.pagination import AutoPagination, NoPagination, OffsetPagination, PagePagination, Pagination
from pydantic import Field

# A tuple, since a union would be made anew for every request.
_SIZELESS = (AutoPagination, NoPagination)


class Position(Value):
    """The next request and what must be remembered to judge its response.

    ``pagination`` is None until a first response has decided it; from then on it is fixed, as is ``records_path`` (""
    is the body itself). ``place`` is the page number, offset, cursor or URL of the next request; None is the plain
    request. ``counting``: the next request asks for the number of records. ``pages`` and ``records`` were read so far,
    ``total`` is the source's own count, where it gave one, and ``first_total`` the first it gave. ``resume_at``: the
    source asked us to wait until then. ``source`` tells whether the endpoint is still the one the walk began with.

    ``size`` is the page size asked for, where that is not the pagination's own any more, ``refused_size`` the first one
    that the source would not give; ``is_filled``: a page was as long as asked; ``is_unproven``: no page of this size
    has shown yet that the source heeds it; ``may_overlap``: pages may have shared records. ``has_flag``: what
    ``has_more_path`` leads to was there. ``seen``, ``fingerprint`` and ``landmark`` belong to the loop guards.
    ``remarks`` counts what the pages were short of (``responses.remarks``).

    For asking ahead, never for deciding: ``further`` more requests will probably follow the next one, ``stride`` apart,
    with pages of ``page_bytes`` at most; ``ahead`` at once suited the source so far (0: not known).
    """

    pagination: Pagination | None = None
    records_path: str | None = None
    place: int | str | None = None
    counting: bool = False
    pages: int = 0
    records: int = 0
    total: int | None = None
    first_total: int | None = None
    empty_pages: int = 0
    size: int = 0
    refused_size: int = 0
    is_filled: bool = False
    is_unproven: bool = False
    may_overlap: bool = False
    has_flag: bool = False
    seen: tuple[int, ...] = ()
    fingerprint: str = ""
    landmark: str = ""
    began_at: Instant | None = None
    resume_at: Instant | None = None
    source: str = ""
    further: int = 0
    stride: int = 0
    page_bytes: int = 0
    ahead: int = 0
    remarks: dict[str, int] = Field(default_factory=dict)

    @property
    def is_numbered(self) -> bool:
        """Whether places are page numbers or offsets, which are known before the page that they lead to."""
        return isinstance(self.pagination, (PagePagination, OffsetPagination))

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
    if spec is None or isinstance(spec, _SIZELESS) or not spec.size_param:
        return None
    return PageSize(spec.size_param, position.size or spec.page_size)


def is_in_body(pagination: Pagination | None) -> bool:
    """Whether paging values go into the request's body."""
    return not (pagination is None or isinstance(pagination, _SIZELESS)) and pagination.inject_into == "body"


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What a pager may know of one response.

    ``url`` is the requested one without credentials. ``records`` are in this page. ``headers`` finds names in lower
    case. ``next_link`` is the Link header's rel="next", ``total_header`` a count given in a header.
    """

    url: str
    body: Any
    records: int
    headers: Mapping[str, str] = field(default_factory=dict)
    next_link: str | None = None
    total_header: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """The walk is over. ``complete`` is False where the source says that there is more, or that cannot be told."""

    complete: bool = True
    warnings: tuple[str, ...] = ()
