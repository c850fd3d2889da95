"""Token buckets, and whose address counts behind proxies."""

from ipaddress import ip_network
from typing import Any

import pytest
from hub_webhook_gateway.limits import TokenBuckets, client_address
from hypothesis import given
from hypothesis import strategies as st


class Steady:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_granted_and_then_the_rate() -> None:
    steady = Steady()
    buckets = TokenBuckets(2.0, 3, steady=steady)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    steady.now += 0.5
    assert buckets.take("a") == 0
    assert buckets.take("a") == 0.5
    assert buckets.take("b") == 0
    steady.now += 3600
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


@given(st.lists(st.floats(0, 5), max_size=200), st.integers(1, 20), st.floats(0.5, 50))
def test_no_client_gets_more_than_burst_and_rate(pauses: list[float], burst: int, rate: float) -> None:
    steady = Steady()
    buckets = TokenBuckets(rate, burst, steady=steady)
    granted = 0
    for pause in pauses:
        steady.now += pause
        granted += buckets.take("a") == 0
    assert granted <= burst + rate * sum(pauses) + 1e-6


def test_memory_is_bounded_and_a_busy_key_is_not_forgotten() -> None:
    buckets = TokenBuckets(0.001, 1, steady=Steady())
    assert buckets.take("busy") == 0
    for number in range(20_000):
        buckets.take(str(number))
        assert buckets.take("busy") > 0
    assert len(buckets._buckets) <= 10_000
    assert buckets.take("newest") == 0
    assert buckets.take("newest") > 0


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", ["1.2.3.4"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.1"),
        ("10.0.0.1", ["spoofed, , "], "10.0.0.1"),
        ("10.0.0.1", ["x" * 500], "x" * 64),
    ],
)
def test_the_first_untrusted_address_from_the_right_counts(peer: str, forwarded: list[str], expected: str) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    scope: Any = {"client": (peer, 1), "headers": headers}
    assert client_address(scope, [ip_network("10.0.0.0/8")]) == expected


def test_without_trusted_proxies_nothing_is_believed() -> None:
    scope: Any = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", b"1.2.3.4")]}
    assert client_address(scope, []) == "10.0.0.1"
    assert client_address({"client": None, "headers": []}, []) == ""
