"""What an operator may set for the writer."""

from hub_runtime.settings import RuntimeSettings
from pydantic import Field


class WriterSettings(RuntimeSettings):
    """Settings of the writer, beside those of every process."""

    write_prefetch: int = Field(
        default=8, ge=1, le=256, description="Batches one writer merges at a time; each may be 1 MiB in memory."
    )
    progress_prefetch: int = Field(
        default=32, ge=1, le=1024, description="Progress messages one writer records at a time."
    )
