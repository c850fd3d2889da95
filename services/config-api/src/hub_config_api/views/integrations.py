"""An integration as its principal sees it."""

from datetime import timedelta
from typing import Any

from hub_model.auth import (
    ApiKeyPlacement,
    AuthType,
    ExtraKey,
    LoginSettings,
    OAuth1Settings,
    OAuthSettings,
    Placement,
    TokenPlacement,
)
from hub_model.base import Instant, Value
from hub_model.endpoints import Endpoint, Stream
from hub_model.integrations import (
    Connector,
    Health,
    Integration,
    LastError,
    RateLimits,
)
from hub_model.messages import ProbeCheck, ProbeFinished
from hub_model.records import DataType
from hub_model.webhooks import (
    SecretPlacement,
    SignatureHeader,
    SignedEvents,
    SyncOnPush,
    WebhookScheme,
    WebhookSettings,
)
from pydantic import Field

from hub_config_api.sealing import SealedDraft

_SHOWN_SETTINGS = (
    "name",
    "type",
    "base_url",
    "auth_type",
    "username",
    "api_key_placement",
    "login",
    "headers",
    "endpoints",
    "streams",
    "limits",
    "connector",
    "time_zone",
    "sync_interval",
    "enabled",
)
_SHOWN_WEBHOOK = ("scheme", "signature", "secret_placement", "jwt", "allowed_networks", "data_type", "syncs", "pause")
_SHOWN_HISTORY = ("revision", "mapping_version", "created_at", "created_by", "updated_at", "updated_by")


class SecretView(Value):
    """That a secret is stored. ``hint`` is its end, if it is long enough for that to be harmless."""

    set: bool = True
    hint: str
    set_at: Instant


class ExtraKeyView(Placement):
    """Where a further key goes. Its value is among ``secrets``, as ``extraKeys:`` and its name."""


class OAuthView(Value):
    grant: str
    token_url: str
    client_id: str
    scopes: list[str]
    client_authentication: str
    extra_params: dict[str, str]
    token_placement: TokenPlacement


class OAuth1View(Value):
    consumer_key: str
    signature_method: str
    realm: str | None


class WebhookView(Value):
    """Where and how the college's system pushes. A secret in the address follows ``url`` and a slash."""

    url: str
    scheme: WebhookScheme
    signature: SignatureHeader | None
    secret_placement: SecretPlacement | None
    jwt: SignedEvents | None
    allowed_networks: list[str]
    data_type: DataType | None
    syncs: list[SyncOnPush]
    pause: timedelta


class IntegrationView(Value):
    """An integration as its principal sees it. ``revision`` is also the ETag."""

    id: str
    name: str
    type: str
    base_url: str
    auth_type: AuthType
    username: str | None
    api_key_placement: ApiKeyPlacement
    extra_keys: list[ExtraKeyView]
    oauth: OAuthView | None
    oauth1: OAuth1View | None
    login: LoginSettings | None
    headers: dict[str, str]
    endpoints: dict[DataType, Endpoint]
    streams: dict[str, Stream]
    limits: RateLimits
    connector: Connector | None
    time_zone: str
    sync_interval: int
    enabled: bool
    status: Health
    paused: bool
    last_sync: Instant | None
    last_success: Instant | None
    next_sync: Instant | None
    last_error: LastError | None
    last_run_id: str | None
    active_run_id: str | None
    secrets: dict[str, SecretView]
    webhook: WebhookView
    revision: int
    mapping_version: int
    created_at: Instant
    created_by: str
    updated_at: Instant
    updated_by: str


class EditedIntegrationView(IntegrationView):
    """The answer to create and update. ``webhookSecret`` is there once, when the hub has just made it."""

    webhook_secret: str | None = None
    warnings: list[str] = Field(default_factory=list)


class IntegrationPage(Value):
    items: list[IntegrationView]
    next_cursor: str | None


class ConnectionTest(Value):
    """The result of a connection test."""

    success: bool
    message: str
    checks: list[ProbeCheck]


def integration_fields(integration: Integration, *, public_url: str) -> dict[str, Any]:
    """The fields of IntegrationView and of what derives from it."""
    settings, sync = integration.settings, integration.sync
    webhook = settings.webhook or WebhookSettings()
    return {
        **{name: getattr(settings, name) for name in _SHOWN_SETTINGS},
        "id": integration.id,
        "extra_keys": [_extra_key_view(key) for key in settings.extra_keys],
        "oauth": _oauth_view(settings.oauth),
        "oauth1": _oauth1_view(settings.oauth1),
        "status": integration.health,
        "paused": sync.paused,
        "last_sync": sync.last_sync_at,
        "last_success": sync.last_success_at,
        "next_sync": None if sync.paused else sync.next_due_at,
        "last_error": sync.last_error,
        "last_run_id": sync.last_run_id,
        "active_run_id": sync.active_run_id,
        "secrets": {
            name: SecretView(hint=sealed.hint, set_at=sealed.set_at) for name, sealed in integration.secrets.items()
        },
        "webhook": WebhookView(
            url=f"{public_url}/api/webhooks/integrations/{integration.id}",
            **{name: getattr(webhook, name) for name in _SHOWN_WEBHOOK},
        ),
        **{name: getattr(integration, name) for name in _SHOWN_HISTORY},
    }


def edited_view(integration: Integration, sealed: SealedDraft | None, *, public_url: str) -> EditedIntegrationView:
    """The answer to an edit. ``sealed`` is None where an earlier attempt of the same request made it."""
    return EditedIntegrationView(
        **integration_fields(integration, public_url=public_url),
        webhook_secret=sealed.shown_once if sealed else None,
        warnings=sealed.warnings if sealed else [],
    )


def check_result(answer: ProbeFinished) -> ConnectionTest:
    """The answer of the fetcher in one sentence, with every step behind it."""
    failed = next((check for check in answer.checks if not check.ok), None)
    if answer.ok or failed is None:
        message = "The connection works." if answer.ok else "The connection test failed."
    else:
        message = " ".join(part.rstrip(".") + "." for part in (failed.detail, failed.fix) if part)
    return ConnectionTest(success=answer.ok, message=message, checks=list(answer.checks))


def _oauth_view(oauth: OAuthSettings | None) -> OAuthView | None:
    if oauth is None:
        return None
    return OAuthView(
        grant=oauth.grant,
        token_url=oauth.token_url,
        client_id=oauth.client_id,
        scopes=oauth.scopes,
        client_authentication=oauth.client_authentication,
        extra_params=oauth.extra_params,
        token_placement=oauth.token_placement,
    )


def _oauth1_view(oauth1: OAuth1Settings | None) -> OAuth1View | None:
    if oauth1 is None:
        return None
    return OAuth1View(consumer_key=oauth1.consumer_key, signature_method=oauth1.signature_method, realm=oauth1.realm)


def _extra_key_view(key: ExtraKey) -> ExtraKeyView:
    return ExtraKeyView(placement=key.placement, name=key.name, prefix=key.prefix, suffix=key.suffix)
