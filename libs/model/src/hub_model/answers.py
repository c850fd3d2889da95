"""How a source's answers are read, and what they mean where their status does not say it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from hub_model.base import FieldName, Input
from hub_model.conditions import Conditions


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
