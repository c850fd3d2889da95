"""Where the records of one data type are fetched from: what is asked for, and what becomes of the answers.

Names follow Airbyte's low-code vocabulary where it has one. Paths into JSON are dotted. ``docs/connectors.md`` shows
every field with an example.
"""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from hub_model.addresses import PLACE, check_path
from hub_model.answers import ResponseFilter, ResponseFormat, TextFormat
from hub_model.base import FieldName, Input
from hub_model.combining import Derive, Explode, Join, Parent, StreamName
from hub_model.conditions import Conditions
from hub_model.incremental import Incremental, TokenIncremental
from hub_model.mappings import Candidate, Mapping
from hub_model.pagination import AutoPagination, PagePagination, Pagination

Path = Annotated[str, Field(min_length=1, max_length=2048)]

# A place in the body where a credential with this name goes (``hub_model.auth.Placement``).
CREDENTIAL_PLACE = "credential."
_CREDENTIAL_NAME = re.compile(r"^credential\.[A-Za-z0-9_-]{1,64}$")
_PLACE_NAME = re.compile(r"^(parent|window)\.[A-Za-z_][A-Za-z0-9_.]*$")


class BodyType(StrEnum):
    """How ``body`` is written: JSON, a form, or text with a content type of its own (``headers``)."""

    JSON = "json"
    FORM = "form"
    TEXT = "text"


class Request(Input):
    """What is asked for, and where the records are in the answer.

    ``{{ parent.x }}`` and ``{{ window.start }}`` are filled in wherever text stands in path, params and body. Lists in
    ``params`` and forms repeat their name and objects are sent as JSON; with ``nesting: brackets`` both are written
    as PHP reads them: ``criteria[0][key]=email``. ``records_path`` is the dotted path to the records; without it the
    usual places are tried. ``*`` in it goes through every entry: ``data.*.students``. A path that leads nowhere is an
    error, a present and empty list is not; ``missing_records: empty`` is for sources that leave an empty list out. It
    takes nothing for empty that holds an error, a message or another list in its place. ``xml_lists`` names elements
    that are lists though there be one, besides ``records_path``: by name, or by the end of their path.
    ``records_from: values`` takes an object's values as the records, each key as ``key``; ``single`` takes the value
    itself as the one record. ``max_pages`` and ``max_duration`` bound one walk.
    """

    path: Path
    method: Literal["GET", "POST"] = "GET"
    params: dict[str, JsonValue] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    body: JsonValue = None
    body_type: BodyType = BodyType.JSON
    nesting: Literal["plain", "brackets"] = "plain"
    format: ResponseFormat = ResponseFormat.AUTO
    text: TextFormat = TextFormat()
    xml_lists: list[str] = Field(default_factory=list, max_length=50)
    records_path: str | None = None
    records_from: Literal["list", "values", "single"] = "list"
    missing_records: Literal["error", "empty"] = "error"
    pagination: Pagination = AutoPagination()
    response_filters: list[ResponseFilter] = Field(default_factory=list, max_length=20)
    max_pages: int = Field(default=100_000, ge=1, le=1_000_000)
    max_duration: timedelta = Field(default=timedelta(hours=12), ge=timedelta(minutes=1), le=timedelta(days=7))

    @field_validator("path")
    @classmethod
    def _relative_path(cls, path: str) -> str:
        return check_path(path)

    @model_validator(mode="after")
    def _known_places(self) -> "Request":
        count = self.pagination.count if isinstance(self.pagination, PagePagination) else None
        in_body = [name for name in placeholders(self.body) if not _CREDENTIAL_NAME.match(name)]
        for name in [*placeholders([self.path, self.params, count.path if count else ""]), *in_body]:
            if not _PLACE_NAME.match(name):
                raise ValueError(
                    f"{{{{ {name[:64]} }}}} is not known; there are parent.<field>, window.start, window.end"
                )
        return self

    @model_validator(mode="after")
    def _body_fits(self) -> "Request":
        pages_in_body = getattr(self.pagination, "inject_into", "") == "body"
        if self.method == "GET" and (self.body is not None or pages_in_body):
            raise ValueError("a GET request has no body; set 'method' to POST")
        if self.body_type is BodyType.FORM and not isinstance(self.body, dict | None):
            raise ValueError("the body of a form is an object of names and values")
        if self.body_type is BodyType.TEXT and (pages_in_body or not isinstance(self.body, str | None)):
            raise ValueError("a text body is text, and holds no paging values")
        return self


class Stream(Request):
    """A stream that is read for others, before them, and kept for the run alone. ``fields`` are what is kept of a row.

    All of a row is kept where ``fields`` is empty. A field is a path, or made as a candidate of a mapping's rule is:
    ``{"code": {"from": "emp_code", "do": [["regex", "^0*(.+)$"]]}}`` joins 0101 with 101. ``rows`` are written down
    here in place of a request, for a source that does not list what it wants to be asked for one by one, such as its
    devices; a text becomes the field ``value``.

    ``when`` says which records are kept. ``incremental`` counts for endpoints, and for a stream that is only the
    ``source`` of some; what rows are looked up in has to be whole.
    """

    path: Annotated[str, Field(max_length=2048)] = ""
    rows: list[str | dict[FieldName, JsonValue]] = Field(default_factory=list, max_length=1000)
    parent: Parent | None = None
    explode: list[Explode] = Field(default_factory=list, max_length=5)
    joins: list[Join] = Field(default_factory=list, max_length=10)
    when: Conditions = Field(default_factory=list)
    fields: dict[FieldName, str | Candidate] = Field(default_factory=dict, max_length=100)
    incremental: Incremental | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> "Stream":
        if bool(self.path) == bool(self.rows):
            raise ValueError("give exactly one of 'path' and 'rows'")
        if self.rows and (self.parent or self.incremental):
            raise ValueError("'parent' and 'incremental' are about requests, and with 'rows' there are none")
        if self.parent and isinstance(self.incremental, TokenIncremental):
            raise ValueError("an 'incremental' mark is one for the whole stream; with 'parent' each row has its own")
        return self


class Endpoint(Stream):
    """One endpoint. A plain string is short for ``{"path": ...}``.

    ``source`` takes the rows of a stream in place of a request, perhaps through ``derive``; ``path`` is left out then.
    Order: records are found, ``explode``d, ``when`` picks, ``joins`` add, ``fields`` prune; then the mapping.
    ``deletes`` is asked before the endpoint, over the same window: each record it gives is a delete.
    """

    source: StreamName | None = None
    derive: Derive | None = None
    deletes: "Deletes | None" = None
    mapping: Mapping = Mapping()

    @model_validator(mode="after")
    def _one_origin(self) -> "Endpoint":
        if bool(self.path) == (self.source is not None) or self.rows:
            raise ValueError("give exactly one of 'path' and 'source'")
        if self.source is not None and (self.parent or self.deletes or self.incremental):
            raise ValueError(
                "'parent', 'deletes' and 'incremental' are about requests, and with 'source' there are none; "
                "'incremental' belongs to the stream that 'source' names"
            )
        if self.derive is not None and self.source is None:
            raise ValueError("'derive' works on the rows of a stream; name it in 'source'")
        return self


class Deletes(Request):
    """Where a source lists what was deleted. The mapping fills the record's key, and ``sourceId`` where it can."""

    mapping: Mapping = Mapping()


def placeholders(value: Any) -> list[str]:
    """The names within ``{{ }}`` in all texts of a value, in order."""
    if isinstance(value, str):
        return PLACE.findall(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [name for item in inner for name in placeholders(item)]
