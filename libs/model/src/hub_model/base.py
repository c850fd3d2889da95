"""The two pydantic bases: camelCase outside, snake_case inside."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel


def format_datetime(value: datetime) -> str:
    """RFC 3339 in UTC with exactly six decimals, so that text order is time order."""
    # Without its zone: writing "+00:00" and taking it off again costs as much as all the rest.
    naive = value.replace(tzinfo=None) if value.tzinfo is UTC else value.astimezone(UTC).replace(tzinfo=None)
    return naive.isoformat("T", "microseconds") + "Z"


def parse_datetime(text: str) -> datetime:
    """The inverse of :func:`format_datetime`."""
    return datetime.fromisoformat(text).astimezone(UTC)


# One written form for every instant in messages and documents.
Instant = Annotated[
    AwareDatetime,
    AfterValidator(lambda value: value.astimezone(UTC)),
    PlainSerializer(format_datetime, return_type=str, when_used="json"),
]


class Value(BaseModel):
    """A frozen value; unknown fields are ignored, so a newer writer does not break an older reader."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class Input(BaseModel):
    """Something a person or a program wrote by hand; unknown fields are errors, so a typo is seen."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="forbid")
