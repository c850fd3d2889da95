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
            raise Conflict(_in_use(self._path.name[:-5], holder), code="database_in_use") from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; calling it twice is fine."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _in_use(name: str, holder: str) -> str:
    if holder == str(os.getpid()):
        return (
            f"{name} is in use by process {holder}, which is this one: it opens the file a second time. "
            "Give the broker and the store a file each."
        )
    return (
        f"{name} is in use by process {holder}; a SQLite file serves one process at a time. Stop that process, or "
        "give this one another file. Services that run apart and work together share an amqp:// broker and a "
        "mongodb:// store; over one SQLite file, `hub run` runs all of them in one process."
    )
