"""What an operator may set for the scheduler."""

from hub_runtime.settings import RuntimeSettings
from pydantic import Field


class SchedulerSettings(RuntimeSettings):
    """Settings of the scheduler, beside those of every process."""

    tick_s: float = Field(
        default=5.0,
        ge=0.05,
        le=60,
        description="Seconds between two looks at what is due; ticks fall on multiples of it.",
    )
    handover_grace_s: float = Field(
        default=30.0,
        ge=1,
        le=600,
        description="Seconds a started sync may wait in line before its request is repeated.",
    )
    stall_after_s: float = Field(
        default=1800.0,
        ge=60,
        le=86_400,
        description="Seconds without progress before a sync is ended as stalled; waits for the source, "
        "and times without broker or store, do not count.",
    )
