"""What to do about an active run that looks the same each time. Pure.

Time is measured on the process's own monotonic clock: a run is not called stalled because the wall clock jumped, the
machine slept, or every service was down together with this one. The wall clock is asked once for each new look of a
run, and only for how much of a wait for the source is left. A time in which broker or store were away is no time in
which a run could have moved; see ``excuse``.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub_model.runs import Run, RunStatus
from hub_model.waiting import Waiting

_LONGEST_PAUSE_S = 3600.0
# A message lives for 24 hours at most: nobody comes back to a stream that has waited for longer.
_LONGEST_WAIT_S = 25 * 3600.0


class Repair(StrEnum):
    """``REPEAT``: ask for the run again. ``END``: it is over, let the integration go. ``FAIL``: it stands still."""

    REPEAT = "repeat"
    END = "end"
    FAIL = "fail"


@dataclass(slots=True)
class _Sighting:
    run: Run | None
    act_at_s: float
    pause_s: float
    stalled_at_s: float


class Sightings:
    """Remembers how each active run looked and since when. Repeats a repair only after ever longer pauses."""

    def __init__(self, *, grace_s: float, stall_after_s: float) -> None:
        self._grace_s = grace_s
        self._stall_after_s = stall_after_s
        self._sightings: dict[str, _Sighting] = {}

    def repair_of(self, run_id: str, run: Run | None, now_s: float, now: datetime) -> Repair | None:
        """What to do now about this active run, claimed longer ago than the grace; None: let it be.

        ``now_s`` is the monotonic clock, ``now`` the wall clock.
        """
        sighting = self._sightings.get(run_id)
        if sighting is None or sighting.run != run:
            # Seen for the first time, it has waited long enough; if it has just moved, it may move again.
            act_at_s = now_s if sighting is None else now_s + self._grace_s
            stalled_at_s = now_s + self._stall_after_s + self._wait_left_s(run, now)
            sighting = self._sightings[run_id] = _Sighting(run, act_at_s, self._grace_s, stalled_at_s)
        repair = _due_repair(run, is_stalled=now_s >= sighting.stalled_at_s)
        if repair is None or now_s < sighting.act_at_s:
            return None
        sighting.act_at_s = now_s + sighting.pause_s
        sighting.pause_s = min(sighting.pause_s * 2, _LONGEST_PAUSE_S)
        return repair

    def excuse(self, now_s: float) -> None:
        """Until now nothing could move: each run has its whole time from here on, before it counts as stalled."""
        for sighting in self._sightings.values():
            sighting.stalled_at_s = max(sighting.stalled_at_s, now_s + self._stall_after_s)

    def forget_others(self, run_ids: Collection[str]) -> None:
        """Keep only these runs: the others are no longer active."""
        for run_id in self._sightings.keys() - set(run_ids):
            del self._sightings[run_id]

    def _wait_left_s(self, run: Run | None, now: datetime) -> float:
        """How much longer the run's streams wait for their source: the longest of them counts."""
        streams = run.streams.values() if run else ()
        longest_s = _LONGEST_WAIT_S - self._stall_after_s
        return max((_left_s(stream.waiting, now, longest_s) for stream in streams if stream.waiting), default=0.0)


def _left_s(waiting: Waiting, now: datetime, longest_s: float) -> float:
    if waiting.until is None:
        return 0.0
    wait_s = min((waiting.until - waiting.since).total_seconds(), longest_s)
    # A clock that is behind the one that wrote ``since`` must not make the wait longer than it is.
    waited_s = max(0.0, (now - waiting.since).total_seconds())
    return max(0.0, wait_s - waited_s)


def _due_repair(run: Run | None, *, is_stalled: bool) -> Repair | None:
    if run is not None and run.status.is_final:
        return Repair.END
    if run is not None and is_stalled:
        return Repair.FAIL
    return Repair.REPEAT if run is None or run.status is RunStatus.QUEUED else None
