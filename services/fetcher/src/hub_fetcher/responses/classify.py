"""What an HTTP status means for us: an error of the right class, or None where the body may be read.

The texts name the path and the status and never a query string or the source's own words, which may repeat a key.
"""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

from hub_model.errors import ErrorClass, HubError, RateLimited, SourceError, Unavailable

from hub_fetcher.limits.headers import is_spent, wait_s

ASKED_TO_WAIT = "The source limits how often it may be asked; the sync goes on when it allows."

_TRANSIENT = frozenset([408, 423, 425])
_RATE_WORDS = ("rate limit", "ratelimit", "too many requests", "throttl", "quota exceeded")
_LOGIN_WORDS = ("login", "signin", "sign-in", "sso", "oauth", "auth")


def error_of(status: int, headers: Mapping[str, str], body: bytes, *, label: str, now: datetime) -> HubError | None:
    """The error of a response. ``headers`` finds names in any case; ``body`` may be its beginning only."""
    if 200 <= status < 300:
        return None
    what = f"{label} answered {status}"
    retry_after_s = wait_s(headers, now)
    if (
        status == 429
        or (status == 503 and retry_after_s is not None)
        or (status == 403 and _is_rate_limit(headers, body))
    ):
        return RateLimited(
            f"{what}: too many requests",
            retry_after_s=retry_after_s,
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


def _is_rate_limit(headers: Mapping[str, str], body: bytes) -> bool:
    if is_spent(headers):
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
