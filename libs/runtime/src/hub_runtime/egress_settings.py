"""Where a service may connect to by itself: one set of rules for all that dial what a college has written down."""

from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from hub_runtime.settings import RuntimeSettings


class EgressSettings(RuntimeSettings):
    """What the fetcher and the gateway will not dial, the config-api does not store either."""

    allowed_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Private networks that sources may be in, as CIDRs separated by commas, such as 10.20.0.0/16.",
    )
    refused_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Networks that are never dialled, though they are public; CIDRs separated by commas."
    )
    allowed_ports: Annotated[tuple[int, ...], NoDecode] = Field(
        default=(), description="Ports that sources may have beside 80, 443 and those from 1024 on, by commas."
    )

    @field_validator("allowed_networks", "refused_networks", "allowed_ports", mode="before")
    @classmethod
    def _by_commas(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
