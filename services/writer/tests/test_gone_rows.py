"""Deletes that tell nothing but the source's row: the records that it made go, and nothing else does."""

from datetime import timedelta
from typing import Any

from hub_model.base import format_datetime
from hub_model.counts import Counts
from hub_model.records import DataType, Outcome
from hub_writer.batches import merge_of
from hub_writer.gone_rows import merge_all

STUDENTS = DataType.STUDENTS


def gone(world: Any, *rows: str, sequence: int = 1) -> Any:
    later = format_datetime(world.now + timedelta(hours=1))
    batch = world.batch(STUDENTS, sequence, keys=rows, deleted=True, version=later, hash="d")
    records = [{**record, "key": "", "sourceId": row} for record, row in zip(batch.records, rows, strict=True)]
    return batch.model_copy(update={"records": records})


def joined(batch: Any, other: Any) -> Any:
    """One batch with the records of both."""
    return batch.model_copy(update={"records": [*batch.records, *other.records]})


async def is_deleted(world: Any, key: str) -> bool:
    record = await world.store.records.get("c1", STUDENTS, f'["{key}"]')
    return bool(record.deleted)


async def test_the_records_of_rows_that_are_gone_are_deleted(world) -> None:
    for number in (1, 2, 3):
        await world.deliver(world.batch(STUDENTS, 10 + number, keys=[f"S{number}"], sourceId=f"u-{number}"))
    written, changed = await world.deliver(gone(world, "u-9", "u-1", "u-3"))
    assert written.counts == changed.counts == Counts(fetched=3, deleted=2, unchanged=1)
    assert [await is_deleted(world, key) for key in ("S1", "S2", "S3")] == [True, False, True]
    (again,) = await world.deliver(gone(world, "u-9", "u-1", "u-3", sequence=2))
    assert again.counts == Counts(fetched=3, unchanged=3)


async def test_a_batch_that_comes_again_deletes_no_more_and_tells_the_same(world) -> None:
    await world.deliver(world.batch(STUDENTS, keys=["S1"], sourceId="u-1"))
    batch = joined(gone(world, "u-1"), world.batch(STUDENTS, keys=["S2"], sourceId="u-2"))
    first = await world.deliver(batch)
    again = await world.deliver(batch)
    assert first[0].counts == Counts(fetched=2, deleted=1, inserted=1)
    assert [message.counts for message in again] == [message.counts for message in first]
    assert (await is_deleted(world, "S1"), await is_deleted(world, "S2")) == (True, False)


async def test_a_row_that_made_several_records_counts_as_deleted_where_one_of_them_was_there(world) -> None:
    await world.deliver(world.batch(STUDENTS, keys=["S1", "S2", "S3"], sourceId="u-1"))
    later = format_datetime(world.now + timedelta(minutes=1))
    for sequence, key in ((2, "S1"), (3, "S3")):
        await world.deliver(
            world.batch(STUDENTS, sequence, keys=[key], sourceId="u-1", deleted=True, version=later, hash="d")
        )
    written, *_ = await world.deliver(gone(world, "u-1"))
    assert written.counts == Counts(fetched=1, deleted=1)
    assert await is_deleted(world, "S2")


async def test_a_row_whose_records_another_integration_says_counts_as_updated_where_one_of_them_was(world) -> None:
    await world.deliver(world.batch(STUDENTS, keys=["S1", "S2"], sourceId="u-1"))
    others = world.batch(STUDENTS, 2, keys=["S2"]).model_copy(update={"integration_id": "lms"})
    nameless = world.batch(STUDENTS, 3, keys=["S1"], data={}, hash="n").model_copy(update={"integration_id": "lms"})
    for batch in (others, nameless):
        await world.store.records.merge(merge_of(batch, world.now))
    assert await merge_all(world.store.records, merge_of(gone(world, "u-1"), world.now)) == [Outcome.UPDATED]


async def test_rows_are_looked_for_only_where_a_delete_has_no_key(world) -> None:
    """The search reads all of a college's records of the type."""
    await world.begin(STUDENTS)
    await world.deliver(world.batch(STUDENTS, keys=["S1", "S2"], sourceId="u-1"))  # learns what integrations there are
    world.faults.arm(0)
    await world.deliver(world.batch(STUDENTS, 1, keys=["S3", "S4"], sourceId="u-2"))
    assert world.faults.calls == 2, "the merge, and the print of the batch"


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


async def test_a_row_that_has_the_key_of_one_that_is_gone_is_stored_though_it_is_older_than_the_delete(world) -> None:
    await world.deliver(world.batch(STUDENTS, keys=["S1"], sourceId="u-1"))
    between = format_datetime(world.now + timedelta(minutes=30))
    new = world.batch(STUDENTS, 2, keys=["S1"], value="b", sourceId="u-2", version=between)
    written, *_ = await world.deliver(joined(gone(world, "u-1", sequence=2), new))
    assert (written.counts.deleted, written.counts.inserted) == (1, 1)
    assert not await is_deleted(world, "S1")
