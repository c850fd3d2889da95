"""What was given up, in a table of its own."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import orjson
from hub_model.errors import InvalidInput, Unroutable
from hub_model.ids import new_id
from hub_sqlite import SqliteDatabase

from hub_messaging.adapters.sqlite import tables
from hub_messaging.adapters.sqlite.queues import Queues
from hub_messaging.adapters.sqlite.rows import DeadRow
from hub_messaging.broker import DeadLetter, DeadLetters, Envelope


class SqliteDeadLetters(DeadLetters):
    """A replay moves the message within one transaction, so that it is never in both places."""

    def __init__(self, database: SqliteDatabase, queues: Queues, now: Callable[[], float]) -> None:
        self._database = database
        self._queues = queues
        self._now = now

    async def newest(self, queue: str | None = None, *, limit: int = 100) -> Sequence[DeadLetter]:
        if limit < 1:
            raise InvalidInput("a limit is at least 1")
        rows = await self._database.read(partial(tables.dead_letters, queue=queue, limit=limit))
        return [_letter(row) for row in rows]

    async def count(self, queue: str | None = None) -> int:
        return await self._database.read(partial(tables.count_dead_letters, queue=queue))

    async def find(self, letter_id: str) -> DeadLetter | None:
        row = await self._database.read(partial(tables.find, letter_id=letter_id))
        return None if row is None else _letter(row)

    async def replay(self, letter_id: str) -> bool:
        letter = await self.find(letter_id)
        if letter is None:
            return False
        if self._queues.get(letter.queue) is None:
            raise Unroutable(f"there is no queue {letter.queue} any more")
        counts = Counter([letter.queue])
        self._queues.reserve(counts)
        try:
            moved = await self._database.write(
                partial(tables.replay, letter_id=letter_id, copy_id=new_id(), now=self._now())
            )
        except Exception:
            self._queues.release(counts)
            raise
        finally:
            # Also when the operator was cancelled: the write goes on without it.
            self._queues.wake(counts)
        if not moved:  # somebody was faster
            self._queues.release(counts)
        return moved

    async def discard(self, letter_id: str) -> bool:
        return await self._database.write(partial(tables.discard, letter_id=letter_id))


def _letter(row: DeadRow) -> DeadLetter:
    return DeadLetter(
        id=row.copy_id,
        queue=row.queue,
        envelope=Envelope(row.routing_key, row.body, orjson.loads(row.headers)),
        reason=row.reason,
        attempt=row.attempt,
        died_at=row.died_at,
    )
