"""Where the records of one data type are fetched from: requests, pages, joins, errors, and the mapping.

Names follow Airbyte's low-code vocabulary where it has one. Paths into JSON are dotted. ``docs/connectors.md`` shows
every field with an example.
"""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, field_validator, model_validator

from hub_model.addresses import PLACE, check_path
from hub_model.base import Input, check_time_zone
from hub_model.conditions import Conditions
from hub_model.incremental import Incremental, TokenIncremental
from hub_model.mappings import Candidate, Mapping
from hub_model.pagination import AutoPagination, PagePagination, Pagination

Path = Annotated[str, Field(min_length=1, max_length=2048)]
# The name of a stream that is read for others: as their parent, or to join.
StreamName = Annotated[str, StringConstraints(pattern=r"^[a-z][A-Za-z0-9_]{0,63}$")]
FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]

# A place in the body where a credential with this name goes (``hub_model.auth.Placement``).
CREDENTIAL_PLACE = "credential."
_CREDENTIAL_NAME = re.compile(r"^credential\.[A-Za-z0-9_-]{1,64}$")
_PLACE_NAME = re.compile(r"^(parent|window)\.[A-Za-z_][A-Za-z0-9_.]*$")


class BodyType(StrEnum):
    """How ``body`` is written: JSON, a form, or text with a content type of its own (``headers``)."""

    JSON = "json"
    FORM = "form"
    TEXT = "text"


class ResponseFormat(StrEnum):
    """What the source answers with. ``AUTO``: JSON, or what the content type and the first bytes clearly say.

    ``XML`` becomes an object whose one key is the root's name, as in ``students.student`` or
    ``Envelope.Body.GetLogResponse.GetLogResult``: names lose their namespace, attributes are ``@name``, text beside
    either is ``#text``, and every value stays text. ``TEXT``: lines cut into columns by ``TextFormat``, without quotes.
    """

    AUTO = "auto"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    XML = "xml"
    TEXT = "text"


class TextFormat(Input):
    """How CSV and text lines become records. Without ``columns`` the first line names them.

    ``inside`` is a path to the text within a decoded XML or JSON answer, where the lines are wrapped in one. A line
    with another number of columns is rejected and counted; lines of text may leave out columns at their end.

    Example, for a device that answers by SOAP: ``{"delimiter": "\\t", "columns": ["code", "at", "direction"],
    "inside": "Envelope.Body.GetTransactionsLogResponse.strDataList"}``.
    """

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    columns: list[FieldName] | None = Field(default=None, min_length=1, max_length=500)
    inside: str | None = None


class Parent(Input):
    """Ask once for each row of another stream. ``{{ parent.id }}`` stands for the row's ``id``, URL-encoded in a path.

    ``include`` copies fields of the row into each record under ``parent``: ``{"course": "idnumber"}`` is then found at
    ``parent.course``. A row that the source refuses (403, 404, an error in the body) is left out, told, and makes the
    stream incomplete; ``on_error: fail`` ends the stream instead.
    """

    stream: StreamName
    when: Conditions = Field(default_factory=list)
    include: dict[FieldName, str] = Field(default_factory=dict, max_length=50)
    on_error: Literal["skip", "fail"] = "skip"


class Join(Input):
    """Put a row of another stream into each record: the one whose ``right`` equals the record's ``left``.

    Compared as text, so 57 joins "57". ``as`` is the record's new field; without a match it is missing, and the number
    of records without one is told. ``required`` makes that an error of the record. ``many`` puts a list of all rows.
    """

    stream: StreamName
    left: str = Field(min_length=1, max_length=256)
    right: str = Field(min_length=1, max_length=256)
    as_: FieldName = Field(alias="as")
    fields: dict[FieldName, str] = Field(default_factory=dict, max_length=50)
    required: bool = False
    many: bool = False


class Explode(Input):
    """One record for each entry of the list or object at ``path``, beside the record's other fields.

    The entry stands at ``as``, and an object's key at ``key_as``. A record without the list gives no record, unless
    ``on_no_records`` is ``emit_parent``. ``when`` looks at the entry.
    """

    path: str = Field(max_length=256)
    as_: FieldName = Field(default="item", alias="as")
    key_as: FieldName | None = None
    when: Conditions = Field(default_factory=list)
    on_no_records: Literal["skip", "emit_parent"] = "skip"


