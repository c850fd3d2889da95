"""The page at ``/``: what this is, and where the rest is."""

from hub_runtime.http import problem_response
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

_LINKS = {
    "name": "Student Hub Integrations",
    "integrations": "/api/integrations",
    "docs": "/docs",
    "openapi": "/api/openapi.json",
    "ready": "/health/ready",
    "metrics": "/metrics",
}


async def front_page(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI app; it answers GET and HEAD, and needs no token because it says nothing about a college."""
    response: Response = JSONResponse(_LINKS)
    if scope["path"] != "/":  # it is also asked for what begins with two slashes
        response = problem_response(HTTPException(404), scope)
    elif Request(scope).method not in ("GET", "HEAD"):
        response = problem_response(HTTPException(405, headers={"allow": "GET, HEAD"}), scope)
    await response(scope, receive, send)
