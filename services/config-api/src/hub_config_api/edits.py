"""What an edit makes of an integration: pure functions, applied to whatever is stored at that moment."""

from datetime import datetime

from hub_model.early import soonest_due
from hub_model.integrations import Integration

from hub_config_api.sealing import SealedDraft


def new_integration(
    sealed: SealedDraft, *, college_id: str, integration_id: str, actor: str, now: datetime
) -> Integration:
    """A first revision, due at the college's next slot if it is enabled."""
    integration = Integration(
        id=integration_id,
        college_id=college_id,
        settings=sealed.settings,
        secrets=sealed.secrets,
        created_at=now,
        created_by=actor,
        updated_at=now,
        updated_by=actor,
    )
    return integration.with_sync(next_due_at=soonest_due(integration, now))


def edited(current: Integration, sealed: SealedDraft, *, actor: str, now: datetime) -> Integration:
    """The next revision.

    An edit ends a pause, unless it dropped a credential or the one that was dropped is still missing. The due time
    stays where it is as long as the interval does.
    """
    before, after = current.settings, sealed.settings
    remapped = before.endpoints != after.endpoints or before.time_zone != after.time_zone
    integration = current.model_copy(
        update={
            "settings": after,
            "secrets": sealed.secrets,
            "revision": current.revision + 1,
            "mapping_version": current.mapping_version + (1 if remapped else 0),
            "updated_at": now,
            "updated_by": actor,
        }
    )
    rescheduled = (before.enabled, before.sync_interval) != (after.enabled, after.sync_interval)
    return integration.with_sync(
        paused=bool(sealed.voided) or (current.sync.paused and sealed.lacks_credential),
        next_due_at=soonest_due(integration, now) if rescheduled else current.sync.next_due_at,
    )


def toggled(current: Integration, *, enabled: bool, actor: str, now: datetime) -> Integration:
    """Switched on, with any pause ended; or off, with no due time. The same object when nothing is to be done."""
    if current.settings.enabled == enabled and not (enabled and current.sync.paused):
        return current
    integration = current.model_copy(
        update={
            "settings": current.settings.model_copy(update={"enabled": enabled}),
            "revision": current.revision + 1,
            "updated_at": now,
            "updated_by": actor,
        }
    )
    return integration.with_sync(paused=current.sync.paused and not enabled, next_due_at=soonest_due(integration, now))
