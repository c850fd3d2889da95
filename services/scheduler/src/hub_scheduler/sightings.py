"""What to do about an active run that looks the same each time. Pure.

Time is measured on the process's own monotonic clock: a run is not called stalled because the wall clock jumped, the
machine slept, or every service was down together with this one.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from hub_model.runs import Run, RunStatus

_LONGEST_PAUSE_S = 3600.0


class Repair(StrEnum):
    """``REPEAT``: ask for the run again. ``END``: it is over, let the integration go. ``FAIL``: it stands still."""

    REPEAT = "repeat"
    END = "end"
    FAIL = "fail"


@dataclass(slots=True)
class _Sighting:
    run: Run | None
    since_s: float
    act_at_s: float
    pause_s: float


class Sightings:
    """Remembers how each active run looked and since when. Repeats a repair only after ever longer pauses."""

    def __init__(self, *, grace_s: float, stall_after_s: float) -> None:
        self._grace_s = grace_s
        self._stall_after_s = stall_after_s
        self._sightings: dict[str, _Sighting] = {}

    def repair_of(self, run_id: str, run: Run | None, now_s: float) -> Repair | None:
        """What to do now about this active run, claimed longer ago than the grace; None: let it be."""
        sighting = self._sightings.get(run_id)
        if sighting is None or sighting.run != run:
            # Seen for the first time, it has waited long enough; if it has just moved, it may move again.
            act_at_s = now_s if sighting is None else now_s + self._grace_s
            sighting = self._sightings[run_id] = _Sighting(run, now_s, act_at_s, self._grace_s)
        repair = self._due_repair(run, now_s - sighting.since_s)
        if repair is None or now_s < sighting.act_at_s:
            return None
        sighting.act_at_s = now_s + sighting.pause_s
        sighting.pause_s = min(sighting.pause_s * 2, _LONGEST_PAUSE_S)
        return repair

    def forget_others(self, run_ids: Collection[str]) -> None:
        """Keep only these runs: the others are no longer active."""
        for run_id in self._sightings.keys() - set(run_ids):
            del self._sightings[run_id]

    def _due_repair(self, run: Run | None, idle_s: float) -> Repair | None:
        if run is not None and run.status.is_final:
            return Repair.END
        if run is not None and idle_s >= self._stall_after_s:
            return Repair.FAIL
        return Repair.REPEAT if run is None or run.status is RunStatus.QUEUED else None
