"""What happens around a handler, one concern per file. ``Router.default_middleware`` has the order and the reasons."""

from hub_messaging.middleware.deadline import deadline
from hub_messaging.middleware.failure_reporting import failure_reporting, tell_run
from hub_messaging.middleware.log_context import log_context
from hub_messaging.middleware.retry_policy import RetryPolicy, after_crashes, decide, longest_delay_s, retry_policy

__all__ = [
    "RetryPolicy",
    "after_crashes",
    "deadline",
    "decide",
    "failure_reporting",
    "log_context",
    "longest_delay_s",
    "retry_policy",
    "tell_run",
]
