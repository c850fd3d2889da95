"""Merging without transactions: whoever dies at whatever point, and however many merge at once.

The oracle is the SQLite store, which merges a batch in one transaction. A merge is made to die by a collection that
raises before a step, after it, or half-way through a bulk of writes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hub_model.records import DataType, Outcome, RecordWrite, StoredRecord
from hub_storage.adapters.mongodb import MongoStore
from hub_storage.adapters.mongodb.connection import Database, connect
from hub_storage.adapters.mongodb.merging import BatchMerge
from hub_storage.opening import open_store
from hub_storage.records import MergeBatch, RecordQuery, RecordStore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

STUDENTS = DataType.STUDENTS
INSERTED, UPDATED, UNCHANGED, DELETED = Outcome.INSERTED, Outcome.UPDATED, Outcome.UNCHANGED, Outcome.DELETED

_colleges = count()
_property = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow],
)


class Died(Exception):
    """The process is no more."""


@dataclass
class Steps:
    """Which step of a merge is its last, and how it ends; the steps are counted."""

    last: int | None = None
    how: str = "before"
    done: list[str] = field(default_factory=list)

    def begin(self, name: str) -> str:
        """How this step goes: well, half or after."""
        is_last = len(self.done) == self.last
        self.done.append(name)
        if is_last and self.how == "before":
            raise Died
        return self.how if is_last else "well"


class Mortal:
    """A collection whose user dies."""

    def __init__(self, collection: Any, steps: Steps) -> None:
        self._collection = collection
        self._steps = steps

    def find(self, *arguments: Any, **options: Any) -> Any:
        if self._steps.begin("find") != "well":
            raise Died
        return self._collection.find(*arguments, **options)

    async def find_one(self, *arguments: Any) -> Any:
        return await self._run("find_one", self._collection.find_one(*arguments))

    async def find_one_and_update(self, *arguments: Any, **options: Any) -> Any:
        return await self._run("find_one_and_update", self._collection.find_one_and_update(*arguments, **options))

    async def bulk_write(self, operations: Sequence[Any], **options: Any) -> Any:
        how = self._steps.begin("bulk_write")
        some = operations[::2] if how == "half" else operations
        result = await self._collection.bulk_write(some, **options)
        if how != "well":
            raise Died
        return result

    async def _run(self, name: str, call: Any) -> Any:
        try:
            how = self._steps.begin(name)
        except Died:
            call.close()
            raise
        result = await call
        if how != "well":
            raise Died
        return result


@dataclass(frozen=True)
class Delivery:
    """A batch that comes, and where its merge ends."""

    batch: int
    last: int | None
    how: str


@pytest.fixture
async def database(mongodb_url: str) -> AsyncIterator[Database]:
    async with connect(mongodb_url) as database:
        await MongoStore(database).open([])
        yield database


@pytest.fixture
def records(database: Database) -> RecordStore:
    return MongoStore(database).records


@pytest.fixture
async def oracle(sqlite_url: str) -> AsyncIterator[RecordStore]:
    async with open_store(sqlite_url, []) as store:
        yield store.records


async def merge(database: Database, batch: MergeBatch, steps: Steps) -> list[Outcome]:
    mortal: list[Any] = [Mortal(database[name], steps) for name in ("records", "record_batches")]
    return await BatchMerge(*mortal, batch).run()


# What a batch says: a value per student, None for a delete. LMS maps another field and deletes nobody, and ERP
# deletes nobody that LMS knows: otherwise the order of the batches would matter.
_erp = st.tuples(
    st.just("erp"),
    st.dictionaries(st.sampled_from("cdef"), st.none() | st.integers(0, 3), min_size=1).flatmap(
        lambda some: st.dictionaries(st.sampled_from("ab"), st.integers(0, 3)).map(lambda more: {**some, **more})
    ),
)
_lms = st.tuples(st.just("lms"), st.dictionaries(st.sampled_from("ab"), st.integers(0, 3), min_size=1))
_histories = st.lists(_erp | _lms, min_size=1, max_size=5)


def _deliveries(batches: int) -> st.SearchStrategy[list[Delivery]]:
    return st.lists(
        st.builds(
            Delivery,
            st.integers(0, batches - 1),
            st.none() | st.integers(0, 8),
            st.sampled_from(["before", "half", "after"]),
        ),
        max_size=10,
    )


def batches_of(history: Sequence[tuple[str, dict[str, int | None]]], college: str, now: datetime) -> list[MergeBatch]:
    """One batch after the other, each a minute later."""
    batches = []
    for version, (integration, values) in enumerate(history):
        at = now + timedelta(minutes=version)
        writes = [
            # Equal values have equal content, so that some writes change nothing but the time that the source tells.
            RecordWrite(f'["{name}"]', {integration: value}, str(value), at, deleted=value is None)
            for name, value in values.items()
        ]
        batches.append(
            MergeBatch(f"b{version}", college, STUDENTS, integration, "run", writes, at, now + timedelta(days=1))
        )
    return batches


async def check(
    told: dict[int, list[list[Outcome]]], batches: Sequence[MergeBatch], records: RecordStore, oracle: RecordStore
) -> None:
    """What was stored is what the oracle stores, and what was told adds up to it."""
    for batch in batches:
        await oracle.merge(batch)
    college = batches[0].college_id
    assert await _live(records, college) == await _live(oracle, college)
    live = await records.count(college, STUDENTS)
    assert live == await oracle.count(college, STUDENTS)
    for outcomes in told.values():
        assert all(again == outcomes[0] for again in outcomes)
    changes = [outcome for outcomes in told.values() for outcome in outcomes[0]]
    assert changes.count(INSERTED) - changes.count(DELETED) == live


async def _live(records: RecordStore, college: str) -> dict[str, dict[str, Any]]:
    return {record.key: record.data for record in await records.find(college, STUDENTS, RecordQuery({}))}


@pytest.mark.slow
@_property
@given(data=st.data())
async def test_a_batch_repeated_after_a_death_at_any_step_reports_the_same_outcomes_and_stores_nothing_twice(
    database: Database, records: RecordStore, oracle: RecordStore, now: datetime, data: st.DataObject
) -> None:
    batches = batches_of(data.draw(_histories), f"c{next(_colleges)}", now)
    deliveries = data.draw(_deliveries(len(batches)))
    told: dict[int, list[list[Outcome]]] = {number: [] for number in range(len(batches))}
    # At last every batch comes until it is merged, twice.
    final = [Delivery(number, None, "before") for number in data.draw(st.permutations(range(len(batches)))) * 2]
    for delivery in [*deliveries, *final]:
        try:
            outcomes = await merge(database, batches[delivery.batch], Steps(delivery.last, delivery.how))
        except Died:
            continue
        told[delivery.batch].append(outcomes)
    await check(told, batches, records, oracle)


@pytest.mark.slow
@_property
@given(data=st.data())
async def test_overlapping_batches_merged_at_once_by_workers_that_die_end_as_if_merged_one_after_the_other(
    database: Database, records: RecordStore, oracle: RecordStore, now: datetime, data: st.DataObject
) -> None:
    batches = batches_of(data.draw(_histories), f"c{next(_colleges)}", now)
    everything = [Delivery(number, None, "before") for number in range(len(batches))]
    workers = [
        [*data.draw(_deliveries(len(batches))), *data.draw(st.permutations(everything))]
        for _ in range(data.draw(st.integers(2, 4)))
    ]
    told: dict[int, list[list[Outcome]]] = {number: [] for number in range(len(batches))}

    async def work(deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            try:
                outcomes = await merge(database, batches[delivery.batch], Steps(delivery.last, delivery.how))
            except Died:
                continue
            told[delivery.batch].append(outcomes)

    await asyncio.gather(*map(work, workers))
    await check(told, batches, records, oracle)


def a_batch(now: datetime, batch_id: str, *values: int, version: int = 0) -> MergeBatch:
    at = now + timedelta(minutes=version)
    writes = [RecordWrite(f'["{n}"]', {"value": value}, str(value), at) for n, value in enumerate(values)]
    return MergeBatch(batch_id, "c1", STUDENTS, "erp", "run", writes, at)


async def test_what_a_merge_costs(database: Database, now: datetime) -> None:
    async def steps_of(batch: MergeBatch) -> list[str]:
        steps = Steps()
        await merge(database, batch, steps)
        return steps.done

    # What is there; then write, and remember.
    assert await steps_of(a_batch(now, "new", 1, 2)) == ["find", "bulk_write", "find_one_and_update"]
    # What is there, and, since all of it is, whether the batch was merged before.
    assert await steps_of(a_batch(now, "same", 1, 2, version=1)) == ["find", "find_one"]
    assert await steps_of(a_batch(now, "new", 1, 2)) == ["find", "find_one"]
    # The records, and which of the batches that wrote them are finished.
    changed = ["find", "find_one", "find", "find", "bulk_write", "find_one_and_update"]
    assert await steps_of(a_batch(now, "changed", 3, 4, version=2)) == changed


async def test_a_batch_reports_the_same_even_if_its_records_were_changed_since_it_was_cut_off(
    database: Database, now: datetime
) -> None:
    first, second = a_batch(now, "b1", 1, 2), a_batch(now, "b2", 5, 6, version=1)
    with pytest.raises(Died):
        await merge(database, first, Steps(1, "half"))
    assert await merge(database, second, Steps()) == [UPDATED, INSERTED]
    assert await merge(database, first, Steps()) == [INSERTED, Outcome.STALE]
    assert await merge(database, second, Steps()) == [UPDATED, INSERTED]


async def test_marks_are_dropped_by_the_next_write_once_their_batch_is_finished(
    database: Database, now: datetime
) -> None:
    for version in range(4):
        await merge(database, a_batch(now, f"b{version}", version, version=version), Steps())
    (document,) = await database["records"].find({}).to_list()
    assert [mark["outcome"] for mark in document["_merges"]] == ["u"]
    assert document["_revision"] == 4


async def test_marks_of_a_batch_that_never_came_again_are_dropped_after_a_week(
    database: Database, now: datetime
) -> None:
    with pytest.raises(Died):
        await merge(database, a_batch(now, "lost", 1), Steps(2, "before"))
    for minutes, marks in ((60, 2), (7 * 24 * 60, 1)):
        await merge(database, a_batch(now, f"b{minutes}", minutes, version=minutes), Steps())
        (document,) = await database["records"].find({}).to_list()
        assert len(document["_merges"]) == marks


async def test_a_batch_id_that_comes_with_other_content_is_merged(database: Database, now: datetime) -> None:
    await merge(database, a_batch(now, "b1", 1, 2), Steps())
    assert await merge(database, a_batch(now, "b1", 1, 3, version=1), Steps()) == [UNCHANGED, UPDATED]
    assert await merge(database, a_batch(now, "b1", 1, 3, version=1), Steps()) == [UNCHANGED, UPDATED]


async def test_batches_are_remembered_for_a_week_by_the_servers_clock(database: Database, now: datetime) -> None:
    await merge(database, a_batch(now, "b1", 1), Steps())
    indexes = await database["record_batches"].index_information()
    assert indexes["hub_mergedAt"]["expireAfterSeconds"] == 7 * 24 * 3600
    (document,) = await database["record_batches"].find({}).to_list()
    assert isinstance(document["mergedAt"], datetime)


class Late(Mortal):
    """A collection to which something happens just before its given step."""

    def __init__(self, collection: Any, steps: Steps, before: int, happens: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(collection, steps)
        self._before = before
        self._happens = happens

    async def find(self, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        if len(self._steps.done) == self._before:
            await self._happens()
        async for document in super().find(*arguments, **options):
            yield document

    async def bulk_write(self, operations: Sequence[Any], **options: Any) -> Any:
        if len(self._steps.done) == self._before:
            await self._happens()
        return await super().bulk_write(operations, **options)


@pytest.mark.parametrize("step", [2, 4], ids=["before it is read whole", "before it is written"])
async def test_a_record_that_another_writes_meanwhile_is_decided_on_anew(
    database: Database, records: RecordStore, now: datetime, step: int
) -> None:
    """The other write comes after the first look at a record: newer data must stay."""
    await records.merge(a_batch(now, "b0", 0, 0))
    older, newer = a_batch(now, "older", 1, 1, version=1), a_batch(now, "newer", 2, version=2)
    steps = Steps()
    late: Any = Late(database["records"], steps, step, lambda: records.merge(newer))
    batches: Any = Mortal(database["record_batches"], steps)
    assert await BatchMerge(late, batches, older).run() == [Outcome.STALE, UPDATED]
    assert [record.data["value"] for record in await everything(records)] == [2, 1]
    assert await records.merge(replace(older, merged_at=now)) == [Outcome.STALE, UPDATED]


async def test_a_batch_that_another_delivery_finishes_meanwhile_reports_what_that_did(
    database: Database, records: RecordStore, now: datetime
) -> None:
    """Also when a later batch has written the records since, and has taken the marks off."""
    batch, later = a_batch(now, "b1", 1, 2), a_batch(now, "b2", 3, 4, version=1)

    async def others() -> None:
        assert await records.merge(batch) == [INSERTED, INSERTED]
        assert await records.merge(later) == [UPDATED, UPDATED]

    steps = Steps()
    late: Any = Late(database["records"], steps, 1, others)
    batches: Any = Mortal(database["record_batches"], steps)
    assert await BatchMerge(late, batches, batch).run() == [INSERTED, INSERTED]
    assert [record.data["value"] for record in await everything(records)] == [3, 4]


async def everything(records: RecordStore) -> Sequence[StoredRecord]:
    return await records.find("c1", STUDENTS, RecordQuery({}))


async def test_the_documents_are_as_the_package_describes_them(
    database: Database, records: RecordStore, now: datetime
) -> None:
    write = RecordWrite('["7"]', {"studentId": "7", "extensions": {"a.b": 1}}, "h", now, source_id="row")
    await records.merge(MergeBatch("b1", "c:1", STUDENTS, "erp", "run", [write], now, observed_at=now))
    document = await database["records"].find_one({"collegeId": "c:1", "dataType": "students", "data.studentId": "7"})
    assert document is not None
    at = "2026-07-20T09:30:00.123456Z"
    assert {name: value for name, value in document.items() if not name.startswith("_") or name == "_id"} == {
        "_id": 'c%3A1:students:["7"]',
        "collegeId": "c:1",
        "dataType": "students",
        "key": '["7"]',
        "data": {"studentId": "7", "extensions": {"a%2Eb": 1}},
        "deleted": False,
        "createdAt": at,
        "updatedAt": at,
        "sources": {
            "erp": {
                "hash": "h",
                "version": at,
                "observedAt": at,
                "sourceId": "row",
                "runId": "run",
                "at": at,
                "deleted": False,
            }
        },
    }
