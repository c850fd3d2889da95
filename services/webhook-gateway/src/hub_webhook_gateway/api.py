"""The one route, its errors as problems, and its description for whoever writes a sender."""

from typing import Any

from hub_model.errors import HubError
from hub_runtime.http import problem_response
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

_FOLDER = "/api/webhooks/integrations/"
PATH = _FOLDER + "{id}"
OPENAPI_PATH = "/api/webhooks/openapi.json"

_TITLE = "Student Hub webhooks"

_SHAPES = """
Pushes records of an integration. The body is JSON in UTF-8, in one of these shapes:

- `{"dataType": "attendance", "records": [...]}`, with an optional `eventId`;
- `{"type": "attendance.updated", "timestamp": ..., "data": {...} or [...]}`, as Standard Webhooks has it;
- `{"success": true, "data": [...]}`, one record, or an array of records, where the integration's `webhook.dataType`
  or its only endpoint says what they are.

It is signed over its raw bytes by the integration's scheme: `legacy` (`x-webhook-signature`, hex HMAC-SHA256),
`standard` (`webhook-id`, `webhook-timestamp`, `webhook-signature`) or `hmac` (a header of the vendor's own). Under
`standard` the `webhook-id` names the event, otherwise `eventId`, otherwise the body itself, for ten minutes or until
another body comes. 202 means the event is durable; on 408, 429 and 503 send it again.

An integration with `webhook.syncs` takes no records: a push of any JSON brings its next sync forward. Then the scheme
may also be `jwt`, where the body is a signed token, or `token`, where the secret stands in a header, in a field of the
body, or behind the address and a slash.
"""

_RESPONSES = {
    "200": "This event was received before, and is durable; or no rule of `webhook.syncs` is about it.",
    "202": "The event is durable and will be processed; or the sync that it asks for is planned, for `syncAt`.",
    "400": "The body is not strict JSON.",
    "401": "No valid signature; also for an unknown or disabled address.",
    "405": "Only POST is answered.",
    "408": "The body took too long to arrive.",
    "409": "The event's id was used for another body.",
    "413": "The body is too large.",
    "415": "Compressed, or not JSON in UTF-8 where the scheme is `legacy` or `standard`.",
    "422": "No records of a collected type in the body.",
    "429": "Too many webhooks; Retry-After says when to go on.",
    "503": "The event could not be stored; send it again after Retry-After.",
}


def create_app(receiver: ASGIApp) -> ASGIApp:
    """The app. Plain routes without a framework's layers: there is nothing to parse, and they would cost a tenth of
    the throughput."""
    webhooks, description = Route(PATH, receiver, methods=["POST"]), Route(OPENAPI_PATH, _describe)

    def route_of(scope: Scope) -> Route:
        # A split, not the route's own pattern, which costs as much as reading the body.
        path: str = scope["path"]
        if path.startswith(_FOLDER):
            integration_id, slash, secret = path.removeprefix(_FOLDER).partition("/")
            if slash:
                # Whatever follows the id may be a secret, and paths are logged.
                scope["path"] = f"{_FOLDER}{integration_id}/..."
            if not integration_id or bool(slash) is not bool(secret) or "/" in secret:
                raise HTTPException(404)
            route = webhooks
            scope["path_params"] = {"id": integration_id, "secret": secret or None}
        elif scope["path"] == OPENAPI_PATH:
            route = description
        else:
            raise HTTPException(404)
        methods = route.methods or ()
        if scope["method"] not in methods:
            raise HTTPException(405, headers={"allow": ", ".join(sorted(methods))})
        return route

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            route = scope["route"] = route_of(scope)
            await route.app(scope, receive, send)
        except (HubError, HTTPException) as error:
            await problem_response(error, scope)(scope, receive, send)

    return app


async def _describe(_: Request) -> Response:
    return JSONResponse(_document())


def _document() -> dict[str, Any]:
    return {"openapi": "3.1.0", "info": {"title": _TITLE, "version": "1"}, "paths": {PATH: {"post": _operation()}}}


def _operation() -> dict[str, Any]:
    headers = [{"name": name, "in": "header", "schema": {"type": "string"}} for name in _SIGNATURE_HEADERS]
    return {
        "operationId": "receiveWebhook",
        "tags": ["webhooks"],
        "summary": "Push records",
        "description": _SHAPES.strip(),
        "security": [],
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}, *headers],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": ["object", "array"]}, "examples": _EXAMPLES}},
        },
        "responses": {status: _response(status, text) for status, text in _RESPONSES.items()},
    }


_SIGNATURE_HEADERS = ("x-webhook-signature", "webhook-id", "webhook-timestamp", "webhook-signature")
_EXAMPLES = {
    "typed": {"value": {"dataType": "attendance", "records": [{"studentId": "CS2101", "attendance": "present"}]}},
    "standard": {"value": {"type": "attendance.updated", "data": {"studentId": "CS2101", "attendance": "absent"}}},
}


def _response(status: str, text: str) -> dict[str, Any]:
    if status in ("200", "202"):
        properties = {
            "status": {"enum": ["accepted", "duplicate", "ignored"]},
            "eventId": {"type": "string"},
            "syncAt": {"type": ["string", "null"], "format": "date-time"},
        }
        schema = {"type": "object", "required": ["status"], "properties": properties}
        return {"description": text, "content": {"application/json": {"schema": schema}}}
    return {"description": text, "content": {"application/problem+json": {"schema": {"type": "object"}}}}
