"""Integrations: list, create, read, replace, delete, toggle."""

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query, Request, Response
from hub_connectors.drafting import complete
from hub_model.base import Input
from hub_model.endpoints import Endpoint
from hub_model.errors import StaleVersion
from hub_model.ids import new_id
from hub_model.integrations import Integration, IntegrationDraft
from hub_model.messages import Trigger
from hub_model.records import DataType
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, StrictBool

from hub_config_api.access import TOKEN_REQUIRED, CurrentBackend, CurrentCaller, ManagedRoute
from hub_config_api.api.creation import create_or_find
from hub_config_api.api.examples import INTEGRATIONS
from hub_config_api.api.idempotency import Reply, answer_once
from hub_config_api.api.parameters import IdempotencyKey, IfMatch, IntegrationId, PageQuery, check_match, entity_tag
from hub_config_api.api.problems import edit_problems, problems
from hub_config_api.backend import Backend
from hub_config_api.caller import Caller
from hub_config_api.drafts import check_draft
from hub_config_api.edits import edited, toggled
from hub_config_api.removal import remove_integration
from hub_config_api.sealing import SealedDraft, seal_draft
from hub_config_api.syncs import announce_change, begin_sync
from hub_config_api.trail import changes_of, record_change
from hub_config_api.views.integrations import (
    EditedIntegrationView,
    IntegrationPage,
    IntegrationView,
    edited_view,
    integration_fields,
)

router = APIRouter(
    prefix="/api/integrations", route_class=ManagedRoute, tags=["integrations"], dependencies=[TOKEN_REQUIRED]
)

_MAX_RACES = 5
_ETAG = {"ETag": {"description": "The revision, for If-Match.", "schema": {"type": "string"}}}
Edit = Callable[[Integration], Integration]


class PresetDraft(BaseModel):
    """An integration made from a connector: ``type`` names it and ``settings`` answer its questions.

    Without ``endpoints`` all of the connector's data types are synced; ``{"students": true}`` picks some. Every other
    field is as in a draft without a connector, and wins over the connector's.
    """

    model_config = ConfigDict(extra="allow")

    name: str
    type: str
    baseUrl: str
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    endpoints: dict[DataType, Literal[True] | str | Endpoint] | None = None


Draft = Annotated[
    IntegrationDraft,
    BeforeValidator(complete, json_schema_input_type=IntegrationDraft | PresetDraft),
    Body(openapi_examples=INTEGRATIONS),
]


class Toggle(Input):
    """On or off."""

    enabled: StrictBool


@router.get("", operation_id="listIntegrations", responses=problems())
async def list_integrations(
    backend: CurrentBackend, caller: CurrentCaller, query: Annotated[PageQuery, Query()]
) -> IntegrationPage:
    """The college's integrations, in a fixed order."""
    page = await backend.integrations.page(caller.college_id, limit=query.limit, cursor=query.cursor)
    return IntegrationPage(items=[_view(backend, item) for item in page.items], next_cursor=page.next_cursor)


