"""What an integration does: test, sync, runs, log, rejected records."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from hub_model.errors import NotFound
from hub_model.logs import LogLevel
from hub_model.messages import Trigger
from hub_model.records import DataType
from pydantic import Field

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


class RejectQuery(PageQuery):
    """Which rejected records."""

    run_id: str | None = Field(default=None, max_length=64, description="Only records of this run.")
    data_type: DataType | None = Field(default=None, description="Only records of this type.")


@router.post("/test", operation_id="testIntegration", responses=problems(404, 504))
async def test_integration(
    integration_id: IntegrationId, backend: CurrentBackend, caller: CurrentCaller
) -> ConnectionTest:
    """Test the connection: address, credentials, each endpoint. ``success`` is false when the system refuses."""
    integration = await backend.integrations.get(caller.college_id, integration_id)
    await record_change(backend, caller, action="testIntegration", target=integration.id, changes={})
    return check_result(await backend.probes.test(integration, backend.clock()))


@router.post(
    "/sync",
    operation_id="syncIntegration",
    status_code=202,
    response_model=SyncView,
    responses={202: {"headers": {"Location": {"schema": {"type": "string"}}}}, **problems(404, 409)},
)
async def sync_integration(
    integration_id: IntegrationId,
    request: Request,
    backend: CurrentBackend,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Start a run now, also while the integration is disabled. If one is active, that one is answered."""

    async def sync(request_id: str) -> Reply:
        return await _sync(backend, caller, integration_id, request_id)

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


async def _sync(backend: Backend, caller: Caller, integration_id: str, request_id: str) -> Reply:
    integration = await backend.integrations.get(caller.college_id, integration_id)
    await record_change(backend, caller, action="syncIntegration", target=integration.id, changes={})
    started = await begin_sync(backend, integration, trigger=Trigger.MANUAL, request_id=request_id)
    view = SyncView(run_id=started.run.id, status=started.run.status, coalesced=started.coalesced)
    location = f"/api/integrations/{integration.id}/runs/{started.run.id}"
    return Reply(status=202, body=view, headers={"location": location})
