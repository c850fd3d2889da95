"""Messages on their way within this process, so that they need not be read back from the file and parsed again."""

import threading
from collections.abc import Iterable

from hub_messaging.adapters.sqlite.rows import NewRow
from hub_messaging.broker import Envelope

# Of encoded bodies; what they were written from takes several times as much.
_MAX_BYTES = 16 * 1024 * 1024
_FRAME_BYTES = 1024


class Carried:
    """Published envelopes that wait to be claimed, each until it is claimed once; the file has them all in any case.

    When there is no more room, what comes later is not kept: queues are served in order, so what came first is
    wanted first. Used by the event loop and by the database's writer thread.
    """

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._left = max_bytes
        self._lock = threading.Lock()
        self._queues: dict[str, dict[str, Envelope]] = {}

    @property
    def has_any(self) -> bool:
        """Whether anything waits here."""
        return any(self._queues.values())

    def keep(self, rows: Iterable[NewRow]) -> None:
        """Keep what is about to be written, as far as there is room."""
        with self._lock:
            for row in rows:
                size = _size(row.envelope)
                if row.envelope.message is not None and size <= self._left:
                    self._left -= size
                    self._queues.setdefault(row.queue, {})[row.copy_id] = row.envelope

    def take(self, queue: str, copy_id: str) -> Envelope | None:
        """The envelope of one copy, handed out once."""
        with self._lock:
            envelope = self._queues.get(queue, {}).pop(copy_id, None)
            if envelope is not None:
                self._left += _size(envelope)
            return envelope

    def drop(self, rows: Iterable[NewRow]) -> None:
        """These were perhaps not written."""
        for row in rows:
            self.take(row.queue, row.copy_id)

    def forget(self, queue: str) -> None:
        """Nobody consumes this queue any more."""
        with self._lock:
            self._left += sum(map(_size, self._queues.pop(queue, {}).values()))


def _size(envelope: Envelope) -> int:
    return len(envelope.body) + _FRAME_BYTES
