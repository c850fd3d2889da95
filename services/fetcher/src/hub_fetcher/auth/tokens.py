"""Tokens that were bought: kept sealed for all workers, and in this process's memory in front of that.

Used until 90 % of their life. Neither clock alone is trusted: a token is over when either says so.

Invariant: requests that need a token at the same time, in however many workers, cause one exchange.
Invariant: a new refresh token is stored before anything is done with it or with the token beside it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub_model.auth import Placement
from hub_model.errors import HubError, SecretUnreadable, TransientError, Unavailable
from hub_model.ids import new_id
from hub_model.integrations import SealedSecret
from hub_security.vault import SecretBinding, SecretOpener
from hub_storage.repositories.tokens import CLOCK_SKEW, Busy, Claim, StoredToken, TokenPlace, Tokens

from hub_fetcher.auth.credentials import Credential, Outgoing, placed
from hub_fetcher.auth.exchange import EXCHANGE_DEADLINE_S, Bought

USABLE_LIFE = 0.9
# Longer than an exchange and the writes around it: the leave of a worker that is at work must not end.
LEASE = timedelta(seconds=2 * EXCHANGE_DEADLINE_S)

_MAX_TOKENS = 10_000
_STORE_TRIES = 4
_TOKEN = "issuedToken"  # noqa: S105 - what it is sealed as
_REFRESH_TOKEN = "issuedRefreshToken"  # noqa: S105 - what it is sealed as


@dataclass(frozen=True, slots=True)
class Purchase:
    """How a token is come by.

    ``buy`` exchanges the newest refresh token, or None for the one that was entered, and is told whether that may be
    spent. ``key_id`` and ``origin`` are those of the secret it is bought with, and what is bought is bound to them.
    """

    place: TokenPlace
    key_id: str
    origin: str
    buy: Callable[[str | None, bool], Awaitable[Bought]]


@dataclass(frozen=True, slots=True)
class Token:
    """A token and how long this process uses it: until a time of each of its clocks."""

    value: str = field(repr=False)
    generation: int
    issued_at: datetime
    usable_until: datetime
    usable_until_s: float


@dataclass(frozen=True, slots=True)
class _Unstored:
    """What was bought, and is not known to be stored."""

    claim: Claim
    bought: Bought
    at: datetime
    generation: int


@dataclass(slots=True)
class _Entry:
    """``passed``: tokens of generations up to that are no use any more, whatever became of the next one."""

    token: Token | None = None
    passed: int = 0
    task: "asyncio.Task[Token] | None" = None
    unstored: _Unstored | None = None


class TokenCache:
    """The tokens of all integrations. ``on_wait`` is how a worker waits for another one's purchase."""

    def __init__(
        self,
        tokens: Tokens,
        opener: SecretOpener,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        on_wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._tokens = tokens
        self._opener = opener
        self._clock = clock
        self._monotonic = monotonic
        self._on_wait = on_wait
        self._entries: OrderedDict[TokenPlace, _Entry] = OrderedDict()

    async def get(self, purchase: Purchase, *, newer_than: int = 0) -> Token:
        """The token in use, if it is of a later generation; else the next one, bought here or by another worker.

        What one exchange gives, token or error, goes to all who wait for it. It goes on when they are cancelled.
        """
        entry = self._entry(purchase.place)
        entry.passed = max(entry.passed, newer_than)
        while True:
            held = entry.token
            if held is not None and held.generation > entry.passed and self._is_usable(held):
                return held
            if held is not None:
                entry.passed = max(entry.passed, held.generation)
            if entry.task is None:
                entry.task = asyncio.create_task(self._obtain(entry, purchase, entry.passed))
                entry.task.add_done_callback(lambda task: _end(entry, task))
            token = await asyncio.shield(entry.task)
            if token.generation > newer_than:
                return token

    async def finish(self) -> None:
        """Wait for the exchanges under way, so that nothing bought is lost; at a service's end."""
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _obtain(self, entry: _Entry, purchase: Purchase, newer_than: int) -> Token:
        if entry.unstored is not None:
            token = await self._keep(entry, purchase, entry.unstored)
            if token is not None:
                return token
        holder = new_id()
        while True:
            taken = await self._take(purchase, holder, newer_than)
            if isinstance(taken, Claim):
                token = await self._buy(entry, purchase, taken, newer_than)
            else:
                token = self._opened(purchase, taken)
                newer_than = taken.generation  # if it does not open: the next one is bought
            if token is not None:
                entry.token = token
                return token

    async def _take(self, purchase: Purchase, holder: str, newer_than: int) -> StoredToken | Claim:
        """Ask until the token is there or it is ours to buy."""
        wait_s, waited_s = 0.05, 0.0
        while True:
            taken = await self._tokens.take(
                purchase.place, holder=holder, now=self._clock(), lease=LEASE, newer_than=newer_than
            )
            if not isinstance(taken, Busy):
                return taken
            if waited_s > 2 * LEASE.total_seconds():
                raise Unavailable(
                    "another worker is buying a token and does not finish",
                    code="token_awaited",
                    public="A token for the source is being obtained; the sync goes on by itself.",
                )
            await self._on_wait(wait_s)
            waited_s, wait_s = waited_s + wait_s, min(2 * wait_s, 1.0)

    async def _buy(self, entry: _Entry, purchase: Purchase, claim: Claim, newer_than: int) -> Token | None:
        at = self._clock()
        try:
            refresh = self._opener.open(claim.refresh, _binding(purchase, _REFRESH_TOKEN)) if claim.refresh else None
            bought = await purchase.buy(refresh, claim.is_uncertain)
        except BaseException as error:
            # After a refusal it is known what became of the refresh token: nothing new.
            with suppress(HubError):  # then the leave ends by itself, and what is not known stays unknown
                await self._tokens.give_up(claim, is_uncertain=_may_be_spent(error))
            raise
        entry.unstored = _Unstored(claim, bought, at, generation=max(claim.generation, newer_than) + 1)
        return await self._keep(entry, purchase, entry.unstored)

    async def _keep(self, entry: _Entry, purchase: Purchase, unstored: _Unstored) -> Token | None:
        """Store what was bought; None if another worker's is newer. Until it is stored, it is tried again."""
        bought, generation = unstored.bought, unstored.generation
        sealed = self._sealed(purchase, _TOKEN, bought.token, generation)
        stored = StoredToken(generation, sealed, unstored.at, unstored.at + bought.life * USABLE_LIFE)
        refresh = bought.refresh_token
        sealed_refresh = self._sealed(purchase, _REFRESH_TOKEN, refresh, generation) if refresh else None
        for left in reversed(range(_STORE_TRIES)):
            try:
                is_ours = await self._tokens.store(unstored.claim, stored, refresh=sealed_refresh, now=self._clock())
                break
            except Unavailable:
                if not left:
                    raise
                await self._on_wait(0.5)
        entry.unstored = None
        if not is_ours:
            return None
        entry.token = self._token(bought.token, stored)
        return entry.token

    def _opened(self, purchase: Purchase, stored: StoredToken) -> Token | None:
        if stored.sealed.origin != purchase.origin:
            return None
        try:
            return self._token(self._opener.open(stored.sealed, _binding(purchase, _TOKEN)), stored)
        except SecretUnreadable:
            return None  # its key is gone, or it was altered: another can be bought

    def _sealed(self, purchase: Purchase, name: str, value: str, generation: int) -> SealedSecret:
        return self._opener.seal(
            value,
            _binding(purchase, name),
            key_id=purchase.key_id,
            origin=purchase.origin,
            version=generation,
            now=self._clock(),
        )

    def _token(self, value: str, stored: StoredToken) -> Token:
        left_s = (stored.usable_until - self._clock()).total_seconds()
        return Token(value, stored.generation, stored.issued_at, stored.usable_until, self._monotonic() + left_s)

    def _is_usable(self, token: Token) -> bool:
        is_now = token.issued_at - CLOCK_SKEW <= self._clock() < token.usable_until
        return is_now and self._monotonic() < token.usable_until_s

    def _entry(self, place: TokenPlace) -> _Entry:
        entry = self._entries.setdefault(place, _Entry())
        self._entries.move_to_end(place)
        if len(self._entries) > _MAX_TOKENS:
            held = ((old, held) for old, held in self._entries.items() if old != place)
            oldest = next((old for old, held in held if held.task is None and held.unstored is None), place)
            self._entries.pop(oldest)
        return entry


class TokenCredential:
    """The token of one integration, as an ``Authenticator``."""

    def __init__(self, cache: TokenCache, purchase: Purchase, place: Placement) -> None:
        self._cache = cache
        self._purchase = purchase
        self._place = place
        self._renewed_to: int | None = None

    async def credential(self) -> Credential:
        token = await self._cache.get(self._purchase)
        return placed(self._place, token.value, generation=token.generation)

    async def renew(self, refused: Credential, asked: Outgoing, answer: Mapping[str, str]) -> bool:
        """A token that was got because the one before was refused, and is refused as well, is not the trouble.

        Else each row of a parent that may not be read would cost an exchange. This object lives for one stretch.
        """
        if refused.generation == self._renewed_to:
            return False
        self._renewed_to = (await self._cache.get(self._purchase, newer_than=refused.generation)).generation
        return True


def _end(entry: _Entry, task: "asyncio.Task[Token]") -> None:
    entry.task = None
    if not task.cancelled():
        task.exception()  # whoever still waits is told; if nobody does, it is no loss


def _may_be_spent(error: BaseException) -> bool:
    return isinstance(error, TransientError) or not isinstance(error, Exception)


def _binding(purchase: Purchase, name: str) -> SecretBinding:
    return SecretBinding(purchase.place.college_id, purchase.place.integration_id, name)
