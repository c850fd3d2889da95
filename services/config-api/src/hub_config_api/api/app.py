"""The app: routes, errors, limits and the OpenAPI document."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from hub_runtime.body_limit import BodyLimitMiddleware
from hub_runtime.http import install_problem_handlers

from hub_config_api.api import audit, connectors, events, integrations, records, runs
from hub_config_api.api.documentation import documentation_page
from hub_config_api.api.problems import add_problem_schemas
from hub_config_api.backend import Backend

OPENAPI_PATH = "/api/openapi.json"
_DESCRIPTION = """\
Connects a college's systems to the Student Hub: integrations, their runs, and the records that arrive.

Every route needs a bearer token with the role Principal or Admin, and shows the token's college only; an id of another
college answers 404. Errors are `application/problem+json` (RFC 9457). Lists are `{items, nextCursor}`. Secrets go in
and never come out.
"""


class ConfigApi(FastAPI):
    """FastAPI with problems in its document."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = get_openapi(
                title=self.title, version=self.version, description=self.description, routes=self.routes
            )
            add_problem_schemas(document)
            self.openapi_schema = document
        return self.openapi_schema


def create_app(backend: Backend | None, *, max_body_bytes: int) -> FastAPI:
    """The app over a backend; without one it can describe itself and nothing else."""
    app = ConfigApi(
        title="Student Hub Integrations",
        version="1.0.0",
        description=_DESCRIPTION,
        openapi_url=OPENAPI_PATH,
        docs_url=None,  # the usual pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.backend = backend
    install_problem_handlers(app)
    app.add_middleware(BodyLimitMiddleware, max_bytes=max_body_bytes)

    @app.get("/docs", include_in_schema=False)
    async def show_documentation() -> HTMLResponse:
        return HTMLResponse(documentation_page(app.openapi(), openapi_path=OPENAPI_PATH))

    for module in (integrations, connectors, runs, records, audit, events):
        app.include_router(module.router)
    return app
