"""Errors as ``application/problem+json`` (RFC 9457): the one table from an error's type to an HTTP status.

What a client sees is the error's ``public`` sentence and its issues; an error that is not a HubError says nothing of
itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import Any

import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from hub_model.errors import (
    Conflict,
    Forbidden,
    HubError,
    InvalidInput,
    Issue,
    NotFound,
    QueueFull,
    RateLimited,
    StaleVersion,
    TooLarge,
    TransientError,
    Unauthenticated,
    Unroutable,
)
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from hub_runtime.pointers import issues_of

log = structlog.get_logger(__name__)

PROBLEM_JSON = "application/problem+json"
_DEFAULT_RETRY_AFTER_S = 5
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True, slots=True)
class _Kind:
    status: int
    slug: str
    title: str


# The nearest class in an error's ancestry decides.
_KINDS: Mapping[type[Exception], _Kind] = {
    InvalidInput: _Kind(422, "validation", "The input is not valid"),
    NotFound: _Kind(404, "not-found", "There is no such thing"),
    StaleVersion: _Kind(412, "version-conflict", "It was changed meanwhile"),
    Conflict: _Kind(409, "conflict", "It conflicts with what exists"),
    Unauthenticated: _Kind(401, "unauthenticated", "Who are you?"),
    Forbidden: _Kind(403, "forbidden", "Not allowed"),
    TooLarge: _Kind(413, "too-large", "The body is too large"),
    RateLimited: _Kind(429, "rate-limited", "Too many requests"),
    QueueFull: _Kind(503, "not-ready", "Not now"),
    TransientError: _Kind(503, "not-ready", "Not now"),
    Unroutable: _Kind(503, "not-ready", "Not now"),  # whoever takes such messages has never run yet
    Exception: _Kind(500, "internal", "Something went wrong here"),
}

# Error codes that have a type of their own; all other codes appear in the ``code`` member only.
_KINDS_BY_CODE: Mapping[str, _Kind] = {
    "malformed_json": _Kind(400, "malformed-json", "The body is not JSON"),
    "probe_timeout": _Kind(504, "no-answer", "Nobody answered in time"),
    "idempotency_in_progress": _Kind(409, "idempotency-in-progress", "The first request is still running"),
    "idempotency_mismatch": _Kind(422, "idempotency-mismatch", "The key was used for another request"),
    "signature_invalid": _Kind(401, "signature-invalid", "The signature is not valid"),
}

# What routing and parsing refuse by themselves.
_SLUGS_BY_STATUS: Mapping[int, str] = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
}


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error response of the app a problem: the hub's errors, FastAPI's validation, Starlette's 404 and 405.

    An exception nobody expected is answered with 500 and goes on to ``access_log.AccessLogMiddleware``, which logs it.
    """
    app.add_exception_handler(HubError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_error)
    app.add_exception_handler(HTTPException, _on_error)
    app.add_exception_handler(Exception, _on_bug)


async def _on_error(request: Request, error: Exception) -> Response:
    headers = {"allow": _allowed_methods(request)} if getattr(error, "status_code", None) == 405 else None
    response = problem_response(error, request.scope, headers)
    if response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("http.failed", error_code=getattr(error, "code", None), exc_info=error)
    return response


def _allowed_methods(request: Request) -> str:
    """All methods of the path; Starlette names only those of the first route it tried."""
    routes = request.app.routes
    return ", ".join(
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    )


async def _on_bug(request: Request, error: Exception) -> Response:
    return problem_response(error, request.scope)


def problem_response(error: Exception, scope: Scope, headers: Mapping[str, str] | None = None) -> Response:
    """The response for an error; what comes out as 500 says nothing of the error."""
    if isinstance(error, HTTPException):
        kind = _Kind(
            error.status_code,
            _SLUGS_BY_STATUS.get(error.status_code, "http-error"),
            HTTPStatus(error.status_code).phrase,
        )
        return _respond(kind, scope, detail=str(error.detail), headers=_merged(error.headers, headers))
    if isinstance(error, RequestValidationError):
        error = _invalid_input(error)
    kind = _kind_of(error)
    if kind.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return _respond(kind, scope, code="internal_error", headers=headers)
    assert isinstance(error, HubError)  # noqa: S101 - every other kind belongs to a HubError, see _KINDS
    issues = error.issues if isinstance(error, InvalidInput) else ()
    return _respond(
        kind,
        scope,
        detail=error.public,
        code=error.code,
        issues=issues,
        headers={**_headers_of(error, kind), **(headers or {})},
    )


def _merged(*headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for part in headers for name, value in (part or {}).items()}


def _kind_of(error: Exception) -> _Kind:
    if isinstance(error, HubError) and error.code in _KINDS_BY_CODE:
        return _KINDS_BY_CODE[error.code]
    return next(_KINDS[ancestor] for ancestor in type(error).__mro__ if ancestor in _KINDS)


def _headers_of(error: HubError, kind: _Kind) -> dict[str, str]:
    if kind.status == HTTPStatus.UNAUTHORIZED:
        return {"www-authenticate": "Bearer"}
    if kind.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        wait_s = error.retry_after_s if isinstance(error, TransientError) else None
        return {"retry-after": str(max(1, ceil(wait_s or _DEFAULT_RETRY_AFTER_S)))}
    return {}


def _invalid_input(error: RequestValidationError) -> InvalidInput:
    errors = error.errors()
    if any(item["type"] == "json_invalid" for item in errors):
        place = errors[0]["loc"][-1]
        return InvalidInput(f"The body is not valid JSON (character {place}).", code="malformed_json")
    issues = issues_of(errors, error.body)
    fields = ", ".join(dict.fromkeys(issue.pointer or "the body" for issue in issues))
    return InvalidInput(f"Mend {fields} and send it again.", issues)


def _respond(
    kind: _Kind,
    scope: Scope,
    *,
    detail: str | None = None,
    code: str | None = None,
    issues: Sequence[Issue] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    problem: dict[str, Any] = {"type": f"/problems/{kind.slug}", "title": kind.title, "status": kind.status}
    if detail:
        problem["detail"] = detail
    problem["code"] = code or kind.slug.replace("-", "_")
    if request_id := scope.get("state", {}).get("request_id"):
        problem["instance"] = request_id
    if issues:
        problem["errors"] = [
            {"pointer": issue.pointer, "code": issue.code, "message": issue.message} for issue in issues
        ]
    return Response(orjson.dumps(problem), status_code=kind.status, media_type=PROBLEM_JSON, headers=headers)
