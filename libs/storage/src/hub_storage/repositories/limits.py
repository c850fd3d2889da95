"""How often each source is being asked by all workers together: one small document per credential and host.

Instants are compared between workers, so their clocks should agree to a second or so, as they do under NTP.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub_model.base import format_datetime, parse_datetime
from hub_model.ids import derived_id

from hub_storage.collection import CollectionSpec, Document
from hub_storage.store import Store

SPEC = CollectionSpec("limits")

_PERIOD = timedelta(minutes=1)
# Requests reach the source a little after they were counted.
_ON_THE_WAY = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a worker asks for: ``slots`` requests of ``per_minute``, and ``places`` of ``concurrency`` at a time.

    A slot is to be used within ``slots_last``, a place lasts for ``places_last`` unless it is claimed again or settled.
    Of the slots that were to be used until ``settles``, ``used`` were, the last at ``used_at``: the others are given
    back.
    """

    worker_id: str
    now: datetime
    slots: int = 0
    per_minute: int | None = None
    slots_last: timedelta = timedelta(seconds=10)
    places: int = 0
    concurrency: int | None = None
    places_last: timedelta = timedelta(minutes=2)
    settles: datetime | None = None
    used: int = 0
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """What a claim got: slots until ``slots_until``; if there are none, the next one is free at ``slots_again_at``."""

    slots: int = 0
    slots_until: datetime | None = None
    slots_again_at: datetime | None = None
    places: int = 0
    blocked_until: datetime | None = None


class SourceLimits:
    """Invariant: in any minute no more slots are used than allowed, however many workers claim them."""

    def __init__(self, store: Store) -> None:
        self._collection = store.collection(SPEC)

    async def blocked_until(self, college_id: str, source: str) -> datetime | None:
        """Until when the source asked to be left alone, as far as any worker knows; maybe over by now."""
        stored = await self._collection.get(_id(college_id, source))
        return _instant(stored.document.get("blockedUntil")) if stored else None

    async def block(self, college_id: str, source: str, until: datetime) -> None:
        """Note that the source asked to be left alone; of several such words the latest end counts."""

        def change(document: Document) -> Document | None:
            known = _instant(document.get("blockedUntil"))
            if known is not None and known >= until:
                return None
            return {**document, "blockedUntil": format_datetime(until)}

        await self._change(college_id, source, change)

    async def claim(self, college_id: str, source: str, claim: Claim) -> Granted:
        """As much of what is asked for as is free."""
        granted = Granted()

        def change(document: Document) -> Document:
            nonlocal granted
            changed, granted = _claimed(document, claim)
            return changed

        await self._change(college_id, source, change)
        return granted

    async def settle(self, college_id: str, source: str, claim: Claim) -> None:
        """Give back what the worker holds and has not used."""

        def change(document: Document) -> Document:
            places = {worker: place for worker, place in _places(document, claim.now) if worker != claim.worker_id}
            return {**document, "grants": _settled(document, claim), "places": places}

        await self._change(college_id, source, change)

    async def _change(self, college_id: str, source: str, change: Callable[[Document], Document | None]) -> None:
        document_id = _id(college_id, source)
        if await self._collection.update(document_id, change) is not None:
            return
        first = change({"collegeId": college_id})
        if first is not None and await self._collection.insert({document_id: first}):
            await self._collection.update(document_id, change)  # another worker was first


def _claimed(document: Document, claim: Claim) -> tuple[Document, Granted]:
    grants = _settled(document, claim)
    slots, until, again_at = 0, None, None
    if claim.per_minute is not None:
        free = claim.per_minute - sum(grant["slots"] for grant in grants)
        slots = max(0, min(claim.slots, free))
        if slots:
            until = claim.now + claim.slots_last
            grants.append({"worker": claim.worker_id, "slots": slots, "until": format_datetime(until)})
        elif grants:
            again_at = min(_counts_until(grant) for grant in grants)
    held = dict(_places(document, claim.now))
    places = 0
    if claim.concurrency is not None:
        held.pop(claim.worker_id, None)
        places = max(0, min(claim.places, claim.concurrency - sum(place["places"] for place in held.values())))
        if places:
            lasts_until = format_datetime(claim.now + claim.places_last)
            held[claim.worker_id] = {"places": places, "until": lasts_until}
    blocked = _instant(document.get("blockedUntil"))
    return {**document, "grants": grants, "places": held}, Granted(slots, until, again_at, places, blocked)


def _settled(document: Document, claim: Claim) -> list[dict[str, Any]]:
    """The grants that still count, the one that is settled corrected to what was used of it.

    Of several that are alike it is the newest: the worker never learnt of the others, or has lost count of them.
    """
    grants: list[dict[str, Any]] = list(document.get("grants", []))
    until = format_datetime(claim.settles) if claim.settles is not None else None
    alike = [
        place for place, grant in enumerate(grants) if (grant["worker"], grant["until"]) == (claim.worker_id, until)
    ]
    if alike:
        grant = grants.pop(alike[-1])
        if claim.used and claim.used_at is not None:
            used = min(claim.used, grant["slots"])
            grants.append({**grant, "slots": used, "until": format_datetime(claim.used_at)})
    return [grant for grant in grants if _counts_until(grant) > claim.now]


def _counts_until(grant: dict[str, Any]) -> datetime:
    return parse_datetime(grant["until"]) + _PERIOD + _ON_THE_WAY


def _places(document: Document, now: datetime) -> list[tuple[str, dict[str, Any]]]:
    """The places that are held; those of a worker that died are free when their time is over."""
    places: dict[str, dict[str, Any]] = document.get("places", {})
    return [(worker, place) for worker, place in places.items() if parse_datetime(place["until"]) > now]


def _instant(text: str | None) -> datetime | None:
    return parse_datetime(text) if text is not None else None


def _id(college_id: str, source: str) -> str:
    return derived_id(college_id, SPEC.name, source)
