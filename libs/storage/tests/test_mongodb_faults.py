"""A server that dies, stops answering or refuses: nothing acknowledged is lost, and nothing is there twice.

Each test has a server of its own, since it kills it. Callers repeat what raised Unavailable, as the middleware does.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence, Sized
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hub_model.errors import BackendUnavailable, InvalidInput
from hub_model.records import DataType, Outcome, RecordWrite
from hub_storage.collection import CollectionSpec, Index
from hub_storage.opening import open_store
from hub_storage.records import MergeBatch, RecordQuery
from hub_storage.store import Store
from hub_storage.testing.secantus import SecantusServer, require_secantus
from pymongo import MongoClient

pytestmark = pytest.mark.slow

T = TypeVar("T")
STUDENTS = DataType.STUDENTS
COUNTERS = CollectionSpec("counters", (Index(("name",), unique=True),))
CANARY = "canary-7f3a"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SecantusServer]:
    require_secantus()
    server = SecantusServer(tmp_path / "mongodb")
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def store(server: SecantusServer) -> AsyncIterator[Store]:
    async with open_store(f"{server.url}hub", [COUNTERS]) as store:
        yield store


async def until_told(work: Callable[[], Awaitable[T]]) -> T:
    """What the work returns, however often the server was away."""
    async with asyncio.timeout(120):
        while True:
            try:
                return await work()
            except BackendUnavailable:
                await asyncio.sleep(0.05)


async def until(told: Sized, count: int) -> None:
    """Wait until so much was told."""
    for _ in range(12_000):
        if len(told) >= count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{len(told)} of {count} in two minutes")


def a_batch(number: int, now: datetime, *, size: int = 40) -> MergeBatch:
    """Overlaps with its neighbours: some records are new in it, some changed, some unchanged, one deleted."""
    at = now + timedelta(seconds=number)
    writes = [
        RecordWrite(
            f'["{key}"]',
            {"studentId": str(key), "value": number // (1 + key % 3)},
            f"{number // (1 + key % 3)}",
            at,
            deleted=key % 40 == 7 and number % 5 == 0,
        )
        for key in range(number * 10, number * 10 + size)
    ]
    return MergeBatch(f"b{number}", "c1", STUDENTS, "i1", "r1", writes, at, observed_at=now + timedelta(days=1))


async def check_against_sqlite(
    told: dict[int, Sequence[Outcome]], store: Store, batches: Sequence[MergeBatch], sqlite_url: str
) -> None:
    """What is stored is what one transaction after the other stores, and what was told adds up to it."""
    everything = RecordQuery({}, limit=100_000)
    async with open_store(sqlite_url, []) as oracle:
        for batch in batches:
            await oracle.records.merge(batch)
        expected = {record.key: record.data for record in await oracle.records.find("c1", STUDENTS, everything)}
    found = await store.records.find("c1", STUDENTS, everything)
    assert {record.key: record.data for record in found} == expected
    assert await store.records.count("c1", STUDENTS) == len(expected)
    changes = [outcome for outcomes in told.values() for outcome in outcomes]
    assert changes.count(Outcome.INSERTED) - changes.count(Outcome.DELETED) == len(expected)
    for number, outcomes in told.items():
        assert await store.records.merge(batches[number]) == outcomes


async def test_a_server_killed_during_merges_loses_nothing_that_was_told_and_stores_nothing_twice(
    server: SecantusServer, store: Store, sqlite_url: str, now: datetime
) -> None:
    batches = [a_batch(number, now) for number in range(60)]
    told: dict[int, Sequence[Outcome]] = {}

    async def work(first: int) -> None:
        for number in range(first, len(batches), 3):
            told[number] = await until_told(lambda number=number: store.records.merge(batches[number]))

    workers = [asyncio.create_task(work(first)) for first in range(3)]
    for reached in (8, 20, 40):
        await until(told, reached)
        server.kill()
        await asyncio.to_thread(server.start)
    await asyncio.gather(*workers)
    await check_against_sqlite(told, store, batches, sqlite_url)


MERGE_UNTIL_KILLED = """
import asyncio, importlib.util, sys
from datetime import datetime
spec = importlib.util.spec_from_file_location("faults", sys.argv[2])
faults = importlib.util.module_from_spec(spec)
spec.loader.exec_module(faults)
from hub_storage.opening import open_store

async def main():
    now = datetime.fromisoformat(sys.argv[3])
    async with open_store(sys.argv[1], []) as store:
        for number in map(int, sys.argv[4].split(",")):
            outcomes = await store.records.merge(faults.a_batch(number, now))
            print(number, ",".join(outcomes), flush=True)
