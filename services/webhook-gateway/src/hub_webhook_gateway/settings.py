"""What an operator may set for the webhook-gateway."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

from hub_runtime.egress_settings import EgressSettings
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode


class GatewaySettings(EgressSettings):
    """Settings of the webhook-gateway, beside those of every process."""

    gateway_keys_file: Path = Field(
        default=Path(".hub/keys/gateway.json"),
        description="File with the private keys that open webhook secrets; readable by this process's user only.",
    )
    gateway_keys: SecretStr | None = Field(
        default=None, description="The content of the private key file, instead of HUB_GATEWAY_KEYS_FILE."
    )
    # The upper bound keeps whatever a body holds, written anew, within one message.
    webhook_max_body_bytes: int = Field(
        default=262_144, ge=1024, le=1_048_576, description="Bytes a webhook's body may have at most."
    )
    webhook_body_deadline_s: float = Field(
        default=10.0, gt=0, le=120, description="Seconds a sender may take to send a webhook's body."
    )
    webhook_cache_s: float = Field(
        default=2.0,
        ge=0,
        le=60,
        description="Seconds an integration's webhook settings and secret are remembered; then edits take effect.",
    )
    webhook_rotation_overlap_s: int = Field(
        default=86_400, ge=0, description="Seconds the previous webhook secret stays valid after a new one was set."
    )
    webhook_sync_delay_s: float = Field(
        default=10.0,
        ge=0,
        le=300,
        description="Seconds after a push that only says there is news until what is new is synced; others join it.",
    )
    webhook_rate_per_s: float = Field(
        default=1_000.0,
        gt=0,
        description="Webhooks per second one process accepts for one integration in the long run.",
    )
    webhook_burst: int = Field(
        default=20_000, ge=1, description="Webhooks one process accepts for one integration at once."
    )
    webhook_client_rate_per_s: float = Field(
        default=2_000.0,
        gt=0,
        description="Webhooks per second one process accepts from one client address in the long run.",
    )
    webhook_client_burst: int = Field(
        default=40_000, ge=1, description="Webhooks one process accepts from one client address at once."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Networks of the proxies in front, whose X-Forwarded-For is believed; CIDRs separated by commas.",
    )

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _proxies_by_commas(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            ip_network(text)
        return texts
