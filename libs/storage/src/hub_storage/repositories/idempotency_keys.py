"""What was answered under an Idempotency-Key, so that a repeated request gets the same answer and acts once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hub_model.base import format_datetime, parse_datetime
from hub_model.errors import Conflict, InvalidInput, NotFound, StaleVersion
from hub_model.ids import derived_id

from hub_storage.collection import CollectionSpec, Document, Stored
from hub_storage.store import Store

SPEC = CollectionSpec("idempotency_keys")

_KEPT_FOR = timedelta(hours=24)
# A request that has not answered by then died with its process; its key must not stay locked for a day.
ABANDONED_AFTER_S = 30.0


@dataclass(frozen=True, slots=True)
class StoredReply:
    """The answer to the first request, to be given again word for word."""

    status: int
    headers: dict[str, str]
    body: str


class IdempotencyKeys:
    """Keys by college. Entries older than 24 hours count as absent."""

    def __init__(self, store: Store) -> None:
        self._collection = store.collection(SPEC)

    async def begin(
        self, college_id: str, key: str, *, fingerprint: str, now: datetime, made_id: str
    ) -> StoredReply | str:
        """A reply: what the first request was answered. Otherwise this one is in progress now, and what it makes has
        the id that is returned: ``made_id``, or that of an earlier attempt which was not answered.

        Invariant: attempts of one request make one thing, whatever became of the answers.

        Raises Conflict (``idempotency_in_progress``) while the first request runs, and InvalidInput
        (``idempotency_mismatch``) when the key was used for another request.
        """
        entry_id = derived_id(college_id, key)
        entry: Document = {
            "collegeId": college_id,
            "fingerprint": fingerprint,
            "startedAt": format_datetime(now),
            "reply": None,
            "madeId": made_id,
            "isReleased": False,
        }
        while await self._collection.insert({entry_id: entry}):
            stored = await self._collection.get(entry_id)
            if stored is None:
                continue  # abandoned between the two calls: try again to be the first
            if not _is_free(stored, now):
                return _reply(stored, fingerprint)
            ours = {**entry, "madeId": _unanswered_id(stored, fingerprint, now) or made_id}
            try:
                await self._collection.replace(entry_id, ours, version=stored.version)
            except (StaleVersion, NotFound):
                continue  # another request was quicker
            return str(ours["madeId"])
        return made_id

    async def finish(
        self, college_id: str, key: str, *, started_at: datetime, status: int, headers: dict[str, str], body: str
    ) -> None:
        """Keep the answer for repetitions. ``started_at`` is the ``now`` of the :meth:`begin` that it ends.

        A request that took so long that another has begun with its key leaves that one's entry alone.
        """
        reply = {"status": status, "headers": headers, "body": body}

        def answer(entry: Document) -> Document | None:
            return {**entry, "reply": reply} if _is_begun_at(entry, started_at) else None

        await self._collection.update(derived_id(college_id, key), answer)

    async def abandon(self, college_id: str, key: str, *, started_at: datetime) -> None:
        """The request that began then has failed: let the key be used again, for this request or another."""

        def release(entry: Document) -> Document | None:
            return {**entry, "isReleased": True} if _is_begun_at(entry, started_at) else None

        await self._collection.update(derived_id(college_id, key), release)


def _is_begun_at(entry: Document, started_at: datetime) -> bool:
    return bool(entry["startedAt"] == format_datetime(started_at))


def _age(stored: Stored, now: datetime) -> timedelta:
    return now - parse_datetime(stored.document["startedAt"])


def _is_free(stored: Stored, now: datetime) -> bool:
    if stored.document["reply"] is not None:
        return _age(stored, now) > _KEPT_FOR
    return bool(stored.document.get("isReleased")) or _age(stored, now).total_seconds() > ABANDONED_AFTER_S


def _unanswered_id(stored: Stored, fingerprint: str, now: datetime) -> str | None:
    """What an attempt of the same request, of which nobody knows how far it came, gave to what it makes."""
    entry = stored.document
    is_same = entry["fingerprint"] == fingerprint and _age(stored, now) <= _KEPT_FOR
    return entry.get("madeId") if is_same else None


def _reply(stored: Stored, fingerprint: str) -> StoredReply:
    if stored.document["fingerprint"] != fingerprint:
        raise InvalidInput(
            "this Idempotency-Key was used for another request; use a new key for a new request",
            code="idempotency_mismatch",
        )
    if stored.document["reply"] is None:
        raise Conflict("the first request with this Idempotency-Key is still running", code="idempotency_in_progress")
    return StoredReply(**stored.document["reply"])
