"""What the SQLite record store promises beyond the port: what it writes, and what it remembers of a batch."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hub_model.encoded import EncodedObject
from hub_model.records import DataType, Outcome, RecordWrite
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.adapters.sqlite.record_tables import indexed_student
from hub_storage.records import MergeBatch, RecordStore
from hypothesis import given
from hypothesis import strategies as st

INSERTED, UPDATED, UNCHANGED, STALE = Outcome.INSERTED, Outcome.UPDATED, Outcome.UNCHANGED, Outcome.STALE


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    async with SqliteDatabase(tmp_path / "hub.db") as database:
        yield database


@pytest.fixture
async def records(database: SqliteDatabase) -> RecordStore:
    store = SqliteStore(database)
    await store.open([])
    return store.records


def a_batch(now: datetime, batch_id: str, *values: int, version: int = 0, at: timedelta = timedelta()) -> MergeBatch:
    writes = [
        RecordWrite(f'["{n}"]', {"studentId": str(n), "value": value}, str(value), now + timedelta(minutes=version))
        for n, value in enumerate(values)
    ]
    return MergeBatch(batch_id, "c1", DataType.STUDENTS, "i1", "r1", writes, now + at)


async def rows_written(database: SqliteDatabase) -> int:
    return await database.write(lambda connection: connection.total_changes())


async def rows_of(database: SqliteDatabase, table: str) -> int:
    return await database.read(lambda connection: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


async def test_data_whose_text_is_known_is_stored_as_that_text(
    records: RecordStore, database: SqliteDatabase, now: datetime
) -> None:
    batch = a_batch(now, "b1", 1)
    batch.writes[0].data = EncodedObject({"studentId": "0"}, b'{"studentId":"0","name":"A"}')
    await records.merge(batch)
    stored = await records.get("c1", DataType.STUDENTS, '["0"]')
    assert stored is not None
    assert stored.data == {"studentId": "0", "name": "A"}


async def test_an_unchanged_batch_writes_no_row(records: RecordStore, database: SqliteDatabase, now: datetime) -> None:
    await records.merge(a_batch(now, "b1", 1, 2, 3))
    before = await rows_written(database)
    assert await records.merge(a_batch(now, "b2", 1, 2, 3, version=1)) == [UNCHANGED] * 3
    assert await records.merge(a_batch(now, "b3", 9, 9, 9, version=-1)) == [STALE] * 3
    assert await rows_written(database) == before


async def test_only_what_changed_is_written(records: RecordStore, database: SqliteDatabase, now: datetime) -> None:
    await records.merge(a_batch(now, "b1", 1, 2, 3))
    before = await rows_written(database)
    assert await records.merge(a_batch(now, "b2", 1, 7, 3, version=1)) == [UNCHANGED, UPDATED, UNCHANGED]
    assert await rows_written(database) - before == 2, "the record, and the memory of the batch"


async def test_a_batch_reports_the_same_even_if_its_records_were_changed_since(
    records: RecordStore, now: datetime
) -> None:
    first = a_batch(now, "b1", 1, 2)
    assert await records.merge(first) == [INSERTED, INSERTED]
    assert await records.merge(a_batch(now, "b2", 5, 6, version=1)) == [UPDATED, UPDATED]
    assert await records.merge(first) == [INSERTED, INSERTED]
    record = await records.get("c1", DataType.STUDENTS, '["0"]')
    assert record is not None
    assert record.data["value"] == 5


async def test_a_batch_id_that_comes_with_other_content_is_merged(records: RecordStore, now: datetime) -> None:
    await records.merge(a_batch(now, "b1", 1, 2))
    # The batch was mapped again, by rules that had changed meanwhile.
    assert await records.merge(a_batch(now, "b1", 1, 3, version=1)) == [UNCHANGED, UPDATED]
    assert await records.merge(a_batch(now, "b1", 1, 3, version=1)) == [UNCHANGED, UPDATED]


async def test_batches_are_remembered_for_a_week_and_then_forgotten(
    records: RecordStore, database: SqliteDatabase, now: datetime
) -> None:
    first = a_batch(now, "b0", 0)
    for number in range(20):
        await records.merge(replace(a_batch(now, f"b{number}", number, version=number)))
    assert await rows_of(database, "record_batches") == 20
    almost = a_batch(now, "almost", 100, version=100, at=timedelta(days=7))
    await records.merge(almost)
    assert await records.merge(first) == [INSERTED]
    assert await rows_of(database, "record_batches") == 21
    for number in range(6):
        later = timedelta(days=7, seconds=1)
        await records.merge(a_batch(now, f"later {number}", 200 + number, version=200 + number, at=later))
    assert await rows_of(database, "record_batches") == 7
    assert await records.merge(first) == [STALE], "compared anew"


@given(st.text(), st.text())
def test_a_student_is_in_the_column_unless_the_key_begins_with_it(student_id: str, other: str) -> None:
    key = json.dumps([student_id, "2026-07-20"], ensure_ascii=False, separators=(",", ":"))
    assert indexed_student(key, {"studentId": student_id}) is None
    assert indexed_student(key, {"studentId": other}) == (other if other != student_id else None)
    assert indexed_student(key, {}) is None
