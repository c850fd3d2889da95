"""What an HTTP status means for us: an error of the right class, or None where the body may be read.

The texts name the path and the status and never a query string or the source's own words, which may repeat a key.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from urllib.parse import SplitResult, urlsplit

from hub_model.errors import ErrorClass, HubError, SourceError

from hub_fetcher.limits.headers import is_spent, wait_s
from hub_fetcher.responses import web_pages
from hub_fetcher.responses.text import named_type
from hub_fetcher.responses.verdicts import Verdict, error_for
from hub_fetcher.responses.words import decisive, known_words_of, text_speaks_of

# 409: another writer holds what we ask for. 425: too early.
_TRANSIENT = frozenset([408, 409, 423, 425])
_LOGIN_WORDS = ("login", "signin", "sign-in", "sso", "oauth", "auth")
_API_STEP = re.compile(r"api|rest|ws|v[0-9]{1,2}", re.IGNORECASE)
_NOT_ALLOWED = b"not authorized to perform"
# In a 4xx these say more than the status does.
_OUTWEIGHS_4XX = frozenset(
    [
        Verdict.RATE,
        Verdict.MAINTENANCE,
        Verdict.UNLICENSED,
        Verdict.SWITCHED_OFF,
        Verdict.CREDENTIALS,
        Verdict.PERMISSION,
        Verdict.TROUBLE,
    ]
)


def error_of(status: int, headers: Mapping[str, str], body: bytes, *, label: str, now: datetime) -> HubError | None:
    """The error of a response. ``headers`` finds names in any case; ``body`` may be its beginning only."""
    if 200 <= status < 300:
        return None
    what = f"{label} answered {status}"
    if 300 <= status < 400:
        return _redirect(headers, label)
    words = known_words_of(body)
    verdict = _verdict(status, headers, body, decisive(words), now)
    public = _PUBLIC.get((status, verdict)) or (_FORBIDDEN_SILENTLY if status == 403 and not body.strip() else None)
    return error_for(
        verdict,
        what,
        detail=described(headers.get("content-type", ""), body, words),
        code=f"http_{status}" if verdict in (Verdict.REFUSED, Verdict.NOT_THERE) else None,
        public=public and public.format(what=what),
        retry_after_s=wait_s(headers, now),
    )


def described(content_type: str, body: bytes, words: Iterable[str]) -> str:
    """What an operator may know of an answer: its type, its size, and the code words that we know ourselves."""
    return ", ".join([named_type(content_type), f"{len(body)} bytes", *words])


def _verdict(status: int, headers: Mapping[str, str], body: bytes, told: Verdict | None, now: datetime) -> Verdict:
    if status == 429 or (status == 503 and wait_s(headers, now) is not None):
        return Verdict.RATE
    if status >= 500 or status in _TRANSIENT:
        return _trouble(body, told)
    if status == 401:
        # Without the challenge that the standard asks for, it may be the right that is missing (Canvas).
        is_known = told is Verdict.PERMISSION or _NOT_ALLOWED in body[:2048].lower()
        return Verdict.PERMISSION if is_known and "www-authenticate" not in headers else Verdict.CREDENTIALS
    if status == 403:
        return _forbidden(headers, body, told)
    if told is not None and told in _OUTWEIGHS_4XX:
        return told
    return Verdict.NOT_THERE if status in (404, 410) else Verdict.REFUSED


def _trouble(body: bytes, told: Verdict | None) -> Verdict:
    beginning = body[:8192].lower()
    # SOAP has a status of 500 for whatever is wrong with the request.
    if b":fault>" in beginning or b"<fault>" in beginning:
        return _soap_verdict(body)
    text = body.lstrip()
    is_page = text.startswith(b"<") and web_pages.is_web_page(text)
    page = web_pages.meaning(text) if is_page else None
    return Verdict.MAINTENANCE if Verdict.MAINTENANCE in (page, told) else Verdict.TROUBLE


def _forbidden(headers: Mapping[str, str], body: bytes, told: Verdict | None) -> Verdict:
    """403 says that a person may not, that a program asks too often (Canvas), or that the API is closed (BioTime).

    Canvas calls also a course that a good token may not see "unauthorized".
    """
    if told is Verdict.CREDENTIALS and _NOT_ALLOWED in body[:2048].lower():
        return Verdict.PERMISSION
    if told in (Verdict.RATE, Verdict.UNLICENSED, Verdict.SWITCHED_OFF, Verdict.MAINTENANCE, Verdict.CREDENTIALS):
        return told
    return Verdict.RATE if _is_rate_limit(headers, body) else Verdict.PERMISSION


def _soap_verdict(body: bytes) -> Verdict:
    text = body[:8192].decode("utf-8", "replace")
    spoken = text_speaks_of(text.partition("aultstring>")[2][:1000])
    is_ours = any(f":{word}<" in text or f">{word}<" in text for word in ("Client", "Sender", "MustUnderstand"))
    return spoken or (Verdict.REFUSED if is_ours or "VersionMismatch" in text else Verdict.TROUBLE)


def _is_rate_limit(headers: Mapping[str, str], body: bytes) -> bool:
    if is_spent(headers):
        return True
    return text_speaks_of(body[:2048].decode("utf-8", "replace")) is Verdict.RATE


def _redirect(headers: Mapping[str, str], label: str) -> SourceError:
    """Redirects are not followed: the credential belongs to one origin, and a moved API is a person's to enter."""
    try:
        target = urlsplit(headers.get("location", ""))
        where = f"{target.scheme}://{target.hostname}{target.path}" if target.hostname else target.path
    except ValueError:
        target, where = urlsplit(""), ""
    if any(word in where.lower() for word in _LOGIN_WORDS):
        return SourceError(
            f"{label} redirects to a login page",
            error_class=ErrorClass.AUTH,
            code="credentials_refused",
            public="The source sends the hub to its login page: the stored credentials are missing, wrong or expired.",
        )
    to = f" to {_shown(target, label)}" if where else ""
    return SourceError(
        f"{label} redirects{to}",
        error_class=ErrorClass.CONFIG,
        code="redirected",
        public=f"The source redirects{to}, and redirects are not followed. Enter the final address instead.",
    )


