"""What an integration does: test, sync, runs, log, rejected records."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from hub_model.base import Input
from hub_model.errors import HubError, NotFound
from hub_model.integrations import Integration
from hub_model.logs import LogLevel
from hub_model.messages import ProbeFinished, Trigger
from hub_model.records import DataType
from hub_runtime.http import problem_response
from pydantic import Field
from starlette.types import Scope

from hub_config_api.access import TOKEN_REQUIRED, CurrentBackend, CurrentCaller, ManagedRoute
from hub_config_api.api.idempotency import Reply, answer_once
from hub_config_api.api.parameters import IdempotencyKey, IntegrationId, PageQuery, RunId
from hub_config_api.api.problems import problems
from hub_config_api.backend import Backend
from hub_config_api.caller import Caller
from hub_config_api.syncs import begin_sync
from hub_config_api.trail import record_change
from hub_config_api.views.integrations import ConnectionTest, check_result
from hub_config_api.views.records import RejectPage, reject_view
from hub_config_api.views.runs import LogPage, RunPage, RunView, SyncView, log_view, run_view

router = APIRouter(
    prefix="/api/integrations/{integrationId}",
    route_class=ManagedRoute,
    tags=["runs"],
    dependencies=[TOKEN_REQUIRED],
)


class LogQuery(PageQuery):
    """Which lines of the log."""

    level: LogLevel | None = Field(default=None, description="Only lines of this level.")
    run_id: str | None = Field(default=None, max_length=64, description="Only lines of this run.")


class SyncMode(StrEnum):
    """``incremental``: what changed since the last sync, where the endpoints can ask for that. ``full``: everything."""

    INCREMENTAL = "incremental"
    FULL = "full"


class SyncQuery(Input):
    """How to sync. After ``full``, streams that go by time or version are read from the beginning: by the new run, or
    if one is active, by the one after it."""

    mode: SyncMode = SyncMode.INCREMENTAL


class RejectQuery(PageQuery):
    """Which rejected records."""

    run_id: str | None = Field(default=None, max_length=64, description="Only records of this run.")
    data_type: DataType | None = Field(default=None, description="Only records of this type.")


@router.post(
    "/test",
    operation_id="testIntegration",
    response_model=ConnectionTest,
    responses={
        200: {
            "description": "The whole test; or, for who accepts text/event-stream, an event `check` for each step as "
            "it is done, and at the end `result` with the whole test, or `problem`.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **problems(404, 504),
    },
)
async def test_integration(
    integration_id: IntegrationId, request: Request, backend: CurrentBackend, caller: CurrentCaller
) -> ConnectionTest | StreamingResponse:
    """Test the connection, step by step: name, address, TLS, clock, credentials, each stream and endpoint, mapping.

    ``success`` is false when a step fails. A step that is ``ok`` and has a ``fix`` is a warning.
    """
    integration = await backend.integrations.get(caller.college_id, integration_id)
    await record_change(backend, caller, action="testIntegration", target=integration.id, changes={})
    if "text/event-stream" not in request.headers.get("accept", ""):
        return check_result(await backend.probes.test(integration, backend.clock()))
    return StreamingResponse(
        _steps(backend, integration, request.scope),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},  # proxies would hold events back otherwise
    )


@router.post(
    "/sync",
    operation_id="syncIntegration",
    status_code=202,
    response_model=SyncView,
    responses={202: {"headers": {"Location": {"schema": {"type": "string"}}}}, **problems(404, 409)},
)
async def sync_integration(
    *,
    integration_id: IntegrationId,
    request: Request,
    backend: CurrentBackend,
    caller: CurrentCaller,
    query: Annotated[SyncQuery, Query()],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Start a run now, also while the integration is disabled. If one is active, that one is answered."""

    async def sync(request_id: str) -> Reply:
        return await _sync(backend, caller, integration_id, request_id, mode=query.mode)

    return await answer_once(backend, caller, request, idempotency_key, sync)


@router.get("/logs", operation_id="listLogs", responses=problems(404))
async def list_logs(
    integration_id: IntegrationId,
    backend: CurrentBackend,
    caller: CurrentCaller,
    query: Annotated[LogQuery, Query()],
) -> LogPage:
    """What happened, newest first."""
    integration = await backend.integrations.get(caller.college_id, integration_id)
    page = await backend.logs.page(
        caller.college_id,
        integration.id,
        level=query.level,
        run_id=query.run_id,
        limit=query.limit,
        cursor=query.cursor,
    )
    return LogPage(items=[log_view(entry) for entry in page.items], next_cursor=page.next_cursor)


@router.get("/runs", operation_id="listRuns", responses=problems(404))
async def list_runs(
    integration_id: IntegrationId,
    backend: CurrentBackend,
    caller: CurrentCaller,
    query: Annotated[PageQuery, Query()],
) -> RunPage:
    """The integration's runs, newest first."""
    integration = await backend.integrations.get(caller.college_id, integration_id)
    page = await backend.runs.page(caller.college_id, integration.id, limit=query.limit, cursor=query.cursor)
    return RunPage(items=[run_view(run) for run in page.items], next_cursor=page.next_cursor)


@router.get("/runs/{runId}", operation_id="getRun", responses=problems(404))
async def get_run(
    integration_id: IntegrationId, run_id: RunId, backend: CurrentBackend, caller: CurrentCaller
) -> RunView:
    """One run with the progress of each data type."""
    run = await backend.runs.get(caller.college_id, run_id)
    if run.integration_id != integration_id:
        raise NotFound(f"the run {run_id} is not one of {integration_id}", public="There is no such run.")
    return run_view(run)


@router.get("/rejects", operation_id="listRejects", responses=problems(404))
async def list_rejects(
    integration_id: IntegrationId,
    backend: CurrentBackend,
    caller: CurrentCaller,
    query: Annotated[RejectQuery, Query()],
) -> RejectPage:
    """Records that could not be used, each with its raw form and every reason, newest first."""
    integration = await backend.integrations.get(caller.college_id, integration_id)
    page = await backend.rejects.page(
        caller.college_id,
        integration_id=integration.id,
        run_id=query.run_id,
        data_type=query.data_type,
        limit=query.limit,
        cursor=query.cursor,
    )
    return RejectPage(items=[reject_view(record) for record in page.items], next_cursor=page.next_cursor)


async def _steps(backend: Backend, integration: Integration, scope: Scope) -> AsyncIterator[bytes]:
    try:
        async with aclosing(backend.probes.follow(integration, backend.clock())) as steps:
            async for step in steps:
                if isinstance(step, ProbeFinished):
                    yield _event("result", check_result(step).model_dump_json(by_alias=True).encode())
                else:
                    yield _event("check", step.model_dump_json(by_alias=True).encode())
    except HubError as error:
        yield _event("problem", bytes(problem_response(error, scope).body))


def _event(name: str, data: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


async def _sync(backend: Backend, caller: Caller, integration_id: str, request_id: str, *, mode: SyncMode) -> Reply:
    integration = await backend.integrations.get(caller.college_id, integration_id)
    await record_change(backend, caller, action="syncIntegration", target=integration.id, changes={})
    if mode is SyncMode.FULL:
        await backend.states.forget(integration.college_id, integration.id)
    started = await begin_sync(backend, integration, trigger=Trigger.MANUAL, request_id=request_id)
    view = SyncView(run_id=started.run.id, status=started.run.status, coalesced=started.coalesced)
    location = f"/api/integrations/{integration.id}/runs/{started.run.id}"
    return Reply(status=202, body=view, headers={"location": location})
