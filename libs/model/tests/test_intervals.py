"""Sets of numbers as intervals: the same as a set, and small."""

from itertools import pairwise

from hub_model.intervals import add_number, has_all_below
from hypothesis import given
from hypothesis import strategies as st

numbers = st.lists(st.integers(0, 40), max_size=60)


@given(numbers)
def test_intervals_hold_what_a_set_holds(added: list[int]) -> None:
    intervals: tuple[tuple[int, int], ...] = ()
    oracle: set[int] = set()
    for number in added:
        before = intervals
        intervals = add_number(intervals, number)
        assert (intervals is before) == (number in oracle), "the same object when it was there already"
        oracle.add(number)
    assert {n for low, high in intervals for n in range(low, high + 1)} == oracle


@given(numbers, st.integers(-1, 45))
def test_all_below_a_limit_means_every_one_of_them(added: list[int], limit: int) -> None:
    intervals: tuple[tuple[int, int], ...] = ()
    for number in added:
        intervals = add_number(intervals, number)
    assert has_all_below(intervals, limit) == set(added).issuperset(range(limit))


@given(numbers)
def test_intervals_are_sorted_apart_and_never_touch(added: list[int]) -> None:
    intervals: tuple[tuple[int, int], ...] = ()
    for number in added:
        intervals = add_number(intervals, number)
    assert all(low <= high for low, high in intervals)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(intervals))


def test_numbers_in_order_are_one_interval() -> None:
    intervals: tuple[tuple[int, int], ...] = ()
    for number in range(2000):
        intervals = add_number(intervals, number)
    assert intervals == ((0, 1999),)
