"""Problems in the OpenAPI document: every error response of every route, declared."""

from typing import Any

from hub_model.base import Value
from hub_runtime.http import PROBLEM_JSON
from pydantic import Field

_DESCRIPTIONS = {
    400: "The body is not JSON.",
    401: "The token is missing or not valid.",
    403: "The role may not do this.",
    404: "There is no such thing in the caller's college.",
    409: "It conflicts with what exists, or the first request with this Idempotency-Key is still running.",
    412: "If-Match names another revision than the stored one.",
    413: "The body is too large.",
    415: "The body is not sent as application/json.",
    422: "The input is not valid; errors name each field and the fix.",
    429: "Too many at a time; Retry-After says when to try again.",
    500: "Something went wrong here; the answer says nothing of it, the log does.",
    503: "The store, the broker or the identity provider does not answer; Retry-After says when to try again.",
    504: "No worker answered in time.",
}
_ALWAYS = (401, 403, 422, 500, 503)


class ProblemIssue(Value):
    """One thing wrong with one field."""

    pointer: str = Field(description="JSON Pointer (RFC 6901) into the input.")
    code: str
    message: str


class Problem(Value):
    """An error (RFC 9457)."""

    type: str = Field(description="What kind of problem: /problems/<slug>.")
    title: str
    status: int
    detail: str | None = None
    code: str = Field(description="Stable and machine-readable.")
    instance: str | None = Field(default=None, description="The id of the request, also in X-Request-ID and the log.")
    errors: list[ProblemIssue] = Field(default_factory=list)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route: these, and those that every route may give."""
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _DESCRIPTIONS[status], "content": content} for status in sorted({*_ALWAYS, *statuses})
    }


def edit_problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Those of a route with a body."""
    return problems(400, 413, 415, *statuses)


def add_problem_schemas(document: dict[str, Any]) -> None:
    """Put the schema that ``problems`` refers to into an OpenAPI document."""
    schema = Problem.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    definitions = schema.pop("$defs", {})
    document["components"]["schemas"] |= {"Problem": schema, **definitions}
