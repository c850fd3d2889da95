"""Header arithmetic: every dialect of a wait and of a quota, and nothing that breaks it."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from hub_fetcher.limits.headers import MAX_WAIT_S, MIN_WAIT_S, Quota, is_spent, quota, server_time, wait_s
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        # Seconds.
        ({}, None),
        ({"Retry-After": "30"}, 30),
        ({"Retry-After": " 30 "}, 30),
        ({"Retry-After": "2.5"}, 2.5),
        ({"Retry-After": "30s"}, 30),
        ({"Retry-After": "0"}, MIN_WAIT_S),
        ({"Retry-After": "9999999"}, MAX_WAIT_S),
        ({"Retry-After-Ms": "2500"}, 2.5),
        ({"X-RateLimit-Reset-After": "7"}, 7),
        # Not readable.
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "1_000"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "Fri, 99 Foo 2026 99:99:99 GMT"}, None),
        # Instants: HTTP dates in their three forms, ISO, epochs in three units.
        ({"Retry-After": http_date(NOW + timedelta(seconds=90))}, 90),
        ({"Retry-After": "Thursday, 15-Jan-26 10:01:30 GMT"}, 90),
        ({"Retry-After": "2026-01-15T10:01:30Z"}, 90),
        ({"Retry-After": "2026-01-15T15:31:30+05:30"}, 90),
        ({"Retry-After": "2026-01-15T10:01:30"}, 90),
        ({"Retry-After": str(EPOCH + 90)}, 90),
        ({"Retry-After": str((EPOCH + 90) * 1000)}, 90),
        ({"Retry-After": http_date(NOW - timedelta(days=1))}, MIN_WAIT_S),
        ({"X-RateLimit-Reset": str(EPOCH - 90)}, MIN_WAIT_S),
        ({"X-RateLimit-Reset": str(EPOCH + 60)}, 60),
        ({"X-RateLimit-Reset": str((EPOCH + 60) * 1000)}, 60),
        ({"X-RateLimit-Reset": str((EPOCH + 60) * 1_000_000)}, 60),
        ({"X-Rate-Limit-Reset": "2026-01-15T10:01:00Z"}, 60),
        ({"RateLimit-Reset": "60"}, 60),
        # A reset says how long to wait only where nothing is left.
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "45"}, 45),
        ({"X-RateLimit-Remaining": "0.0", "X-RateLimit-Reset": "45"}, 45),
        ({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "45"}, None),
        ({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "45", "Retry-After": "5"}, 5),
        # Frappe: a quota of processing time, in microseconds.
        ({"X-RateLimit-Limit": "600000000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800"}, 1800),
        # The IETF draft, in its earlier and its later form.
        ({"RateLimit": "limit=100, remaining=0, reset=50"}, 50),
        ({"RateLimit": '"default";r=0;t=50'}, 50),
        ({"RateLimit": '"default";r=5;t=50'}, None),
        # Of several the longest.
        ({"Retry-After": "30, 60, 10"}, 60),
        ({"Retry-After": f"{http_date(NOW + timedelta(seconds=90))}, 30"}, 90),
        ({"Retry-After": "10", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(EPOCH + 70)}, 70),
        ({"Retry-After": "10, soon"}, 10),
    ],
)
def test_the_wait_is_read_from_every_dialect(headers: dict[str, str], expected: float | None) -> None:
    assert wait_s(httpx2.Headers(headers), NOW) == expected


def test_of_two_headers_of_one_name_the_longest_counts() -> None:
    assert wait_s(httpx2.Headers([("Retry-After", "10"), ("Retry-After", "40")]), NOW) == 40


@pytest.mark.parametrize(
    "header",
    [
        lambda at: {"Retry-After": http_date(at)},
        lambda at: {"Retry-After": at.isoformat()},
        lambda at: {"X-RateLimit-Reset": str(int(at.timestamp()))},
        lambda at: {"X-RateLimit-Reset": str(int(at.timestamp() * 1000))},
    ],
)
@pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(hours=-3)])
def test_an_instant_is_measured_by_the_sources_own_clock(header: object, ahead: timedelta) -> None:
    theirs = NOW + ahead
    headers = {"date": http_date(theirs), **header(theirs + timedelta(seconds=10))}
    assert wait_s(httpx2.Headers(headers), NOW) == 10


def test_a_delta_is_not_corrected_by_the_clocks() -> None:
    headers = {"date": http_date(NOW + timedelta(hours=3)), "retry-after": "10"}
    assert wait_s(headers, NOW) == 10


def test_the_time_at_the_source_is_what_it_says() -> None:
    assert server_time({"date": http_date(NOW)}) == NOW
    assert server_time({"date": "yesterday"}) is None
    assert server_time({}) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"X-RateLimit-Limit": "100"}, None),
        ({"X-RateLimit-Remaining": "17", "X-RateLimit-Reset": "45"}, Quota(17, 45)),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(EPOCH + 45)}, Quota(0, 45)),
        ({"RateLimit-Remaining": "3"}, Quota(3, None)),
        ({"RateLimit": '"burst";r=9;t=1, "daily";r=2;t=900'}, Quota(2, 900)),
        # Canvas: a quota of cost.
        ({"X-Rate-Limit-Remaining": "599.5", "X-Request-Cost": "0.5"}, Quota(1199, None)),
        ({"X-Rate-Limit-Remaining": "3.2", "X-Request-Cost": "5.5"}, Quota(0, None)),
        ({"X-Rate-Limit-Remaining": "3.2", "X-Request-Cost": "0"}, Quota(3, None)),
        ({"X-RateLimit-Remaining": "many"}, None),
    ],
)
def test_what_is_left_is_read(headers: dict[str, str], expected: Quota | None) -> None:
    assert quota(httpx2.Headers(headers), NOW) == expected


def test_nothing_left_is_zero_in_any_notation() -> None:
    for text in ("0", "0.0", " 0 "):
        assert is_spent({"x-ratelimit-remaining": text})
    for text in ("", "1", "none", "0.5"):
        assert not is_spent({"x-ratelimit-remaining": text})


NAMES = ["retry-after", "retry-after-ms", "x-ratelimit-reset", "x-ratelimit-remaining", "x-request-cost", "ratelimit"]
VALUES = st.one_of(
    st.text("0123456789.,;=-+eEnaifrtT: GMT", max_size=30),
    st.integers(-(10**18), 10**18).map(str),
    st.floats().map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.datetimes().map(lambda moment: http_date(moment.replace(tzinfo=UTC))),
    st.lists(st.integers(0, 10**18).map(str), max_size=4).map(", ".join),
)


@given(st.dictionaries(st.sampled_from([*NAMES, "date"]), VALUES, max_size=4))
def test_no_header_breaks_the_reading(headers: dict[str, str]) -> None:
    wait = wait_s(headers, NOW)
    assert wait is None or MIN_WAIT_S <= wait <= MAX_WAIT_S
    left = quota(headers, NOW)
    assert left is None or (left.requests >= 0 and (left.reset_s is None or MIN_WAIT_S <= left.reset_s <= MAX_WAIT_S))


@given(st.integers(0, int(MAX_WAIT_S)), st.sampled_from([1, 1000, 1_000_000]))
def test_an_epoch_in_any_unit_is_the_same_wait(seconds: int, unit: int) -> None:
    headers = {"x-ratelimit-reset": str((EPOCH + seconds) * unit)}
    assert wait_s(headers, NOW) == pytest.approx(max(seconds, MIN_WAIT_S))


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=5))
def test_several_waits_are_the_longest_of_them(waits: list[int]) -> None:
    assert wait_s({"retry-after": ", ".join(map(str, waits))}, NOW) == max(*waits, MIN_WAIT_S)
