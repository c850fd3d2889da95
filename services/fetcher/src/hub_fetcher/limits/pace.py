"""When a source may be asked next: one limiter for each credential at each host, for all workers.

This is the part in each process, in front of the store. A source without limits that answers costs one look at the
store for each stretch of pages, and none for a request.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

import orjson
import structlog
from hub_model.access import credential_origin
from hub_model.errors import HubError, RateLimited
from hub_model.integrations import Integration, RateLimits
from hub_storage.repositories import SourceLimits

from hub_fetcher.limits.headers import MIN_WAIT_S, Quota, clamped
from hub_fetcher.limits.shares import Shares

log = structlog.get_logger(__name__)

_ROUNDS = 5
# A shorter pause is over before another worker has read of it.
_WORTH_SHARING_S = 1.0
_LONGEST_FORESEEN_S = 900.0
# A source that refuses without saying for how long is left alone twice as long each time.
_UNTOLD_S, _MOST_UNTOLD_S = 2.0, 120.0
_UNLIMITED = RateLimits()


class Held(RateLimited):
    """The hub holds a request back: nothing was sent, so the source has refused nothing."""


@dataclass(frozen=True, kw_only=True)
class Pacing:
    """What all paces of a process work with.

    Waits above ``most_sleep_s`` are raised: they are parked, not slept. No request takes longer than ``request_s``.
    """

    limits: SourceLimits
    worker_id: str
    clock: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    most_sleep_s: float = 5.0
    request_s: float = 60.0


class Paces:
    """The paces that are in use. What must outlive their use is in the store."""

    def __init__(self, pacing: Pacing) -> None:
        self._pacing = pacing
        self._paces: WeakValueDictionary[tuple[str, str], Pace] = WeakValueDictionary()

    def of(self, integration: Integration) -> "Pace":
        """The one pace of this integration's credential at its host."""
        key = (integration.college_id, source_of(integration))
        pace = self._paces.get(key)
        if pace is None:
            pace = self._paces[key] = Pace(self._pacing, *key)
        return pace


def source_of(integration: Integration) -> str:
    """Who the source takes the hub for, and where: host, user or client, and the visible ends of the secrets.

    Integrations that use one credential share a pace then, and no digest of a secret is stored. Short secrets show
    no end, so several of one college may be taken for one: they wait for each other, which hurts nobody.
    """
    settings = integration.settings
    hints = sorted((name, sealed.hint) for name, sealed in integration.secrets.items() if "webhook" not in name)
    client = settings.oauth.client_id if settings.oauth else None
    who = [credential_origin(settings), settings.auth_type, settings.username, client, hints]
    return orjson.dumps(who).decode()


