"""What was answered under an Idempotency-Key, so that a repeated request gets the same answer and acts once."""

from contextlib import suppress
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
_ABANDONED_AFTER = timedelta(minutes=5)


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

    async def begin(self, college_id: str, key: str, *, fingerprint: str, now: datetime) -> StoredReply | None:
        """None: the key is new, and its request is in progress now. Otherwise what the first one was answered.

        Raises Conflict (``idempotency_in_progress``) while the first request runs, and InvalidInput
        (``idempotency_mismatch``) when the key was used for another request.
        """
        entry_id = derived_id(college_id, key)
        entry: Document = {
            "collegeId": college_id,
            "fingerprint": fingerprint,
            "startedAt": format_datetime(now),
            "reply": None,
        }
        while await self._collection.insert({entry_id: entry}):
            stored = await self._collection.get(entry_id)
            if stored is None:
                continue  # abandoned between the two calls: try again to be the first
            if not _counts_as_absent(stored, now):
                return _reply(stored, fingerprint)
            try:
                await self._collection.replace(entry_id, entry, version=stored.version)
            except (StaleVersion, NotFound):
                continue  # another request was quicker
            return None
        return None

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
        """The request that began then did nothing: let the key be used again."""
        entry_id = derived_id(college_id, key)
        stored = await self._collection.get(entry_id)
        if stored is not None and _is_begun_at(stored.document, started_at):
            with suppress(StaleVersion):  # another request has begun between the two calls
                await self._collection.delete(entry_id, version=stored.version)


def _is_begun_at(entry: Document, started_at: datetime) -> bool:
    return bool(entry["startedAt"] == format_datetime(started_at))


def _counts_as_absent(stored: Stored, now: datetime) -> bool:
    age = now - parse_datetime(stored.document["startedAt"])
    return age > (_KEPT_FOR if stored.document["reply"] else _ABANDONED_AFTER)


def _reply(stored: Stored, fingerprint: str) -> StoredReply:
    if stored.document["fingerprint"] != fingerprint:
        raise InvalidInput(
            "this Idempotency-Key was used for another request; use a new key for a new request",
            code="idempotency_mismatch",
        )
    if stored.document["reply"] is None:
        raise Conflict("the first request with this Idempotency-Key is still running", code="idempotency_in_progress")
    return StoredReply(**stored.document["reply"])
