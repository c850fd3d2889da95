"""Where the records of one data type are fetched from: an endpoint, its pages and its mapping."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue, field_validator

from hub_model.base import Input
from hub_model.mappings import Mapping

Path = Annotated[str, Field(min_length=1, max_length=2048)]
PageSize = Annotated[int, Field(ge=1, le=10_000)]


class AutoPagination(Input):
    """Work it out from the first response: Link header, next URL, cursor, or the seed's page/limit/total."""

    type: Literal["auto"] = "auto"


class NoPagination(Input):
    """One response holds everything."""

    type: Literal["none"] = "none"


class PagePagination(Input):
    """``?page=1&limit=100``; ends at the total, the last page, or an empty page."""

    type: Literal["page"] = "page"
    page_param: str = "page"
    size_param: str | None = "limit"
    page_size: PageSize = 100
    start_from_page: int = Field(default=1, ge=0)
    total_path: str | None = None
    total_pages_path: str | None = None


class OffsetPagination(Input):
    """``?offset=0&limit=100``; advances by the rows received, ends at the total or an empty page."""

    type: Literal["offset"] = "offset"
    offset_param: str = "offset"
    size_param: str | None = "limit"
    page_size: PageSize = 100
    total_path: str | None = None


class CursorPagination(Input):
    """``?cursor=...``; the next cursor is at ``cursor_path`` of the body; null, missing or "" ends."""

    type: Literal["cursor"] = "cursor"
    cursor_param: str = "cursor"
    cursor_path: str
    size_param: str | None = None
    page_size: PageSize = 100


class NextUrlPagination(Input):
    """The body holds the next page's URL, absolute or relative."""

    type: Literal["next_url"] = "next_url"
    next_url_path: str
    size_param: str | None = None
    page_size: PageSize = 100


class LinkHeaderPagination(Input):
    """The ``Link`` header holds ``rel="next"`` (RFC 8288)."""

    type: Literal["link_header"] = "link_header"
    size_param: str | None = None
    page_size: PageSize = 100


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


class Endpoint(Input):
    """One endpoint. A plain string is short for ``{"path": ...}``.

    ``records_path`` is a dotted path to the array of records; without it the usual places are tried (the body
    itself, ``data``, ``records``, ``results``, ``items``, ...). A path that leads nowhere is an error; a present and
    empty array is not. ``max_pages`` bounds one walk.
    """

    path: Path
    params: dict[str, JsonValue] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    records_path: str | None = None
    pagination: Pagination = AutoPagination()
    mapping: Mapping = Mapping()
    max_pages: int = Field(default=100_000, ge=1, le=1_000_000)

    @field_validator("path")
    @classmethod
    def _relative_path(cls, path: str) -> str:
        if "://" in path or path.startswith("//") or "\\" in path:
            raise ValueError("write the path below the base URL, such as /api/students; not a full address")
        if any(ord(char) < 33 or ord(char) == 127 for char in path):
            raise ValueError("a path has no spaces or control characters; write %20 for a space")
        if ".." in path.split("?", 1)[0].split("/"):
            raise ValueError("a path must not contain '..'")
        return path
