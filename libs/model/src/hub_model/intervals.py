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


def add_interval(intervals: Intervals, low: int, high: int) -> Intervals:
    """The intervals with all from ``low`` to ``high`` in them."""
    if low > high:
        return intervals
    apart = [pair for pair in intervals if pair[1] < low - 1 or pair[0] > high + 1]
    touching = [pair for pair in intervals if pair not in apart]
    joined = (min([low, *(pair[0] for pair in touching)]), max([high, *(pair[1] for pair in touching)]))
    return tuple(sorted([*apart, joined]))


def gaps(intervals: Intervals, low: int, high: int) -> Intervals:
    """What lies between ``low`` and ``high`` outside of the intervals, each with the ends of those beside it."""
    found = []
    for start, end in intervals:
        if end < low:
            continue
        if start > high:
            break
        if start > low:
            found.append((low, start))
        low = max(low, end)
    return (*found, (low, high)) if low < high else tuple(found)


def overlap(intervals: Intervals, others: Intervals) -> Intervals:
    """What both hold."""
    both = [(max(low, other[0]), min(high, other[1])) for low, high in intervals for other in others]
    return tuple(sorted((low, high) for low, high in both if low <= high))


def all_upto(intervals: Intervals, limit: int) -> Intervals:
    """What the intervals hold up to ``limit``."""
    return tuple((low, min(high, limit)) for low, high in intervals if low <= limit)
