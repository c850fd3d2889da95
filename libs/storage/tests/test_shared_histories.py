"""Records that several integrations write, by histories of polls and deletes: once everybody has said again what it
said last, nothing that somebody says is missing, and nothing is there that nobody says."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hub_model.records import DataType, Outcome, RecordWrite
from hub_storage.holders import places_of
from hub_storage.json_text import to_text
from hub_storage.records import MergeBatch
from hub_storage.testing.one_record import OneRecord
from hub_storage.testing.record_versions import KEY
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WRITERS = ("erp", "lms", "biometric")
_value = st.none() | st.integers(0, 2)
_record = st.fixed_dictionaries(
    {"phone": _value, "name": _value, "externalIds": st.none() | st.dictionaries(st.sampled_from("xy"), _value)}
)
# What an integration says of the record; None: that it is gone.
_words = st.none() | _record
_histories = st.lists(st.tuples(st.sampled_from(WRITERS), _words), min_size=1, max_size=10)
_fields = st.sets(st.sampled_from(["phone", "name", "externalIds"]), min_size=1)
_writers = st.sets(st.sampled_from(WRITERS), max_size=2)
_unaware_histories = st.lists(st.tuples(st.sampled_from(WRITERS), _words, _writers), min_size=1, max_size=8)

Word = Mapping[str, Any] | None


def said(writer: str, word: Word, minute: int) -> MergeBatch:
    at = NOW + timedelta(minutes=minute)
    data = {"studentId": "1", **(word or {})}
    write = RecordWrite(KEY, data, to_text([data, word is None]), at, deleted=word is None)
    return MergeBatch(f"{minute}", "c", DataType.STUDENTS, writer, f"run {minute}", [write], at, at)


@settings(max_examples=600, deadline=None)
@given(history=_histories, order=st.permutations(WRITERS))
def test_after_everybody_has_repeated_itself_the_record_is_what_somebody_says(
    history: Sequence[tuple[str, Word]], order: Sequence[str]
) -> None:
    one, last = OneRecord(), dict[str, Word]()
    outcomes = []
    for minute, (writer, word) in enumerate(history):
        outcomes.append(one.merge(said(writer, word, minute)))
        last[writer] = word
        standing = [word for word in last.values() if word is not None]
        assert one.record().deleted == (not standing)
    for minute, writer in enumerate(order, start=len(history)):
        if writer in last:
            outcomes.append(one.merge(said(writer, last[writer], minute)))
    record = one.record()
    assert record.deleted == (not standing)
    assert outcomes.count(Outcome.INSERTED) - outcomes.count(Outcome.DELETED) == (not record.deleted)
    if standing:
        told = [place for word in standing for place in places_of({"studentId": "1", **word})]
        assert places_of(record.data) == set(told)
        for name in ("phone", "name"):
            assert record.data.get(name) in [*[word[name] for word in standing], None]


@settings(max_examples=300, deadline=None)
@given(history=_histories)
def test_what_is_repeated_twice_writes_nothing_the_second_time(history: Sequence[tuple[str, Word]]) -> None:
    one, last = OneRecord(), dict[str, Word]()
    for minute, (writer, word) in enumerate(history):
        one.merge(said(writer, word, minute))
        last[writer] = word
    for minute in range(100, 102):
        for writer, word in last.items():
            one.merge(said(writer, word, minute))
    row, writes = one.row, one.writes
    for writer, word in last.items():
        assert one.merge(said(writer, word, 200)) is Outcome.UNCHANGED
    assert (one.row, one.writes) == (row, writes)


@settings(max_examples=1500, deadline=None)
@given(
    history=_unaware_histories,
    fields=st.fixed_dictionaries(dict.fromkeys(WRITERS, _fields)),
    gone=_writers,
    order=st.permutations(WRITERS),
)
def test_whatever_fields_each_one_has_and_whoever_was_not_known_for_a_while_nothing_is_lost_and_nothing_left(
    history: Sequence[tuple[str, Word, Collection[str]]],
    fields: Mapping[str, Collection[str]],
    gone: Collection[str],
    order: Sequence[str],
) -> None:
    one, last = OneRecord(), dict[str, Word]()
    for minute, (writer, word, unknown) in enumerate(history):
        last[writer] = word and {name: value for name, value in word.items() if name in fields[writer]}
        one.merge(replace(said(writer, last[writer], minute), connected=frozenset(WRITERS).difference(unknown)))
    connected = frozenset(WRITERS).difference(gone)
    repeating = [writer for writer in order if writer in last and writer in connected]
    outcomes = []
    for minute in (100, 101, 102):
        for writer in repeating:
            outcomes.append(one.merge(replace(said(writer, last[writer], minute), connected=connected)))
    assert set(outcomes[2 * len(repeating) :]) <= {Outcome.UNCHANGED}
    record, standing = one.record(), [word for writer in repeating if (word := last[writer]) is not None]
    told = {place for word in standing for place in places_of({"studentId": "1", **word})}
    if standing:
        assert not record.deleted
        assert told <= places_of(record.data)
    if not gone:
        assert record.deleted == (not standing)
        assert record.deleted or places_of(record.data) == told
