"""The lock that keeps a SQLite file to one process."""

import fcntl
import os
from pathlib import Path

from hub_model.errors import Conflict


class FileLock:
    """An advisory lock beside the database; the kernel drops it when the process ends, however it ends."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + "-lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock, or raise Conflict naming the process that holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise Conflict(
                f"{self._path.name[:-5]} is in use by process {holder}; a SQLite file serves one process at a time. "
                "Stop that process, or give this one another file.",
                code="database_in_use",
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; calling it twice is fine."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
