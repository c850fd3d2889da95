"""Webhook signatures over the raw body: the hub's legacy scheme, Standard Webhooks 1.0, and those of vendors, who put
the same digest into headers of their own; and secrets that are sent along as they are.

Verification raises Unauthenticated and nothing else, whatever bytes arrive. Every secret is tried and compared in
constant time, without stopping at the first match. ``str()`` of the error says which check failed, for the
college's log; ``public`` is the same sentence for all.
"""

import base64
import hashlib
import hmac
import re
import secrets as random
from collections.abc import Iterable, Sequence
from datetime import datetime

from hub_model.errors import InvalidInput, Unauthenticated
from hub_model.webhooks import SignatureHeader, WebhookScheme

LEGACY_HEADER = "x-webhook-signature"
TOLERANCE_S = 300
UNVERIFIED = "The request's signature could not be verified."

_LEGACY = SignatureHeader(name=LEGACY_HEADER)
_STANDARD_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_MAX_ENTRIES = 8
_MAX_SIGNATURE_CHARS = 2048
_PREFIX = "whsec_"

# ASCII classes spelt out: int(), \d and bytes.fromhex() accept signs, spaces, underscores and foreign digits.
_HEX = re.compile(r"[0-9A-Fa-f]{64}")
_BASE64_HEADER = re.compile(r"[A-Za-z0-9+/]{43}=")
_ADDRESS_PART = re.compile(r"[A-Za-z0-9_-]{22,128}")
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_TIMESTAMP = re.compile(r"[0-9]{10,11}")
_ENTRY = re.compile(r"v1,([A-Za-z0-9+/]{43}=)")
_STANDARD_SECRET = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def sign_legacy(secret: str, body: bytes) -> str:
    """The seed's signature: hex HMAC-SHA256 of the body, keyed with the secret's text."""
    return _mac(secret.encode(), body).hex()


def verify_legacy(secrets: Sequence[str], body: bytes, header: str | None) -> None:
    """Raise Unauthenticated unless ``header`` is the signature of ``body`` under one of the secrets."""
    verify_hmac(secrets, body, header, _LEGACY)


def verify_hmac(secrets: Sequence[str], body: bytes, header: str | None, form: SignatureHeader) -> None:
    """The same for a header of another name and form. Two headers of that name are given as one that is empty."""
    if header is None:
        raise _refused(f"the header {form.name} is missing")
    given = _digest(header, form)
    matched = False
    for secret in secrets:
        # An empty key is a key anyone knows.
        expected = _mac(secret.encode("utf-8", "surrogatepass"), body)
        matched |= hmac.compare_digest(expected, given) and bool(secret)
    if not matched:
        raise _refused("the signature does not match the body under any active secret")


def verify_token(secrets: Sequence[str], given: str | None, *, place: str) -> None:
    """Raise Unauthenticated unless ``given`` is one of the secrets. ``place`` is where it stands, for the log."""
    if not given:
        raise _refused(f"{place} is missing")
    matched = False
    for secret in secrets:
        expected = secret.encode("utf-8", "surrogatepass")
        matched |= hmac.compare_digest(expected, given.encode("utf-8", "surrogatepass")) and bool(secret)
    if not matched:
        raise _refused(f"{place} is not an active secret")


