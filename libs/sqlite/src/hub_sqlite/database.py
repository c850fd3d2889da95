"""One SQLite file, opened once per process and shared by the broker and the store adapters.

All writes go through one thread. It takes whatever is waiting, runs each piece of work in a savepoint of one
transaction and commits once: a hundred concurrent writers pay one fsync (group commit), and a piece that fails
does not hurt its neighbours. A future resolves only after the commit, so what a caller was told is on the disk
(``synchronous=FULL``). Reads use connections of their own, which WAL lets run beside the writer.

Files before SQLite 3.51.3 could be damaged by the WAL-reset bug; apsw bundles a fixed one, checked at open.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import apsw
from hub_model.errors import BackendUnavailable, InvalidInput, TooLarge

from hub_sqlite.lock import FileLock

T = TypeVar("T")
Work = Callable[[apsw.Connection], T]

_FIXED_SQLITE = (3, 51, 3)
_MAX_GROUP = 256
_READERS = 2
_PRAGMAS = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -65536;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA wal_autocheckpoint = 8000;
"""


def sqlite_path(url: str) -> Path:
    """The file of ``sqlite:///relative.db`` or ``sqlite:////absolute.db``."""
    parts = urlsplit(url)
    path = parts.path.removeprefix("/")
    if parts.scheme != "sqlite" or parts.netloc or not path:
        raise InvalidInput(f"{url!r} is not sqlite:///FILE (three slashes, then the path of a file)")
    return Path(path)


class SqliteDatabase:
    """The file, its lock, its writer thread and its readers. Open with ``async with``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path)
        self._queue: queue.SimpleQueue[tuple[Work[Any], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._local = threading.local()
        self._reader_connections: list[apsw.Connection] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: Exception | None = None

    async def __aenter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except OSError as error:
            raise InvalidInput(f"{self._path} cannot be opened: {error.strerror}") from error
        try:
            self._loop = asyncio.get_running_loop()
            connection = await asyncio.to_thread(self._connect)
            self._writer = threading.Thread(
                target=self._write_forever, args=(connection,), name=f"sqlite-writer-{self._path.name}", daemon=True
            )
            self._writer.start()
            self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix=f"sqlite-reader-{self._path.name}")
        except BaseException:
            self._lock.release()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._writer is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._writer.join)
            self._writer = None
        if self._readers is not None:
            await asyncio.to_thread(self._readers.shutdown)
            self._readers = None
            for connection in self._reader_connections:
                connection.close()
            self._reader_connections.clear()
        self._lock.release()

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in the writer thread; return its result once it is committed, or raise what it raised."""
        if self._writer is None or self._failure is not None:
            raise BackendUnavailable(f"{self._path.name} is closed") from self._failure
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put((work, future))
        # Shielded: a cancelled caller must not make the writer drop a result that others' commits depend on.
        return await asyncio.shield(future)

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on a read-only connection; it sees every write that was acknowledged before."""
        if self._readers is None:
            raise BackendUnavailable(f"{self._path.name} is closed")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read(self, work: Work[T]) -> T:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect(read_only=True)
            self._reader_connections.append(connection)
        try:
            return work(connection)
        except apsw.Error as error:
            raise _translated(error, self._path.name) from error

    def _connect(self, *, read_only: bool = False) -> apsw.Connection:
        if tuple(map(int, apsw.sqlite_lib_version().split("."))) < _FIXED_SQLITE:
            raise InvalidInput(f"SQLite {apsw.sqlite_lib_version()} can damage files; install a newer apsw")
        flags = (
            apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        ) | apsw.SQLITE_OPEN_NOMUTEX
        try:
            connection = apsw.Connection(str(self._path), flags=flags)
            connection.set_busy_timeout(10_000)
            if not read_only:
                connection.execute(_PRAGMAS).fetchall()  # a script stops at a row that nobody takes
        except apsw.Error as error:
            raise _translated(error, str(self._path)) from error
        return connection

    def _write_forever(self, connection: apsw.Connection) -> None:
        try:
            while group := self._next_group():
                self._commit_group(connection, group)
        finally:
            connection.close()

    def _next_group(self) -> list[tuple[Work[Any], asyncio.Future[Any]]]:
        """Everything that waits, at least one piece of work; empty when the database is closing."""
        item = self._queue.get()
        group = []
        while item is not None:
            group.append(item)
            if len(group) >= _MAX_GROUP:
                return group
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group
        if group:
            self._queue.put(None)  # finish this group first, then see the end again
        return group

    def _commit_group(self, connection: apsw.Connection, group: list[tuple[Work[Any], asyncio.Future[Any]]]) -> None:
        outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for work, future in group:
                connection.execute("SAVEPOINT piece")
                try:
                    outcomes.append((future, work(connection), None))
                except Exception as error:  # noqa: BLE001 - handed to the caller who asked for this piece
                    connection.execute("ROLLBACK TO piece")
                    outcomes.append((future, None, _translated(error, self._path.name)))
                connection.execute("RELEASE piece")
            connection.execute("COMMIT")
        except apsw.Error as error:
            # Disk full, I/O error: nothing of this group is on the disk, and every caller hears so.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            failure = _translated(error, self._path.name)
            outcomes = [(future, None, failure) for _, future in group]
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, outcomes)


def _resolve(outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
    for future, result, error in outcomes:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def _translated(error: Exception, name: str) -> Exception:
    """The hub's error for one of apsw's; anything else is passed on as it is."""
    if isinstance(error, apsw.TooBigError):
        return TooLarge(f"a value is larger than {name} can hold")
    if isinstance(error, apsw.Error):
        return BackendUnavailable(f"{name}: {type(error).__name__}: {error}")
    return error
