"""Tokens that were bought with an integration's credentials, sealed, for all workers; and who is buying one now.

Times are wall clock: what lies in the future, or too far in it, was written by a clock that has jumped, and counts as
over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub_model.base import format_datetime, parse_datetime
from hub_model.ids import derived_id
from hub_model.integrations import SealedSecret

from hub_storage.collection import CollectionSpec, Document, Index, Query
from hub_storage.store import Store

SPEC = CollectionSpec("tokens", (Index(("collegeId", "integrationId")),))

# How far the clocks of two workers may be apart.
CLOCK_SKEW = timedelta(minutes=1)
_KEPT_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Whose token, and for what. ``key`` changes with the secrets that it was bought with: no token outlives them.

    ``identity`` changes with everything else that it depends on; a refresh token outlives that, an access token does
    not.
    """

    college_id: str
    integration_id: str
    key: str
    identity: str


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token in use. ``generation`` numbers the tokens of a place, one after another."""

    generation: int
    sealed: SealedSecret
    issued_at: datetime
    usable_until: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """Leave to buy the next token, until ``until``.

    ``refresh`` is what it is bought with, if the place has had a new one; ``is_uncertain``: an earlier purchase may
    have used that up, and nobody knows.
    """

    place: TokenPlace
    holder: str
    until: datetime
    generation: int
    refresh: SealedSecret | None
    is_uncertain: bool


@dataclass(frozen=True, slots=True)
class Busy:
    """Another worker is buying; its leave ends by itself."""

    until: datetime


class Tokens:
    """Invariant: of workers that need a token of one place at the same time, one has leave to buy it."""

    def __init__(self, store: Store) -> None:
        self._collection = store.collection(SPEC)

    async def take(
        self, place: TokenPlace, *, holder: str, now: datetime, lease: timedelta, newer_than: int = 0
    ) -> StoredToken | Claim | Busy:
        """The usable token of a generation after ``newer_than``; or leave to buy it; or word that another has it."""
        outcome: StoredToken | Claim | Busy | None = None

        def look(document: Document) -> Document | None:
            nonlocal outcome
            held = _usable(document, place, now, newer_than)
            claim = document["claim"]
            if held is not None:
                outcome = held
            elif claim is not None and claim["holder"] != holder and _is_running(claim, now, lease):
                outcome = Busy(parse_datetime(claim["until"]))
            else:
                claimed = _claimed(document, holder, now, lease)
                outcome = _claim_of(claimed, place)
                return claimed
            return None

        while outcome is None:
            if await self._collection.update(_id_of(place), look) is None:
                await self._drop(place, before=now - _KEPT_FOR)
                new = _claimed(_new(place), holder, now, lease)
                if not await self._collection.insert({_id_of(place): new}):
                    outcome = _claim_of(new, place)
        return outcome

    async def store(self, claim: Claim, token: StoredToken, *, refresh: SealedSecret | None, now: datetime) -> bool:
        """Keep what was bought, durably, and end the claim. ``refresh`` None keeps what there is.

        False, and nothing is kept, if another worker has stored a newer token meanwhile, or the place is gone.
        """

        is_kept = False

        def keep(document: Document) -> Document | None:
            nonlocal is_kept
            is_kept = document["generation"] == claim.generation
            if not is_kept:
                return None
            return {
                **document,
                "identity": claim.place.identity,
                "generation": token.generation,
                "token": _dump(token.sealed),
                "issuedAt": format_datetime(token.issued_at),
                "usableUntil": format_datetime(token.usable_until),
                "refresh": _dump(refresh) if refresh is not None else document["refresh"],
                "claim": None,
                "isUncertain": False,
                "touchedAt": format_datetime(now),
            }

        await self._collection.update(_id_of(claim.place), keep)
        return is_kept

    async def give_up(self, claim: Claim, *, is_uncertain: bool) -> None:
        """End a claim that bought nothing. ``is_uncertain``: nobody knows whether the purchase was made after all."""

        def end(document: Document) -> Document | None:
            if document["claim"] is None or document["claim"]["holder"] != claim.holder:
                return None
            return {**document, "claim": None, "isUncertain": is_uncertain or claim.is_uncertain}

        await self._collection.update(_id_of(claim.place), end)

    async def forget(self, college_id: str, integration_id: str) -> None:
        """Drop all of an integration's tokens."""
        await self._drop_where(college_id, integration_id, lambda _: True)

    async def _drop(self, place: TokenPlace, *, before: datetime) -> None:
        """Drop those of the integration's former secrets, once no worker can still be using them."""
        limit = format_datetime(before)
        await self._drop_where(place.college_id, place.integration_id, lambda token: token["touchedAt"] < limit)

    async def _drop_where(self, college_id: str, integration_id: str, is_over: Callable[[Document], bool]) -> None:
        query = Query(filter={"collegeId": college_id, "integrationId": integration_id})
        for stored in await self._collection.find(query):
            if is_over(stored.document):
                await self._collection.delete(stored.id)


def _id_of(place: TokenPlace) -> str:
    return derived_id(place.college_id, place.integration_id, place.key)


def _new(place: TokenPlace) -> Document:
    return {
        "collegeId": place.college_id,
        "integrationId": place.integration_id,
        "identity": place.identity,
        "generation": 0,
        "token": None,
        "issuedAt": None,
        "usableUntil": None,
        "refresh": None,
        "claim": None,
        "isUncertain": False,
    }


def _usable(document: Document, place: TokenPlace, now: datetime, newer_than: int) -> StoredToken | None:
    if document["token"] is None or document["identity"] != place.identity or document["generation"] <= newer_than:
        return None
    issued_at, usable_until = parse_datetime(document["issuedAt"]), parse_datetime(document["usableUntil"])
    if not issued_at - CLOCK_SKEW <= now < usable_until:
        return None
    sealed = SealedSecret.model_validate(document["token"])
    return StoredToken(document["generation"], sealed, issued_at, usable_until)


def _is_running(claim: Document, now: datetime, lease: timedelta) -> bool:
    return bool(now < parse_datetime(claim["until"]) <= now + lease + CLOCK_SKEW)


def _claimed(document: Document, holder: str, now: datetime, lease: timedelta) -> Document:
    """A claim that was not ended is one whose holder died, or takes too long: it may have spent what it bought with."""
    return {
        **document,
        "claim": {"holder": holder, "until": format_datetime(now + lease)},
        "isUncertain": document["isUncertain"] or document["claim"] is not None,
        "touchedAt": format_datetime(now),
    }


def _claim_of(document: Document, place: TokenPlace) -> Claim:
    refresh = document["refresh"]
    return Claim(
        place=place,
        holder=document["claim"]["holder"],
        until=parse_datetime(document["claim"]["until"]),
        generation=document["generation"],
        refresh=SealedSecret.model_validate(refresh) if refresh is not None else None,
        is_uncertain=document["isUncertain"],
    )


def _dump(sealed: SealedSecret) -> Document:
    return sealed.model_dump(mode="json", by_alias=True)
