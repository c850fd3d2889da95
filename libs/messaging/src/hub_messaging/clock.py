"""What time it is: always passed in, so that a test can say."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of every process that is not a test."""
    return datetime.now(UTC)
