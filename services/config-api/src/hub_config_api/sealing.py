"""Takes the secrets out of a draft: each is sealed to the service that reads it, the rest may be stored and shown."""

from dataclasses import dataclass
from datetime import datetime

from hub_model.access import credential_origin, given_secrets, needed_secrets
from hub_model.auth import is_extra_key
from hub_model.errors import InvalidInput, Issue
from hub_model.integrations import Integration, IntegrationDraft, SealedSecret
from hub_model.webhooks import WebhookSettings
from hub_security.signatures import check_secret, new_secret
from hub_security.vault import SecretBinding, SecretSealer, recipient_of

from hub_config_api.webhooks import ChosenWebhook, choose_webhook, is_same_scheme

WEBHOOK_SECRET = "webhookSecret"  # noqa: S105 - a field's name
PREVIOUS_WEBHOOK_SECRET = "webhookSecretPrevious"  # noqa: S105 - a field's name
_WEBHOOK_SECRETS = (WEBHOOK_SECRET, PREVIOUS_WEBHOOK_SECRET)


@dataclass(frozen=True, slots=True)
class SealedDraft:
    """A draft without its secrets, and the integration's secrets from now on.

    ``voided`` names stored secrets that were dropped because they belong to another origin. ``shown_once`` is a
    webhook secret made here, which nobody can read again. ``webhook_warnings`` tell what became of the webhook.
    """

    settings: IntegrationDraft
    secrets: dict[str, SealedSecret]
    voided: tuple[str, ...] = ()
    shown_once: str | None = None
    webhook_warnings: tuple[str, ...] = ()

    @property
    def lacks_credential(self) -> bool:
        """Whether the way of authentication needs a secret that is not there."""
        needed = needed_secrets(self.settings)
        return not all(any(name in self.secrets for name in names) for names in needed)

    @property
    def warnings(self) -> list[str]:
        """What the person who edited should know."""
        connector = self.settings.connector
        told = (
            [f"Recognised by its path as {connector.name}: {what}" for what in connector.recognised]
            if connector
            else []
        )
        told += self.webhook_warnings
        if not self.voided:
            return told
        names = " and ".join(self.voided)
        return [
            *told,
            f"Requests go to another address now, so the stored {names} was removed and syncing is paused. "
            "Give the credential again.",
        ]


def seal_draft(
    sealer: SecretSealer,
    draft: IntegrationDraft,
    *,
    college_id: str,
    integration_id: str,
    stored: Integration | None,
    now: datetime,
) -> SealedDraft:
    """Seal what the draft brings and keep the stored secrets it leaves out, as far as their origin is the same."""
    chosen = choose_webhook(draft, stored)
    webhook = chosen.settings
    pointers = {name: pointer for name, (pointer, _) in given_secrets(draft).items()}
    given = {name: secret.get_secret_value() for name, (_, secret) in given_secrets(draft).items()}
    if draft.webhook is not None and draft.webhook.secret is not None:
        given[WEBHOOK_SECRET] = draft.webhook.secret.get_secret_value()
    shown_once = None
    if WEBHOOK_SECRET not in given and _needs_webhook_secret(webhook, stored):
        given[WEBHOOK_SECRET] = shown_once = new_secret(webhook.scheme)
    _check_webhook_secret(webhook, given.get(WEBHOOK_SECRET))
    kept, voided = _kept_secrets(draft, stored, given)
    if not webhook.has_secret:
        kept = {field: sealed for field, sealed in kept.items() if field not in _WEBHOOK_SECRETS}
    secrets = dict(kept)
    for field, value in given.items():
        old = stored.secrets.get(field) if stored else None
        if field == WEBHOOK_SECRET and old is not None and stored is not None and _same_scheme(webhook, stored):
            # The other side needs time to change over; the gateway ends the overlap.
            secrets[PREVIOUS_WEBHOOK_SECRET] = old
        secrets[field] = _seal(
            sealer,
            value,
            SecretBinding(college_id, integration_id, field),
            origin=_origin_for(field, draft),
            version=old.version + 1 if old else 1,
            now=now,
            pointer=pointers.get(field, "/webhook/secret"),
        )
    return SealedDraft(
        settings=_without_secrets(draft, chosen),
        secrets=secrets,
        voided=tuple(voided),
        shown_once=shown_once,
        webhook_warnings=chosen.warnings,
    )


def _kept_secrets(
    draft: IntegrationDraft, stored: Integration | None, given: dict[str, str]
) -> tuple[dict[str, SealedSecret], list[str]]:
    kept: dict[str, SealedSecret] = {}
    voided: list[str] = []
    wanted = {key.secret_name for key in draft.extra_keys}
    for field, sealed in (stored.secrets if stored else {}).items():
        if field in given or (is_extra_key(field) and field not in wanted):
            continue
        if field == PREVIOUS_WEBHOOK_SECRET:
            if WEBHOOK_SECRET not in given:
                kept[field] = sealed
        elif sealed.origin == _origin_for(field, draft):
            kept[field] = sealed
        else:
            voided.append(field)
    return kept, voided


def _origin_for(field: str, draft: IntegrationDraft) -> str:
    """What a secret may be sent to: a credential to its own system only, a webhook secret to nothing at all."""
    return "webhook" if field == WEBHOOK_SECRET else credential_origin(draft)


def _needs_webhook_secret(webhook: WebhookSettings, stored: Integration | None) -> bool:
    if not webhook.has_secret:
        return False
    return stored is None or WEBHOOK_SECRET not in stored.secrets or not _same_scheme(webhook, stored)


def _same_scheme(webhook: WebhookSettings, stored: Integration) -> bool:
    return is_same_scheme(webhook, stored.settings.webhook or WebhookSettings())


def _check_webhook_secret(webhook: WebhookSettings, secret: str | None) -> None:
    if secret is None:
        return
    try:
        check_secret(webhook.scheme, secret, in_address=webhook.is_in_address)
    except InvalidInput as error:
        raise _refused("/webhook/secret", str(error)) from error


def _seal(
    sealer: SecretSealer,
    value: str,
    binding: SecretBinding,
    *,
    origin: str,
    version: int,
    now: datetime,
    pointer: str,
) -> SealedSecret:
    try:
        return sealer.seal(
            value, binding, recipient=recipient_of(binding.field), origin=origin, version=version, now=now
        )
    except InvalidInput as error:
        raise _refused(pointer, str(error)) from error


def _refused(pointer: str, reason: str) -> InvalidInput:
    return InvalidInput(f"Mend {pointer} and send it again.", [Issue(pointer, "secret_refused", f"{reason}.")])


def _without_secrets(draft: IntegrationDraft, chosen: ChosenWebhook) -> IntegrationDraft:
    webhook = chosen.settings.model_copy(update={"secret": None})
    return draft.model_copy(update={**draft.without_secrets(), "connector": chosen.connector, "webhook": webhook})