def sign_standard(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """One ``webhook-signature`` entry. InvalidInput if the secret is not in the ``whsec_`` form."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(_mac(_standard_key(secret), content)).decode()


def verify_standard(secrets: Sequence[str], headers: Iterable[tuple[str, str]], body: bytes, now: datetime) -> str:
    """Raise Unauthenticated unless the three headers sign ``body`` now; return the ``webhook-id``.

    ``headers`` are all the request's headers, repetitions included, decoded as latin-1.
    """
    message_id, timestamp, signature = _standard_headers(headers)
    if not _MESSAGE_ID.fullmatch(message_id):
        raise _refused("webhook-id has a form that is not accepted")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise _refused("webhook-timestamp is not a time in seconds")
    if abs(int(now.timestamp()) - int(timestamp)) > TOLERANCE_S:
        raise _refused(f"webhook-timestamp is more than {TOLERANCE_S} s away from now")
    candidates = _candidates(signature)
    # Over the received text: writing the number anew could sign something else than was sent.
    content = f"{message_id}.{timestamp}.".encode() + body
    matched = False
    for secret in secrets:
        try:
            key = _standard_key(secret)
        except InvalidInput as error:
            raise _refused("the stored secret is not a Standard Webhooks secret") from error
        expected = _mac(key, content)
        for candidate in candidates:
            matched |= hmac.compare_digest(expected, candidate)
    if not matched:
        raise _refused("the signature does not match the body under any active secret")
    return message_id


def has_standard_headers(headers: Iterable[tuple[str, str]]) -> bool:
    """Whether any header of Standard Webhooks is there; such a request is never judged by the legacy scheme."""
    return any(name.lower() in _STANDARD_HEADERS for name, _ in headers)


def new_secret(scheme: WebhookScheme) -> str:
    """A fresh secret of 32 random bytes in the form the scheme's senders expect."""
    if scheme is WebhookScheme.STANDARD:
        return _PREFIX + base64.b64encode(random.token_bytes(32)).decode()
    return random.token_hex(32)


def check_secret(scheme: WebhookScheme, secret: str, *, in_address: bool = False) -> None:
    """Raise InvalidInput unless a secret chosen by a person can serve the scheme."""
    if scheme is WebhookScheme.STANDARD:
        _standard_key(secret)
    elif in_address and not _ADDRESS_PART.fullmatch(secret):
        raise InvalidInput("a secret in an address has 22 to 128 letters, digits or the signs _ and -")
    elif not 16 <= len(secret) <= 256 or not secret.isprintable():
        raise InvalidInput("a webhook secret has 16 to 256 printable characters")


def _digest(header: str, form: SignatureHeader) -> bytes:
    if not header.startswith(form.prefix):
        raise _refused(f"the header {form.name} does not begin with {form.prefix}")
    text = header.removeprefix(form.prefix)
    if form.encoding == "base64":
        if _BASE64_HEADER.fullmatch(text):
            return base64.b64decode(text)
        hint = "; it looks like hex" if _HEX.fullmatch(text) else ""
        raise _refused(f"the header {form.name} is not base64 of 32 bytes{hint}")
    if _HEX.fullmatch(text):
        return bytes.fromhex(text)
    hint = "; it looks like base64" if _BASE64_HEADER.fullmatch(text) else ""
    raise _refused(f"the header {form.name} is not 64 hex digits{hint}")


def _standard_headers(headers: Iterable[tuple[str, str]]) -> tuple[str, str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        lowered = name.lower()
        if lowered in _STANDARD_HEADERS:
            if lowered in found:
                raise _refused(f"the header {lowered} was sent twice")
            found[lowered] = value
    for name in _STANDARD_HEADERS:
        if name not in found:
            raise _refused(f"the header {name} is missing")
    return found["webhook-id"], found["webhook-timestamp"], found["webhook-signature"]


def _candidates(signature: str) -> list[bytes]:
    """The well-formed v1 entries; entries of other versions and malformed ones are skipped."""
    entries = signature.split(" ")
    if len(signature) > _MAX_SIGNATURE_CHARS or len(entries) > _MAX_ENTRIES:
        raise _refused(f"webhook-signature has more than {_MAX_ENTRIES} entries")
    if any(entry.endswith(",") and entry.count(",") > 1 for entry in entries):
        raise _refused("webhook-signature was sent twice and folded into one")
    return [base64.b64decode(match[1]) for entry in entries if (match := _ENTRY.fullmatch(entry))]


def _standard_key(secret: str) -> bytes:
    text = secret.removeprefix(_PREFIX)
    if _STANDARD_SECRET.fullmatch(text) and 24 <= len(key := base64.b64decode(text)) <= 64:
        return key
    raise InvalidInput("a Standard Webhooks secret is whsec_ followed by base64 of 24 to 64 bytes")


def _mac(key: bytes, content: bytes) -> bytes:
    # Not hmac.digest(): it gives up the interpreter lock also for a few bytes, and getting it back may take longer
    # than the hash.
    return hmac.new(key, content, hashlib.sha256).digest()


def _refused(reason: str) -> Unauthenticated:
    return Unauthenticated(reason, code="signature_invalid", public=UNVERIFIED)
