"""The two pydantic bases: camelCase outside, snake_case inside."""

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic_core import to_json


def format_datetime(value: datetime) -> str:
    """RFC 3339 in UTC with exactly six decimals, so that text order is time order."""
    if value.tzinfo is UTC and value.microsecond:
        return to_json(value)[1:-1].decode()  # the same text in a third of the time
    return value.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_datetime(text: str) -> datetime:
    """The inverse of :func:`format_datetime`."""
    return datetime.fromisoformat(text).astimezone(UTC)


# One written form for every instant in messages and documents.
Instant = Annotated[
    AwareDatetime,
    AfterValidator(lambda value: value.astimezone(UTC)),
    PlainSerializer(format_datetime, return_type=str, when_used="json"),
]

# The name of a field that an endpoint gives to what it makes of an answer.
FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]


class Value(BaseModel):
    """A frozen value; unknown fields are ignored, so a newer writer does not break an older reader."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class Input(BaseModel):
    """Something a person or a program wrote by hand; unknown fields are errors, so a typo is seen."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="forbid")


def check_time_zone(name: str) -> str:
    """The name of an IANA time zone; ValueError if there is none of that name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("not an IANA time zone; write one such as Asia/Kolkata") from error
    return name
