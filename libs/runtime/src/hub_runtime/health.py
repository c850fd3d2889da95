"""The two questions an orchestrator asks: is the process alive, and should it get requests."""

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub_runtime.services import Readiness


def health_routes(readiness: Readiness) -> list[Route]:
    """``/health/live`` and ``/health/ready``. Neither needs a token, and neither says why: the log does."""

    async def live(_: Request) -> Response:
        return _json({"status": "alive"}, 200)

    async def ready(_: Request) -> Response:
        if readiness.stopping:
            return _json({"status": "stopping"}, 503)
        failures = await readiness.failures()
        if failures:
            return _json({"status": "not_ready", "failed": failures}, 503)
        return _json({"status": "ready"}, 200)

    return [Route("/health/live", live), Route("/health/ready", ready)]


def _json(body: dict[str, object], status: int) -> Response:
    headers = {"cache-control": "no-store"}
    if status == 503:
        headers["retry-after"] = "5"
    return Response(orjson.dumps(body), status, headers, "application/json")
