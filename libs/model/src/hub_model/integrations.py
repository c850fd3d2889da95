"""An integration: one connection from a college to one of its systems, with its schedule and its health."""

import re
from collections.abc import Mapping as MappingABC
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, JsonValue, SecretStr, StringConstraints, field_validator, model_validator

from hub_model.base import Input, Instant, Value
from hub_model.endpoints import Endpoint, Stream, StreamName
from hub_model.errors import ErrorClass
from hub_model.records import DataType
from hub_model.streams import reading_order

MIN_SYNC_INTERVAL_MINUTES = 5
MAX_SYNC_INTERVAL_MINUTES = 43_200

_HEADER_NAME = re.compile(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")
_RESERVED_HEADERS = frozenset(
    [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "te",
        "trailer",
        "expect",
        "proxy-authorization",
        "cookie",
        "accept-encoding",
        "forwarded",
    ]
)
_PLACEHOLDER = re.compile(r"^[*•.]{3,}")


def _no_placeholder(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value() or _PLACEHOLDER.match(secret.get_secret_value()):
        raise ValueError("this is a placeholder, not a secret; leave the field out to keep the stored one")
    return secret


# What a form shows in place of a stored secret must not come back as one.
Secret = Annotated[SecretStr, AfterValidator(_no_placeholder)]


class AuthType(StrEnum):
    API_KEY = "api-key"
    BEARER = "bearer"
    BASIC = "basic"
    OAUTH = "oauth"


class ApiKeyPlacement(Input):
    """Where the key of ``api-key`` goes: a header (default ``X-API-Key``) or a query parameter, with any prefix."""

    placement: Literal["header", "query"] = "header"
    name: str = Field(default="X-API-Key", min_length=1, max_length=64)
    prefix: str = Field(default="", max_length=32)


class OAuthSettings(Input):
    """OAuth 2.0 client credentials (RFC 6749 section 4.4). ``client_secret`` may be given as ``apiKey`` instead."""

    token_url: str
    client_id: str = Field(min_length=1, max_length=512)
    client_secret: Secret | None = None
    scopes: list[str] = Field(default_factory=list, max_length=50)
    client_authentication: Literal["basic", "body"] = "basic"

    @field_validator("token_url")
    @classmethod
    def _token_url(cls, url: str) -> str:
        return check_url(url)


class WebhookScheme(StrEnum):
    """``LEGACY``: ``x-webhook-signature``, hex HMAC-SHA256 of the raw body. ``STANDARD``: Standard Webhooks 1.0."""

    LEGACY = "legacy"
    STANDARD = "standard"


class WebhookSettings(Input):
    """How this integration's pushes are signed. Without a secret one is made, and shown once.

    ``data_type`` is what a body holds that does not say so itself.
    """

    scheme: WebhookScheme = WebhookScheme.LEGACY
    secret: Secret | None = None
    data_type: DataType | None = None


class RateLimits(Input):
    """What the source bears, over all workers that use this credential at its host. Unset: as it answers."""

    requests_per_minute: int | None = Field(default=None, ge=1, le=100_000)
    concurrency: int | None = Field(default=None, ge=1, le=100)


class Connector(Input):
    """The preset a draft was made from (``hub_connectors``), its version then, and the answers to its questions."""

    name: str = Field(min_length=1, max_length=64)
    version: int = Field(ge=1)
    settings: dict[str, JsonValue] = Field(default_factory=dict, max_length=50)


class IntegrationDraft(Input):
    """What a principal writes: the body of create and update. Secrets go in here and never come out."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
    type: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
    base_url: str = Field(max_length=2048)
    auth_type: AuthType
    api_key: Secret | None = None
    username: str | None = Field(default=None, max_length=256)
    password: Secret | None = None
    api_key_placement: ApiKeyPlacement = ApiKeyPlacement()
    oauth: OAuthSettings | None = None
    headers: dict[str, str] = Field(default_factory=dict, max_length=30)
    endpoints: dict[DataType, Endpoint] = Field(min_length=1)
    streams: dict[StreamName, Stream] = Field(default_factory=dict, max_length=50)
    limits: RateLimits = RateLimits()
    connector: Connector | None = None
    webhook: WebhookSettings | None = None
    time_zone: str = "Asia/Kolkata"
    sync_interval: Annotated[int, Field(strict=True, le=MAX_SYNC_INTERVAL_MINUTES)] = 60
    enabled: Annotated[bool, Field(strict=True)] = False

    @field_validator("endpoints", mode="before", json_schema_input_type=dict[DataType, str | Endpoint | None])
    @classmethod
    def _plain_paths(cls, endpoints: Any) -> Any:
        if not isinstance(endpoints, MappingABC):
            return endpoints
        return {
            data_type: {"path": endpoint} if isinstance(endpoint, str) else endpoint
            for data_type, endpoint in endpoints.items()
            if endpoint not in (None, "")  # the form's untouched fields
        }

    @model_validator(mode="after")
    def _known_streams(self) -> "IntegrationDraft":
        for stream in (*self.streams.values(), *self.endpoints.values()):
            reading_order(self.streams, stream)
        return self

    @field_validator("sync_interval")
    @classmethod
    def _interval(cls, minutes: int) -> int:
        if minutes < MIN_SYNC_INTERVAL_MINUTES:
            raise ValueError(f"the shortest interval is {MIN_SYNC_INTERVAL_MINUTES} minutes")
        return minutes

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, url: str) -> str:
        return check_url(url).rstrip("/")

    @field_validator("time_zone")
    @classmethod
    def _time_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("not an IANA time zone; write one such as Asia/Kolkata") from error
        return name

    @field_validator("headers")
    @classmethod
    def _headers(cls, headers: dict[str, str]) -> dict[str, str]:
        return check_headers(headers)

    @model_validator(mode="after")
    def _auth_fields(self) -> "IntegrationDraft":
        if self.auth_type is AuthType.OAUTH and self.oauth is None:
            raise ValueError("authType oauth needs an 'oauth' object with tokenUrl and clientId")
        return self


class SealedSecret(Value):
    """A secret sealed to the one service that reads it (``hub_security.vault``). ``hint`` is safe to show."""

    key_id: str
    ciphertext: str
    version: int
    origin: str
    hint: str = ""
    set_at: Instant


class Health(StrEnum):
    """The seed's status indicators. ``ERROR``: the last sync failed."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    ERROR = "error"


class LastError(Value):
    """Why the last sync failed, for a principal."""

    error_class: ErrorClass
    code: str
    message: str
    at: Instant


class SyncState(Value):
    """The schedule and health of an integration, kept by scheduler, config-api and writer.

    ``active_run_id`` is the one run that may exist at a time. ``paused``: the last error asks for a person (bad
    credentials, wrong path), so the interval does not retry until the integration is edited, toggled or synced by
    hand.
    """

    next_due_at: Instant | None = None
    active_run_id: str | None = None
    active_since: Instant | None = None
    last_run_id: str | None = None
    last_run_status: str | None = None
    last_sync_at: Instant | None = None
    last_success_at: Instant | None = None
    last_error: LastError | None = None
    paused: bool = False


class Integration(Value):
    """A stored integration. ``settings`` holds no secret; ``secrets`` maps a field's name to its sealed value.

    ``revision`` counts edits by people and is the ETag; ``mapping_version`` counts changes of the endpoints.
    """

    id: str
    college_id: str
    revision: int = 1
    mapping_version: int = 1
    settings: IntegrationDraft
    secrets: dict[str, SealedSecret] = Field(default_factory=dict)
    sync: SyncState = SyncState()
    created_at: Instant
    created_by: str
    updated_at: Instant
    updated_by: str

    @property
    def health(self) -> Health:
        if not self.settings.enabled:
            return Health.INACTIVE
        return Health.ERROR if self.sync.last_error else Health.ACTIVE

    def with_sync(self, **changes: Any) -> "Integration":
        """A copy whose sync state has these fields changed."""
        return self.model_copy(update={"sync": self.sync.model_copy(update=changes)})


def origin_of(url: str) -> str:
    """scheme://host:port in lower case, the unit a credential is bound to (RFC 6454)."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def credential_origin(settings: IntegrationDraft) -> str:
    """The origin that a credential of these settings is bound to: whatever it, or a token bought with it, is sent to.

    With OAuth that may be two: the token endpoint's, and the system's own.
    """
    origin = origin_of(settings.base_url)
    if settings.auth_type is not AuthType.OAUTH or settings.oauth is None:
        return origin
    token_origin = origin_of(settings.oauth.token_url)
    return origin if token_origin == origin else f"{origin} {token_origin}"


def check_url(url: str) -> str:
    """An http(s) URL with a host and nothing that parsers disagree about; ValueError says what to mend."""
    if any(ord(char) <= 32 or ord(char) == 127 for char in url) or "\\" in url:
        raise ValueError("a URL has no spaces, control characters or backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError("not a URL; write one such as https://erp.college.edu/api/v1") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write a full address that begins with https:// (or http://) and names a host")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise ValueError("leave user and password out of the URL; they go in their own fields")
    if "?" in url or "#" in url:
        raise ValueError("leave '?' and '#' out of the base URL; parameters belong to the endpoints")
    if port == 0 or not parts.hostname.isascii():
        raise ValueError("write the host in ASCII (punycode) and a port between 1 and 65535")
    return url


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """Header names and values that may be sent to a source; ValueError names the one that may not."""
    for name, value in headers.items():
        if not _HEADER_NAME.match(name):
            raise ValueError(f"{name[:64]!r} is not a header name")
        lowered = name.lower()
        if lowered in _RESERVED_HEADERS or lowered.startswith(("x-forwarded-", "proxy-", "sec-")):
            raise ValueError(f"the header {name} is set by the hub and cannot be given")
        if lowered == "authorization":
            raise ValueError("put the credential in apiKey or password; Authorization is made from authType")
        if len(value) > 4096 or any(ord(char) < 32 or ord(char) > 126 for char in value):
            raise ValueError(f"the value of {name} must be printable ASCII of at most 4096 characters")
    return headers


def next_due(integration: Integration, after: datetime, *, offset_s: float) -> datetime:
    """The first slot later than ``after``: slots lie ``sync_interval`` apart and are shifted by ``offset_s``.

    Counting from the epoch makes a slot the same instant in every process, so that a run's id can derive from it.
    """
    period_s = integration.settings.sync_interval * 60
    elapsed = after.timestamp() - offset_s % period_s
    return datetime.fromtimestamp((elapsed // period_s + 1) * period_s + offset_s % period_s, tz=UTC)
