"""Sets of small integers as sorted, disjoint, closed intervals.

A stream of two thousand batches that arrive almost in order is one or two pairs, not two thousand numbers.
"""

from bisect import bisect_right

Intervals = tuple[tuple[int, int], ...]


def add_number(intervals: Intervals, number: int) -> Intervals:
    """The intervals with ``number`` in them; the same object when it was there already."""
    place = bisect_right(intervals, (number, number))
    before = intervals[place - 1] if place else None
    after = intervals[place] if place < len(intervals) else None
    if (before and before[0] <= number <= before[1]) or (after and after[0] == number):
        return intervals
    low = high = number
    start, end = place, place
    if before and before[1] == number - 1:
        low, start = before[0], place - 1
    if after and after[0] == number + 1:
        high, end = after[1], place + 1
    return (*intervals[:start], (low, high), *intervals[end:])


def has_all_below(intervals: Intervals, limit: int) -> bool:
    """Whether the intervals hold 0 and every integer after it below ``limit``."""
    return limit <= 0 or (bool(intervals) and intervals[0][0] <= 0 and intervals[0][1] >= limit - 1)
