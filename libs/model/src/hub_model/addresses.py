"""URLs and headers that a person may give: what is sent to a source, and what is refused before it is stored."""

import re
from urllib.parse import urlsplit

# What is filled in when a request is made, such as ``{{ parent.id }}``.
PLACE = re.compile(r"\{\{\s*(.*?)\s*\}\}")

_HEADER_NAME = re.compile(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")
_RESERVED_HEADERS = frozenset(
    [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "te",
        "trailer",
        "expect",
        "proxy-authorization",
        "cookie",
        "accept-encoding",
        "forwarded",
    ]
)


def origin_of(url: str) -> str:
    """scheme://host:port in lower case, the unit a credential is bound to (RFC 6454)."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def check_url(url: str, *, query: bool = False) -> str:
    """An http(s) URL with a host and nothing that parsers disagree about; ValueError says what to mend.

    It has a query string only where ``query`` allows one.
    """
    if any(ord(char) <= 32 or ord(char) == 127 for char in url) or "\\" in url:
        raise ValueError("a URL has no spaces, control characters or backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError("not a URL; write one such as https://erp.college.edu/api/v1") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write a full address that begins with https:// (or http://) and names a host")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise ValueError("leave user and password out of the URL; they go in their own fields")
    if not query and ("?" in url or "#" in url):
        raise ValueError("leave '?' and '#' out of the base URL; parameters belong to the endpoints")
    if "#" in url:
        raise ValueError("leave '#' and what follows it out of the URL")
    if port == 0 or not parts.hostname.isascii():
        raise ValueError("write the host in ASCII (punycode) and a port between 1 and 65535")
    return url


def check_path(path: str) -> str:
    """A path below a base URL, perhaps with places; ValueError says what to mend."""
    if "://" in path or path.startswith("//") or "\\" in path:
        raise ValueError("write the path below the base URL, such as /api/students; not a full address")
    bare = PLACE.sub("x", path)
    if any(ord(char) < 33 or ord(char) == 127 for char in bare):
        raise ValueError("a path has no spaces or control characters; write %20 for a space")
    if ".." in bare.split("?", 1)[0].split("/"):
        raise ValueError("a path must not contain '..'")
    return path


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """Header names and values that may be sent to a source; ValueError names the one that may not."""
    for name, value in headers.items():
        if not _HEADER_NAME.match(name):
            raise ValueError(f"{name[:64]!r} is not a header name")
        lowered = name.lower()
        if lowered in _RESERVED_HEADERS or lowered.startswith(("x-forwarded-", "proxy-", "sec-")):
            raise ValueError(f"the header {name} is set by the hub and cannot be given")
        if lowered == "authorization":
            raise ValueError("put the credential in apiKey or password; Authorization is made from authType")
        if len(value) > 4096 or any(ord(char) < 32 or ord(char) > 126 for char in value):
            raise ValueError(f"the value of {name} must be printable ASCII of at most 4096 characters")
    return headers
