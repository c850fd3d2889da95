"""What an HTTP status means for us: an error of the right class, or None where the body may be read.

The texts name the path and the status and never a query string or the source's own words, which may repeat a key.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from hub_model.errors import ErrorClass, HubError, RateLimited, SourceError, Unavailable

MIN_WAIT_S = 1.0
MAX_WAIT_S = 6 * 3600.0
ASKED_TO_WAIT = "The source limits how often it may be asked; the sync goes on when it allows."

_TRANSIENT = frozenset([408, 423, 425])
_RATE_WORDS = ("rate limit", "ratelimit", "too many requests", "throttl", "quota exceeded")
_LOGIN_WORDS = ("login", "signin", "sign-in", "sso", "oauth", "auth")
_REMAINING = ("x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining")
_RESET = ("x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset")


def error_of(status: int, headers: Mapping[str, str], body: bytes, *, label: str, now: datetime) -> HubError | None:
    """The error of a response. ``headers`` finds names in any case; ``body`` may be its beginning only."""
    if 200 <= status < 300:
        return None
    what = f"{label} answered {status}"
    wait_s = retry_after_s(headers, now)
    if status == 429 or (status == 503 and wait_s is not None) or (status == 403 and _is_rate_limit(headers, body)):
        return RateLimited(
            f"{what}: too many requests",
            retry_after_s=wait_s,
            public=ASKED_TO_WAIT,
        )
    if status in _TRANSIENT or status >= 500:
        return Unavailable(
            what, code="source_unavailable", public=f"The source is in trouble at the moment ({what}); try again later."
        )
    if status in (401, 403):
        return SourceError(
            what,
            error_class=ErrorClass.AUTH,
            code="credentials_refused",
            public=f"The source refuses the stored credentials ({what}). Enter them again, and check that they may "
            "read this data.",
        )
    return _redirect(headers, label) if 300 <= status < 400 else _config(status, what)


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long the source asks us to wait, between one second and six hours; None if it does not say."""
    after = headers.get("retry-after", "").strip()
    wait_s = _seconds(after)
    if wait_s is None and after:
        at = _http_date(after)
        # The source's own clock tells how far away its date is, whatever ours says.
        wait_s = (at - (_http_date(headers.get("date", "")) or now)).total_seconds() if at else None
    if wait_s is None:
        wait_s = _until_reset(headers, now)
    return None if wait_s is None else min(max(wait_s, MIN_WAIT_S), MAX_WAIT_S)


def _until_reset(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wait in a reset header: a number of seconds, or an instant in epoch seconds or milliseconds."""
    if next((headers[name].strip() for name in _REMAINING if name in headers), "0") != "0":
        return None
    value = next((_seconds(headers[name]) for name in _RESET if name in headers), None)
    if value is None or value < 1e9:
        return value
    return (value if value < 1e11 else value / 1000) - now.timestamp()


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e15 else None


def _http_date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _is_rate_limit(headers: Mapping[str, str], body: bytes) -> bool:
    if any(headers.get(name, "").strip() == "0" for name in _REMAINING):
        return True
    text = body[:2048].decode("utf-8", "replace").lower()
    return any(word in text for word in _RATE_WORDS)


def _redirect(headers: Mapping[str, str], label: str) -> SourceError:
    """Redirects are not followed: the credential belongs to one origin, and a moved API is a person's to enter."""
    try:
        target = urlsplit(headers.get("location", ""))
        where = f"{target.scheme}://{target.hostname}{target.path}" if target.hostname else target.path
    except ValueError:
        where = ""
    if any(word in where.lower() for word in _LOGIN_WORDS):
        return SourceError(
            f"{label} redirects to a login page",
            error_class=ErrorClass.AUTH,
            code="credentials_refused",
            public="The source sends the hub to its login page: the stored credentials are missing, wrong or expired.",
        )
    to = f" to {where[:200]}" if where else ""
    return SourceError(
        f"{label} redirects{to}",
        error_class=ErrorClass.CONFIG,
        code="redirected",
        public=f"The source redirects{to}, and redirects are not followed. Enter the final address instead.",
    )


def _config(status: int, what: str) -> SourceError:
    fix = {
        404: "There is nothing at this path. Check the base URL and the endpoint's path, and for a page beyond the "
        "last set the pagination's 'totalPath'.",
        405: "This path is not for reading. Check the endpoint's path.",
        410: "This path was removed for good. Ask for the source's current documentation.",
    }.get(status, "The source does not accept the request. Check the endpoint's path, parameters and page size.")
    return SourceError(what, error_class=ErrorClass.CONFIG, code=f"http_{status}", public=f"{what}. {fix}")
