"""Which webhook an integration has after an edit. Its senders are set up for one: it changes when somebody says so."""

from dataclasses import dataclass

from hub_connectors.loader import presets
from hub_model.integrations import Connector, Integration, IntegrationDraft, PresetWebhook
from hub_model.webhooks import WebhookSettings


@dataclass(frozen=True, slots=True)
class ChosenWebhook:
    """``connector`` says whether the webhook is the preset's; ``warnings`` are for the person who edits."""

    settings: WebhookSettings
    connector: Connector | None
    warnings: tuple[str, ...] = ()


def choose_webhook(draft: IntegrationDraft, stored: Integration | None) -> ChosenWebhook:
    """The draft's own webhook, else the stored one, else the preset's, else one of the hub's own.

    A stored one that is the preset's follows the preset's answers as long as a secret of it stays good, and is gone
    with the answer that it stands or falls with.
    """
    offered = draft.webhook
    if stored is None:
        chosen = _marked(draft.connector, is_presets=_is_presets(draft))
        return ChosenWebhook(offered or WebhookSettings(), chosen, () if offered else _told_off(draft))
    before = stored.settings.webhook or WebhookSettings()
    was_presets = _is_presets(stored.settings) and _name_of(stored.settings) == _name_of(draft)
    if was_presets and _is(draft, PresetWebhook.OFF):
        off = WebhookSettings()
        told = (*_told_off(draft), _told_changed(off, before))
        return ChosenWebhook(off, _marked(draft.connector, is_presets=False), told)
    is_unsaid = _is(draft, PresetWebhook.OFFERED)
    if offered is None or (is_unsaid and not (was_presets and is_same_scheme(offered, before))):
        if offered is None or _proof_of(offered) == _proof_of(before):
            warnings: tuple[str, ...] = ()
        else:
            warnings = (_told_kept(draft, offered, before),)
        return ChosenWebhook(before, _marked(draft.connector, is_presets=was_presets), warnings)
    warnings = ()
    if not is_same_scheme(offered, before):
        warnings = (_told_changed(offered, before),)
    elif _proof_of(offered) != _proof_of(before):
        warnings = ("Webhooks are checked in another place or by other keys from now on: set up their sender again.",)
    return ChosenWebhook(offered, _marked(draft.connector, is_presets=_is_presets(draft)), warnings)


def is_same_scheme(webhook: WebhookSettings, before: WebhookSettings) -> bool:
    """Whether a secret of the one is good for the other."""
    return (webhook.scheme, webhook.is_in_address) == (before.scheme, before.is_in_address)


def _proof_of(webhook: WebhookSettings) -> tuple[object, ...]:
    return webhook.scheme, webhook.signature, webhook.secret_placement, webhook.jwt


def _name_of(draft: IntegrationDraft) -> str | None:
    return draft.connector.name if draft.connector else None


def _told_off(draft: IntegrationDraft) -> tuple[str, ...]:
    """That the preset has a webhook, which an answer is missing for."""
    preset = presets().get(_name_of(draft) or "") if _is(draft, PresetWebhook.OFF) else None
    needed = preset.webhook_needs if preset is not None else None
    if preset is None or needed is None:
        return ()
    return (
        f"The webhooks of {preset.title} are off, since the setting '{needed.name}' is not answered. To switch them "
        f'on, answer it and send "webhook": {{"scheme": "{preset.webhook_scheme}"}}. Own pushes are taken meanwhile.',
    )


def _is(draft: IntegrationDraft, origin: PresetWebhook) -> bool:
    return draft.connector is not None and draft.connector.webhook is origin


def _is_presets(draft: IntegrationDraft) -> bool:
    return _is(draft, PresetWebhook.OFFERED) or _is(draft, PresetWebhook.TAKEN)


def _marked(connector: Connector | None, *, is_presets: bool) -> Connector | None:
    """``OFFERED`` is about a draft; sent back with a stored one it would take the word out of its mouth."""
    if connector is None:
        return None
    return connector.model_copy(update={"webhook": PresetWebhook.TAKEN if is_presets else None})


def _told_kept(draft: IntegrationDraft, offered: WebhookSettings, before: WebhookSettings) -> str:
    secret = ", with a new secret" if offered.has_secret else ""
    return (
        f"Webhooks are still checked by the scheme {_name(before)}, since this edit does not name 'webhook'. Those "
        f"that {draft.type} sends by itself have the scheme {_name(offered)}: to change over, send "
        f'"webhook": {{"scheme": "{offered.scheme}"}}, which takes the rest from the connector{secret}.'
    )


def _told_changed(webhook: WebhookSettings, before: WebhookSettings) -> str:
    void = " The old secret is void." if before.has_secret else ""
    return f"Webhooks are checked by the scheme {_name(webhook)} from now on, and no longer by {_name(before)}.{void}"


def _name(webhook: WebhookSettings) -> str:
    return f"{webhook.scheme} (in the address)" if webhook.is_in_address else str(webhook.scheme)
