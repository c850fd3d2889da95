"""The page at ``/``: what this is, and where the rest is."""

from starlette.requests import Request
from starlette.responses import JSONResponse
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
    allowed = Request(scope).method in ("GET", "HEAD")
    response = JSONResponse(_LINKS) if allowed else JSONResponse(None, 405, {"allow": "GET, HEAD"})
    await response(scope, receive, send)
