"""How much one integration and one client may send: token buckets, in this process alone."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from starlette.types import Scope

_MAX_KEYS = 10_000


class TokenBuckets:
    """A bucket of ``burst`` tokens per key, refilled at ``rate_per_s``; the least used of very many are forgotten."""

    def __init__(self, rate_per_s: float, burst: int, *, steady: Callable[[], float] = time.monotonic) -> None:
        self._rate_per_s = rate_per_s
        self._burst = float(burst)
        self._steady = steady
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take a token. Returns 0 if there was one, otherwise the seconds until there is."""
        now = self._steady()
        tokens, at = self._buckets.get(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._rate_per_s)
        wait_s = 0.0 if tokens >= 1 else (1 - tokens) / self._rate_per_s
        self._buckets[key] = (tokens if wait_s else tokens - 1, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > _MAX_KEYS:
            self._buckets.popitem(last=False)
        return wait_s


def client_address(scope: Scope, trusted: Sequence[IPv4Network | IPv6Network]) -> str:
    """The address to hold a client by: the peer's, or what trusted proxies in front say it is.

    Read from the right, the first address that is not a trusted proxy's counts; whatever stands left of it was
    written by the client.
    """
    peer: str = scope["client"][0] if scope.get("client") else ""
    if not trusted or not _is_trusted(peer, trusted):
        return peer
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
    for hop in reversed(forwarded.split(",")):
        address = hop.strip()
        if not address:
            break
        if not _is_trusted(address, trusted):
            return address[:64]
    return peer


def _is_trusted(text: str, trusted: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in trusted)
