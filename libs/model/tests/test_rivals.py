"""How many rows of one key are lost, and of how many nobody can tell."""

from itertools import permutations
from random import Random

import pytest
from hub_model.rivals import Losses, Row, count_losses
from hypothesis import given
from hypothesis import strategies as st

rows = st.builds(
    Row,
    st.sampled_from("abc"),
    st.sampled_from([None, "t1", "t2", "t3"]),
    st.sampled_from([None, "", "r1", "r2", "r3"]),
)


def contradict(one: Row, other: Row) -> bool:
    """As the documentation tells it."""
    if one.content == other.content:
        return False
    if one.source_id and other.source_id and one.source_id != other.source_id:
        return True
    return not one.version or not other.version or one.version == other.version


def may_be_two(one: Row, other: Row) -> bool:
    """They say different things, and nobody can tell whether they are two rows or two states of one."""
    if one.content == other.content or contradict(one, other):
        return False
    return not one.source_id or not other.source_id


@given(st.lists(rows, max_size=8))
def test_each_different_row_that_contradicts_one_before_it_is_lost_and_may_be_if_it_only_differs(
    told: list[Row],
) -> None:
    overruled = undecided = 0
    different = list(dict.fromkeys(told))
    for place, row in enumerate(different):
        if any(contradict(row, other) for other in different[:place]):
            overruled += 1
        elif any(may_be_two(row, other) for other in different[:place]):
            undecided += 1
    assert count_losses(told) == Losses(overruled, undecided)


@given(st.lists(rows, max_size=3), st.randoms())
def test_in_any_order_something_is_told_or_nothing(told: list[Row], dice: Random) -> None:
    losses, shuffled = count_losses(told), count_losses(dice.sample(told, len(told)))
    assert (losses == Losses()) is (shuffled == Losses())
    assert (losses.overruled > 0) is (shuffled.overruled > 0)


def test_of_a_newer_state_beside_two_rows_of_one_time_one_row_is_lost_in_any_order() -> None:
    told = [Row("absent", "09:00", None), Row("present", "09:00", None), Row("late", "10:00", None)]
    for ordered in permutations(told):
        assert count_losses(ordered) == Losses(overruled=1, undecided=1)
        assert count_losses(row._replace(source_id="r1") for row in ordered) == Losses(overruled=1)


@pytest.mark.parametrize("source_id", ["", None])
@pytest.mark.parametrize("version", ["", None, 0])
def test_what_is_not_told_may_be_empty(version: object, source_id: object) -> None:
    assert count_losses([Row("a", version, source_id), Row("b", "t1", "r1")]) == Losses(overruled=1)
    assert count_losses([Row("a", "t2", source_id), Row("b", "t1", "r1")]) == Losses(undecided=1)


@pytest.mark.parametrize(("first", "second"), [(None, None), (None, "r1"), ("r1", None)])
def test_two_rows_of_different_times_are_undecided_unless_both_tell_their_row(first: object, second: object) -> None:
    nine, two = Row("absent", "09:00", first), Row("present", "14:00", second)
    assert count_losses([nine, two, nine, two]) == Losses(undecided=1), "the same again never counts"
    assert count_losses([nine, two._replace(content="absent")]) == Losses(), "one of them says it all"
    assert count_losses([nine._replace(source_id="r1"), two._replace(source_id="r1")]) == Losses(), "states of one row"
    assert count_losses([nine._replace(source_id="r1"), two._replace(source_id="r2")]) == Losses(overruled=1)
