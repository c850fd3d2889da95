"""Removing what runs have kept for themselves and left behind: a crash may come before their own cleaning up."""

from collections.abc import Callable

import structlog

from hub_scheduler.backend import Backend

log = structlog.get_logger(__name__)

_PAUSE_S = 600.0


class Leftovers:
    """The tables of runs that are over or gone. Looking costs one query for each run that has tables."""

    def __init__(self, backend: Backend, *, monotonic: Callable[[], float]) -> None:
        self._backend = backend
        self._monotonic = monotonic
        self._next_at_s = monotonic()

    async def sweep(self) -> None:
        """Drop them, every ten minutes. Any number of schedulers may do so at once."""
        if self._monotonic() < self._next_at_s:
            return
        run_id = ""
        while found := await self._backend.tables.next_run_anywhere(run_id):
            college_id, run_id = found
            run = await self._backend.runs.find(college_id, run_id)
            if run is None or run.status.is_final:
                dropped = await self._backend.tables.drop(college_id, run_id)
                log.warning("tables.swept", college_id=college_id, run_id=run_id, documents=dropped)
        self._next_at_s = self._monotonic() + _PAUSE_S