class Punches(Input):
    """Attendance from the punches of a device: one record per person and day, with the first and the last punch.

    A day begins at ``day_start`` where the college is. Punches less than ``duplicate_within`` apart are one. Status:
    ``present`` from ``present_from`` between first and last punch (or always, if unset), ``half_day`` from
    ``half_day_from``, ``absent`` below; ``late`` for a first punch after ``late_after``. A single punch is present with
    no check-out. Paths lead into the punch's record: ``person``, ``punched_at`` (written as ``datetime_format``: "iso",
    "epoch_s", "epoch_ms" or a strftime format) and ``direction`` (in or out, in the words or numbers of devices).
    """

    type: Literal["punches"] = "punches"
    person: str
    punched_at: str
    datetime_format: str = "iso"
    time_zone: Annotated[str, AfterValidator(check_time_zone)] | None = None
    direction: str | None = None
    day_start: timedelta = Field(default=timedelta(hours=4), ge=timedelta(0), lt=timedelta(days=1))
    duplicate_within: timedelta = Field(default=timedelta(seconds=60), ge=timedelta(0))
    late_after: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    present_from: timedelta | None = None
    half_day_from: timedelta | None = None


class GroupBy(Input):
    """One record for each value at ``by``: the last row of the group, with what ``collect`` gathers from all of them.

    ``collect`` maps a new field to a path; its value is the list of the different values there.
    """

    type: Literal["group"] = "group"
    by: str
    collect: dict[FieldName, str] = Field(default_factory=dict, max_length=20)


Derive = Annotated[Punches | GroupBy, Field(discriminator="type")]


class ResponseAction(StrEnum):
    """What a matching answer means.

    ``SUCCESS``: it is read whatever its status is, and whatever error its body seems to report. ``FAIL``: the stream
    ends, as ``failure_type`` says. ``RETRY`` and ``RATE_LIMITED``: it is asked for again, later. ``IGNORE``: no records
    and no error, on the first page of a walk only; what was not read is told, and the stream is incomplete.
    ``REFRESH_TOKEN_THEN_RETRY``: once more with a new token.
    """

    SUCCESS = "SUCCESS"
    FAIL = "FAIL"
    RETRY = "RETRY"
    IGNORE = "IGNORE"
    RATE_LIMITED = "RATE_LIMITED"
    REFRESH_TOKEN_THEN_RETRY = "REFRESH_TOKEN_THEN_RETRY"  # noqa: S105 - an action's name


class FailureType(StrEnum):
    """Whose turn it is after a failure: the principal's (``CONFIG``), or time's (``TRANSIENT``)."""

    CONFIG = "config_error"
    AUTH = "auth_error"
    TRANSIENT = "transient_error"
    DATA = "data_error"


class ResponseFilter(Input):
    """Answers that mean something else than their status says. The first that matches decides.

    All of what is given must match: ``http_codes``, ``when`` on the decoded body, ``error_message_contains`` on its
    text (in any case). ``error_message`` is told to the principal.
    """

    http_codes: list[Annotated[int, Field(ge=100, le=599)]] = Field(default_factory=list, max_length=50)
    when: Conditions = Field(default_factory=list)
    error_message_contains: str | None = Field(default=None, min_length=1, max_length=200)
    action: ResponseAction
    failure_type: FailureType | None = None
    error_message: str | None = Field(default=None, max_length=300)

    @model_validator(mode="after")
    def _says_when(self) -> "ResponseFilter":
        if not (self.http_codes or self.when or self.error_message_contains):
            raise ValueError("say which answers: httpCodes, when or errorMessageContains")
        return self


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


__all__ = [
    "CREDENTIAL_PLACE",
    "BodyType",
    "Deletes",
    "Derive",
    "Endpoint",
    "Explode",
    "FailureType",
    "GroupBy",
    "Join",
    "Parent",
    "Punches",
    "Request",
    "ResponseAction",
    "ResponseFilter",
    "ResponseFormat",
    "Stream",
    "TextFormat",
    "placeholders",
]
