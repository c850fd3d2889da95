"""A sync before its time, because a push said that there is news. Pure.

The due time itself is brought forward, so an early sync is claimed, started and repaired like any other, and survives
a restart of everything. It is for some of the data types only; whatever moves the due time in another way makes it
void, and then the regular slot, which syncs everything, is no further away than it ever was.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from hub_model.integrations import MIN_SYNC_INTERVAL_MINUTES, Integration
from hub_model.records import DataType
from hub_model.slots import due_after

# A source that tells of everything it does is not read more often than one that is polled.
_PAUSE = timedelta(minutes=MIN_SYNC_INTERVAL_MINUTES)


def is_early(integration: Integration) -> bool:
    """Whether the due time is one that a push brought forward."""
    sync = integration.sync
    return sync.early_due_at is not None and sync.early_due_at == sync.next_due_at


def brought_forward(
    integration: Integration, data_types: Iterable[DataType], now: datetime, *, delay: timedelta
) -> Integration | None:
    """The integration with these data types due after the delay; none named means all of them.

    None if what is due by then reads them anyway, or nothing is ever due. The sync comes five minutes after the last
    one at the earliest, and begins after ``now`` in any case: what the push speaks of is there by then.
    """
    sync = integration.sync
    if sync.next_due_at is None:
        return None
    wanted = _in_order(data_types)
    if is_early(integration):
        both = _in_order([*sync.early_data_types, *wanted]) if sync.early_data_types and wanted else ()
        return integration.with_sync(early_data_types=both) if both != sync.early_data_types else None
    due = max(now + delay, sync.last_sync_at + _PAUSE) if sync.last_sync_at else now + delay
    if sync.next_due_at <= due:
        if sync.active_run_id is None:
            return None
        # That slot may be left out for the active run, which may have read already what is new now.
        wanted = ()
    return integration.with_sync(next_due_at=due, early_due_at=due, early_data_types=wanted)


def data_types_due(integration: Integration, now: datetime) -> tuple[DataType, ...]:
    """What a sync that begins now is for; none named means all data types.

    All, too, when a regular slot has passed since the early one: nobody else makes up for it.
    """
    early_due_at = integration.sync.early_due_at
    if early_due_at is None or not is_early(integration):
        return ()
    regular = due_after(integration, early_due_at)
    return () if regular is None or regular <= now else integration.sync.early_data_types


def _in_order(data_types: Iterable[DataType]) -> tuple[DataType, ...]:
    wanted = set(data_types)
    return tuple(data_type for data_type in DataType if data_type in wanted)
