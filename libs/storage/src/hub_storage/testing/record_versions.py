"""The contract of the record store port, continued: which of one integration's words on a record wins, field by field.

Where a test says *pushed*, the batch is partial; *polled* is a full write.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Literal

import pytest
from hub_model.base import format_datetime
from hub_model.records import Outcome, RecordWrite, StoredRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub_storage.records import MergeBatch, RecordStore
from hub_storage.testing.factory import StoreFactory
from hub_storage.testing.records import STUDENTS, at, batch, stored, write

INSERTED, UPDATED, UNCHANGED = Outcome.INSERTED, Outcome.UPDATED, Outcome.UNCHANGED
STALE, DELETED = Outcome.STALE, Outcome.DELETED

_colleges = count()
_property = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow],
)


class RecordVersionsContract:
    """Inherit, supply ``store_factory``, and every promise about versions is tested."""

    @pytest.fixture
    async def records(self, store_factory: StoreFactory) -> RecordStore:
        return (await store_factory([])).records

    async def test_a_push_that_comes_after_a_newer_one_sets_the_fields_that_that_left_out(
        self, records: RecordStore
    ) -> None:
        assert await records.merge(pushed(write("1", 2, y="new"))) == [INSERTED]
        assert await records.merge(pushed(write("1", 1, x="old", y="old"))) == [UPDATED]
        assert await content(records) == {"x": "old", "y": "new"}
        record = await stored(records, "1")
        assert record.sources["erp"]["version"] is None
        assert versions_of(record) == {"x": 1, "y": 2, "studentId": 2}

    @pytest.mark.parametrize("order", [(1, 2, 3), (1, 3, 2), (2, 1, 3), (2, 3, 1), (3, 1, 2), (3, 2, 1)])
    async def test_of_each_field_the_newest_version_wins_in_any_order(
        self, records: RecordStore, order: Sequence[int]
    ) -> None:
        batches = {
            1: pushed(write("1", 1, x=1, y=1, z=1)),
            2: polled(write("1", 2, x=2, y=2, z=2)),
            3: pushed(write("1", 3, x=3)),
        }
        for version in order:
            await records.merge(batches[version])
        assert await content(records) == {"x": 3, "y": 2, "z": 2}
        record = await stored(records, "1")
        assert record.sources["erp"]["version"] == format_datetime(at(2))
        assert versions_of(record) == {"x": 3, "studentId": 3}

    async def test_a_push_of_which_every_field_is_there_newer_is_stale_and_changes_nothing(
        self, records: RecordStore
    ) -> None:
        await records.merge(pushed(write("1", 3, x="new")))
        await records.merge(pushed(write("1", 2, y="new")))
        before = await stored(records, "1")
        assert await records.merge(pushed(write("1", 1, x="old", y="old"))) == [STALE]
        assert await stored(records, "1") == before

    async def test_an_older_poll_sets_what_no_newer_push_has_set(self, records: RecordStore) -> None:
        await records.merge(pushed(write("1", 2, x="pushed"), now=1))
        assert await records.merge(polled(write("1", 1, x="polled", y="polled"), now=2)) == [UPDATED]
        assert await content(records) == {"x": "pushed", "y": "polled"}
        assert (await stored(records, "1")).updated_at == at(2)

    async def test_a_poll_covers_older_pushes_and_its_entry_is_like_any_other(self, records: RecordStore) -> None:
        await records.merge(pushed(write("1", 1, x=1, z=1)))
        await records.merge(pushed(write("1", 2, y=2)))
        assert await records.merge(polled(write("1", 3, x=3, y=3))) == [UPDATED]
        record = await stored(records, "1")
        assert record.sources["erp"].keys() == {"hash", "version", "sourceId", "runId", "at"}
        assert await records.merge(pushed(write("1", 2.5, x=2, z=2))) == [STALE]
        assert await content(records) == {"x": 3, "y": 3, "z": 1}

    async def test_a_poll_of_which_every_field_is_there_newer_is_stale_and_keeps_out_what_is_older(
        self, records: RecordStore
    ) -> None:
        await records.merge(pushed(write("1", 3, x=3), now=1))
        assert await records.merge(polled(write("1", 2, x=2), now=2)) == [STALE]
        record = await stored(records, "1")
        assert (record.data["x"], record.updated_at) == (3, at(1))
        assert await records.merge(pushed(write("1", 1, y=1))) == [STALE]

    async def test_polled_content_that_was_there_before_a_push_is_set_again(self, records: RecordStore) -> None:
        await records.merge(polled(write("1", 1, x=1, y=1)))
        await records.merge(pushed(write("1", 2, x=2)))
        assert await records.merge(polled(write("1", 3, x=1, y=1))) == [UPDATED]
        assert await content(records) == {"x": 1, "y": 1}

    async def test_a_push_that_repeats_what_a_newer_one_kept_out_is_set(self, records: RecordStore) -> None:
        await records.merge(pushed(write("1", 7, x="between")))
        assert await records.merge(polled(write("1", 6, x="again"))) == [STALE]
        assert await records.merge(pushed(write("1", 8, x="again"))) == [UPDATED]
        assert await content(records) == {"x": "again"}

    async def test_a_push_that_repeats_what_was_kept_out_in_part_is_set(self, records: RecordStore) -> None:
        await records.merge(pushed(write("1", 7, x="between")))
        assert await records.merge(pushed(write("1", 6, x="again", y=1))) == [UPDATED]
        assert await records.merge(pushed(write("1", 8, x="again", y=1))) == [UPDATED]
        assert await content(records) == {"x": "again", "y": 1}
        await records.merge(pushed(write("1", 12, x="between")))
        assert await records.merge(polled(write("1", 11, x="last", y=2))) == [UPDATED]
        assert await records.merge(pushed(write("1", 13, x="last", y=2))) == [UPDATED]
        assert await content(records) == {"x": "last", "y": 2}

    async def test_a_poll_that_repeats_what_was_kept_out_by_a_field_covered_since_is_set(
        self, records: RecordStore
    ) -> None:
        await records.merge(pushed(write("1", 9, z=9)))
        await records.merge(pushed(write("1", 7, y="between")))
        assert await records.merge(polled(write("1", 6, x=1, y="again"))) == [UPDATED]
        # Whether it is a delete is not said by every hash.
        assert await records.merge(polled(write("1", 8, deleted=True, x=1, y="again"))) == [STALE]
        assert await records.merge(polled(write("1", 8.5, x=1, y="again"))) == [UPDATED]
        assert await content(records) == {"x": 1, "y": "again", "z": 9}

    async def test_a_delete_counts_only_if_it_is_newer_than_every_field(self, records: RecordStore) -> None:
        await records.merge(polled(write("1", 1, x=1, y=1), now=1))
        await records.merge(pushed(write("1", 4, x=4), now=1))
        assert await records.merge(pushed(write("1", 3, deleted=True), now=2)) == [STALE]
        record = await stored(records, "1")
        assert (record.deleted, record.updated_at, versions_of(record)) == (False, at(1), {"x": 4, "studentId": 4})
        assert await records.merge(pushed(write("1", 2, y=2))) == [STALE], (
            "older than the delete, if not than its field"
        )
        assert await records.merge(pushed(write("1", 5, deleted=True))) == [DELETED]
        assert await records.count("college", STUDENTS) == 0

    async def test_a_push_that_is_older_than_a_delete_stays_out_and_a_newer_one_brings_the_record_back(
        self, records: RecordStore
    ) -> None:
        await records.merge(pushed(write("1", 1, x=1)))
        assert await records.merge(pushed(write("1", 3, deleted=True))) == [DELETED]
        assert "fieldVersions" not in (await stored(records, "1")).sources["erp"]
        assert await records.merge(pushed(write("1", 2, y=2))) == [STALE]
        assert await records.merge(pushed(write("1", 4, x=4))) == [INSERTED]
        assert await content(records) == {"x": 4}
        assert await records.merge(pushed(write("1", 2.5, y=2.5))) == [STALE]
        assert await records.count("college", STUDENTS) == 1

    async def test_pushed_fields_of_one_integration_are_not_compared_with_those_of_another(
        self, records: RecordStore
    ) -> None:
        await records.merge(pushed(write("1", 9, x="erp", y="erp")))
        assert await records.merge(pushed(write("1", 1, x="lms"), integration="lms")) == [UPDATED]
        assert await content(records) == {"x": "lms", "y": "erp"}
        assert await records.merge(pushed(write("1", 8, x="erp, older"))) == [STALE]
        assert await content(records) == {"x": "lms", "y": "erp"}

    @pytest.mark.parametrize("seen", [(10, 20), (20, 10)], ids=["in order", "out of order"])
    @pytest.mark.parametrize("is_partial", [False, True], ids=["polled", "pushed"])
    async def test_of_two_contents_under_one_time_of_the_source_the_one_seen_later_wins(
        self, records: RecordStore, seen: Sequence[int], is_partial: bool
    ) -> None:
        for minutes in seen:
            one = write("1", 5, x=f"seen at {minutes}")
            await records.merge(batch(one, id=f"seen at {minutes}", observed=minutes, is_partial=is_partial))
        assert await content(records) == {"x": "seen at 20"}

    @pytest.mark.parametrize("deleted", [False, True], ids=["live", "deleted"])
    async def test_a_push_that_repeats_unchanged_content_moves_its_time_and_keeps_out_what_is_older(
        self, records: RecordStore, deleted: bool
    ) -> None:
        await records.merge(pushed(write("1", 1, x="A", deleted=deleted), observed=1, now=1))
        assert await records.merge(pushed(write("1", 3, x="A", deleted=deleted), observed=3, now=3)) == [UNCHANGED]
        assert (await stored(records, "1")).updated_at == at(1)
        assert await records.merge(pushed(write("1", 2, x="B"), observed=2, now=60)) == [STALE]
        assert await records.merge(polled(write("1", 2.5, x="C"), observed=2.5, now=60)) == [STALE]

    async def test_a_push_that_repeats_what_was_polled_moves_its_time(self, records: RecordStore) -> None:
        await records.merge(polled(write("1", 1, x="A"), observed=1))
        assert await records.merge(pushed(write("1", 3, x="A"), observed=3)) == [UNCHANGED]
        assert await records.merge(pushed(write("1", 2, x="B"), observed=2)) == [STALE]
        assert await content(records) == {"x": "A"}

    async def test_a_push_that_repeats_unchanged_content_leaves_what_another_integration_wrote_since(
        self, records: RecordStore
    ) -> None:
        await records.merge(pushed(write("1", 1, x="erp")))
        await records.merge(pushed(write("1", 1, x="lms"), integration="lms"))
        assert await records.merge(pushed(write("1", 2, x="erp"))) == [UNCHANGED]
        assert await content(records) == {"x": "lms"}

    @pytest.mark.parametrize("is_partial", [False, True], ids=["polled", "pushed"])
    async def test_a_delete_that_is_repeated_under_a_newer_time_leaves_what_another_integration_brought_back_since(
        self, records: RecordStore, is_partial: bool
    ) -> None:
        await records.merge(polled(write("1", 1, deleted=True), observed=4))
        await records.merge(polled(write("1", 2), integration="lms"))
        before = await stored(records, "1")
        assert not before.deleted
        repeated = replace(polled(write("1", 3, deleted=True), observed=5, now=20), is_partial=is_partial)
        assert await records.merge(repeated) == [UNCHANGED]
        after = await stored(records, "1")
        assert after.sources["erp"] != before.sources["erp"]
        assert replace(after, sources=before.sources) == before

    async def test_polls_that_repeat_what_is_older_than_a_push_write_nothing(self, records: RecordStore) -> None:
        """A source that rounds its times in one of two places tells an older time for good."""
        await records.merge(pushed(write("1", 5, x="pushed"), observed=10))
        await records.merge(polled(write("1", 4, x="rounded", y=1), observed=20))
        before = await stored(records, "1")
        for number in range(30, 32):
            again = polled(write("1", 4, x="rounded", y=1), observed=number, run=f"run {number}")
            assert await records.merge(again) == [UNCHANGED]
            assert await stored(records, "1") == before

    async def test_versions_of_fields_survive_reopen_whatever_the_fields_are_called(
        self, store_factory: StoreFactory
    ) -> None:
        records = (await store_factory([])).records
        names = ["a.b", "$x", "", "%2E", "_id", "ü\x00", "fields"]
        newer: dict[str, Any] = dict.fromkeys(names, "newer")
        older: dict[str, Any] = dict.fromkeys(names, "older")
        await records.merge(pushed(write("1", 2, **newer)))
        await records.merge(pushed(write("1", 1, other="old")))
        before = await stored(records, "1")
        records = (await store_factory([])).records
        assert await stored(records, "1") == before
        assert versions_of(before) == {**dict.fromkeys([*names, "studentId"], 2), "other": 1}
        assert await records.merge(pushed(write("1", 1.5, **older))) == [STALE]

    async def test_any_number_of_pushes_leaves_a_bounded_entry_that_keeps_older_writes_out(
        self, records: RecordStore
    ) -> None:
        pushes = 50
        for number in range(pushes):
            one: dict[str, Any] = {f"f{number}": "new"}
            await records.merge(pushed(write("1", number, **one)))
        record = await stored(records, "1")
        assert len(record.sources["erp"]["fieldVersions"]) <= 32
        assert len(await content(records)) == pushes
        older: dict[str, Any] = {f"f{number}": "old" for number in range(pushes)}
        assert await records.merge(polled(write("1", -1, **older, other=1))) == [UPDATED]
        assert await content(records) == {**dict.fromkeys(older, "new"), "other": 1}

    @_property
    @given(data=st.data())
    async def test_any_order_of_polls_pushes_and_deletes_ends_as_the_order_of_their_versions(
        self, records: RecordStore, data: st.DataObject
    ) -> None:
        college = f"any order {next(_colleges)}"
        ours, theirs = data.draw(histories), data.draw(st.just([]) | histories_without_deletes)
        batches = [*batches_of(ours, "erp", college), *batches_of(theirs, "lms", college)]
        arrivals = data.draw(st.permutations([*batches, *data.draw(st.lists(st.sampled_from(batches), max_size=3))]))
        for arrival in arrivals:
            await records.merge(arrival)
        record = await records.get(college, STUDENTS, KEY)
        assert record is not None
        check_end(record, ours, theirs)
        for again in data.draw(st.permutations(batches)):
            await records.merge(again)
        assert await records.get(college, STUDENTS, KEY) == record
        assert await records.count(college, STUDENTS) == (not record.deleted)


def pushed(one: RecordWrite, **options: Any) -> MergeBatch:
    return replace(polled(one, **options), is_partial=True)


def polled(one: RecordWrite, **options: Any) -> MergeBatch:
    """A batch of one write, which is the same batch only if it says the same."""
    return batch(one, id=f"{one}{options}", **options)


async def content(records: RecordStore) -> dict[str, Any]:
    """What is stored of student 1, beside the id."""
    return {name: value for name, value in (await stored(records, "1")).data.items() if name != "studentId"}


def versions_of(record: StoredRecord, integration: str = "erp") -> dict[str, float]:
    """The versions of single fields, as minutes."""
    groups = record.sources[integration].get("fieldVersions", [])
    minutes = {format_datetime(at(number / 2)): number / 2 for number in range(-4, 200)}
    return {name: minutes[group["version"]] for group in groups for name in group["fields"]}


# Histories of one record: what an integration says at minute 0, 1, 2, ...

KEY = '["1"]'
_FIELDS = "abc"


@dataclass(frozen=True)
class Word:
    """What is said at one moment; ``is_told``: the source tells the time itself."""

    kind: Literal["poll", "push", "delete"]
    values: Mapping[str, int]
    is_told: bool

    @property
    def is_partial(self) -> bool:
        """Of a delete it matters only in that the time of ours moves when it is repeated."""
        return self.kind == "push" or (self.kind == "delete" and not self.is_told)

    def says(self, version: int) -> Mapping[str, Any]:
        if self.is_partial or self.is_told:
            return self.values
        # A poll that repeats its content under a time of our own does not move it, so none does.
        return {name: f"{value} at {version}" for name, value in self.values.items()}


_full = st.fixed_dictionaries(dict.fromkeys(_FIELDS, st.integers(0, 1)))
_part = st.dictionaries(st.sampled_from(_FIELDS), st.integers(0, 1), min_size=1)
_poll = st.builds(Word, st.just("poll"), _full, st.booleans())
_push = st.builds(Word, st.just("push"), _part, st.booleans())
_delete = st.builds(Word, st.just("delete"), st.just({}), st.booleans())
histories = st.lists(_poll | _push | _delete, min_size=1, max_size=6)
histories_without_deletes = st.lists(_poll | _push, max_size=3)


def batches_of(history: Sequence[Word], integration: str, college: str) -> list[MergeBatch]:
    """One batch per word; each integration has fields of its own."""
    batches = []
    for version, word in enumerate(history):
        data = {"studentId": "1", **{integration + name: value for name, value in word.says(version).items()}}
        is_deleted = word.kind == "delete"
        one = RecordWrite(KEY, data, ascii(sorted(data.items())), at(version), deleted=is_deleted)
        # What the source tells was seen a moment later, and before the next word.
        seen = batch(one, id=f"{integration}{version}", integration=integration, now=version, observed=version)
        if word.is_told:
            seen = replace(seen, observed_at=at(version + 0.5))
        batches.append(replace(seen, college_id=college, is_partial=word.is_partial))
    return batches


def check_end(record: StoredRecord, ours: Sequence[Word], theirs: Sequence[Word]) -> None:
    """That the record is as the order of versions says. A tombstone keeps the data it had when it became one, so what
    nobody has said since the last delete is not looked at."""
    deletes = [version for version, word in enumerate(ours) if word.kind == "delete"]
    last_delete = max(deletes, default=-1)
    if not theirs:
        assert record.deleted == (last_delete == len(ours) - 1)
    for integration, history, since in (("erp", ours, last_delete), ("lms", theirs, -1)):
        if not history:
            continue
        newest = {name: version for version, word in enumerate(history) for name in word.values}
        for name, version in newest.items():
            if version > since:
                assert record.data[integration + name] == history[version].says(version)[name]
        base = max((version for version, word in enumerate(history) if word.kind != "push"), default=None)
        told = record.sources[integration]["version"]
        assert told == (None if base is None else format_datetime(at(base)))
        later = {integration + name: version for name, version in newest.items() if base is None or version > base}
        pushes = [version for version, word in enumerate(history) if word.kind == "push"]
        if later:
            later["studentId"] = pushes[-1]
        assert versions_of(record, integration) == later
    if last_delete == -1:
        said = {"erp" + name for word in ours for name in word.values}
        said |= {"lms" + name for word in theirs for name in word.values}
        assert record.data.keys() == {"studentId", *said}
