"""A process that is killed while it merges: what it was told stays true, and repeating its work tells the same."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hub_model.records import DataType, RecordWrite
from hub_storage.opening import open_store
from hub_storage.records import MergeBatch, RecordQuery

NOW = datetime(2026, 7, 20, 9, 30, tzinfo=UTC)
RECORDS, BATCHES = 40, 2000

MERGE_UNTIL_KILLED = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from test_crash import BATCHES, a_batch
from hub_storage.opening import open_store

async def main():
    async with open_store(sys.argv[1], []) as store:
        async def merge(first):
            for number in range(first, BATCHES, 4):
                outcomes = await store.records.merge(a_batch(number))
                print(number, "".join(outcome.value[:2] for outcome in outcomes), flush=True)
        await asyncio.gather(*map(merge, range(4)))
asyncio.run(main())
"""


def a_batch(number: int) -> MergeBatch:
    """Some records are new in it, some changed, some unchanged, one deleted."""
    writes = [
        RecordWrite(
            f'["{key}"]',
            {"studentId": str(key), "value": number // (1 + key % 3)},
            f"{number // (1 + key % 3)}",
            NOW + timedelta(seconds=number),
            deleted=key % 40 == 7 and number % 5 == 0,
        )
        for key in range(number // 20, number // 20 + RECORDS)
    ]
    return MergeBatch(f"b{number}", "c1", DataType.STUDENTS, "i1", "r1", writes, NOW + timedelta(seconds=number))


def merge_until_killed(url: str) -> dict[int, str]:
    """What a process was told of each batch before it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", MERGE_UNTIL_KILLED, url, str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(200)]
    process.send_signal(signal.SIGKILL)
    lines += process.communicate(timeout=20)[0].splitlines(keepends=True)
    words = [line.split() for line in lines if line.endswith("\n")]
    return {int(number): outcomes for number, outcomes in words}


async def test_outcomes_told_before_kill_9_are_told_again_and_nothing_is_stored_twice(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/hub.db"
    told = merge_until_killed(url)
    assert 200 <= len(told) < BATCHES, "it was killed on its way"
    async with open_store(url, []) as store:
        for number, outcomes in told.items():
            repeated = await store.records.merge(a_batch(number))
            assert "".join(outcome.value[:2] for outcome in repeated) == outcomes
        found = await store.records.find("c1", DataType.STUDENTS, RecordQuery({}, limit=10_000))
        assert await store.records.count("c1", DataType.STUDENTS) == len(found) == len({record.key for record in found})