asyncio.run(main())
"""


class Writer:
    """A process that merges batches one after the other and says what became of them."""

    def __init__(self, url: str, now: datetime, numbers: Sequence[int]) -> None:
        arguments = [url, __file__, now.isoformat(), ",".join(map(str, numbers))]
        self._process = subprocess.Popen(
            [sys.executable, "-c", MERGE_UNTIL_KILLED, *arguments], stdout=subprocess.PIPE, text=True
        )
        self.told: dict[int, list[Outcome]] = {}

    def read(self, lines: int) -> None:
        assert self._process.stdout is not None
        for _ in range(lines):
            self._keep(self._process.stdout.readline())

    def kill(self) -> None:
        self._process.kill()
        self._rest()

    def finish(self) -> None:
        self._rest()
        assert self._process.returncode == 0

    def _rest(self) -> None:
        # From the same reader as before: it may hold half a line that ``communicate`` would not see.
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._keep(line)
        self._process.wait(120)

    def _keep(self, line: str) -> None:
        if line.endswith("\n"):
            number, outcomes = line.split()
            self.told[int(number)] = [Outcome(outcome) for outcome in outcomes.split(",")]


async def test_writers_that_are_killed_while_they_merge_the_same_batches_tell_the_same(
    server: SecantusServer, store: Store, sqlite_url: str, now: datetime
) -> None:
    url, numbers = f"{server.url}hub", list(range(40))
    told: dict[int, Sequence[Outcome]] = {}

    def keep(writer: Writer) -> None:
        for number, outcomes in writer.told.items():
            assert told.setdefault(number, outcomes) == outcomes

    for round_ in range(3):
        # One goes up, one goes down: they meet on records, and on whole batches.
        writers = [Writer(url, now, numbers), Writer(url, now, numbers[::-1])]
        for writer in writers:
            await asyncio.to_thread(writer.read, 2 + round_)
        for writer in writers:
            await asyncio.to_thread(writer.kill)
            keep(writer)
    writers = [Writer(url, now, numbers), Writer(url, now, numbers[::-1]), Writer(url, now, numbers[10:])]
    for writer in writers:
        await asyncio.to_thread(writer.finish)
        keep(writer)
    assert sorted(told) == numbers
    await check_against_sqlite(told, store, [a_batch(number, now) for number in numbers], sqlite_url)


async def test_a_server_killed_during_changes_loses_no_change_that_was_told(
    server: SecantusServer, store: Store
) -> None:
    """Each change adds an id of its own, so that repeating one whose answer was lost adds nothing."""
    counters = store.collection(COUNTERS)
    await counters.insert({"c": {"name": "c", "done": []}})
    told: list[str] = []

    async def work(worker: int) -> None:
        for number in range(30):
            change_id = f"{worker}-{number}"

            def change(counter: dict[str, Any], change_id: str = change_id) -> dict[str, Any] | None:
                return None if change_id in counter["done"] else {**counter, "done": [*counter["done"], change_id]}

            await until_told(lambda change=change: counters.update("c", change))
            told.append(change_id)

    workers = [asyncio.create_task(work(worker)) for worker in range(3)]
    await until(told, 30)
    server.kill()
    await asyncio.to_thread(server.start)
    await asyncio.gather(*workers)
    stored = await counters.get("c")
    assert stored is not None
    assert sorted(stored.document["done"]) == sorted(told)
    assert len(set(told)) == 90


async def test_a_server_that_stands_still_for_five_seconds_delays_and_breaks_nothing(
    server: SecantusServer, store: Store, now: datetime
) -> None:
    await store.records.merge(a_batch(0, now))
    server.pause()
    waiting = [asyncio.create_task(store.records.merge(a_batch(number, now))) for number in (1, 2)]
    done, _ = await asyncio.wait(waiting, timeout=5)
    server.resume()
    assert not done, "nothing is told while nothing is known"
    outcomes = dict(zip((1, 2), await asyncio.gather(*waiting), strict=True))
    for number, told in outcomes.items():
        assert await store.records.merge(a_batch(number, now)) == told
    await store.ping()


async def test_a_server_that_is_gone_is_unavailable_and_serves_again_when_it_is_back(
    server: SecantusServer, store: Store
) -> None:
    counters = store.collection(COUNTERS)
    await counters.insert({"a": {"name": "a"}})
    server.stop()
    calls = (store.ping(), counters.get("a"), counters.insert({"b": {}}), store.records.count("c1", STUDENTS))
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [BackendUnavailable] * 4
    server.start()
    await until_told(store.ping)
    assert await counters.count({}) == 1


async def test_wrong_or_missing_credentials_are_refused_at_the_start_without_being_repeated(
    server: SecantusServer,
) -> None:
    with MongoClient[dict[str, Any]](server.url) as client:
        client.admin.command("createUser", "hub", pwd="right", roles=[{"role": "root", "db": "admin"}])
    server.stop()
    server.start("--auth")
    address = server.url.removeprefix("mongodb://")
    for user, password in (("hub", CANARY), (CANARY, "right")):
        with pytest.raises(InvalidInput) as caught:
            async with open_store(f"mongodb://{user}:{password}@{address}hub?authSource=admin", []):
                pass
        assert caught.value.code == "store_refused"
        assert CANARY not in str(caught.value) + str(caught.value.__cause__)
    with pytest.raises(InvalidInput, match="user"):
        async with open_store(f"mongodb://{address}hub", []):
            pass
    async with open_store(f"mongodb://hub:right@{address}hub?authSource=admin", [COUNTERS]) as store:
        await store.ping()
