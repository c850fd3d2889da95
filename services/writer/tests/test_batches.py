"""A batch on its way into the store: parsed strictly, counted completely."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hub_model.base import format_datetime
from hub_model.errors import InvalidInput
from hub_model.messages import BatchTransformed, Reject
from hub_model.records import DataType, Origin, Outcome
from hub_storage.json_text import to_text
from hub_writer.batches import counts_of, merge_of, rejected_records
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
SEEN = datetime(2026, 3, 1, 9, 59, 30, 250, tzinfo=UTC)


def record(key: str = '["S1"]', **changes: Any) -> dict[str, Any]:
    return {"key": key, "data": {"name": "A"}, "hash": "h", "version": format_datetime(SEEN)} | changes


def batch(records: list[dict[str, Any]], **changes: Any) -> BatchTransformed:
    fields: dict[str, Any] = {
        "college_id": "c1",
        "integration_id": "i1",
        "run_id": "r1",
        "data_type": DataType.STUDENTS,
        "sequence": 4,
        "origin": Origin.POLL,
        "observed_at": SEEN,
        "records": records,
        "mapping_version": 7,
    }
    return BatchTransformed(**fields | changes)


def test_a_record_keeps_everything_it_carries() -> None:
    message = batch([record(), record('["S2"]', sourceId="77", deleted=True)])
    merge = merge_of(message, NOW)
    first, second = merge.writes
    assert (merge.id, merge.merged_at, merge.observed_at) == (message.message_id, NOW, SEEN)
    assert (first.key, first.data, first.content_hash, first.version) == ('["S1"]', {"name": "A"}, "h", SEEN)
    assert (first.source_id, first.deleted) == (None, False)
    assert (second.source_id, second.deleted) == ("77", True)


@pytest.mark.parametrize("origin", Origin)
def test_what_was_pushed_speaks_for_its_own_fields_alone(origin: Origin) -> None:
    assert merge_of(batch([record()], origin=origin), NOW).is_partial == (origin is Origin.WEBHOOK)


@pytest.mark.parametrize("missing", ["key", "data", "hash", "version"])
def test_a_record_that_lacks_a_part_is_refused_without_quoting_it(missing: str) -> None:
    broken = {name: value for name, value in record("canary").items() if name != missing}
    with pytest.raises(InvalidInput, match="record 1 of batch 4") as caught:
        merge_of(batch([record(), broken]), NOW)
    assert caught.value.code == "malformed_batch"
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("version", ["yesterday", 5, None, ["2026-03-01"]])
def test_a_version_that_is_no_time_is_refused(version: Any) -> None:
    with pytest.raises(InvalidInput):
        merge_of(batch([record(version=version)]), NOW)


def test_rejects_have_ids_that_stay_the_same_and_differ_from_each_other() -> None:
    rejects = [Reject(index=index, raw={"id": index}, issues=[{"code": "required"}]) for index in (0, 3)]
    first = rejected_records(batch([], rejects=rejects), NOW)
    again = rejected_records(batch([], rejects=rejects), SEEN)
    other = rejected_records(batch([], rejects=rejects, sequence=5), NOW)
    assert [item.id for item in first] == [item.id for item in again]
    assert len({item.id for item in first + other}) == 4
    assert [(item.raw, item.mapping_version) for item in first] == [({"id": 0}, 7), ({"id": 3}, 7)]


@pytest.mark.parametrize(("levels", "is_kept"), [(60, True), (61, False), (240, False)])
def test_a_reject_nested_deeper_than_a_store_holds_does_not_cost_its_batch(levels: int, is_kept: bool) -> None:
    raw: Any = "bottom"
    for level in range(levels):
        raw = {"a": raw, "b": 1} if level % 2 else [raw]
    (kept,) = rejected_records(batch([], rejects=[Reject(index=0, raw=raw, issues=[])]), NOW)
    assert kept.raw == (raw if is_kept else to_text(raw))


@given(st.lists(st.sampled_from(Outcome), max_size=20), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_the_fates_of_a_batch_add_up_to_the_records_it_was_fetched_with(
    outcomes: list[Outcome], rejected: int, duplicates: int, skipped: int
) -> None:
    rejects = [Reject(index=index, raw={}, issues=[]) for index in range(rejected)]
    message = batch([record(str(index)) for index in range(len(outcomes))], rejects=rejects)
    message = message.model_copy(update={"duplicates": duplicates, "skipped": skipped})
    counts = counts_of(message, outcomes)
    assert counts.settled == counts.fetched == len(outcomes) + rejected + duplicates + skipped
    assert counts.duplicate == duplicates + outcomes.count(Outcome.DUPLICATE)


def test_a_store_that_forgets_a_record_is_found_out() -> None:
    with pytest.raises(RuntimeError, match="2 records were merged and 1 outcomes"):
        counts_of(batch([record("a"), record("b")]), [Outcome.INSERTED])
