"""Mending what a crash or a lost message left half done: every repair is one that may be made twice."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta

import structlog
from hub_model.early import is_early
from hub_model.errors import ErrorClass, Unavailable
from hub_model.ids import derived_id
from hub_model.integrations import Integration
from hub_model.logs import LogEntry, LogLevel
from hub_model.messages import SyncFailed, SyncFinished, Trigger
from hub_model.runs import Run, new_run
from hub_storage.repositories.handover import end_run

from hub_scheduler.backend import Backend, for_each
from hub_scheduler.sightings import Repair, Sightings
from hub_scheduler.tick import ids_of, move_on, request_for

log = structlog.get_logger(__name__)

PAGE = 200

# Ticks are a minute apart at most. Who looks less often was stopped, and so, perhaps, was everybody else.
_LONGEST_GAP_S = 120.0


class Recovery:
    """Looks after the integrations whose run was claimed longer ago than ``grace_s``.

    Invariant: no run is failed for standing still while broker or store could not be reached from here.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        ping_broker: Callable[[], Awaitable[None]],
        grace_s: float,
        stall_after_s: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._backend = backend
        self._ping_broker = ping_broker
        self._grace = timedelta(seconds=grace_s)
        self._stall_after_s = stall_after_s
        self._monotonic = monotonic
        self._sightings = Sightings(grace_s=grace_s, stall_after_s=stall_after_s)
        self._looked_at_s = monotonic()
        self._lost_sight = False

    def learn_of(self, errors: Iterable[Exception]) -> None:
        """If the store or the broker failed, what stands still now may do so because of that."""
        if any(isinstance(error, Unavailable) for error in errors):
            self._lost_sight = True

    async def mend(self, now: datetime) -> None:
        """Look at every such integration once."""
        active_ids: set[str] = set()
        page: list[Integration] = []
        while True:
            page = await self._backend.integrations.active_anywhere(
                now - self._grace, PAGE, behind=page[-1] if page else None
            )
            if not active_ids and page:
                await self._ping_broker()
                self._excuse_what_was_not_seen()
            active_ids.update(integration.sync.active_run_id or "" for integration in page)
            errors = await for_each(
                page, lambda integration: self._look_at(integration, now), failed="run.repair_failed"
            )
            self.learn_of(errors)
            if len(page) < PAGE:
                break
        self._sightings.forget_others(active_ids)
        self._looked_at_s = self._monotonic()

    def _excuse_what_was_not_seen(self) -> None:
        now_s = self._monotonic()
        if self._lost_sight or now_s - self._looked_at_s > _LONGEST_GAP_S:
            log.warning("runs.not_seen", seconds=round(now_s - self._looked_at_s))
            self._sightings.excuse(now_s)
        self._lost_sight = False

    async def _look_at(self, integration: Integration, now: datetime) -> None:
        run_id, due = integration.sync.active_run_id, integration.sync.next_due_at
        if run_id is None:
            return
        # An early slot waits, since what it is for may have come when the run had read that already; and so does a
        # regular one for a run that is not for all data types.
        waits = is_early(integration) or integration.sync.active_data_types
        if due is not None and due <= now and not waits:
            await self._skip_overlap(integration, run_id, due, now)
        run = await self._backend.runs.find(integration.college_id, run_id)
        match self._sightings.repair_of(run_id, run, self._monotonic(), now):
            case Repair.REPEAT:
                await self._repeat(integration, run_id, run, now)
            case Repair.END if run is not None:
                await self._end(run, now)
            case Repair.FAIL if run is not None:
                await self._fail(run, now)

    async def _skip_overlap(self, integration: Integration, run_id: str, due: datetime, now: datetime) -> None:
        """The run before is still at it: no second one, the next slot it is."""
        moved = await move_on(self._backend, integration, due, now)
        if moved and integration.settings.enabled and not integration.sync.paused:
            log.info("run.overlap_skipped", college_id=integration.college_id, integration_id=integration.id)
            await self._backend.logs.add(_overlap_line(integration, run_id, due, now))

    async def _repeat(self, integration: Integration, run_id: str, run: Run | None, now: datetime) -> None:
        if run is None:
            run = new_run(
                run_id=run_id,
                college_id=integration.college_id,
                integration_id=integration.id,
                trigger=Trigger.RECOVERY,
                data_types=integration.active_data_types,
                now=now,
            )
            await self._backend.runs.add(run)
        await self._backend.publisher.publish(request_for(run, trigger=Trigger.RECOVERY, now=now))
        log.warning("run.requested_again", **ids_of(run))

    async def _end(self, run: Run, now: datetime) -> None:
        await end_run(self._backend.integrations, self._backend.tables, run, now)
        await self._backend.publisher.publish(
            SyncFinished(
                college_id=run.college_id,
                integration_id=run.integration_id,
                run_id=run.id,
                status=run.status,
                counts=run.counts,
                finished_at=run.finished_at or now,
            )
        )
        log.warning("run.ended_again", **ids_of(run))

    async def _fail(self, run: Run, now: datetime) -> None:
        minutes = round(self._stall_after_s / 60)
        await self._backend.publisher.publish(
            SyncFailed(
                college_id=run.college_id,
                integration_id=run.integration_id,
                run_id=run.id,
                stage="scheduler",
                error_class=ErrorClass.TRANSIENT,
                code="stalled",
                public=f"Nothing moved for {minutes} minutes, so this sync was ended. The next one starts on schedule.",
                detail=f"no progress for {minutes} minutes; last sign at {run.progressed_at.isoformat()}",
                failed_at=now,
            )
        )
        log.error("run.stalled", **ids_of(run))


def _overlap_line(integration: Integration, run_id: str, due: datetime, now: datetime) -> LogEntry:
    return LogEntry(
        id=derived_id(integration.id, "log", "overlap", due.isoformat()),
        college_id=integration.college_id,
        integration_id=integration.id,
        at=now,
        level=LogLevel.INFO,
        event="sync.skipped",
        message="A scheduled sync was skipped, because the one before is still running. A longer interval avoids this.",
        run_id=run_id,
    )
