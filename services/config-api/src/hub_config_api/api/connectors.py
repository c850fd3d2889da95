"""Connectors: the ready-made connections a college may choose from, and the questions each asks."""

from typing import Annotated

from fastapi import APIRouter, Path
from hub_connectors.loader import find_preset, presets

from hub_config_api.access import TOKEN_REQUIRED, CurrentCaller, ManagedRoute
from hub_config_api.api.problems import problems
from hub_config_api.views.connectors import ConnectorList, ConnectorView, connector_summary, connector_view

router = APIRouter(
    prefix="/api/connectors", route_class=ManagedRoute, tags=["connectors"], dependencies=[TOKEN_REQUIRED]
)
ConnectorName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$", description="As the list shows it.")]


@router.get("", operation_id="listConnectors", responses=problems())
async def list_connectors(_caller: CurrentCaller) -> ConnectorList:
    """All connectors and what each can bring."""
    return ConnectorList(items=[connector_summary(preset) for preset in presets().values()])


@router.get("/{name}", operation_id="getConnector", responses=problems(404))
async def get_connector(name: ConnectorName, _caller: CurrentCaller) -> ConnectorView:
    """One connector: its questions, and a draft to start from for POST /api/integrations."""
    return connector_view(find_preset(name))
