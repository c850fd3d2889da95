"""Sets of numbers as intervals: the same as a set, and small."""

from itertools import pairwise

from hub_model.intervals import add_interval, add_number, all_upto, gaps, has_all_below
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


pairs = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)).map(lambda pair: (pair[0], sum(pair))), max_size=12)


def numbers_in(intervals: tuple[tuple[int, int], ...]) -> set[int]:
    return {number for low, high in intervals for number in range(low, high + 1)}


def united(windows: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    intervals: tuple[tuple[int, int], ...] = ()
    for low, high in windows:
        intervals = add_interval(intervals, low, high)
    return intervals


@given(pairs)
def test_windows_in_any_order_unite_to_the_same_few(windows: list[tuple[int, int]]) -> None:
    intervals = united(windows)
    assert numbers_in(intervals) == {n for low, high in windows for n in range(low, high + 1)}
    assert all(before[1] + 1 < after[0] for before, after in pairwise(intervals))
    assert united(windows[::-1]) == intervals


@given(pairs, st.integers(0, 30), st.integers(0, 30))
def test_gaps_and_what_is_covered_are_everything(windows: list[tuple[int, int]], low: int, length: int) -> None:
    intervals, high = united(windows), low + length
    found = gaps(intervals, low, high)
    wanted = set(range(low, high + 1)) if length else set()
    assert wanted <= numbers_in(found) | numbers_in(intervals)
    inner = {n for start, end in found for n in range(start + 1, end)}
    assert not inner & numbers_in(intervals)
    assert numbers_in(found) <= wanted


@given(pairs, st.integers(0, 50))
def test_what_lies_beyond_a_limit_is_cut_off(windows: list[tuple[int, int]], limit: int) -> None:
    intervals = united(windows)
    assert numbers_in(all_upto(intervals, limit)) == {n for n in numbers_in(intervals) if n <= limit}
