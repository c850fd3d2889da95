"""How a source is asked for the next page. Names follow Airbyte's low-code vocabulary where it has one."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from hub_model.addresses import check_path
from hub_model.base import Input

PageSize = Annotated[int, Field(ge=1, le=10_000)]
# Where paging values go: query parameters, or the request's body, where a name may be a dotted path.
InjectInto = Literal["request_parameter", "body"]


class _Sized(Input):
    """``size_param`` asks for ``page_size`` records. Servers that clamp it or refuse it are adapted to.

    ``inject_into`` is where paging values go. In a body a name may be a dotted path.
    """

    size_param: str | None = None
    page_size: PageSize = 100
    inject_into: InjectInto = "request_parameter"


class AutoPagination(Input):
    """Work it out from the first response: Link header, next URL, cursor, or page, limit and total."""

    type: Literal["auto"] = "auto"


class NoPagination(Input):
    """One response holds everything."""

    type: Literal["none"] = "none"


class CountRequest(Input):
    """A GET request made first, whose answer holds the number of all records; "" is an answer that is the number.

    ``path`` is below the base URL and may hold ``{{ }}``. The endpoint's params are not sent with it, so what they pick
    has to be picked in its own query.
    """

    path: Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(check_path)]
    total_path: str = ""


class PagePagination(_Sized):
    """``?page=1&limit=100``; ends at the total, the last page, a flag, or an empty page.

    ``has_more_path`` leads to a flag, or to anything that is empty on the last page alone, such as a next URL that
    cannot be followed. ``count`` asks for the number of records before the first page.
    """

    type: Literal["page"] = "page"
    page_param: str = "page"
    size_param: str | None = "limit"
    start_from_page: int = Field(default=1, ge=0)
    total_path: str | None = None
    total_pages_path: str | None = None
    has_more_path: str | None = None
    count: CountRequest | None = None


class OffsetPagination(_Sized):
    """``?offset=0&limit=100``; advances by the rows received, ends at the total, a flag, or an empty page.

    ``has_more_path`` as for pages. With ``has_more_value`` it is a word, and only that word says that there is more.
    """

    type: Literal["offset"] = "offset"
    offset_param: str = "offset"
    size_param: str | None = "limit"
    total_path: str | None = None
    has_more_path: str | None = None
    has_more_value: str | None = None


class CursorPagination(_Sized):
    """``?cursor=...``; the next cursor is at ``cursor_path`` of the body, or in the header ``cursor_header``.

    Null, missing or "" ends the walk; 0 does not. ``has_more_path`` leads to a flag that outweighs the cursor.
    """

    type: Literal["cursor"] = "cursor"
    cursor_param: str = "cursor"
    cursor_path: str = ""
    cursor_header: str | None = None
    has_more_path: str | None = None


class NextUrlPagination(_Sized):
    """The body holds the next page's URL, absolute or relative.

    It is followed at the base URL's origin only. ``rebuild_host`` takes the path and the query of a link that names
    another host, such as that of a server behind a proxy, and asks the base URL's host for them.
    """

    type: Literal["next_url"] = "next_url"
    next_url_path: str
    rebuild_host: bool = False


class LinkHeaderPagination(_Sized):
    """The ``Link`` header holds ``rel="next"`` (RFC 8288). ``rebuild_host`` as for URLs in the body."""

    type: Literal["link_header"] = "link_header"
    rebuild_host: bool = False


Pagination = Annotated[
    AutoPagination
    | NoPagination
    | PagePagination
    | OffsetPagination
    | CursorPagination
    | NextUrlPagination
    | LinkHeaderPagination,
    Field(discriminator="type"),
]
