"""Checks OAuth 1.0a signatures (RFC 5849, HMAC-SHA1, no token): written from the RFC, apart from the hub's signing."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

from starlette.requests import Request

_PARAMETER = re.compile(r'([a-z_]+)="([^"]*)"')


def signed_by(request: Request, key: str, secret: str, used: set[str]) -> bool:
    """Whether the ``Authorization`` header signs exactly this request. A nonce counts once: it joins ``used``."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "oauth":
        return False
    given = {name: unquote(value) for name, value in _PARAMETER.findall(rest)}
    signature, nonce = given.pop("oauth_signature", ""), given.get("oauth_nonce", "")
    if given.get("oauth_consumer_key") != key or not nonce or nonce in used:
        return False
    used.add(nonce)
    expected = _signature(request.method, str(request.url), given, secret)
    return given.get("oauth_signature_method") == "HMAC-SHA1" and hmac.compare_digest(signature, expected)


def _signature(method: str, url: str, oauth: Mapping[str, str], secret: str) -> str:
    parts = urlsplit(url)
    pairs = [(name, value) for name, value in oauth.items() if name != "realm"]
    for pair in filter(None, parts.query.split("&")):
        name, _, value = pair.partition("=")
        pairs.append((unquote(name.replace("+", " ")), unquote(value.replace("+", " "))))
    encoded = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in pairs)
    normal = "&".join(f"{name}={value}" for name, value in encoded)
    base = "&".join(quote(part, safe="~") for part in (method, f"{parts.scheme}://{parts.netloc}{parts.path}", normal))
    digest = hmac.new(f"{quote(secret, safe='~')}&".encode(), base.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()
