"""Counts: every fetched record has one fate, and sums keep that."""

from hub_model.counts import Counts
from hub_model.records import Outcome
from hypothesis import given
from hypothesis import strategies as st

batches = st.builds(
    Counts.of_outcomes,
    st.lists(st.sampled_from(Outcome), max_size=30),
    rejected=st.integers(0, 9),
    skipped=st.integers(0, 9),
)


@given(batches)
def test_the_numbers_of_a_batch_add_up(counts: Counts) -> None:
    assert counts.settled == counts.fetched


@given(st.lists(batches, max_size=6))
def test_the_numbers_of_a_sum_add_up(parts: list[Counts]) -> None:
    total = sum(parts, Counts())
    assert total.settled == total.fetched == sum(part.fetched for part in parts)
    assert total.changed == sum(part.changed for part in parts)
    assert Counts.model_validate_json(total.model_dump_json()) == total


def test_each_outcome_is_counted_under_its_name() -> None:
    counts = Counts.of_outcomes([*Outcome, Outcome.INSERTED], rejected=2, skipped=3)
    assert counts == Counts(
        fetched=13,
        inserted=2,
        updated=1,
        replaced=1,
        unchanged=1,
        stale=1,
        deleted=1,
        duplicate=1,
        rejected=2,
        skipped=3,
    )
    assert counts.changed == 5
