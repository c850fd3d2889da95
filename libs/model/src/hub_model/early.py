"""A sync before its time, because a push said that there is news. Pure.

The due time itself is brought forward, so an early sync is claimed, started and repaired like any other, and survives
a restart of everything. It is for the data types that pushes spoke of only; the regular slot stays where it is.

Invariant: news that is not readable yet when a run begins leaves an early sync for after it. Windows end behind the
source's clock by the safety lag, so what a push speaks of is readable only when that has passed.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from hub_model.endpoints import Stream, placeholders
from hub_model.incremental import DatetimeIncremental
from hub_model.integrations import Integration
from hub_model.records import DataType
from hub_model.slots import due_after

# Pushes closer together than this are one piece of news: not each of them is written down.
_AT_ONCE = timedelta(seconds=2)


def brought_forward(
    integration: Integration, data_types: Iterable[DataType], now: datetime, *, delay: timedelta
) -> Integration | None:
    """The integration that syncs these data types, none named meaning all of them, when they are readable.

    ``delay`` is how long after its push the news is in the source for certain. None if that is planned already, or
    nothing is ever due. The sync begins ``webhook.pause`` after the last one at the earliest.
    """
    sync = integration.sync
    if sync.next_due_at is None:
        return None
    readable_at = now + delay + _lag(integration)
    wanted = _in_order(data_types)
    due = max(readable_at, sync.last_sync_at + _pause(integration)) if sync.last_sync_at else readable_at
    if sync.early_due_at is not None and sync.news_readable_at is not None:
        due = min(due, sync.early_due_at)
        wanted = _in_order([*sync.early_data_types, *wanted]) if sync.early_data_types and wanted else ()
        is_planned = (due, wanted) == (sync.early_due_at, sync.early_data_types)
        if is_planned and readable_at - sync.news_readable_at < _AT_ONCE:
            return None
    return integration.with_sync(
        next_due_at=min(due, sync.next_due_at),
        early_due_at=due,
        early_data_types=wanted,
        news_readable_at=readable_at,
    )


def is_early(integration: Integration) -> bool:
    """Whether the due time is one that a push brought forward."""
    sync = integration.sync
    return sync.early_due_at is not None and sync.early_due_at == sync.next_due_at


def soonest_due(integration: Integration, now: datetime) -> datetime | None:
    """When the integration is due next: at the first slot later than ``now``, or early."""
    regular, early = due_after(integration, now), integration.sync.early_due_at
    return regular if regular is None or early is None else min(regular, early)


def data_types_due(integration: Integration, now: datetime) -> tuple[DataType, ...]:
    """What a scheduled run that begins now is for; none named means all data types.

    All, too, when a regular slot has passed since the early one was due: nobody else makes up for it.
    """
    early_due_at = integration.sync.early_due_at
    if early_due_at is None or not is_early(integration):
        return ()
    regular = due_after(integration, early_due_at)
    return () if regular is None or regular <= now else integration.sync.early_data_types


def left_for_later(integration: Integration, now: datetime) -> dict[str, Any]:
    """The fields of the sync state that speak of news, after a run has begun."""
    readable_at = integration.sync.news_readable_at
    if readable_at is None or readable_at <= now:
        return {"early_due_at": None, "early_data_types": (), "news_readable_at": None}
    return {"early_due_at": max(readable_at, now + _pause(integration))}


def _lag(integration: Integration) -> timedelta:
    """How far the newest window of any of its streams ends behind the source's clock, where later rows are left out."""
    settings = integration.settings
    streams = [*settings.streams.values(), *settings.endpoints.values()]
    return max(map(_lag_of, streams), default=timedelta(0))


def _lag_of(stream: Stream) -> timedelta:
    spec = stream.incremental
    if not isinstance(spec, DatetimeIncremental):
        return timedelta(0)
    is_bounded = spec.end_time_param or "window.end" in placeholders([stream.path, stream.params, stream.body])
    return spec.safety_lag + spec.cursor_granularity if is_bounded else timedelta(0)


def _pause(integration: Integration) -> timedelta:
    webhook = integration.settings.webhook
    return webhook.pause if webhook else timedelta(0)


def _in_order(data_types: Iterable[DataType]) -> tuple[DataType, ...]:
    wanted = set(data_types)
    return tuple(data_type for data_type in DataType if data_type in wanted)
