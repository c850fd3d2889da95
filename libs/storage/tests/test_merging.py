"""The rules of a merge by themselves, without a store: histories by the hundred, and what an entry looks like."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hub_model.records import DataType, Outcome, RecordWrite
from hub_storage.json_text import to_text
from hub_storage.records import MergeBatch
from hub_storage.testing.one_record import OneRecord
from hub_storage.testing.record_versions import (
    KEY,
    batches_of,
    check_end,
    histories,
    histories_without_deletes,
)
from hub_storage.versions import MAX_GROUPS, Stamp, Versions, is_newer
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=600, deadline=None)
@given(data=st.data())
def test_any_order_of_polls_pushes_and_deletes_ends_as_the_order_of_their_versions(data: st.DataObject) -> None:
    ours, theirs = data.draw(histories), data.draw(st.just([]) | histories_without_deletes)
    batches = [*batches_of(ours, "erp", "c"), *batches_of(theirs, "lms", "c")]
    arrivals = data.draw(st.permutations([*batches, *data.draw(st.lists(st.sampled_from(batches), max_size=4))]))
    one = OneRecord()
    outcomes = [one.merge(arrival) for arrival in arrivals]
    check_end(one.record(), ours, theirs)
    assert outcomes.count(Outcome.INSERTED) - outcomes.count(Outcome.DELETED) == (not one.record().deleted)


def minute(now: datetime, number: float) -> datetime:
    return now + timedelta(minutes=number)


def a_batch(
    now: datetime, version: float, *, seen: float | None = None, is_partial: bool = False, **data: object
) -> MergeBatch:
    at = minute(now, version)
    write = RecordWrite(KEY, data, to_text(data), at, source_id="row")
    observed_at = at if seen is None else minute(now, seen)
    return MergeBatch("b", "c", DataType.STUDENTS, "erp", "run", [write], now, observed_at, is_partial)


def test_an_entry_of_polls_has_seven_parts_and_of_pushes_the_fields_by_version(now: datetime) -> None:
    one = OneRecord()
    one.merge(a_batch(now, 1, x=1, y=1))
    assert len(one.entry()) == 7
    one.merge(a_batch(now, 2, is_partial=True, x=2))
    one.merge(a_batch(now, 3, seen=4, is_partial=True, z=3, y=3))
    micro = 60_000_000
    start = one.entry()[1] - micro
    assert one.entry()[7] == [[start + 2 * micro, 0, ["x"]], [start + 3 * micro, micro, ["y", "z"]]]
    one.merge(a_batch(now, 5, x=1, y=1))
    assert len(one.entry()) == 7


def test_what_changes_nothing_is_not_written(now: datetime) -> None:
    one = OneRecord()
    one.merge(a_batch(now, 5, seen=10, x=1, y=1))
    one.merge(a_batch(now, 6, seen=10, is_partial=True, x=2))
    for again in (
        a_batch(now, 6, seen=10, is_partial=True, x=2),
        a_batch(now, 4, is_partial=True, x=3),
        a_batch(now, 4, x=3, y=3),
        a_batch(now, 5, seen=9, x=3, y=3),
    ):
        before, writes = one.row, one.writes
        assert one.merge(again) in (Outcome.UNCHANGED, Outcome.STALE)
        assert (one.row, one.writes) == (before, writes)


def test_polls_of_which_every_field_was_pushed_later_are_written_once_for_their_time(now: datetime) -> None:
    one = OneRecord()
    one.merge(a_batch(now, 6, seen=7, is_partial=True, x=1))
    assert one.merge(a_batch(now, 4, seen=8, is_partial=True, x=2)) is Outcome.STALE
    assert one.writes == 1
    for seen in (9, 10, 11):
        assert one.merge(a_batch(now, 5, seen=seen, x=2)) is Outcome.STALE
        assert one.writes == 2


def test_a_delete_that_a_field_is_newer_than_leaves_no_entry_of_a_tombstone(now: datetime) -> None:
    one = OneRecord()
    one.merge(a_batch(now, 2, is_partial=True, x=1))
    older = a_batch(now, 1)
    assert one.merge(replace(older, writes=[replace(older.writes[0], deleted=True)])) is Outcome.STALE
    content_hash, *_, deleted, _lag, _groups = one.entry()
    assert (content_hash, deleted) == ("", 0)


def test_repeated_polls_of_our_own_time_move_nothing(now: datetime) -> None:
    one = OneRecord()
    one.merge(a_batch(now, 1, x=1))
    assert one.merge(a_batch(now, 2, x=1)) is Outcome.UNCHANGED
    assert one.writes == 1


def test_a_push_without_fields_says_nothing_but_that_there_is_a_record(now: datetime) -> None:
    one = OneRecord()
    assert one.merge(a_batch(now, 2, is_partial=True)) is Outcome.INSERTED
    assert one.merge(a_batch(now, 3, is_partial=True)) is Outcome.STALE
    assert one.merge(a_batch(now, 1, is_partial=True, x=1)) is Outcome.UPDATED
    assert one.merge(a_batch(now, 0, x=0, y=0)) is Outcome.UPDATED
    assert one.record().data == {"x": 1, "y": 0}


@pytest.mark.parametrize(
    ("one", "other", "newer"),
    [
        ((5, 0), (4, 0), True),
        ((5, 0), (5, 0), False),
        ((5, 10), (4, 90), True),
        ((5, 10), (5, 9), True),
        ((5, 9), (5, 10), False),
        # The source's time, and one of our own.
        ((5, 10), (14, 0), True),
        ((5, 10), (16, 0), False),
        ((16, 0), (5, 10), True),
        # Seen at the same moment.
        ((15, 0), (5, 10), True),
        ((5, 10), (15, 0), False),
    ],
)
def test_the_newer_stamp(one: Stamp, other: Stamp, newer: bool) -> None:
    assert is_newer(one, other) == newer


_stamps = st.tuples(st.integers(-100, 100), st.sampled_from([0, 1, 50]))


@given(_stamps, _stamps)
def test_of_two_stamps_one_is_newer_unless_they_are_the_same(one: Stamp, other: Stamp) -> None:
    assert is_newer(one, other) + is_newer(other, one) == (one != other)


def test_stamps_that_become_one_become_the_newer() -> None:
    """Of times of the source's the one that was seen first may be the newer."""
    fields = {f"f{number}": (number, 1000 - 10 * number) for number in range(MAX_GROUPS + 8)}
    read = Versions.of_groups(None, Versions(None, fields).groups()).fields
    assert all(not is_newer(stamp, read[name]) for name, stamp in fields.items())


@given(st.dictionaries(st.text(max_size=3), _stamps, max_size=80))
def test_grouped_fields_are_bounded_and_read_back(fields: dict[str, Stamp]) -> None:
    groups = Versions(None, fields).groups()
    assert len(groups) <= MAX_GROUPS
    read = Versions.of_groups(None, groups).fields
    assert read.keys() == fields.keys()
    if len(set(fields.values())) <= MAX_GROUPS:
        assert read == fields
