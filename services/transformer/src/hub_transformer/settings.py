"""What an operator may set for the transformer."""

from hub_runtime.settings import RuntimeSettings
from pydantic import Field


class TransformerSettings(RuntimeSettings):
    """Settings of the transformer, beside those of every process."""

    transform_prefetch: int = Field(
        default=4, ge=1, le=64, description="Batches one transformer holds at a time; mapping itself uses one core."
    )
    mapping_ttl_s: float = Field(
        default=5.0,
        ge=0,
        le=300,
        description="Seconds until a transformer looks again whether an integration's mapping has changed.",
    )
    mappings_kept: int = Field(
        default=256, ge=1, le=10_000, description="Compiled mappings one transformer keeps in memory."
    )