@router.post(
    "",
    operation_id="createIntegration",
    status_code=201,
    response_model=EditedIntegrationView,
    responses={201: {"headers": {**_ETAG, "Location": {"schema": {"type": "string"}}}}, **edit_problems(409)},
)
async def create_integration(
    request: Request,
    draft: Draft,
    backend: CurrentBackend,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Connect a system. The answer shows the webhook secret, this once, unless the body brought its own."""

    async def create(integration_id: str) -> Reply:
        return await create_or_find(backend, caller, draft, integration_id)

    return await answer_once(backend, caller, request, idempotency_key, create)


@router.get(
    "/{integrationId}",
    operation_id="getIntegration",
    responses={200: {"headers": _ETAG}, **problems(404)},
)
async def get_integration(
    integration_id: IntegrationId, response: Response, backend: CurrentBackend, caller: CurrentCaller
) -> IntegrationView:
    """One integration, without its secrets."""
    integration = await backend.integrations.get(caller.college_id, integration_id)
    response.headers["etag"] = entity_tag(integration.revision)
    return _view(backend, integration)


@router.put(
    "/{integrationId}",
    operation_id="updateIntegration",
    responses={200: {"headers": _ETAG}, **edit_problems(404, 409, 412)},
)
async def update_integration(
    *,
    integration_id: IntegrationId,
    draft: Draft,
    response: Response,
    backend: CurrentBackend,
    caller: CurrentCaller,
    if_match: IfMatch = None,
) -> EditedIntegrationView:
    """Replace the settings. Secrets and ``webhook`` that are left out stay as they are.

    A webhook that came from a connector follows its settings. ``warnings`` tell when pushes are checked in another way
    from now on, and how to take over the scheme of a connector that the integration does not use yet.

    A base URL that leads to another origin drops the stored credentials, since they belong to the old one, and
    pauses syncing until they are given again.
    """
    check_draft(draft, backend.destinations)
    now = backend.clock()
    sealed: SealedDraft | None = None

    def prepare(before: Integration) -> Edit:
        nonlocal sealed
        sealed = newly = seal_draft(
            backend.sealer, draft, college_id=before.college_id, integration_id=before.id, stored=before, now=now
        )
        return lambda current: edited(current, newly, actor=caller.subject, now=now)

    integration = await _change(
        backend, caller, integration_id, if_match=if_match, action="updateIntegration", prepare=prepare
    )
    await announce_change(backend, integration, "updated")
    response.headers["etag"] = entity_tag(integration.revision)
    return edited_view(integration, sealed, public_url=backend.public_url)


@router.delete("/{integrationId}", operation_id="deleteIntegration", status_code=204, responses=problems(404, 409, 412))
async def delete_integration(
    integration_id: IntegrationId, backend: CurrentBackend, caller: CurrentCaller, if_match: IfMatch = None
) -> None:
    """Disconnect a system. Its active run is cancelled; records, runs and the audit trail stay."""
    integration = await backend.integrations.get(caller.college_id, integration_id)
    check_match(if_match, integration.revision)
    await record_change(
        backend,
        caller,
        action="deleteIntegration",
        target=integration.id,
        changes=changes_of(integration, None),
    )
    removed = await remove_integration(backend, integration, revision=integration.revision if if_match else None)
    await announce_change(backend, removed, "deleted")


@router.patch(
    "/{integrationId}/toggle",
    operation_id="toggleIntegration",
    responses={200: {"headers": _ETAG}, **edit_problems(404, 409, 412)},
)
async def toggle_integration(
    *,
    integration_id: IntegrationId,
    toggle: Toggle,
    response: Response,
    backend: CurrentBackend,
    caller: CurrentCaller,
    if_match: IfMatch = None,
) -> IntegrationView:
    """Switch on, which syncs at once, or off. Repeating it changes nothing."""
    now = backend.clock()

    def switch(current: Integration) -> Integration:
        return toggled(current, enabled=toggle.enabled, actor=caller.subject, now=now)

    before = await backend.integrations.get(caller.college_id, integration_id)
    integration = await _change(
        backend, caller, integration_id, if_match=if_match, action="toggleIntegration", prepare=lambda _: switch
    )
    if integration.revision != before.revision:
        if toggle.enabled:
            await begin_sync(backend, integration, trigger=Trigger.ENABLE, request_id=new_id())
            integration = await backend.integrations.get(caller.college_id, integration_id)
        await announce_change(backend, integration, "enabled" if toggle.enabled else "disabled")
    response.headers["etag"] = entity_tag(integration.revision)
    return _view(backend, integration)


async def _change(
    backend: Backend,
    caller: Caller,
    integration_id: str,
    *,
    if_match: str | None,
    action: str,
    prepare: Callable[[Integration], Edit],
) -> Integration:
    """Audit an edit, then apply it to the revision that was audited; without If-Match try again when it moved.

    What ``prepare`` returns is applied to the integration as it is then: a run may have moved its sync state.
    """
    for _ in range(_MAX_RACES):
        before = await backend.integrations.get(caller.college_id, integration_id)
        check_match(if_match, before.revision)
        edit = prepare(before)
        after = edit(before)
        if after is before:
            return before
        await record_change(backend, caller, action=action, target=before.id, changes=changes_of(before, after))
        try:
            return await backend.integrations.change(caller.college_id, integration_id, edit, revision=before.revision)
        except StaleVersion:
            if if_match is not None:
                raise
    raise StaleVersion(
        f"{integration_id} changed {_MAX_RACES} times while it was edited",
        public="The integration is being edited by several people at once. Try again.",
    )


def _view(backend: Backend, integration: Integration) -> IntegrationView:
    return IntegrationView(**integration_fields(integration, public_url=backend.public_url))
