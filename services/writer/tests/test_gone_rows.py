"""Deletes that tell nothing but the source's row: the records that it made go, and nothing else does."""

from datetime import timedelta
from typing import Any

from hub_model.base import format_datetime
from hub_model.counts import Counts
from hub_model.records import DataType

STUDENTS = DataType.STUDENTS


def gone(world: Any, *rows: str, sequence: int = 1) -> Any:
    later = format_datetime(world.now + timedelta(hours=1))
    batch = world.batch(STUDENTS, sequence, keys=rows, deleted=True, version=later, hash="d")
    records = [{**record, "key": "", "sourceId": row} for record, row in zip(batch.records, rows, strict=True)]
    return batch.model_copy(update={"records": records})


async def is_deleted(world: Any, key: str) -> bool:
    record = await world.store.records.get("c1", STUDENTS, f'["{key}"]')
    return bool(record.deleted)


async def test_the_record_of_a_row_that_is_gone_is_deleted(world) -> None:
    await world.deliver(world.batch(STUDENTS, keys=["S1"], sourceId="u-1"))
    await world.deliver(world.batch(STUDENTS, 5, keys=["S2"], sourceId="u-2"))
    written, changed = await world.deliver(gone(world, "u-1", "u-9"))
    assert written.counts == changed.counts == Counts(fetched=2, deleted=1, unchanged=1)
    assert (await is_deleted(world, "S1"), await is_deleted(world, "S2")) == (True, False)
    (again,) = await world.deliver(gone(world, "u-1", "u-9", sequence=2))
    assert again.counts == Counts(fetched=2, unchanged=2)


async def test_a_batch_that_comes_again_deletes_no_more(world) -> None:
    await world.deliver(world.batch(STUDENTS, keys=["S1"], sourceId="u-1"))
    first = await world.deliver(gone(world, "u-1"))
    again = await world.deliver(gone(world, "u-1"))
    assert [message.counts for message in again] == [message.counts for message in first]


async def test_who_takes_the_key_of_a_row_that_is_gone_stays(world) -> None:
    await world.deliver(world.batch(STUDENTS, keys=["S1"], sourceId="u-1"))
    batch = gone(world, "u-1")
    taken = {**batch.records[0], "key": '["S1"]', "sourceId": "u-7", "deleted": False, "hash": "b"}
    message = batch.model_copy(update={"records": [*batch.records, taken]})
    written, _ = await world.deliver(message)
    assert written.counts == Counts(fetched=2, deleted=1, inserted=1)
    assert not await is_deleted(world, "S1")
    await world.deliver(message)
    assert not await is_deleted(world, "S1")
