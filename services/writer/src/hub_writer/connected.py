"""Which integrations a college has, remembered for half a minute: what one said that is gone stands against nobody."""

from collections.abc import Callable
from datetime import datetime, timedelta

from hub_storage.repositories import Integrations

_REMEMBERED_FOR = timedelta(seconds=30)
_MAX_COLLEGES = 1000

Ids = frozenset[str]


class Connected:
    """Asked for every batch, and of the store once in half a minute per college.

    An integration that was made meanwhile is not missed by the process that writes its records. Another process may
    take back what it said in its first half minute; its next repetition brings that again.
    """

    def __init__(self, integrations: Integrations, clock: Callable[[], datetime]) -> None:
        self._integrations = integrations
        self._clock = clock
        self._known: dict[str, tuple[datetime, Ids | None]] = {}

    async def of(self, college_id: str, writer: str) -> Ids | None:
        """The ids of the college's integrations, of which ``writer`` is about to write; None if they are not known."""
        looked_at, ids = self._known.get(college_id, (None, None))
        now = self._clock()
        if looked_at is not None and (ids is None or writer in ids) and abs(now - looked_at) < _REMEMBERED_FOR:
            return ids
        ids = await self._integrations.ids(college_id)
        if len(self._known) >= _MAX_COLLEGES:
            self._known.clear()
        self._known[college_id] = (now, ids)
        return ids
