"""The SQLite file: what was acknowledged is on the disk, and one piece of work cannot hurt another."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest
from hub_model.errors import BackendUnavailable, Conflict, InvalidInput
from hub_sqlite import SqliteDatabase, sqlite_path

WRITE_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from hub_sqlite import SqliteDatabase

async def main():
    async with SqliteDatabase(Path(sys.argv[1])) as database:
        await database.write(lambda c: c.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)"))
        async def writer(first):
            for n in range(first, 1_000_000, 8):
                await database.write(lambda c: c.execute("INSERT INTO t VALUES (?)", (n,)))
                print(n, flush=True)
        await asyncio.gather(*(writer(first) for first in range(8)))
asyncio.run(main())
"""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    async with SqliteDatabase(tmp_path / "hub.db") as database:
        await database.write(lambda c: c.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, data BLOB)"))
        yield database


def insert(number: int):
    return lambda connection: connection.execute("INSERT INTO t (n) VALUES (?)", (number,))


def numbers(connection: apsw.Connection) -> list[int]:
    return [row[0] for row in connection.execute("SELECT n FROM t ORDER BY n")]


async def test_a_read_sees_every_acknowledged_write(database: SqliteDatabase) -> None:
    for number in range(50):
        await database.write(insert(number))
        assert await database.read(numbers) == list(range(number + 1))


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("temp_store", 2),
        ("cache_size", -65536),
        ("journal_size_limit", 67108864),
        ("wal_autocheckpoint", 8000),
    ],
)
async def test_every_setting_of_the_file_is_in_force(database: SqliteDatabase, pragma: str, value: object) -> None:
    row = await database.write(lambda connection: connection.execute(f"PRAGMA {pragma}").fetchone())
    assert row == (value,)


async def test_a_failing_piece_leaves_its_neighbours_in_the_same_group_alone(database: SqliteDatabase) -> None:
    def insert_then_fail(connection: apsw.Connection) -> None:
        insert(1000)(connection)
        raise ValueError("no")

    work = [insert(n) for n in range(20)]
    work[7] = insert_then_fail
    work[11] = insert(3)  # the same key as another piece
    results = await asyncio.gather(*(database.write(piece) for piece in work), return_exceptions=True)
    assert isinstance(results[7], ValueError)
    assert isinstance(results[11], BackendUnavailable)
    assert await database.read(numbers) == [n for n in range(20) if n not in (7, 11)]


async def test_a_full_disk_fails_every_caller_of_the_group_and_the_file_goes_on_afterwards(
    database: SqliteDatabase,
) -> None:
    pages = await database.read(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await database.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 4}"))
    big = bytes(4096 * 20)
    results = await asyncio.gather(
        *(database.write(lambda c, n=n: c.execute("INSERT INTO t VALUES (?, ?)", (n, big))) for n in range(5)),
        return_exceptions=True,
    )
    assert all(isinstance(result, BackendUnavailable) for result in results)
    await database.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 10_000}"))
    await database.write(insert(1))
    assert await database.read(numbers) == [1]


async def test_work_that_waits_at_close_is_finished_and_later_work_is_refused(tmp_path: Path) -> None:
    async with SqliteDatabase(tmp_path / "hub.db") as database:
        await database.write(lambda c: c.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)"))
        waiting = [asyncio.ensure_future(database.write(insert(n))) for n in range(1000)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    with pytest.raises(BackendUnavailable, match=r"hub\.db is closed"):
        await database.write(insert(5000))
    with pytest.raises(BackendUnavailable, match=r"hub\.db is closed"):
        await database.read(numbers)
    async with SqliteDatabase(tmp_path / "hub.db") as again:
        assert await again.read(numbers) == list(range(1000))


async def test_a_cancelled_caller_does_not_stop_the_writer(database: SqliteDatabase) -> None:
    impatient = asyncio.ensure_future(database.write(insert(1)))
    await asyncio.sleep(0)
    impatient.cancel()
    await database.write(insert(2))
    assert await database.read(numbers) == [1, 2]


async def test_a_reader_cannot_write(database: SqliteDatabase) -> None:
    with pytest.raises(BackendUnavailable, match="ReadOnlyError"):
        await database.read(insert(1))


async def test_a_second_process_is_refused_and_told_who_has_the_file(database: SqliteDatabase, tmp_path: Path) -> None:
    program = "import sys, pathlib, hub_sqlite; hub_sqlite.FileLock(pathlib.Path(sys.argv[1])).acquire()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path / "hub.db"), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), timeout=20)
    assert process.returncode != 0
    assert f"is in use by process {os.getpid()}" in errors.decode()
    assert "amqp://" in errors.decode()


async def test_opening_the_same_file_twice_in_one_process_is_refused(database: SqliteDatabase, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match=r"which is this one.*a file each"):
        async with SqliteDatabase(tmp_path / "hub.db"):
            pass


def test_every_acknowledged_write_survives_kill_9(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_UNTIL_KILLED, str(tmp_path / "hub.db")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(400)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in process.communicate(timeout=20)[0].splitlines() if line.strip()][:-1]
    stored = {row[0] for row in apsw.Connection(str(tmp_path / "hub.db")).execute("SELECT n FROM t")}
    assert set(acknowledged) - stored == set()


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:///hub.db", "hub.db"), ("sqlite:///a/b.db", "a/b.db"), ("sqlite:////var/hub.db", "/var/hub.db")],
)
def test_a_url_names_a_file(url: str, path: str) -> None:
    assert sqlite_path(url) == Path(path)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite://host/x", "mongodb:///x", "hub.db"])
def test_other_urls_are_refused_with_the_form_to_write(url: str) -> None:
    with pytest.raises(InvalidInput, match="three slashes"):
        sqlite_path(url)


async def test_a_file_that_cannot_be_is_named_in_full(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match=r"file/hub\.db cannot be opened"):
        async with SqliteDatabase(tmp_path / "file" / "hub.db"):
            pass
    with pytest.raises(BackendUnavailable, match=str(tmp_path)):
        async with SqliteDatabase(tmp_path):
            pass
