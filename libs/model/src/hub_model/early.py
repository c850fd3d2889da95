"""A sync before its time, because a push said that there is news. Pure.

The due time itself is brought forward, so an early sync is claimed, started and repaired like any other, and survives
a restart of everything. It is for the data types that pushes spoke of only; the regular slot stays where it is.

Invariant: news that is not readable yet when a run begins leaves an early sync for after it. Windows end behind the
source's clock by the safety lag, so what a push speaks of is readable only when that has passed.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from hub_model.endpoints import Stream, placeholders
from hub_model.incremental import DatetimeIncremental
from hub_model.integrations import Integration
from hub_model.records import DataType
from hub_model.slots import due_after

# Pushes closer together than this, and than the delay, are one piece of news: not each of them is written down.
_AT_ONCE = timedelta(seconds=2)
# A time of news that lies further ahead was written by a clock that was wrong.
_LONGEST_DELAY = timedelta(minutes=5)
NO_NEWS: Mapping[str, Any] = {"early_due_at": None, "early_data_types": (), "news_at": None}


def brought_forward(
    integration: Integration, data_types: Iterable[DataType], now: datetime, *, delay: timedelta
) -> Integration | None:
    """The integration that syncs these data types, none named meaning all of them, when they are readable.

    ``delay`` is how long after its push the news is in the source for certain: minutes at most. None if that is planned
    already, or nothing is ever due. The sync begins ``webhook.pause`` after the last one at the earliest.
    """
    sync = integration.sync
    if sync.next_due_at is None:
        return None
    news_at, wanted = now + delay, _in_order(data_types)
    due = news_at + _lag(integration)
    if sync.last_sync_at is not None:
        due = max(due, min(sync.last_sync_at, now) + _pause(integration))
    if sync.early_due_at is not None and sync.news_at is not None:
        due = min(due, sync.early_due_at)
        wanted = _in_order([*sync.early_data_types, *wanted]) if sync.early_data_types and wanted else ()
        is_planned = (due, wanted) == (sync.early_due_at, sync.early_data_types)
        if is_planned and news_at - sync.news_at < min(_AT_ONCE, delay):
            return None
        news_at = max(news_at, min(sync.news_at, now + _LONGEST_DELAY))
    return integration.with_sync(
        next_due_at=min(due, sync.next_due_at), early_due_at=due, early_data_types=wanted, news_at=news_at
    )


def read_at(integration: Integration) -> datetime | None:
    """When a sync begins that reads all news so far, but for what came at once; later if the one before it is long."""
    sync = integration.sync
    if sync.early_due_at is None or sync.news_at is None:
        return None
    readable_at = sync.news_at + _lag(integration)
    if sync.next_due_at is not None and sync.next_due_at < min(sync.early_due_at, readable_at):
        return max(readable_at, sync.next_due_at + _pause(integration))
    if sync.early_due_at > readable_at - _AT_ONCE:
        return sync.early_due_at
    return max(readable_at, sync.early_due_at + _pause(integration))


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

    All, too, when a regular slot has come since the early one was due: nobody else makes up for it.
    """
    early_due_at, wanted = integration.sync.early_due_at, integration.sync.early_data_types
    if early_due_at is None or not is_early(integration) or _has_slot(integration, early_due_at, now):
        return ()
    return wanted if integration.settings.endpoints.keys() - set(wanted) else ()


def left_for_later(integration: Integration, now: datetime) -> Mapping[str, Any]:
    """The fields of the sync state that speak of news, after a run has begun."""
    news_at = integration.sync.news_at
    readable_at = news_at and news_at + _lag(integration)
    if readable_at is None or readable_at <= now:
        return NO_NEWS
    return {"early_due_at": max(readable_at, now + _pause(integration))}


def put_off(integration: Integration, ended_at: datetime) -> Mapping[str, Any]:
    """The fields of the sync state that change because a run has ended, so that the pause begins at its end.

    A regular slot that came during a run for some of the data types is made up for at once, and is for all of them.
    """
    sync = integration.sync
    if sync.early_due_at is None or sync.next_due_at is None:
        return {}
    is_owed = bool(sync.active_data_types) and _has_slot(integration, sync.early_due_at, ended_at)
    due = max(sync.early_due_at, ended_at if is_owed else ended_at + _pause(integration))
    if not is_early(integration):
        return {"early_due_at": due}
    later = integration.with_sync(early_due_at=due)
    return {
        "early_due_at": due,
        "early_data_types": () if is_owed else sync.early_data_types,
        "next_due_at": soonest_due(later, ended_at - timedelta.resolution),  # a slot at its very end is after it
    }


def _has_slot(integration: Integration, since: datetime, now: datetime) -> bool:
    """Whether a regular slot lies between these moments, or on one of them."""
    regular = due_after(integration, since - timedelta.resolution)
    return regular is not None and regular <= now


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
