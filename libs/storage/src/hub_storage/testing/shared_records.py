"""The contract of the record store port, continued: records that several integrations write.

Where a test says *erp* or *lms*, that integration writes student 1; each write is newer than its last.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from hub_model.records import Outcome

from hub_storage.records import RecordStore
from hub_storage.testing.factory import StoreFactory
from hub_storage.testing.record_versions import content, polled, pushed
from hub_storage.testing.records import STUDENTS, stored, write

INSERTED, UPDATED, UNCHANGED, DELETED = Outcome.INSERTED, Outcome.UPDATED, Outcome.UNCHANGED, Outcome.DELETED

Say = Callable[..., Awaitable[Outcome]]


class SharedRecordsContract:
    """Inherit, supply ``store_factory``, and every promise about records of several integrations is tested."""

    @pytest.fixture
    async def records(self, store_factory: StoreFactory) -> RecordStore:
        return (await store_factory([])).records

    @pytest.fixture
    def erp(self, records: RecordStore) -> Say:
        return _says(records, "erp")

    @pytest.fixture
    def lms(self, records: RecordStore) -> Say:
        return _says(records, "lms")

    async def test_who_has_no_value_does_not_erase_that_of_another(
        self, records: RecordStore, erp: Say, lms: Say
    ) -> None:
        assert await erp(name="Asha", phone="+911") == INSERTED
        assert await lms(name="Asha", phone=None, email="a@x.edu") == UPDATED
        assert await content(records) == {"name": "Asha", "phone": "+911", "email": "a@x.edu"}
        assert await erp(name="Asha", phone="+912", email=None) == UPDATED
        assert await content(records) == {"name": "Asha", "phone": "+912", "email": "a@x.edu"}
        assert await lms(name="Asha", phone=None, email="asha@x.edu") == UPDATED
        assert await content(records) == {"name": "Asha", "phone": "+912", "email": "asha@x.edu"}

    async def test_who_has_nothing_but_nulls_changes_nothing_and_is_kept_as_a_source(
        self, records: RecordStore, erp: Say, lms: Say
    ) -> None:
        await erp(phone="+911")
        before = await stored(records, "1")
        assert await lms(phone=None) == UNCHANGED
        after = await stored(records, "1")
        assert (after.data, after.updated_at) == (before.data, before.updated_at)
        assert after.sources["erp"]["holds"] == ["phone", "studentId"]
        assert after.sources["lms"]["holds"] == ["studentId"]

    async def test_who_takes_back_its_value_erases_it(self, records: RecordStore, erp: Say, lms: Say) -> None:
        await erp(phone="+911")
        await lms(email="a@x.edu")
        assert await erp(phone=None) == UPDATED
        assert await content(records) == {"phone": None, "email": "a@x.edu"}

    async def test_a_value_that_another_has_overwritten_is_not_taken_back_with_ones_own(
        self, records: RecordStore, erp: Say, lms: Say
    ) -> None:
        await erp(phone="+911")
        await lms(phone="+912")
        assert await erp(phone=None) == UNCHANGED
        assert await content(records) == {"phone": "+912"}
        assert await lms(phone=None) == UPDATED
        assert await content(records) == {"phone": None}

    async def test_a_value_that_another_set_over_and_took_back_comes_again_with_the_next_repetition(
        self, records: RecordStore, erp: Say, lms: Say
    ) -> None:
        said: dict[str, Any] = {"phone": "+911", "name": "Asha", "externalIds": {"roll": "12", "erpId": "7"}}
        await erp(**said)
        await lms(phone="+912", name="Asha R", externalIds={"roll": "13", "moodleId": "31"})
        assert await lms(phone=None, name="Asha R", externalIds={"moodleId": "31"}) == UPDATED
        assert await erp(**said) == UPDATED
        record = await stored(records, "1")
        assert await content(records) == {
            "phone": "+911",
            "name": "Asha R",
            "externalIds": {"erpId": "7", "moodleId": "31", "roll": "12"},
        }
        assert record.sources["erp"]["holds"] == ["externalIds.erpId", "externalIds.roll", "phone", "studentId"]
        assert await erp(**said) == UNCHANGED
        assert await stored(records, "1") == record, "what is repeated without need writes nothing"

    async def test_who_is_heard_again_and_says_nothing_of_what_is_gone_changes_nothing(
        self, records: RecordStore, erp: Say, lms: Say
    ) -> None:
        await erp(name="Asha", phone=None)
        await lms(name="Asha R", phone="+912")
        await lms(name="Asha R", phone=None)
        before = await stored(records, "1")
        assert await erp(name="Asha", phone=None) == UNCHANGED
        after = await stored(records, "1")
        assert (after.data, after.updated_at) == (before.data, before.updated_at)

    @pytest.mark.parametrize("nothing", [None, "", []], ids=["null", "empty text", "empty list"])
    async def test_an_empty_text_or_list_is_no_value_either(
        self, records: RecordStore, erp: Say, lms: Say, nothing: Any
    ) -> None:
        await erp(facultyIds=["T1", "T2"], extensions={"labs": ["L1"]})
        assert await lms(facultyIds=nothing, extensions={"labs": nothing}) == UNCHANGED
        assert await content(records) == {"facultyIds": ["T1", "T2"], "extensions": {"labs": ["L1"]}}
        assert await erp(facultyIds=nothing, extensions={"labs": nothing}) == UPDATED
        assert await content(records) == {"facultyIds": nothing, "extensions": {"labs": nothing}}

    async def test_an_integration_that_is_gone_holds_nothing(self, records: RecordStore) -> None:
        connected = frozenset({"new", "lms"})
        await _says(records, "old")(phone="+911", externalIds={"roll": "12"})
        new = _says(records, "new", connected)
        assert await new(phone="+911", externalIds={"roll": "12"}) == UNCHANGED
        assert await new(phone=None, externalIds={}) == UPDATED
        assert await content(records) == {"phone": None, "externalIds": {}}
        assert (await stored(records, "1")).sources["old"]["holds"] == ["studentId"]

    async def test_who_is_heard_again_says_all_that_nobody_else_holds(self, records: RecordStore, erp: Say) -> None:
        """What one that is gone said may have stood where one's own word would have been the same."""
        connected = frozenset({"erp", "lms"})
        await erp(externalIds={"roll": "12", "card": "7"})
        old = _says(records, "old")
        await old(externalIds={"roll": "13", "card": "8"})
        await old(externalIds={"card": "7"})
        again = replace(polled(write("1", 2, externalIds={"roll": "12", "card": "7"})), connected=connected)
        assert await records.merge(again) == [UPDATED]
        assert await content(records) == {"externalIds": {"card": "7", "roll": "12"}}
        assert (await stored(records, "1")).sources["erp"]["holds"] == [
            "externalIds.card",
            "externalIds.roll",
            "studentId",
        ]

    async def test_what_one_said_that_another_did_not_know_yet_it_takes_back_by_its_delete(
        self, records: RecordStore, erp: Say
    ) -> None:
        new = _says(records, "new")
        await erp(name="Asha")
        await new(name="Asha", email="a@x.edu")
        unaware = replace(polled(write("1", 2, name="Asha R")), connected=frozenset({"erp"}))
        assert await records.merge(unaware) == [UPDATED]
        assert await new(deleted=True) == UPDATED
        assert await content(records) == {"name": "Asha R", "email": None}

    async def test_one_that_another_did_not_know_yet_keeps_the_record_once_it_is_known(
        self, records: RecordStore, erp: Say
    ) -> None:
        await erp(name="Asha")
        await _says(records, "new")(name="Asha")
        unaware = replace(polled(write("1", 2, name="Asha R")), connected=frozenset({"erp"}))
        assert await records.merge(unaware) == [UPDATED]
        gone = replace(polled(write("1", 3, deleted=True)), connected=frozenset({"erp", "new"}))
        assert await records.merge(gone) == [UPDATED]
        assert not (await stored(records, "1")).deleted

    async def test_a_value_that_two_say_stays_until_both_have_taken_it_back(
        self, records: RecordStore, erp: Say, lms: Say
    ) -> None:
        await erp(phone="+911")
        assert await lms(phone="+911") == UNCHANGED
        assert await lms(phone=None) == UNCHANGED
        assert await lms(phone="+911") == UNCHANGED
        assert await erp(phone=None) == UNCHANGED
        assert await content(records) == {"phone": "+911"}
        assert await lms(phone=None) == UPDATED
        assert await content(records) == {"phone": None}

    async def test_the_entries_of_an_object_are_each_their_integrations_own(
        self, records: RecordStore, erp: Say, lms: Say
    ) -> None:
        await erp(externalIds={"erpId": "7", "roll": "12"})
        assert await lms(externalIds={"moodleId": "31"}) == UPDATED
        assert await content(records) == {"externalIds": {"erpId": "7", "roll": "12", "moodleId": "31"}}
        assert await erp(externalIds={"erpId": "8"}) == UPDATED
        assert await content(records) == {"externalIds": {"erpId": "8", "moodleId": "31"}}
        assert await erp(externalIds=None) == UPDATED
        assert await content(records) == {"externalIds": {"moodleId": "31"}}
        assert await lms(externalIds={}) == UPDATED
        assert await content(records) == {"externalIds": {}}

    async def test_an_object_that_says_the_same_in_another_order_changes_nothing(
        self, records: RecordStore, erp: Say, lms: Say
    ) -> None:
        await erp(externalIds={"a": 1, "b": 2, "c.d": 3, "": 4})
        await lms(phone="+911")
        assert await lms(externalIds={"b": 2, "a": None}, phone="+911") == UNCHANGED
        record = await stored(records, "1")
        assert list(record.data["externalIds"]) == ["a", "b", "c.d", ""]
        assert record.sources["lms"]["holds"] == ["externalIds.b", "phone", "studentId"]

    @pytest.mark.parametrize(
        ("first", "then"), [({"x": 1}, "plain"), ("plain", {"x": 1})], ids=["object first", "plain first"]
    )
    async def test_a_plain_value_and_an_object_cannot_stand_together_so_the_last_one_stands(
        self, records: RecordStore, erp: Say, lms: Say, first: Any, then: Any
    ) -> None:
        await erp(custom=first)
        assert await lms(custom=then) == UPDATED
        assert await content(records) == {"custom": then}
        assert await erp(custom=None) == UNCHANGED
        assert await content(records) == {"custom": then}

    async def test_a_push_without_a_value_does_not_erase_that_of_another(self, records: RecordStore, erp: Say) -> None:
        await erp(phone="+911", name="Asha")
        assert await records.merge(pushed(write("1", 1, phone=None), integration="lms")) == [UNCHANGED]
        assert await records.merge(pushed(write("1", 2, phone="+912"), integration="lms")) == [UPDATED]
        assert (await stored(records, "1")).sources["lms"]["holds"] == ["phone", "studentId"]
        assert await records.merge(pushed(write("1", 3, phone=None), integration="lms")) == [UPDATED]
        assert await content(records) == {"phone": None, "name": "Asha"}

    async def test_who_deletes_a_record_takes_back_its_own_words_and_leaves_those_of_others(
        self, records: RecordStore, erp: Say, lms: Say
    ) -> None:
        await erp(name="Asha", phone="+911", externalIds={"erpId": "7"})
        await lms(name="Asha", email="a@x.edu", externalIds={"moodleId": "31"})
        assert await lms(deleted=True) == UPDATED
        record = await stored(records, "1")
        assert not record.deleted
        assert "holds" not in record.sources["lms"]
        assert await content(records) == {
            "name": "Asha",
            "phone": "+911",
            "externalIds": {"erpId": "7"},
            "email": None,
        }
        assert await records.count("college", STUDENTS) == 1
        assert await lms(deleted=True) == UNCHANGED
        assert await lms(name="Asha", email="a@x.edu") == UPDATED
        assert (await content(records))["email"] == "a@x.edu"

    async def test_who_deletes_a_record_that_others_say_all_of_changes_nothing(
        self, records: RecordStore, erp: Say, lms: Say
    ) -> None:
        await erp(name="Asha")
        await lms(name="Asha")
        before = await stored(records, "1")
        assert await lms(deleted=True) == UNCHANGED
        after = await stored(records, "1")
        assert (after.data, after.deleted, after.updated_at) == (before.data, False, before.updated_at)

    async def test_a_record_is_deleted_once_nobody_says_it_any_more(
        self, records: RecordStore, erp: Say, lms: Say
    ) -> None:
        await erp(name="Asha", phone="+911")
        await lms(name="Asha", email="a@x.edu")
        assert await erp(deleted=True) == UPDATED
        assert await lms(deleted=True) == DELETED
        assert (await stored(records, "1")).deleted
        assert await records.count("college", STUDENTS) == 0
        assert await lms(name="Asha R", phone=None, email=None) == INSERTED
        assert await content(records) == {"name": "Asha R", "phone": None, "email": None}

    async def test_what_was_overwritten_by_one_that_deletes_the_record_comes_again(
        self, records: RecordStore, erp: Say, lms: Say
    ) -> None:
        await erp(name="Asha", phone="+911")
        await lms(name="Asha R")
        assert await lms(deleted=True) == UPDATED
        assert await erp(name="Asha", phone="+911") == UPDATED
        assert await content(records) == {"name": "Asha", "phone": "+911"}

    async def test_a_record_that_was_deleted_by_one_that_did_not_know_of_another_comes_again(
        self, records: RecordStore, erp: Say
    ) -> None:
        await erp(name="Asha")
        await _says(records, "lms", frozenset({"lms"}))(name="Asha")
        assert await _says(records, "lms", frozenset({"lms"}))(name=None, deleted=True) == DELETED
        assert await erp(name="Asha") == INSERTED
        assert await content(records) == {"name": "Asha"}

    async def test_an_integration_that_is_gone_keeps_no_record(self, records: RecordStore) -> None:
        await _says(records, "old")(name="Asha")
        new = _says(records, "new", frozenset({"new"}))
        await new(name="Asha")
        assert await new(deleted=True) == DELETED
        assert await records.count("college", STUDENTS) == 0

    async def test_a_delete_that_comes_again_once_nobody_says_the_record_counts(
        self, records: RecordStore, erp: Say
    ) -> None:
        await erp(name="Asha")
        for version, connected, outcome in ((1, {"erp", "lms"}, UNCHANGED), (2, {"lms"}, DELETED)):
            gone = pushed(write("1", version, deleted=True), integration="lms")
            assert await records.merge(replace(gone, connected=frozenset(connected))) == [outcome]
        assert await records.count("college", STUDENTS) == 0

    @pytest.mark.parametrize("is_partial", [False, True], ids=["polled", "pushed"])
    async def test_what_a_tombstone_has_kept_does_not_come_back_with_the_record_of_another(
        self, records: RecordStore, erp: Say, is_partial: bool
    ) -> None:
        await erp(name="Asha", phone="+911", externalIds={"erpId": "7"})
        assert await erp(deleted=True) == DELETED
        back = replace(polled(write("1", 1, email="a@x.edu"), integration="lms"), is_partial=is_partial)
        assert await records.merge(back) == [INSERTED]
        assert await content(records) == {"name": None, "phone": None, "externalIds": None, "email": "a@x.edu"}

    async def test_a_row_takes_nothing_from_another_that_is_gone_or_where_somebody_else_says_the_same(
        self, records: RecordStore, lms: Say
    ) -> None:
        async def say(version: int, row: str, **fields: Any) -> Outcome:
            said = replace(write("1", version, **fields), source_id=row)
            (outcome,) = await records.merge(polled(said, now=version))
            return outcome

        await lms(name="Asha")
        assert await say(1, "row 1", name="Asha R") == UPDATED
        assert await lms(name="Asha S") == UPDATED
        assert await say(3, "row 2", name="Asha S") == UNCHANGED
        assert await say(4, "row 2", deleted=True) == UNCHANGED
        assert await say(5, "row 3", name="Asha T") == UPDATED
        assert await say(6, "row 4", name="Asha U") == Outcome.REPLACED

    async def test_what_is_held_survives_reopen(self, store_factory: StoreFactory) -> None:
        records = (await store_factory([])).records
        await _says(records, "erp")(phone="+911", externalIds={"a.b": "7"})
        await _says(records, "lms")(email="a@x.edu")
        before = await stored(records, "1")
        records = (await store_factory([])).records
        assert await stored(records, "1") == before
        assert await _says(records, "biometric")(phone=None, externalIds={}, email=None) == UNCHANGED


def _says(records: RecordStore, integration: str, connected: frozenset[str] | None = None) -> Say:
    versions = iter(range(1, 100))

    async def say(**fields: Any) -> Outcome:
        version = next(versions)
        said = polled(write("1", version, **fields), integration=integration, now=version)
        (outcome,) = await records.merge(replace(said, connected=connected))
        return outcome

    return say
