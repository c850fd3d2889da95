"""How many rows of one key are lost."""

from itertools import permutations

import pytest
from hub_model.rivals import Row, count_lost
from hypothesis import given
from hypothesis import strategies as st

rows = st.builds(
    Row, st.sampled_from("abc"), st.sampled_from([None, "t1", "t2"]), st.sampled_from([None, "r1", "r2", "r3"])
)


def contradict(one: Row, other: Row) -> bool:
    """As the documentation tells it."""
    if one.content == other.content:
        return False
    if one.source_id and other.source_id and one.source_id != other.source_id:
        return True
    return not one.version or not other.version or one.version == other.version


@given(st.lists(rows, max_size=8))
def test_each_different_row_that_contradicts_one_before_it_is_lost(told: list[Row]) -> None:
    different = list(dict.fromkeys(told))
    lost = sum(any(contradict(row, other) for other in different[:place]) for place, row in enumerate(different))
    assert count_lost(told) == lost


def test_of_a_newer_state_beside_two_rows_of_one_time_one_row_is_lost_in_any_order() -> None:
    told = [Row("absent", "09:00", None), Row("present", "09:00", None), Row("late", "10:00", None)]
    for ordered in permutations(told):
        assert count_lost(ordered) == 1


@pytest.mark.parametrize("source_id", ["", None])
@pytest.mark.parametrize("version", ["", None, 0])
def test_what_is_not_told_may_be_empty(version: object, source_id: object) -> None:
    assert count_lost([Row("a", version, source_id), Row("b", "t1", "r1")]) == 1
