"""What a response says about its own paging, found by name: how far it is looked for, and what is believed."""

from typing import Any

import pytest
from hub_fetcher.paging.signs import as_count, find_has_more, find_next_number, find_total


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0),
        (250, 250),
        ("250", 250),
        (" 7 ", 7),
        (5.0, 5),
        (1.5, None),
        (-1, None),
        (True, None),
        (None, None),
        ("", None),
        ("many", None),
        ("٣", None),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
    ],
)
def test_a_count_is_a_whole_number_that_is_not_negative(value: Any, count: int | None) -> None:
    assert as_count(value) == count


@pytest.mark.parametrize(
    ("body", "has_more"),
    [
        ({"hasMore": True}, True),
        ({"has_next_page": "false"}, False),
        ({"meta": {"isLast": True}}, False),
        ({"last": False}, True),
        ({"last": "https://erp.example.edu/rows?page=9"}, None),
        ({"last_page": 9}, None),
        ({"hasMore": "perhaps"}, None),
        ({"student": {"hasMore": True}}, None),
        ([], None),
    ],
)
def test_whether_there_is_more_is_told_by_a_flag_or_by_its_opposite(body: Any, has_more: bool | None) -> None:
    assert find_has_more(body) is has_more


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ({"nextPage": 3}, 3),
        ({"meta": {"next": "3"}}, 3),
        ({"nextPage": None}, 0),
        ({"nextPage": ""}, 0),
        ({"nextPage": False}, 0),
        ({"nextPage": "/rows?page=3"}, None),
        ({}, None),
    ],
)
def test_a_next_page_that_is_there_and_empty_is_not_one_that_is_missing(body: Any, number: int | None) -> None:
    assert find_next_number(body) == number


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"total": 9}, "total"),
        ({"data": {"paging": {"total": 9}}}, "data.paging.total"),
        ({"data": {"data": {"data": {"total": 9}}}}, "data.data.data.total"),
        ({"data": {"data": {"data": {"data": {"total": 9}}}}}, None),
        ({"invoice": {"total": 9}}, None),
        ({"count": 9}, "count"),
        ({"count": 2}, None),
    ],
)
def test_a_total_is_looked_for_in_the_usual_places_alone(body: Any, path: str | None) -> None:
    found = find_total(body, 2)
    assert (found and found.path) == path
