"""Who may come in: a valid token, then the role, then the college. Refusals are audited in the caller's college."""

import contextlib
import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import orjson
import structlog
from fastapi import Depends, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from hub_model.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from hub_security.roles import Principal, require_manager
from starlette.exceptions import HTTPException

from hub_config_api.backend import Backend, backend_of
from hub_config_api.caller import Caller
from hub_config_api.trail import record_refusal

# Only for the OpenAPI document; the token is read by ManagedRoute, before anything is parsed.
_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="A JWT with the claims sub, role, collegeId.")
TOKEN_REQUIRED = Security(_bearer)


class JsonRequest(Request):
    """A request whose body is strict JSON: no NaN, no lone surrogates, no unbounded nesting, no name twice."""

    async def json(self) -> Any:
        return orjson.loads(await self.body())

    async def check_names(self) -> None:
        """Raise InvalidInput if an object has a name twice: which of the two counts differs between parsers."""
        try:
            # What is no JSON at all is told by ``json()``.
            with contextlib.suppress(ValueError):
                json.loads(await self.body(), object_pairs_hook=_check_unique)
        except RecursionError:
            raise InvalidInput("The body is nested too deeply.", code="malformed_json") from None


class ManagedRoute(APIRoute):
    """A route for Principals and Admins. Without a valid token nothing of the request is looked at."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_for_manager(request: Request) -> Response:
            backend = backend_of(request)
            principal = await _authenticate(backend, request)
            caller = _caller(principal, request)
            request.state.caller = caller
            try:
                require_manager(principal)
                self._check_content_type(request)
                with structlog.contextvars.bound_contextvars(**_log_ids(caller, request)):
                    json_request = JsonRequest(request.scope, request.receive)
                    if self.body_field is not None:
                        await json_request.check_names()
                    response = await handle(json_request)
            except (Forbidden, NotFound, Conflict) as error:
                target = request.path_params.get("integrationId")
                await record_refusal(backend, caller, action=self.unique_id, target=target, code=error.code)
                raise
            response.headers.setdefault("cache-control", "no-store")
            return response

        return handle_for_manager

    def _check_content_type(self, request: Request) -> None:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if self.body_field is not None and content_type != "application/json":
            raise HTTPException(415, "Send the body as JSON, with the header content-type: application/json.")


def current_caller(request: Request) -> Caller:
    """The caller that ManagedRoute let in."""
    caller = request.state.caller
    if not isinstance(caller, Caller):
        raise Unauthenticated("this route lets nobody in")
    return caller


CurrentCaller = Annotated[Caller, Depends(current_caller)]
CurrentBackend = Annotated[Backend, Depends(backend_of)]


async def _authenticate(backend: Backend, request: Request) -> Principal:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated(
            "the request has no bearer token", public="Send a token: the header Authorization: Bearer TOKEN."
        )
    return await backend.verifier.verify(token, backend.clock())


def _caller(principal: Principal, request: Request) -> Caller:
    return Caller(
        subject=principal.subject,
        role=principal.role.value,
        college_id=principal.college_id,
        expires_at=principal.expires_at,
        request_id=getattr(request.state, "request_id", None),
    )


def _log_ids(caller: Caller, request: Request) -> dict[str, str]:
    ids = {"college_id": caller.college_id, "integration_id": request.path_params.get("integrationId")}
    return {name: value for name, value in ids.items() if value is not None}


def _check_unique(pairs: list[tuple[str, Any]]) -> None:
    names: set[str] = set()
    for name, _ in pairs:
        if name in names:
            raise InvalidInput(f"The body has {name[:64]!r} twice in one object; keep one.", code="malformed_json")
        names.add(name)
