"""This process's share of what an integration's ``limits`` allow, claimed from the store several requests at a time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub_model.integrations import RateLimits
from hub_storage.repositories import Claim, Granted, SourceLimits

_SHARE_OF_MINUTE = 8
_SLOTS_LAST = timedelta(seconds=10)
# How long another worker may keep all places; when it is done it gives them back.
_BUSY_S = 10.0


@dataclass(slots=True)
class _Slots:
    """Requests of a minute that may be sent until ``until``, and how many of them were."""

    left: int = 0
    until: datetime | None = None
    used: int = 0
    used_at: datetime | None = None


class Shares:
    """What one process holds for one credential at one host. Not for several tasks at once: the pace sees to that.

    ``places_last`` is three times what a request may take: a place is never taken over while its request is under way.
    Invariant: without ``requests_per_minute`` and ``concurrency`` the store is not asked.
    """

    def __init__(
        self,
        limits: SourceLimits,
        college_id: str,
        source: str,
        *,
        worker_id: str,
        clock: Callable[[], datetime],
        places_last: timedelta,
    ) -> None:
        self._limits = limits
        self._college_id = college_id
        self._source = source
        self._worker_id = worker_id
        self._clock = clock
        self._places_last = places_last
        self._slots = _Slots()
        self._places = self._under_way = 0
        self._renew_at: datetime | None = None
        self._freed = asyncio.Event()
        self.blocked_until: datetime | None = None

    @property
    def under_way(self) -> int:
        """Requests that were begun and are not done."""
        return self._under_way

    async def wait_s(self, allowed: RateLimits, *, wanted: int) -> float:
        """0 if a request may be sent now, once enough of this process's own are done; else how long until it may.

        ``wanted``: how many are waiting to be sent, this one included.
        """
        if allowed.concurrency is not None and not await self._has_place(allowed.concurrency):
            return _BUSY_S
        if allowed.requests_per_minute is None:
            return 0.0
        return await self._slot_s(allowed.requests_per_minute, wanted)

    def begin(self) -> None:
        """A request is sent; ``wait_s`` was 0."""
        self._under_way += 1
        if self._slots.until is not None:
            self._slots.left -= 1
            self._slots.used += 1
            self._slots.used_at = self._clock()

    def done(self) -> None:
        """A request is over, well or not."""
        self._under_way -= 1
        self._freed.set()

    async def until_one_is_done(self) -> None:
        """Return when a request that is under way is over."""
        self._freed.clear()
        await self._freed.wait()

    async def settle(self) -> None:
        """Give back what is left, for other workers."""
        if self._slots.until is None and not self._places:
            return
        claim = self._claim(settles=True)
        self._slots, self._places, self._renew_at = _Slots(), 0, None
        await self._limits.settle(self._college_id, self._source, claim)

    async def _has_place(self, concurrency: int) -> bool:
        if self._renew_at is None or self._clock() >= self._renew_at:
            granted = await self._get(self._claim(places=concurrency, concurrency=concurrency))
            self._places = granted.places
            self._renew_at = self._clock() + self._places_last / 3 if granted.places else None
        while self._under_way >= min(self._places, concurrency) > 0:
            await self.until_one_is_done()
        return self._places > 0

    async def _slot_s(self, per_minute: int, wanted: int) -> float:
        slots = self._slots
        if slots.left > 0 and slots.until is not None and self._clock() < slots.until:
            return 0.0
        several = max(wanted, -(-per_minute // _SHARE_OF_MINUTE))
        granted = await self._get(self._claim(slots=several, per_minute=per_minute, settles=True))
        self._slots = _Slots(granted.slots, granted.slots_until)
        if granted.slots or granted.slots_again_at is None:
            return 0.0
        return max((granted.slots_again_at - self._clock()).total_seconds(), 0.01)

    async def _get(self, claim: Claim) -> Granted:
        granted = await self._limits.claim(self._college_id, self._source, claim)
        self.blocked_until = granted.blocked_until
        return granted

    def _claim(
        self,
        *,
        slots: int = 0,
        per_minute: int | None = None,
        places: int = 0,
        concurrency: int | None = None,
        settles: bool = False,
    ) -> Claim:
        return Claim(
            worker_id=self._worker_id,
            now=self._clock(),
            slots=slots,
            per_minute=per_minute,
            slots_last=_SLOTS_LAST,
            places=places,
            concurrency=concurrency,
            places_last=self._places_last,
            settles=self._slots.until if settles else None,
            used=self._slots.used,
            used_at=self._slots.used_at,
        )