def _shown(target: SplitResult, label: str) -> str:
    """Where a redirect leads. Of its path only what the endpoint or any API says: the rest may be a student's."""
    known = {"", *label.split("/")}
    steps = target.path.split("/")
    path = "/".join(step if step in known or _API_STEP.fullmatch(step) else "..." for step in steps)
    return (f"{target.scheme}://{target.hostname}{path}" if target.hostname else path)[:200]


_FORBIDDEN_SILENTLY = (
    "The source refuses without a word ({what}): the credentials may not read this, or its API is switched off (in "
    "Moodle: the REST protocol of its web services). Ask its operator."
)
_PUBLIC = {
    (404, Verdict.NOT_THERE): "{what}. There is nothing at this path. Check the base URL and the endpoint's path, and "
    "for a page beyond the last set the pagination's 'totalPath'.",
    (405, Verdict.REFUSED): "{what}. This path is not for reading this way. Check the endpoint's path and 'method'.",
    (410, Verdict.NOT_THERE): "{what}. This path was removed for good. Ask for the source's current documentation.",
    (413, Verdict.REFUSED): "{what}. The answer would be larger than the source allows. Ask for smaller pages.",
    (417, Verdict.REFUSED): "{what}. The source found a value in the request that it does not accept. Check the "
    "endpoint's parameters, above all its filters and the names of its fields.",
    **{
        (status, Verdict.REFUSED): "{what}. The source does not accept the request. Check the endpoint's path, "
        "parameters and page size."
        for status in (400, 414, 422)
    },
}
