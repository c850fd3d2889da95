"""The contract of the record store port: each test is a sentence of ``hub_storage.records``.

One file, longer than most, because it is one list. Every example of a property uses a college of its own, so one
store serves them all.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count, permutations
from typing import Any

import pytest
from hub_model.base import format_datetime
from hub_model.errors import InvalidInput
from hub_model.records import DataType, Outcome, RecordWrite, StoredRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub_storage.records import MergeBatch, RecordQuery, RecordStore
from hub_storage.testing.factory import StoreFactory

INSERTED, UPDATED, UNCHANGED = Outcome.INSERTED, Outcome.UPDATED, Outcome.UNCHANGED
STALE, DELETED = Outcome.STALE, Outcome.DELETED
STUDENTS, MARKS = DataType.STUDENTS, DataType.MARKS
START = datetime(2026, 7, 20, 9, 30, 0, 123_456, tzinfo=UTC)

_colleges = count()
# -0.0 and 0.0 are one number to JSON, and not every store can tell them apart.
_numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0)
_json = st.recursive(
    st.none() | st.booleans() | _numbers | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
_property = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow],
)


class RecordStoreContract:
    """Inherit, supply ``store_factory``, and every promise of the port is tested."""

    @pytest.fixture
    async def records(self, store_factory: StoreFactory) -> RecordStore:
        return (await store_factory([])).records

    async def test_a_new_record_is_inserted_and_read_back_with_its_source(self, records: RecordStore) -> None:
        write = RecordWrite('["1"]', {"studentId": "1", "name": "Asha"}, "h1", at(3), source_id="row-9")
        assert await records.merge(batch(write, run="run-1", now=5)) == [INSERTED]
        assert await records.get("college", STUDENTS, '["1"]') == StoredRecord(
            key='["1"]',
            data={"studentId": "1", "name": "Asha"},
            deleted=False,
            created_at=at(5),
            updated_at=at(5),
            sources={
                "erp": {
                    "hash": "h1",
                    "version": format_datetime(at(3)),
                    "sourceId": "row-9",
                    "runId": "run-1",
                    "at": format_datetime(at(5)),
                }
            },
        )

    async def test_get_missing_is_none(self, records: RecordStore) -> None:
        assert await records.get("college", STUDENTS, '["1"]') is None
        await records.merge(batch(write("1")))
        assert await records.get("college", STUDENTS, '["2"]') is None

    async def test_outcomes_are_in_the_order_of_the_writes(self, records: RecordStore) -> None:
        await records.merge(batch(write("b", 5, name="B"), write("c", 5, name="C"), write("d", 5), write("e", 5)))
        outcomes = await records.merge(
            batch(
                write("e", 6, deleted=True),
                write("b", 6, name="B"),
                write("a", 6),
                write("d", 4, name="older"),
                write("c", 6, name="CC"),
                id="second",
            )
        )
        assert outcomes == [DELETED, UNCHANGED, INSERTED, STALE, UPDATED]

    async def test_an_empty_batch_has_no_outcomes(self, records: RecordStore) -> None:
        assert list(await records.merge(batch())) == []

    async def test_a_changed_record_is_updated_and_keeps_its_creation_time(self, records: RecordStore) -> None:
        await records.merge(batch(write("1", 1, name="Asha"), now=1))
        assert await records.merge(batch(write("1", 2, name="Usha"), now=2, id="second")) == [UPDATED]
        record = await stored(records, "1")
        assert record.data["name"] == "Usha"
        assert (record.created_at, record.updated_at) == (at(1), at(2))

    async def test_a_record_whose_content_is_unchanged_is_not_rewritten(self, records: RecordStore) -> None:
        await records.merge(batch(write("1", 1, name="Asha"), run="run-1", now=1))
        before = await stored(records, "1")
        again = batch(write("1", 2, name="Asha"), id="second", run="run-2", now=2)
        assert await records.merge(again) == [UNCHANGED]
        assert await stored(records, "1") == before

    async def test_an_older_version_never_overwrites_a_newer_one_from_the_same_integration(
        self, records: RecordStore
    ) -> None:
        await records.merge(batch(write("1", 5, name="newer")))
        assert await records.merge(batch(write("1", 4, name="older"), id="late")) == [STALE]
        assert await records.merge(batch(write("1", 4, deleted=True), id="late delete")) == [STALE]
        assert await records.merge(batch(write("1", 4, name="newer"), id="late, same content")) == [STALE]
        record = await stored(records, "1")
        assert (record.data["name"], record.deleted) == ("newer", False)

    async def test_times_that_a_source_begins_to_tell_are_not_held_against_the_time_its_data_was_seen(
        self, records: RecordStore
    ) -> None:
        await records.merge(batch(write("1", 10, name="seen"), observed=10))
        told = batch(write("1", 3, name="told"), id="2", observed=20)
        assert await records.merge(told) == [UPDATED]
        older = batch(write("1", 2, name="older"), id="3", observed=30)
        assert await records.merge(older) == [STALE]

    async def test_unchanged_content_under_a_newer_time_of_the_source_keeps_out_what_is_between(
        self, records: RecordStore
    ) -> None:
        await records.merge(batch(write("1", 1, name="A"), observed=10))
        await records.merge(batch(write("1", name="Z"), id="other", integration="lms"))
        assert await records.merge(batch(write("1", 3, name="A"), id="2", observed=20)) == [UNCHANGED]
        assert (await stored(records, "1")).data["name"] == "Z", "what the other integration wrote since stays"
        assert await records.merge(batch(write("1", 2, name="B"), id="late", observed=30)) == [STALE]

    async def test_data_that_was_seen_before_what_is_stored_is_older_whatever_time_the_source_tells(
        self, records: RecordStore
    ) -> None:
        await records.merge(batch(write("1", 10, name="pushed"), observed=10))
        assert await records.merge(batch(write("1", 3, name="polled"), id="2", observed=9)) == [STALE]

    async def test_versions_differ_by_microseconds(self, records: RecordStore) -> None:
        moment = at(5)
        earlier = replace(write("1", name="earlier"), version=moment - timedelta(microseconds=1))
        await records.merge(batch(replace(write("1", name="now"), version=moment)))
        assert await records.merge(batch(earlier, id="late")) == [STALE]
        later = replace(write("1", name="later"), version=moment + timedelta(microseconds=1))
        assert await records.merge(batch(later, id="later")) == [UPDATED]

    async def test_of_two_contents_with_one_version_the_last_wins(self, records: RecordStore) -> None:
        await records.merge(batch(write("1", 5, name="first")))
        assert await records.merge(batch(write("1", 5, name="last"), id="second")) == [UPDATED]
        assert (await stored(records, "1")).data["name"] == "last"

    async def test_fields_that_the_integration_does_not_map_are_not_touched(self, records: RecordStore) -> None:
        await records.merge(batch(write("1", 1, name="Asha", email="a@x.edu")))
        lms = batch(write("1", 1, batch="2026", name="Asha R"), integration="lms", id="lms")
        assert await records.merge(lms) == [UPDATED]
        assert await records.merge(batch(write("1", 2, name="A. Rao"), id="second")) == [UPDATED]
        record = await stored(records, "1")
        assert record.data == {"studentId": "1", "name": "A. Rao", "email": "a@x.edu", "batch": "2026"}
        assert set(record.sources) == {"erp", "lms"}

    async def test_a_null_is_a_value_and_overwrites(self, records: RecordStore) -> None:
        await records.merge(batch(write("1", 1, email="a@x.edu")))
        assert await records.merge(batch(write("1", 2, email=None), id="second")) == [UPDATED]
        assert (await stored(records, "1")).data["email"] is None

    async def test_versions_of_two_integrations_are_not_compared(self, records: RecordStore) -> None:
        await records.merge(batch(write("1", 9, name="erp")))
        assert await records.merge(batch(write("1", 1, name="lms"), integration="lms", id="lms")) == [UPDATED]
        assert (await stored(records, "1")).data["name"] == "lms"

    async def test_a_second_integration_that_says_the_same_changes_nothing_and_is_kept_as_a_source(
        self, records: RecordStore
    ) -> None:
        await records.merge(batch(write("1", 1, name="Asha"), now=1))
        same = batch(write("1", 1, name="Asha"), integration="lms", id="lms", now=2)
        assert await records.merge(same) == [UNCHANGED]
        record = await stored(records, "1")
        assert record.updated_at == at(1)
        assert set(record.sources) == {"erp", "lms"}

    async def test_a_delete_leaves_a_tombstone_that_only_get_and_include_deleted_show(
        self, records: RecordStore
    ) -> None:
        await records.merge(batch(write("1", 1, name="Asha"), write("2", 1), now=1))
        delete = batch(write("1", 2, deleted=True), id="delete", now=2)
        assert await records.merge(delete) == [DELETED]
        record = await stored(records, "1")
        assert (record.deleted, record.created_at, record.updated_at) == (True, at(1), at(2))
        assert keys(await records.find("college", STUDENTS, RecordQuery({}))) == ['["2"]']
        everything = await records.find("college", STUDENTS, RecordQuery({}, include_deleted=True))
        assert [(found.key, found.deleted) for found in everything] == [('["1"]', True), ('["2"]', False)]
        assert await records.count("college", STUDENTS) == 1

    async def test_deleting_a_tombstone_or_what_never_was_is_unchanged(self, records: RecordStore) -> None:
        await records.merge(batch(write("1", 1)))
        await records.merge(batch(write("1", 2, deleted=True), id="delete"))
        again = batch(write("1", 3, deleted=True), write("never", 3, deleted=True), id="again")
        assert await records.merge(again) == [UNCHANGED, UNCHANGED]
        assert await records.count("college", STUDENTS) == 0

    async def test_a_write_that_is_older_than_a_delete_stays_out_even_if_the_delete_came_first(
        self, records: RecordStore
    ) -> None:
        await records.merge(batch(write("1", 5, deleted=True)))
        assert await records.merge(batch(write("1", 4, name="late"), id="late")) == [STALE]
        assert await records.count("college", STUDENTS) == 0

    async def test_a_tombstone_that_is_written_again_is_inserted(self, records: RecordStore) -> None:
        await records.merge(batch(write("1", 1, name="Asha"), now=1))
        await records.merge(batch(write("1", 2, deleted=True), id="delete", now=2))
        assert await records.merge(batch(write("1", 3, name="Asha"), id="back", now=3)) == [INSERTED]
        record = await stored(records, "1")
        assert (record.deleted, record.data["name"], record.updated_at) == (False, "Asha", at(3))
        assert await records.count("college", STUDENTS) == 1

    @pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
    @pytest.mark.parametrize(("deleted_at", "made_at"), [(2, 3), (3, 2)], ids=["made later", "made before"])
    async def test_a_correction_that_deletes_a_row_and_makes_another_of_the_same_key_survives_in_any_order(
        self, records: RecordStore, deleted_at: int, made_at: int, order: tuple[int, int, int]
    ) -> None:
        first = replace(write("1", 1, name="wrong"), source_id="row 1")
        gone = replace(write("1", deleted_at, deleted=True), source_id="row 1")
        corrected = replace(write("1", made_at, name="right"), source_id="row 2")
        for number in order:
            await records.merge(batch((first, gone, corrected)[number], id=f"b{number}"))
        found = await stored(records, "1")
        assert (found.deleted, found.data["name"], found.sources["erp"]["sourceId"]) == (False, "right", "row 2")
        again = replace(write("1", 4, deleted=True), source_id="row 1")
        assert await records.merge(batch(again, id="listed again")) == [STALE]
        assert await records.count("college", STUDENTS) == 1

    async def test_a_row_that_was_made_and_deleted_after_another_stays_out_when_it_comes_late(
        self, records: RecordStore
    ) -> None:
        await records.merge(batch(replace(write("1", 1), source_id="row 1")))
        assert await records.merge(batch(replace(write("1", 2, deleted=True), source_id="row 1"), id="b2")) == [DELETED]
        gone = replace(write("1", 4, deleted=True), source_id="row 2")
        assert await records.merge(batch(gone, id="b4", observed=5)) == [UNCHANGED]
        late = replace(write("1", 3), source_id="row 2")
        assert await records.merge(batch(late, id="b3", observed=5)) == [STALE]

    async def test_a_push_from_a_row_that_was_there_before_another_was_deleted_is_the_record(
        self, records: RecordStore
    ) -> None:
        await records.merge(batch(replace(write("1", 5, deleted=True), source_id="row 1")))
        for version, outcome in ((3, INSERTED), (2, STALE)):
            push = replace(write("1", version, name=f"at {version}"), source_id="row 2")
            assert await records.merge(batch(push, id=f"push {version}", is_partial=True)) == [outcome]
        again = replace(write("1", 6, deleted=True), source_id="row 1")
        assert await records.merge(batch(again, id="listed again")) == [STALE]
        assert (await stored(records, "1")).data["name"] == "at 3"

    @pytest.mark.parametrize(("written", "told"), [("row 1", "row 1"), ("row 1", None), (None, "row 1")])
    async def test_a_delete_of_the_records_own_row_or_of_an_untold_one_is_a_delete(
        self, records: RecordStore, written: str | None, told: str | None
    ) -> None:
        await records.merge(batch(replace(write("1", 1), source_id=written)))
        gone = replace(write("1", 2, deleted=True), source_id=told)
        assert await records.merge(batch(gone, id="second")) == [DELETED]

    @pytest.mark.parametrize(("version", "row"), [(4, None), (2, "row 1"), (2, None)], ids=["untold", "older", "both"])
    async def test_a_push_that_tells_no_row_or_is_older_leaves_the_row_that_the_record_comes_from(
        self, records: RecordStore, version: int, row: str | None
    ) -> None:
        push = replace(write("1", 3, name="Asha"), source_id="row 2")
        await records.merge(batch(push, is_partial=True))
        another = replace(write("1", version, name="Asha R", phone="+911"), source_id=row)
        assert await records.merge(batch(another, id="another", is_partial=True)) == [UPDATED]
        assert await records.keys_of_rows("college", STUDENTS, "erp", ["row 1", "row 2"]) == {'["1"]': "row 2"}
        gone = write("1", 9, deleted=True)
        for gone_row, outcome in (("row 1", STALE), ("row 2", DELETED)):
            assert await records.merge(batch(replace(gone, source_id=gone_row), id=gone_row)) == [outcome]

    async def test_a_poll_of_another_row_than_the_record_came_from_is_told_as_such(self, records: RecordStore) -> None:
        async def say(version: int, row: str | None, name: str, *, is_partial: bool = False) -> Outcome:
            said = replace(write("1", version, name=name), source_id=row)
            (outcome,) = await records.merge(batch(said, id=f"b{version}", is_partial=is_partial))
            return outcome

        assert await say(1, "row 1", "morning") == INSERTED
        assert await say(2, "row 2", "afternoon") == Outcome.REPLACED
        assert await say(2, "row 2", "afternoon") == Outcome.REPLACED, "as the first delivery of the batch"
        assert await say(3, "row 1", "afternoon") == UNCHANGED, "nothing was lost"
        assert await say(4, "row 1", "evening", is_partial=True) == UPDATED
        assert await say(5, None, "night") == UPDATED
        assert await say(6, "row 3", "morning") == UPDATED
        assert (await stored(records, "1")).data["name"] == "morning"

    async def test_records_are_found_by_the_rows_of_the_source_that_they_come_from_now(
        self, records: RecordStore
    ) -> None:
        of_row = {key: replace(write(key, 1), source_id=row) for key, row in (("1", "row 1"), ("2", "row 2"))}
        await records.merge(batch(*of_row.values(), write("3", 1)))
        moved = replace(write("2", 2, name="moved"), source_id="row 9")
        await records.merge(batch(moved, replace(write("1", 2, deleted=True), source_id="row 1"), id="later"))
        rows = ["row 1", "row 2", "row 9", "no such row"]
        found = await records.keys_of_rows("college", STUDENTS, "erp", rows)
        assert found == {'["1"]': "row 1", '["2"]': "row 9"}
        assert await records.keys_of_rows("college", STUDENTS, "another", rows) == {}
        assert await records.keys_of_rows("another", STUDENTS, "erp", rows) == {}
        assert await records.keys_of_rows("college", MARKS, "erp", rows) == {}

    async def test_a_delete_with_the_content_of_the_record_is_a_delete(self, records: RecordStore) -> None:
        live = write("1", 1, name="Asha")
        await records.merge(batch(live))
        assert await records.merge(batch(replace(live, deleted=True, version=at(2)), id="delete")) == [DELETED]

    async def test_merging_a_batch_again_after_any_crash_reports_the_same_outcomes_and_stores_nothing_twice(
        self, store_factory: StoreFactory
    ) -> None:
        records = (await store_factory([])).records
        await records.merge(batch(*(write(str(n), 5, name="old") for n in range(1, 6)), id="first"))
        mixed = batch(
            write("0", 6),
            write("1", 6, name="new"),
            write("2", 6, name="old"),
            write("3", 4, name="older"),
            write("4", 6, deleted=True),
            write("9", 6, deleted=True),
            id="mixed",
        )
        outcomes = [INSERTED, UPDATED, UNCHANGED, STALE, DELETED, UNCHANGED]
        assert await records.merge(mixed) == outcomes
        everything = RecordQuery({}, include_deleted=True)
        before = await records.find("college", STUDENTS, everything)
        assert await records.merge(replace(mixed, merged_at=at(99))) == outcomes
        records = (await store_factory([])).records
        assert await records.merge(replace(mixed, merged_at=at(99))) == outcomes
        assert await records.find("college", STUDENTS, everything) == before
        assert await records.count("college", STUDENTS) == 5
        # What another integration does to the records meanwhile does not change what this batch did.
        await records.merge(batch(write("0", 1, name="lms"), integration="lms", id="lms"))
        assert await records.merge(mixed) == outcomes
        assert (await stored(records, "0")).data["name"] == "lms"

    async def test_a_batch_merged_twice_at_once_is_stored_once_with_one_set_of_outcomes(
        self, records: RecordStore
    ) -> None:
        one = batch(*(write(str(n), 1) for n in range(50)))
        results = await asyncio.gather(*(records.merge(one) for _ in range(4)))
        assert results == [[INSERTED] * 50] * 4
        assert await records.count("college", STUDENTS) == 50

    async def test_batches_merged_at_once_all_count(self, records: RecordStore) -> None:
        batches = [batch(*(write(f"{b}-{n}", 1) for n in range(20)), id=f"b{b}") for b in range(10)]
        await asyncio.gather(*map(records.merge, batches))
        assert await records.count("college", STUDENTS) == 200

    async def test_one_batch_id_of_two_colleges_is_two_batches(self, records: RecordStore) -> None:
        assert await records.merge(batch(write("1", 1))) == [INSERTED]
        assert await records.merge(replace(batch(write("1", 1)), college_id="other")) == [INSERTED]
        assert await records.merge(replace(batch(write("1", 1)), data_type=MARKS)) == [INSERTED]

    async def test_a_college_sees_its_own_records_alone(self, records: RecordStore) -> None:
        await records.merge(batch(write("1", 1, name="ours")))
        await records.merge(replace(batch(write("1", 9, name="theirs"), write("2", 9)), college_id="other"))
        assert await records.merge(batch(write("1", 2, name="ours, changed"), id="second")) == [UPDATED]
        assert (await stored(records, "1")).data["name"] == "ours, changed"
        assert await records.get("college", STUDENTS, '["2"]') is None
        assert keys(await records.find("college", STUDENTS, RecordQuery({}))) == ['["1"]']
        assert keys(await records.find("college", STUDENTS, RecordQuery({"studentId": "2"}))) == []
        assert await records.count("college", STUDENTS) == 1
        assert await records.count("nobody", STUDENTS) == 0
        assert await records.find("nobody", STUDENTS, RecordQuery({})) == []
        assert await records.get("nobody", STUDENTS, '["1"]') is None

    async def test_data_types_are_apart(self, records: RecordStore) -> None:
        await records.merge(batch(write("1", 1)))
        assert await records.get("college", MARKS, '["1"]') is None
        assert await records.find("college", MARKS, RecordQuery({})) == []
        assert await records.count("college", MARKS) == 0

    async def test_survives_reopen(self, store_factory: StoreFactory) -> None:
        records = (await store_factory([])).records
        await records.merge(batch(write("1", 1, name="Asha")))
        before = await stored(records, "1")
        records = (await store_factory([])).records
        assert await stored(records, "1") == before
        assert await records.count("college", STUDENTS) == 1

    async def test_ten_thousand_records_are_paged_in_the_order_of_their_keys(self, records: RecordStore) -> None:
        names = [f"{(n * 7919) % 10_000:04}" for n in range(10_000)]
        for start in range(0, len(names), 500):
            await records.merge(batch(*(write(name, 1) for name in names[start : start + 500]), id=f"b{start}"))
        seen = await walk(records, RecordQuery({}, limit=333))
        assert [record.data["studentId"] for record in seen] == sorted(names)
        assert await records.count("college", STUDENTS) == 10_000

    async def test_paging_is_complete_while_records_are_inserted(self, records: RecordStore) -> None:
        await records.merge(batch(*(write(f"{n:03}0", 1) for n in range(100))))
        seen: list[str] = []
        query = RecordQuery({}, limit=9)
        while page := await records.find("college", STUDENTS, query):
            seen += keys(page)
            await records.merge(batch(*(write(f"{n:03}{len(seen)}", 1) for n in (0, 50, 99)), id=f"b{len(seen)}"))
            query = replace(query, after=page[-1].key)
            assert len(seen) < 1000
        assert len(seen) == len(set(seen))
        assert {f'["{n:03}0"]' for n in range(100)} <= set(seen)

    @pytest.mark.parametrize("changed", [40, 3000])
    async def test_updated_since_finds_what_changed_at_or_after_that_time(
        self, records: RecordStore, changed: int
    ) -> None:
        total = changed + 500
        for start in range(0, total, 500):
            first = [write(f"{n:05}", 1) for n in range(start, min(start + 500, total))]
            await records.merge(batch(*first, id=f"old {start}", now=1))
        for start in range(0, changed, 500):
            second = [write(f"{n:05}", 2, name="x") for n in range(start, min(start + 500, changed))]
            await records.merge(batch(*second, id=f"new {start}", now=2))
        await records.merge(batch(write("00000", 3, deleted=True), id="delete", now=3))
        found = await walk(records, RecordQuery({}, updated_since=at(2), limit=700))
        assert keys(found) == [f'["{n:05}"]' for n in range(1, changed)]
        assert await records.find("college", STUDENTS, RecordQuery({}, updated_since=at(3))) == []
        tombstones = await records.find("college", STUDENTS, RecordQuery({}, updated_since=at(3), include_deleted=True))
        assert keys(tombstones) == ['["00000"]']
        assert len(await walk(records, RecordQuery({}, updated_since=at(0), limit=700))) == total - 1

    async def test_a_late_batch_does_not_set_the_update_time_back(self, records: RecordStore) -> None:
        await records.merge(batch(write("1", 1), now=5))
        await records.merge(batch(write("1", 2, name="x"), id="second", now=4))
        assert (await stored(records, "1")).updated_at == at(5)

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"studentId": "1"}, ["a", "b", "d", "f"]),
            ({"studentId": "10"}, ["c"]),
            ({"studentId": 1}, []),
            ({"studentId": None}, ["e"]),
            ({"date": "2026-07-20"}, ["a", "c"]),
            ({"studentId": "1", "date": "2026-07-20"}, ["a"]),
            ({"date": None}, ["d", "f"]),
            ({"marksObtained": 12.5}, ["a"]),
            ({"marksObtained": 0}, ["b"]),
            ({"absent": True}, ["c"]),
            ({"absent": False}, ["b"]),
            ({"absent": None}, ["a", "d", "e", "f"]),
            ({"extensions.hostel": "H1"}, ["d"]),
            ({"nothingSuch": "x"}, []),
        ],
        ids=repr,
    )
    async def test_fields_must_equal_their_values(
        self, records: RecordStore, fields: Mapping[str, Any], expected: list[str]
    ) -> None:
        data: dict[str, tuple[str, dict[str, Any]]] = {
            "a": ('["1","x"]', {"studentId": "1", "date": "2026-07-20", "marksObtained": 12.5}),
            "b": ('["1","y"]', {"studentId": "1", "date": "2026-07-21", "marksObtained": 0, "absent": False}),
            "c": ('["10","x"]', {"studentId": "10", "date": "2026-07-20", "absent": True}),
            "d": ('["x","1"]', {"studentId": "1", "date": None, "extensions": {"hostel": "H1"}}),
            "e": ('["1"]', {"facultyId": "1", "date": "2026-07-22"}),
            "f": ('["0","1"]', {"studentId": "1"}),
        }
        writes = [RecordWrite(key, {**content, "tag": tag}, tag, at(1)) for tag, (key, content) in data.items()]
        await records.merge(batch(*writes))
        found = await walk(records, RecordQuery(fields, limit=1))
        assert sorted(record.data["tag"] for record in found) == expected
        assert keys(found) == sorted(keys(found))

    async def test_a_filter_follows_the_records_content(self, records: RecordStore) -> None:
        one = RecordWrite('["x"]', {"studentId": "1", "date": "2026-07-20"}, "h1", at(1))
        await records.merge(batch(one))
        moved = replace(one, data={"studentId": "2", "date": "2026-07-21"}, content_hash="h2", version=at(2))
        await records.merge(batch(moved, id="second"))
        for fields in ({"studentId": "1"}, {"date": "2026-07-20"}):
            assert await records.find("college", STUDENTS, RecordQuery(fields)) == []
        for fields in ({"studentId": "2"}, {"date": "2026-07-21"}):
            assert keys(await records.find("college", STUDENTS, RecordQuery(fields))) == ['["x"]']

    @pytest.mark.parametrize("field", ["", "$where", "a b", "a.b.c", "a'", 'a"', "a.", ".a", "a[0]", "__proto__"])
    async def test_what_is_no_field_name_is_refused(self, records: RecordStore, field: str) -> None:
        with pytest.raises(InvalidInput):
            await records.find("college", STUDENTS, RecordQuery({field: "x"}))

    @pytest.mark.parametrize("value", [{"$ne": None}, {"$gt": ""}, ["1"], float("inf"), 2**63, "\ud800"], ids=ascii)
    async def test_no_value_of_a_query_is_an_operator(self, records: RecordStore, value: Any) -> None:
        await records.merge(batch(write("1", 1)))
        for fields in ({"studentId": value}, {"date": value}, {"name": value}, {"extensions.x": value}):
            with pytest.raises(InvalidInput):
                await records.find("college", STUDENTS, RecordQuery(fields))

    async def test_a_field_is_compared_itself_and_not_what_is_in_its_list(self, records: RecordStore) -> None:
        one = write("1", 1, tags=["x"], extensions=[{"hostel": "H1"}], other=[None])
        await records.merge(batch(one))
        for fields in ({"tags": "x"}, {"extensions.hostel": "H1"}, {"other": None}):
            assert await records.find("college", STUDENTS, RecordQuery(fields)) == []
        assert len(await records.find("college", STUDENTS, RecordQuery({"extensions.hostel": None}))) == 1

    async def test_half_a_surrogate_pair_is_refused_in_keys_and_questions(self, records: RecordStore) -> None:
        half = RecordWrite("\ud800", {"studentId": "1"}, "h", at(1))
        for bad in (half, replace(half, key="k", content_hash="\ud800"), replace(half, key="k", source_id="\ud800")):
            with pytest.raises(InvalidInput):
                await records.merge(batch(write("1", 1), bad))
        with pytest.raises(InvalidInput):
            await records.get("college", STUDENTS, "\ud800")
        with pytest.raises(InvalidInput):
            await records.find("college", STUDENTS, RecordQuery({}, after="\ud800"))
        assert await records.count("college", STUDENTS) == 0

    @pytest.mark.parametrize("name", ["a.b", "$x", "", "%", "a:b", "ü\x00", "a:students:"])
    async def test_any_text_is_a_colleges_and_an_integrations_id(self, records: RecordStore, name: str) -> None:
        await records.merge(replace(batch(write("1", 1, name="A"), integration=name), college_id=name))
        changed = replace(batch(write("1", 2, name="B"), integration=name, id="second"), college_id=name)
        assert await records.merge(changed) == [UPDATED]
        assert await records.merge(replace(changed, id="third", writes=[write("1", 1)])) == [STALE]
        (found,) = await records.find(name, STUDENTS, RecordQuery({}))
        assert set(found.sources) == {name}
        assert await records.count(name, STUDENTS) == 1
        assert await records.count("a", STUDENTS) == 0

    @pytest.mark.parametrize(
        "value",
        [
            2**64 - 1,
            2**63 - 1,
            -(2**63),
            0.1,
            12.70,
            True,
            None,
            "",
            "007",
            "हिन्दी 😀 \x00",
            [1, [2]],
            {"a.b": {"$x": 1}},
        ],
        ids=repr,
    )
    async def test_a_value_is_read_back_as_it_was(self, records: RecordStore, value: Any) -> None:
        await records.merge(batch(write("1", 1, value=value)))
        await records.merge(batch(write("1", 2, value=value, other=1), id="second"))
        data = (await stored(records, "1")).data
        assert data["value"] == value
        assert type(data["value"]) is type(value)

    @pytest.mark.parametrize("name", ["", "007", 'a"b', "a\\b", "ü😀", "%_", "x" * 200, "'; DROP TABLE records; --"])
    async def test_any_text_is_in_a_key_and_found_by_its_student(self, records: RecordStore, name: str) -> None:
        await records.merge(batch(write(name, 1), write("another", 1), write(name + "a", 1)))
        found = await records.find("college", STUDENTS, RecordQuery({"studentId": name}))
        assert [record.data["studentId"] for record in found] == [name]
        assert await records.get("college", STUDENTS, found[0].key) == found[0]

    @pytest.mark.parametrize("value", [2**64, {1, 2}, b"bytes", START, {1: 2}, "lone \ud800"], ids=ascii)
    async def test_what_is_not_plain_json_is_refused_and_nothing_of_the_batch_is_stored(
        self, records: RecordStore, value: Any
    ) -> None:
        with pytest.raises(InvalidInput):
            await records.merge(batch(write("1", 1), write("2", 1, value=value)))
        assert await records.count("college", STUDENTS) == 0
        assert await records.get("college", STUDENTS, '["1"]') is None

    async def test_returned_value_is_a_copy(self, records: RecordStore) -> None:
        mine = write("1", 1, tags=["x"])
        await records.merge(batch(mine))
        mine.data["tags"].append("y")
        (await stored(records, "1")).data["tags"].append("z")
        assert (await stored(records, "1")).data["tags"] == ["x"]

    @_property
    @given(
        contents=st.dictionaries(st.text(), _json, max_size=5), changes=st.dictionaries(st.text(), _json, max_size=5)
    )
    async def test_any_json_under_any_key_is_read_back_as_it_was(
        self, records: RecordStore, contents: dict[str, Any], changes: dict[str, Any]
    ) -> None:
        college = f"json-{next(_colleges)}"
        for version, values in enumerate([contents, contents, changes]):
            writes = [
                RecordWrite(name, {"value": value, name: None}, ascii((version, value)), at(version))
                for name, value in values.items()
            ]
            await records.merge(replace(batch(*writes, id=f"b{version}"), college_id=college))
        found = await records.find(college, STUDENTS, RecordQuery({}))
        assert keys(found) == sorted(contents.keys() | changes.keys())
        for record in found:
            value = {**contents, **changes}[record.key]
            assert ascii(record.data) == ascii(
                {"value": value, record.key: None} if record.key != "value" else {"value": None}
            )
            assert await records.get(college, STUDENTS, record.key) == record

    @_property
    @given(data=st.data())
    async def test_any_order_and_repetition_of_versioned_batches_ends_in_the_same_data(
        self, records: RecordStore, data: st.DataObject
    ) -> None:
        college = f"order-{next(_colleges)}"
        history = data.draw(st.lists(_changes, min_size=1, max_size=5))
        batches = [
            replace(batch(*change.writes(version), id=f"b{version}"), college_id=college)
            for version, change in enumerate(history)
        ]
        deliveries = data.draw(st.permutations([*batches, *data.draw(st.lists(st.sampled_from(batches), max_size=4))]))
        outcomes = {delivery.id: await records.merge(delivery) for delivery in deliveries}
        expected = {name: value for change in history for name, value in change.values.items()}
        expected = {name: value for name, value in expected.items() if value is not None}
        found = await records.find(college, STUDENTS, RecordQuery({}))
        assert {record.data["studentId"]: record.data["name"] for record in found} == {
            name: f"{name} at {_last(history, name)}: {value}" for name, value in expected.items()
        }
        assert await records.count(college, STUDENTS) == len(expected)
        grown = [outcome for merged in outcomes.values() for outcome in merged]
        assert grown.count(INSERTED) - grown.count(DELETED) == len(expected)

    @_property
    @given(deliveries=st.permutations([(who, version) for who in ("erp", "lms") for version in range(4)]))
    async def test_integrations_that_map_different_fields_end_in_the_same_record_in_any_order(
        self, records: RecordStore, deliveries: list[tuple[str, int]]
    ) -> None:
        college = f"fields-{next(_colleges)}"
        for integration, version in deliveries:
            one = RecordWrite('["1"]', {integration: version}, f"{version}", at(version))
            await records.merge(
                replace(batch(one, integration=integration, id=f"{integration}{version}"), college_id=college)
            )
        record = await records.get(college, STUDENTS, '["1"]')
        assert record is not None
        assert record.data == {"erp": 3, "lms": 3}


@dataclass(frozen=True)
class Change:
    """What one batch says: a value per student, None for a delete."""

    values: Mapping[str, int | None]

    def writes(self, version: int) -> list[RecordWrite]:
        return [
            replace(
                write(name, version, name=f"{name} at {version}: {value}", deleted=value is None),
                content_hash=f"{version}-{value}",
            )
            for name, value in self.values.items()
        ]


_changes = st.dictionaries(st.sampled_from("abcd"), st.none() | st.integers(0, 9), min_size=1).map(Change)


def _last(history: Sequence[Change], name: str) -> int:
    return max(version for version, change in enumerate(history) if name in change.values)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def write(student: str, version: float = 1, *, deleted: bool = False, **fields: Any) -> RecordWrite:
    """A student at this version; the hash follows the fields."""
    escaped = student.replace("\\", "\\\\").replace('"', '\\"')
    return RecordWrite(
        key=f'["{escaped}"]',
        data={"studentId": student, **fields},
        content_hash=ascii(fields),
        version=at(version),
        deleted=deleted,
    )


def batch(
    *writes: RecordWrite,
    id: str = "first",  # noqa: A002 - named as in MergeBatch
    integration: str = "erp",
    run: str = "run",
    now: float = 10,
    observed: float | None = None,
    is_partial: bool = False,
) -> MergeBatch:
    return MergeBatch(
        id=id,
        college_id="college",
        data_type=STUDENTS,
        integration_id=integration,
        run_id=run,
        writes=writes,
        merged_at=at(now),
        observed_at=None if observed is None else at(observed),
        is_partial=is_partial,
    )


async def stored(records: RecordStore, student: str) -> StoredRecord:
    record = await records.get("college", STUDENTS, f'["{student}"]')
    assert record is not None
    return record


def keys(found: Sequence[StoredRecord]) -> list[str]:
    return [record.key for record in found]


async def walk(records: RecordStore, query: RecordQuery) -> list[StoredRecord]:
    """All pages of the query."""
    seen: list[StoredRecord] = []
    while page := await records.find("college", STUDENTS, query):
        seen += page
        query = replace(query, after=page[-1].key)
    return seen
