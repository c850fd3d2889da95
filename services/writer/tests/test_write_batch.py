"""Writing a batch: merged once, counted completely, its rejects kept."""

from datetime import timedelta

import pytest
from hub_model.base import format_datetime
from hub_model.counts import Counts
from hub_model.errors import InvalidInput, NotFound
from hub_model.messages import BatchWritten, RecordsChanged
from hub_model.records import DataType, Origin

STUDENTS = DataType.STUDENTS


async def test_a_batch_is_merged_and_reported(world) -> None:
    message = world.batch(STUDENTS, rejects=1).model_copy(update={"duplicates": 2, "skipped": 3, "expected_records": 8})
    message = message.model_copy(update={"overruled": 1, "undecided": 2})
    written, changed = await world.deliver(message)
    assert isinstance(written, BatchWritten)
    assert isinstance(changed, RecordsChanged)
    assert written.counts == Counts(fetched=8, inserted=2, duplicate=2, skipped=3, rejected=1)
    assert changed.counts == written.counts
    assert (written.sequence, written.expected_records, written.origin) == (0, 8, Origin.POLL)
    assert (written.overruled, written.undecided) == (1, 2)
    stored = await world.store.records.get("c1", STUDENTS, '["S1"]')
    assert (stored.data, stored.sources["i1"]["runId"]) == ({"name": "a"}, "r1")


async def test_a_batch_that_changes_nothing_announces_no_change(world) -> None:
    await world.deliver(world.batch(STUDENTS))
    (written,) = await world.deliver(world.batch(STUDENTS, 1))
    assert written.counts == Counts(fetched=2, unchanged=2)


async def test_a_batch_that_comes_again_reports_what_its_first_merge_did(world) -> None:
    first = await world.deliver(world.batch(STUDENTS))
    again = await world.deliver(world.batch(STUDENTS))
    assert [message.counts for message in again] == [message.counts for message in first]
    assert [message.message_id for message in again] == [message.message_id for message in first]


async def test_an_explicit_delete_is_a_change(world) -> None:
    await world.deliver(world.batch(STUDENTS))
    later = format_datetime(world.now + timedelta(hours=1))
    written, changed = await world.deliver(world.batch(STUDENTS, 1, keys=["S1"], deleted=True, version=later, hash="d"))
    assert written.counts == changed.counts == Counts(fetched=1, deleted=1)
    assert (await world.store.records.get("c1", STUDENTS, '["S1"]')).deleted


async def test_what_an_integration_said_that_was_removed_since_can_be_taken_back(world) -> None:
    await world.begin(STUDENTS)
    removed = world.batch(STUDENTS, keys=["S1"]).model_copy(update={"integration_id": "removed"})
    await world.deliver(removed)
    await world.deliver(world.batch(STUDENTS, 1, keys=["S1"]))
    later = format_datetime(world.now + timedelta(hours=1))
    await world.deliver(world.batch(STUDENTS, 2, keys=["S1"], data={"name": None}, version=later, hash="b"))
    assert (await world.store.records.get("c1", STUDENTS, '["S1"]')).data == {"name": None}


async def test_an_older_record_is_counted_as_stale(world) -> None:
    await world.deliver(world.batch(STUDENTS))
    earlier = format_datetime(world.now - timedelta(hours=1))
    (written,) = await world.deliver(world.batch(STUDENTS, 1, keys=["S1"], value="b", version=earlier))
    assert written.counts == Counts(fetched=1, stale=1)


async def test_rejects_are_kept_with_their_reasons_and_only_once(world) -> None:
    await world.deliver(world.batch(STUDENTS, rejects=2))
    await world.deliver(world.batch(STUDENTS, rejects=2))
    rejects = (await world.rejects.page("c1", run_id="r1", limit=10)).items
    assert sorted(reject.raw["bad"] for reject in rejects) == [0, 1]
    assert {reject.mapping_version for reject in rejects} == {1}
    assert rejects[0].issues == [{"code": "required"}]


async def test_a_pushed_batch_leaves_one_line_and_no_run(world) -> None:
    message = world.batch(STUDENTS, origin=Origin.WEBHOOK, rejects=1)
    await world.deliver(message)
    await world.deliver(message)
    (line,) = await world.log_lines()
    assert line.message == "Webhook: Students: 3 records read: 2 new, 1 rejected."
    with pytest.raises(NotFound):
        await world.run()


async def test_a_polled_batch_leaves_no_line(world) -> None:
    await world.deliver(world.batch(STUDENTS))
    assert not await world.log_lines()


async def test_a_malformed_batch_is_refused_whole(world) -> None:
    with pytest.raises(InvalidInput):
        await world.deliver(world.batch(STUDENTS, rejects=1, version="soon"))
    assert await world.store.records.count("c1", STUDENTS) == 0
    assert not (await world.rejects.page("c1", limit=10)).items


async def test_an_empty_batch_is_written_like_any_other(world) -> None:
    (written,) = await world.deliver(world.batch(STUDENTS, keys=[]))
    assert written.counts == Counts()


async def test_a_pushed_batch_that_comes_again_is_told_of_once(world) -> None:
    batch = world.batch(STUDENTS, rejects=1, origin=Origin.WEBHOOK)
    first = await world.deliver(batch)
    for message in first:
        if isinstance(message, BatchWritten):
            await world.deliver(message)
    again = await world.deliver(batch)
    assert [message.counts for message in again] == [message.counts for message in first]
    (line,) = await world.log_lines()
    assert (line.event, line.counts) == ("webhook.written", Counts(fetched=3, inserted=2, rejected=1))
    assert len((await world.rejects.page("c1", run_id="r1", limit=10)).items) == 1
