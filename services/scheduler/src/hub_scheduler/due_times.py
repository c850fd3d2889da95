"""Due times that cannot be right: a clock that was ahead and has been put right again leaves them in the future.

One page per tick is looked over, the furthest times first, so that a large error is found at once and a small one
soon, and a tick costs the same however many integrations there are.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from hub_model.early import soonest_due
from hub_model.integrations import MIN_SYNC_INTERVAL_MINUTES, Integration
from hub_model.slots import due_after

from hub_scheduler.backend import Backend, for_each

log = structlog.get_logger(__name__)

PAGE = 50


class DueTimes:
    """Goes round all due times, page by page."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._last: Integration | None = None

    async def check_page(self, now: datetime) -> Sequence[Exception]:
        """Mend the due times of the next page; after the last page, begin again with the furthest. Returns what
        failed."""
        # Nearer than the shortest interval, every time is possible.
        horizon = now + timedelta(minutes=MIN_SYNC_INTERVAL_MINUTES)
        page = await self._backend.integrations.scheduled_anywhere(horizon, PAGE, behind=self._last)
        wrong = [integration for integration in page if mended(integration, now) is not None]
        errors = await for_each(
            wrong, lambda integration: self._mend(integration, now), failed="due_time.repair_failed"
        )
        self._last = page[-1] if len(page) == PAGE else None
        return errors

    async def _mend(self, integration: Integration, now: datetime) -> None:
        await self._backend.integrations.change(
            integration.college_id, integration.id, lambda current: mended(current, now)
        )
        log.warning("due_time.mended", college_id=integration.college_id, integration_id=integration.id)


def mended(integration: Integration, now: datetime) -> Integration | None:
    """The integration with no time later than the clock allows; None if there is none."""
    latest, sync = due_after(integration, now), integration.sync
    changes: dict[str, datetime] = {}
    if latest is not None and sync.next_due_at is not None and sync.next_due_at > latest:
        changes["next_due_at"] = soonest_due(integration, now) or latest
    if sync.active_since is not None and sync.active_since > now + timedelta(minutes=MIN_SYNC_INTERVAL_MINUTES):
        changes["active_since"] = now
    return integration.with_sync(**changes) if changes else None
