"""The rule that says how many pages to ask for ahead: told of answers in seconds, without any clock."""

from collections.abc import Callable

import pytest
from hub_fetcher.walking.window import FIRST_SIZE, Window


def made(size: int = 0, *, most: int = 16, most_bytes: int = 1 << 30, page_bytes: int = 0) -> Window:
    return Window(size, most=most, most_bytes=most_bytes, page_bytes=page_bytes)


def play(window: Window, rounds: int, answer_s: Callable[[int], float], *, is_short: bool = True) -> list[int]:
    """The sizes after each of so many rounds against a source whose answers take as long as ``answer_s`` says.

    The answers to what was asked for before the window was narrowed come first, as late as they were.
    """
    sizes = []
    for _ in range(rounds):
        before = window.size
        for _ in range(before):
            if is_short:
                window.was_short()
            window.answered(answer_s(before))
        if window.size < before:
            for _ in range(before):
                window.answered(answer_s(before))
        sizes.append(window.size)
    return sizes


def test_a_source_that_is_waited_for_is_asked_for_more_at_once_up_to_the_bound() -> None:
    window = made()
    assert window.size == FIRST_SIZE == 4
    assert play(window, 4, lambda size: 0.1) == [8, 16, 16, 16]


def test_what_an_earlier_stretch_found_right_is_begun_with_and_widened_by_one() -> None:
    assert play(made(6), 3, lambda size: 0.1) == [7, 8, 9]
    assert made(40, most=16).size == 16
    assert made(most=2).size == 2


def test_pages_that_come_before_their_turn_need_no_wider_window() -> None:
    assert play(made(), 5, lambda size: 0.1, is_short=False) == [4] * 5


@pytest.mark.parametrize("service_s", [0.1, 1.0, 5.0])
def test_a_source_that_answers_one_at_a_time_is_asked_for_few_at_once(service_s: float) -> None:
    window = made(16)
    for number in range(16):  # a stretch begins with as many requests at once
        window.answered(service_s * (number + 1))
    for _ in range(16):
        window.answered(service_s * 16)
    sizes = play(window, 60, lambda size: service_s * size)
    assert sizes[0] <= 8
    assert max(sizes[5:]) <= 3


def test_a_source_that_answers_five_at_a_time_is_kept_busy_and_little_more() -> None:
    sizes = play(made(), 100, lambda size: 0.2 * max(1.0, size / 5))
    assert max(sizes) <= 16
    assert min(sizes[10:]) >= 5
    assert max(sizes[10:]) <= 12


def test_late_answers_halve_the_window_once_if_fewer_are_no_quicker() -> None:
    """Later pages of a source often cost more, however few are asked for."""
    window = made(8)
    play(window, 1, lambda size: 0.1, is_short=False)
    assert play(window, 4, lambda size: 0.9) == [4, 5, 6, 7]


def test_uneven_answers_of_a_quick_source_are_not_late() -> None:
    window = made(8)
    play(window, 1, lambda size: 0.002)
    assert play(window, 1, lambda size: 0.05) == [10]


def test_one_straggler_in_a_round_does_not_make_it_late() -> None:
    window = made(4)
    for seconds in (0.1, 0.1, 0.1, 9.0):
        window.answered(seconds)
    assert window.size == 4


def test_trouble_halves_the_window_at_once_and_a_burst_leaves_one_request() -> None:
    window = made(16)
    window.troubled()
    assert window.size == 8
    for _ in range(9):
        window.troubled()
    assert window.size == window.places == 1
    assert window.places == 1
    window.answered(0.1)  # asked for before it was narrow
    window.answered(0.1)
    assert play(window, 4, lambda size: 0.1) == [2, 3, 4, 5]


def test_after_trouble_a_fresh_window_no_longer_doubles() -> None:
    window = made()
    window.troubled()
    for _ in range(4):
        window.answered(0.1)
    assert play(window, 3, lambda size: 0.1) == [3, 4, 5]


def test_waits_from_before_trouble_do_not_widen_the_window_after_it() -> None:
    window = made(4)
    window.was_short()
    window.troubled()
    for _ in range(6):
        window.answered(0.1)
    assert window.size == 2


def test_pages_ahead_are_bounded_in_bytes_and_each_counts_as_the_largest_seen() -> None:
    window = made(8, most_bytes=1000, page_bytes=100)
    assert window.places == 8
    window.arrived(300)
    window.arrived(10)
    assert window.places == 3
    window.arrived(5000)
    assert window.places == 1
