"""The audit trail."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from hub_config_api.access import TOKEN_REQUIRED, CurrentBackend, CurrentCaller, ManagedRoute
from hub_config_api.api.parameters import PageQuery
from hub_config_api.api.problems import problems
from hub_config_api.views.records import AuditPage, audit_view

router = APIRouter(prefix="/api/audit", route_class=ManagedRoute, tags=["audit"], dependencies=[TOKEN_REQUIRED])


class AuditQuery(PageQuery):
    """Which entries."""

    target: str | None = Field(default=None, max_length=64, description="Only entries about this integration.")


@router.get("", operation_id="listAudit", responses=problems())
async def list_audit(
    backend: CurrentBackend, caller: CurrentCaller, query: Annotated[AuditQuery, Query()]
) -> AuditPage:
    """Who changed or tried what, newest first."""
    page = await backend.audit.page(caller.college_id, target=query.target, limit=query.limit, cursor=query.cursor)
    return AuditPage(items=[audit_view(entry) for entry in page.items], next_cursor=page.next_cursor)
