"""Web pages that come where data was asked for: a login page, a notice of maintenance, or simply the wrong address."""

import re

from hub_fetcher.responses.verdicts import Verdict

_BEGINNING = 65_536
_PAGE = re.compile(rb"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
# Of a page that lost its beginning, or of PHP's errors, which stand before anything else.
_PIECE = re.compile(
    rb"^\s*<(?:head|body|title|div|span|center|h\d|p|br|b|script|table|font|link|meta|form)\b", re.IGNORECASE
)
_PASSWORD_INPUT = re.compile(rb"type\s*=\s*[\"']?password", re.IGNORECASE)
_IN_TROUBLE = re.compile(
    rb"maintenance|temporarily (?:unavailable|closed|down)|service unavailable|be right back|back soon|bad gateway"
    rb"|gateway time-?out|fatal error|maximum execution time|allowed memory size|error establishing a database"
    rb"|database (?:connection|error)|server error|too many connections|upgrad(?:e|ing)|under construction",
    re.IGNORECASE,
)
_RATE = re.compile(rb"rate limit|too many requests", re.IGNORECASE)
_CLOSED = re.compile(rb"maintenance|upgrad(?:e|ing)|be right back|back soon", re.IGNORECASE)


def is_web_page(body: bytes, *, is_xml: bool = False) -> bool:
    """Whether a body that begins with ``<`` is HTML. Pieces of HTML are one too, unless the body ought to be XML."""
    if _PAGE.match(body[:4096]) is not None:
        return True
    return (
        not is_xml
        and not body.startswith(b"<?xml")
        and (_PIECE.match(body[:200]) is not None or b"<html" in body[:2048].lower())
    )


def meaning(page: bytes) -> Verdict:
    """What a web page means where data was asked for."""
    beginning = page[:_BEGINNING]
    if _PASSWORD_INPUT.search(beginning):
        return Verdict.CREDENTIALS
    # The words are looked for where a notice has them; in a long page they are part of something else.
    if len(page) <= _BEGINNING:
        if _RATE.search(beginning):
            return Verdict.RATE
        if _IN_TROUBLE.search(beginning):
            return Verdict.MAINTENANCE if _CLOSED.search(beginning) else Verdict.TROUBLE
    return Verdict.WEB_PAGE