class Pace:
    """Lets requests through one by one, in the order in which they came.

    Invariant: no request is sent while the source is known to want to be left alone.
    """

    def __init__(self, pacing: Pacing, college_id: str, source: str) -> None:
        self._pacing = pacing
        self._college_id = college_id
        self._source = source
        self._shares = Shares(
            pacing.limits,
            college_id,
            source,
            worker_id=pacing.worker_id,
            clock=pacing.clock,
            places_last=timedelta(seconds=3 * pacing.request_s),
        )
        self._gate = asyncio.Lock()
        self._users = self._waiting = self._refusals = 0
        self._blocked_until: datetime | None = None
        self._requests_left: int | None = None
        self._quota_until: datetime | None = None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        """Many requests in a row. Raises RateLimited if any worker knows that the source wants to be left alone."""
        await self._look()
        if (wait_s := self._blocked_s()) > self._pacing.most_sleep_s:
            raise _asked(wait_s)
        async with self._in_use():
            yield

    @asynccontextmanager
    async def turn(self, allowed: RateLimits = _UNLIMITED) -> AsyncIterator[None]:
        """One request. Waits until it may be sent; raises RateLimited if that is far off."""
        async with self._in_use():
            self._waiting += 1
            try:
                async with self._gate:
                    await self._admit(allowed)
                    self._begin()
            finally:
                self._waiting -= 1
            try:
                yield
            finally:
                self._shares.done()

    async def heard(self, quota: Quota | None, error: HubError | None) -> None:
        """What the source has answered: that it wants to be left alone, or how much is left."""
        if isinstance(error, RateLimited):
            untold_s = min(_UNTOLD_S * 2**self._refusals, _MOST_UNTOLD_S)
            self._refusals = min(self._refusals + 1, 16)
            await self._block(untold_s if error.retry_after_s is None else clamped(error.retry_after_s))
            return
        self._refusals = 0
        if quota is None:
            return
        reset_s = MIN_WAIT_S if quota.reset_s is None else min(quota.reset_s, _LONGEST_FORESEEN_S)
        # Whether those that are under way are counted in it is the source's secret.
        self._requests_left = quota.requests - self._shares.under_way
        self._quota_until = self._pacing.clock() + timedelta(seconds=reset_s)
        if quota.requests <= 0:
            await self._block(reset_s)

    def spread_s(self, wait_s: float) -> float:
        """A little longer than this, so that many who wait do not come back together."""
        return wait_s + self._pacing.jitter() * min(wait_s / 10, 1.0)

    async def _admit(self, allowed: RateLimits) -> None:
        """Return when a request may be sent. A clock that jumps is asked a few times only."""
        wait_s = 0.0
        for _ in range(_ROUNDS):
            if wait_s := self._blocked_s():
                await self._rest(wait_s, _asked)
                await self._look()
            elif wait_s := await self._quota_s():
                await self._rest(wait_s, _asked)
            elif wait_s := await self._shares.wait_s(allowed, wanted=self._waiting):
                await self._rest(wait_s, _limited)
            elif not (wait_s := self._blocked_s(self._shares.blocked_until)):
                return
        raise _asked(max(wait_s, MIN_WAIT_S))

    def _begin(self) -> None:
        self._shares.begin()
        if self._requests_left is not None:
            self._requests_left -= 1

    async def _rest(self, wait_s: float, error: Callable[[float], Held]) -> None:
        if wait_s > self._pacing.most_sleep_s:
            raise error(wait_s)
        await self._pacing.sleep(self.spread_s(wait_s))

    async def _quota_s(self) -> float:
        """0 if something is left, or nothing is known, once requests that are under way have told more."""
        while self._requests_left is not None and self._requests_left <= 0 and self._shares.under_way:
            await self._shares.until_one_is_done()
        if self._requests_left is None or self._requests_left > 0 or self._quota_until is None:
            return 0.0
        wait_s = (self._quota_until - self._pacing.clock()).total_seconds()
        if wait_s > 0:
            return wait_s
        self._requests_left = None
        return 0.0

    def _blocked_s(self, also: datetime | None = None) -> float:
        """How long the source wants to be left alone. ``also``: until then, as another worker has learned."""
        if also is not None and (self._blocked_until is None or also > self._blocked_until):
            self._blocked_until = also
        if self._blocked_until is None:
            return 0.0
        return max((self._blocked_until - self._pacing.clock()).total_seconds(), 0.0)

    async def _block(self, wait_s: float) -> None:
        until = self._pacing.clock() + timedelta(seconds=wait_s)
        if self._blocked_until is not None and (until - self._blocked_until).total_seconds() < _WORTH_SHARING_S:
            self._blocked_until = max(self._blocked_until, until)
            return
        self._blocked_until = until
        if wait_s <= _WORTH_SHARING_S:
            return
        log.info("source.blocked", wait_s=round(wait_s, 1))
        try:
            await self._pacing.limits.block(self._college_id, self._source, until)
        except HubError as unstored:
            # This process keeps to it, and the others are told by the source itself.
            log.warning("block.not_stored", error_code=unstored.code)

    async def _look(self) -> None:
        """Learn what other workers were told meanwhile."""
        self._blocked_s(await self._pacing.limits.blocked_until(self._college_id, self._source))

    @asynccontextmanager
    async def _in_use(self) -> AsyncIterator[None]:
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                await self._settle()

    async def _settle(self) -> None:
        try:
            await self._shares.settle()
        except HubError as unstored:
            log.warning("limits.not_settled", error_code=unstored.code)  # they lapse by themselves


def _asked(wait_s: float) -> Held:
    return Held(
        "the source asked to be left alone",
        retry_after_s=wait_s,
        public="The source limits how often it may be asked; the sync goes on when it allows.",
    )


def _limited(wait_s: float) -> Held:
    return Held(
        "as many requests as the integration's limits allow are sent",
        retry_after_s=wait_s,
        code="limits_reached",
        public="As many requests as the integration's 'limits' allow were sent; the sync goes on by itself.",
    )
