"""From the bytes of a body to text: byte order marks first, then what the bytes are, then what their label says."""

import codecs
import re

_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]{1,40})", re.IGNORECASE)
_MARKS = (
    # UTF-32 before UTF-16, whose mark is the beginning of its own.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Of these, ASCII text is no valid UTF-8, or means something else.
_NEVER_UTF8 = ("utf-16", "utf-32", "iso2022", "hz")
_CHARSETS = (
    "utf-16",
    "utf-32",
    "iso8859",
    "iso2022",
    "cp",
    "koi8",
    "gb",
    "big5",
    "shift_jis",
    "euc",
    "hz",
    "mac",
    "hp",
)

# Other types are not named: a header may hold anything.
_CONTENT_TYPES = frozenset(
    [
        "application/json",
        "application/problem+json",
        "application/xml",
        "application/x-ndjson",
        "application/csv",
        "application/octet-stream",
        "application/gzip",
        "application/pdf",
        "application/zip",
        "application/soap+xml",
        "text/html",
        "text/plain",
        "text/xml",
        "text/csv",
        "text/tab-separated-values",
        "text/json",
    ]
)


def named_type(content_type: str) -> str:
    """The type that a body is said to have, for an operator."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind if kind in _CONTENT_TYPES else "another content type" if kind else "no content type"


def as_utf8(body: bytes, content_type: str) -> bytes:
    """The body in UTF-8 without a mark. Bytes that are said to be something else and are none of it: ValueError."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body.decode(encoding).encode()
    if body.startswith(codecs.BOM_UTF8):
        return body.removeprefix(codecs.BOM_UTF8)
    charset = _unmarked(body) or _declared(content_type)
    if charset is None:
        return body
    if not charset.startswith(_NEVER_UTF8) and _is_utf8(body):
        return body  # the label lies: hardly any text in another charset is valid UTF-8 by chance
    return body.decode(charset).encode()


def as_text(body: bytes, content_type: str) -> str:
    """The body as text; ValueError as above."""
    return as_utf8(body, content_type).decode()


def _unmarked(body: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: text begins with a character of ASCII, so its other bytes are zero."""
    zeros = [byte == 0 for byte in body[:4]]
    patterns = {
        (True, True, True, False): "utf-32-be",
        (False, True, True, True): "utf-32-le",
        (True, False, True, False): "utf-16-be",
        (False, True, False, True): "utf-16-le",
    }
    return next((charset for pattern, charset in patterns.items() if list(pattern) == zeros), None)


def _declared(content_type: str) -> str | None:
    found = _CHARSET.search(content_type)
    if found is None:
        return None
    try:
        name = codecs.lookup(found[1]).name
    except LookupError:
        return None
    return name if name.startswith(_CHARSETS) else None


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
