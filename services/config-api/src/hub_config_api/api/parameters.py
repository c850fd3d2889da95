"""The parameters that routes share. Unknown query parameters are errors: a misspelt filter must not show everything."""

from typing import Annotated

from fastapi import Header, Path
from hub_model.base import Input
from hub_model.errors import InvalidInput, Issue, StaleVersion
from pydantic import Field

IntegrationId = Annotated[
    str,
    Path(
        alias="integrationId",
        pattern=r"^[A-Za-z0-9-]{1,64}$",
        description="The integration's id, as the list shows it.",
    ),
]
RunId = Annotated[str, Path(alias="runId", pattern=r"^[A-Za-z0-9-]{1,64}$", description="The run's id.")]
IfMatch = Annotated[
    str | None,
    Header(
        max_length=512,
        description="The ETag last seen. The edit is refused with 412 if the integration was changed since. "
        "Without it the edit applies to whatever is stored.",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="Any text of your own. Repeating a request with the same key and body within 24 hours repeats "
        "the answer, not the work.",
    ),
]


class PageQuery(Input):
    """Which page of a list."""

    limit: int = Field(default=50, ge=1, le=200, description="How many items at most.")
    cursor: str | None = Field(
        default=None, max_length=2048, description="The nextCursor of the page before; left out for the first page."
    )


def entity_tag(revision: int) -> str:
    """The strong ETag of a revision (RFC 9110)."""
    return f'"{revision}"'


def check_match(if_match: str | None, revision: int) -> None:
    """Raise StaleVersion unless the header is absent, ``*``, or names the revision; weak tags never match."""
    if if_match is None or if_match.strip() == "*":
        return
    if entity_tag(revision) not in [tag.strip() for tag in if_match.split(",")]:
        raise StaleVersion(
            f"If-Match does not name revision {revision}",
            public=f"The integration was changed meanwhile; it is at revision {revision}. Read it again and repeat.",
        )


def refused(pointer: str, code: str, message: str) -> InvalidInput:
    """An InvalidInput about one place."""
    return InvalidInput(message, [Issue(pointer, code, message)])
