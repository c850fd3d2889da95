"""What an answer that is no data means: whose turn it is, and what a principal is told.

No text here ever repeats what the source said: its words may hold a key, or a name.
"""

from enum import StrEnum

from hub_model.errors import ErrorClass, HubError, RateLimited, SourceError, Unavailable

ASKED_TO_WAIT = "The source limits how often it may be asked; the sync goes on when it allows."


class Verdict(StrEnum):
    """What an answer means. The value is the code of its error."""

    CREDENTIALS = "credentials_refused"
    PERMISSION = "permission_missing"
    RATE = "rate_limited"
    TROUBLE = "source_unavailable"
    MAINTENANCE = "source_maintenance"
    TRUNCATED = "truncated_response"
    REFUSED = "request_refused"
    NOT_THERE = "not_there"
    SWITCHED_OFF = "feature_disabled"
    UNLICENSED = "api_not_licensed"
    WEB_PAGE = "web_page"
    DATA = "error_in_body"


_CLASSES = {
    Verdict.CREDENTIALS: ErrorClass.AUTH,
    Verdict.PERMISSION: ErrorClass.AUTH,
    Verdict.DATA: ErrorClass.DATA,
}
_TRANSIENT = frozenset([Verdict.TROUBLE, Verdict.MAINTENANCE, Verdict.TRUNCATED])
_PUBLIC = {
    Verdict.CREDENTIALS: "The source refuses the stored credentials ({what}). Enter them again, and check that they "
    "may read this data.",
    Verdict.PERMISSION: "The source does not let these credentials read this ({what}). Enter them again if they may be "
    "wrong; otherwise ask the source's operator for the right to read this data, and whether its API is switched on.",
    Verdict.TROUBLE: "The source is in trouble at the moment ({what}); try again later.",
    Verdict.MAINTENANCE: "The source is closed for maintenance at the moment ({what}); the sync tries again by itself.",
    Verdict.TRUNCATED: "The source's answer breaks off in the middle ({what}). A sync tries again by itself; if it "
    "happens again, ask for smaller pages: 'pageSize' in the endpoint's 'pagination'.",
    Verdict.REFUSED: "The source does not accept the request ({what}). Check the endpoint's path and parameters.",
    Verdict.NOT_THERE: "The source says that what was asked for does not exist ({what}). Check the base URL, the "
    "endpoint's path and its parameters.",
    Verdict.SWITCHED_OFF: "The source has this function switched off ({what}). Ask its operator to switch it on, or "
    "remove what needs it from the endpoint ('incremental' or 'deletes').",
    Verdict.UNLICENSED: "The source's API is not open ({what}): its licence does not include it, or it is switched "
    "off. Ask the source's operator to open it.",
    Verdict.WEB_PAGE: "The source answers with a web page instead of data ({what}). Check the base URL and the "
    "endpoint's path; the address of the API often differs from the one that people open.",
    Verdict.DATA: "The source answers with an error of its own instead of data ({what}). Try the endpoint's path by "
    "hand to see what it says.",
}


def error_for(
    verdict: Verdict,
    what: str,
    *,
    detail: str = "",
    code: str | None = None,
    public: str | None = None,
    retry_after_s: float | None = None,
) -> HubError:
    """The error of a verdict. ``what`` happened is for everybody, ``detail`` for operators alone."""
    message = f"{what} ({detail})" if detail else what
    if verdict is Verdict.RATE:
        return RateLimited(f"{message}: too many requests", retry_after_s=retry_after_s, public=public or ASKED_TO_WAIT)
    public = public or _PUBLIC[verdict].format(what=what)
    if verdict in _TRANSIENT:
        return Unavailable(message, code=code or verdict.value, public=public, retry_after_s=retry_after_s)
    return SourceError(
        message, error_class=_CLASSES.get(verdict, ErrorClass.CONFIG), code=code or verdict.value, public=public
    )
