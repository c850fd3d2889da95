"""Creating an integration once, though its request may come several times (``idempotency``)."""

from hub_model.errors import Conflict
from hub_model.integrations import Integration, IntegrationDraft

from hub_config_api.api.idempotency import Reply
from hub_config_api.api.parameters import entity_tag
from hub_config_api.backend import Backend
from hub_config_api.caller import Caller
from hub_config_api.drafts import check_draft
from hub_config_api.edits import new_integration
from hub_config_api.sealing import WEBHOOK_SECRET, SealedDraft, seal_draft
from hub_config_api.syncs import announce_change
from hub_config_api.trail import changes_of, record_change
from hub_config_api.views.integrations import edited_view

_MADE_BEFORE = (
    "An earlier attempt of this request made the webhook secret, and its answer did not arrive. The secret cannot be "
    "shown again: if you use webhooks, update the integration with a secret of your own."
)


async def create_or_find(backend: Backend, caller: Caller, draft: IntegrationDraft, integration_id: str) -> Reply:
    """Create it; or answer with what an earlier attempt of the same request, which was not answered, has created.

    What an attempt creates has the same id as that of any other.
    """
    check_draft(draft, backend.destinations)
    if (made := await backend.integrations.find(caller.college_id, integration_id)) is not None:
        return _created(backend, made, None, draft)
    now = backend.clock()
    sealed = seal_draft(
        backend.sealer, draft, college_id=caller.college_id, integration_id=integration_id, stored=None, now=now
    )
    integration = new_integration(
        sealed, college_id=caller.college_id, integration_id=integration_id, actor=caller.subject, now=now
    )
    changes = changes_of(None, integration)
    await record_change(backend, caller, action="createIntegration", target=integration_id, changes=changes)
    try:
        await backend.integrations.add(integration)
    except Conflict:
        made = await backend.integrations.find(caller.college_id, integration_id)
        if made is None:
            raise
        return _created(backend, made, None, draft)
    await announce_change(backend, integration, "created")
    return _created(backend, integration, sealed, draft)


def _created(backend: Backend, integration: Integration, sealed: SealedDraft | None, draft: IntegrationDraft) -> Reply:
    """``sealed`` is None when an earlier attempt has created it, and has taken the secret it made with it."""
    view = edited_view(integration, sealed, public_url=backend.public_url)
    is_secret_lost = WEBHOOK_SECRET in integration.secrets and not (draft.webhook and draft.webhook.secret)
    if sealed is None and is_secret_lost:
        view = view.model_copy(update={"warnings": [*view.warnings, _MADE_BEFORE]})
    return Reply(
        status=201,
        body=view,
        headers={"location": f"/api/integrations/{integration.id}", "etag": entity_tag(integration.revision)},
        replayed=view.model_copy(update={"webhook_secret": None}),
    )
