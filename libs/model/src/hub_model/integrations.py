"""An integration: one connection from a college to one of its systems, with its schedule and its health."""

from collections.abc import Mapping as MappingABC
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, JsonValue, StringConstraints, field_validator, model_validator

from hub_model.access import Access
from hub_model.addresses import check_headers
from hub_model.base import Input, Instant, Value, check_time_zone
from hub_model.combining import StreamName
from hub_model.endpoints import Endpoint, Stream
from hub_model.errors import ErrorClass
from hub_model.records import DataType
from hub_model.streams import reading_order
from hub_model.webhooks import WebhookSettings

MIN_SYNC_INTERVAL_MINUTES = 5
MAX_SYNC_INTERVAL_MINUTES = 43_200

_DATA_TYPES = frozenset(str(data_type) for data_type in DataType)


class RateLimits(Input):
    """What the source bears, over all workers that use this credential at its host. Unset: as it answers.

    ``concurrency`` is how many requests may be under way at a time.
    """

    requests_per_minute: int | None = Field(default=None, ge=1, le=100_000)
    concurrency: int | None = Field(default=None, ge=1, le=100)


class PresetWebhook(StrEnum):
    """That a webhook is as the preset has it. ``OFFERED``: in a draft that says nothing of one. ``OFF``: not even that,
    for the answer that it needs is missing. ``TAKEN``: in use.
    """

    OFFERED = "offered"
    OFF = "off"
    TAKEN = "taken"


class Connector(Input):
    """The preset a draft was made from: its ``name`` and ``version`` then, and the answers to its ``settings``.

    ``recognised`` tells what was completed in a draft that named no preset, because of its paths. ``webhook`` is there
    while the webhook is the preset's, and follows its answers.
    """

    name: str = Field(min_length=1, max_length=64)
    version: int = Field(ge=1)
    settings: dict[str, JsonValue] = Field(default_factory=dict, max_length=50)
    recognised: list[Annotated[str, Field(max_length=500)]] = Field(default_factory=list, max_length=10)
    webhook: PresetWebhook | None = None


class IntegrationDraft(Access):
    """What a principal writes: the body of create and update. Secrets go in here and never come out.

    ``name`` is shown to people and is unique in the college. ``type`` names a preset, or is any word. ``endpoints`` say
    for each data type where its records come from; ``streams`` are read for them first. ``headers`` are sent with every
    request. ``time_zone`` is where the college is: days begin there, and times without a zone are meant so.
    ``sync_interval`` is in minutes. Only what is ``enabled`` syncs by itself. ``connector`` is filled in by a preset.
    """

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
    type: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
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
            # The form's untouched fields; a name that there is not is told all the same.
            if endpoint not in (None, "") or data_type not in _DATA_TYPES
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

    @field_validator("time_zone")
    @classmethod
    def _time_zone(cls, name: str) -> str:
        return check_time_zone(name)

    @field_validator("headers")
    @classmethod
    def _headers(cls, headers: dict[str, str]) -> dict[str, str]:
        return check_headers(headers)


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
    hand. ``early_due_at``: pushes have asked for a sync of ``early_data_types``; what the last of them spoke of is
    in the source at ``news_at``. ``active_data_types`` are the active run's. None of them means all.
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
    early_due_at: Instant | None = None
    early_data_types: tuple[DataType, ...] = ()
    news_at: Instant | None = None
    active_data_types: tuple[DataType, ...] = ()


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

    @property
    def active_data_types(self) -> tuple[DataType, ...]:
        """What the active run is for."""
        every = tuple(self.settings.endpoints)
        return tuple(data_type for data_type in every if data_type in self.sync.active_data_types) or every

    def with_sync(self, **changes: Any) -> "Integration":
        """A copy whose sync state has these fields changed."""
        return self.model_copy(update={"sync": self.sync.model_copy(update=changes)})


def next_due(integration: Integration, after: datetime, *, offset_s: float) -> datetime:
    """The first slot later than ``after``: slots lie ``sync_interval`` apart and are shifted by ``offset_s``.

    Counting from the epoch makes a slot the same instant in every process, so that a run's id can derive from it.
    """
    period_s = integration.settings.sync_interval * 60
    elapsed = after.timestamp() - offset_s % period_s
    return datetime.fromtimestamp((elapsed // period_s + 1) * period_s + offset_s % period_s, tz=UTC)
