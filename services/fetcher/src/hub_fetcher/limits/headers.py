"""What a response's headers say about how often the source may be asked: the wait, and how much is left. Pure.

A number is a wait in seconds below 1e9, and above it an instant: epoch seconds, milliseconds (from 1e11) or
microseconds (from 1e14). An instant is measured by the source's own clock (``Date``) where it tells the time. Of
several waits the longest counts, of several quotas the smallest.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MIN_WAIT_S = 1.0
MAX_WAIT_S = 6 * 3600.0

_WAITS = ("retry-after", "x-retry-after", "x-ratelimit-retry-after", "x-ratelimit-reset-after")
_WAITS_MS = ("retry-after-ms", "x-ms-retry-after-ms")
_RESETS = ("x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset")
_REMAINING = ("x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining")
# What one request takes of a quota that does not count requests (Canvas).
_COST = "x-request-cost"
# The IETF draft's one header: '"default";r=0;t=30', before that 'limit=100, remaining=0, reset=30'.
_COMBINED = "ratelimit"

_NUMBER = re.compile(r"(\d{1,20}(?:\.\d{0,9})?)s?")
_COMBINED_PAIR = re.compile(r"\b(r|remaining|t|reset)\s*=\s*(\d{1,20})")
# Commas separate values, and stand in HTTP dates: "Thu, 15 Jan 2026 10:00:00 GMT, 30".
_COMMA = re.compile(r",(?!\s*\d{1,2}[ -][A-Za-z]{3}[ -])")


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left: ``requests`` more, until ``reset_s`` from now; None if the source does not say when."""

    requests: int
    reset_s: float | None


def wait_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long the source asks to be left alone, between MIN_WAIT_S and MAX_WAIT_S; None if it does not say.

    When its quota begins anew says so only where nothing is left of it. ``headers`` finds names in any case.
    """
    server_now = server_time(headers) or now
    waits = [wait for name in _WAITS for wait in _waits(headers.get(name, ""), server_now)]
    waits += [wait / 1000 for name in _WAITS_MS if (wait := _number(headers.get(name, ""))) is not None]
    remaining = _remaining(headers)
    if remaining is None or remaining <= 0:
        waits += _resets(headers, server_now)
    return clamped(max(waits)) if waits else None


def quota(headers: Mapping[str, str], now: datetime) -> Quota | None:
    """What the source says is left, in requests like this one; None if it does not say."""
    remaining = _remaining(headers)
    if remaining is None:
        return None
    cost = _number(headers.get(_COST, "")) or 1.0
    resets = _resets(headers, server_time(headers) or now)
    return Quota(int(min(remaining / cost, 1e9)), clamped(max(resets)) if resets else None)


def is_spent(headers: Mapping[str, str]) -> bool:
    """Whether the source says that nothing is left."""
    remaining = _remaining(headers)
    return remaining is not None and remaining <= 0


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """What time it is where the source is; None if it does not say."""
    return _http_date(headers.get("date", ""))


def clamped(seconds: float) -> float:
    return min(max(seconds, MIN_WAIT_S), MAX_WAIT_S)


def _resets(headers: Mapping[str, str], server_now: datetime) -> list[float]:
    waits = [wait for name in _RESETS for wait in _waits(headers.get(name, ""), server_now)]
    pairs = _combined(headers)
    return waits + [_from_now(pair[1], server_now) for pair in pairs if pair[0] in ("t", "reset")]


def _remaining(headers: Mapping[str, str]) -> float | None:
    values = [_number(part) for name in _REMAINING for part in headers.get(name, "").split(",")]
    values += [value for name, value in _combined(headers) if name in ("r", "remaining")]
    return min((value for value in values if value is not None), default=None)


def _combined(headers: Mapping[str, str]) -> list[tuple[str, float]]:
    return [(pair[1], float(pair[2])) for pair in _COMBINED_PAIR.finditer(headers.get(_COMBINED, "")[:1024])]


def _waits(text: str, server_now: datetime) -> Iterator[float]:
    """Each value of a header that may hold several, as seconds from now; what is unreadable is left out."""
    for part in _COMMA.split(text[:1024]):
        number = _number(part)
        if number is not None:
            yield _from_now(number, server_now)
        elif (instant := _http_date(part.strip()) or _iso(part.strip())) is not None:
            yield (instant - server_now).total_seconds()


def _from_now(value: float, server_now: datetime) -> float:
    if value < 1e9:
        return value
    unit = 1.0 if value < 1e11 else 1e3 if value < 1e14 else 1e6
    return value / unit - server_now.timestamp()


def _number(text: str) -> float | None:
    match = _NUMBER.fullmatch(text.strip())
    return float(match[1]) if match else None


def _http_date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _iso(text: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
