"""Sealed secrets: written by whoever holds a public key, read only by the one service that holds the private key.

HPKE (RFC 9180) with X25519, HKDF-SHA256 and AES-256-GCM. A secret is bound to its place: college, integration,
field, version, origin and key id go into the HPKE info, so a ciphertext that was moved or altered does not open.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hub_model.auth import is_extra_key
from hub_model.errors import InvalidInput, SecretUnreadable
from hub_model.integrations import SealedSecret

from hub_security.keys import PrivateKeys, PublicKeys, Recipient

MAX_SECRET_BYTES = 16 * 1024

_FORMAT = "hub-secret/v1"
_BLOCK = 16  # plaintexts are padded to multiples of this, so that a ciphertext tells little of a secret's length
_RECIPIENTS: dict[str, Recipient] = {
    "apiKey": "fetcher",
    "password": "fetcher",
    "clientSecret": "fetcher",
    "refreshToken": "fetcher",
    "consumerSecret": "fetcher",
    "token": "fetcher",
    "tokenSecret": "fetcher",
    "webhookSecret": "gateway",
}


@dataclass(frozen=True, slots=True)
class SecretBinding:
    """The place a secret belongs to.

    ``field`` is what it was sealed as. A webhook secret that a rotation moves to ``webhookSecretPrevious`` stays
    bound to ``webhookSecret``: config-api moves it and cannot seal it anew.
    """

    college_id: str
    integration_id: str
    field: str


class SecretSealer:
    """Seals to each recipient's current key; opens nothing."""

    def __init__(self, public_keys: PublicKeys) -> None:
        self._keys = public_keys

    def seal(
        self,
        value: str,
        binding: SecretBinding,
        *,
        recipient: Recipient,
        origin: str,
        version: int,
        now: datetime,
    ) -> SealedSecret:
        """Seal a non-empty secret; InvalidInput if it is empty, too long, or not encodable."""
        if recipient_of(binding.field) != recipient:
            raise InvalidInput(f"the field {binding.field} is not read by {recipient}")
        key_id = self._keys.current[recipient]
        info = _info(binding, version=version, origin=origin, key_id=key_id)
        ciphertext = _seal(value, self._keys.keys[recipient][key_id], info)
        return SealedSecret(
            key_id=key_id,
            ciphertext=base64.b64encode(ciphertext).decode(),
            version=version,
            origin=origin,
            hint=hint_of(value),
            set_at=now,
        )


class SecretOpener:
    """Opens what was sealed to its keys. Each key opens a canary first: a broken key stops the start.

    ``on_open`` hears every opened secret; it is meant for the log redactor's registry.
    """

    def __init__(self, private_keys: PrivateKeys, *, on_open: Callable[[str], None] | None = None) -> None:
        self._keys = private_keys
        self._on_open: Callable[[str], None] | None = None
        for key_id, key in private_keys.keys.items():
            info = _info(_CANARY, version=1, origin="", key_id=key_id)
            ciphertext = base64.b64encode(_seal("canary", key.public_key(), info)).decode()
            self.open(SealedSecret(key_id=key_id, ciphertext=ciphertext, version=1, origin="", set_at=_EPOCH), _CANARY)
        self._on_open = on_open

    def open(self, sealed: SealedSecret, binding: SecretBinding) -> str:
        """The secret; SecretUnreadable if anything about it, its place or its key is wrong."""
        key = self._keys.keys.get(sealed.key_id)
        if key is None:
            raise SecretUnreadable(
                f"the secret {binding.field} was sealed to key {sealed.key_id[:64]}, which this service does not hold",
                public=_PUBLIC,
            )
        try:
            ciphertext = base64.b64decode(sealed.ciphertext, validate=True)
            info = _info(binding, version=sealed.version, origin=sealed.origin, key_id=sealed.key_id)
            value = _open(ciphertext, key, info)
        except (InvalidTag, binascii.Error, ValueError):
            # Without a cause: which of the steps failed helps nobody but an attacker.
            raise SecretUnreadable(
                f"the secret {binding.field} does not open: it was altered, or moved from its place", public=_PUBLIC
            ) from None
        if self._on_open is not None:
            self._on_open(value)
        return value

    def seal(
        self, value: str, binding: SecretBinding, *, key_id: str, origin: str, version: int, now: datetime
    ) -> SealedSecret:
        """Seal what this service got itself and will read again, such as a token, to one of its own keys.

        ``key_id`` is that of the secret it was got with: every process that could open that can open this. It is heard
        as an opened secret is, and has no hint. InvalidInput as for :class:`SecretSealer`.
        """
        if self._on_open is not None:
            self._on_open(value)
        info = _info(binding, version=version, origin=origin, key_id=key_id)
        ciphertext = _seal(value, self._keys.keys[key_id].public_key(), info)
        return SealedSecret(
            key_id=key_id,
            ciphertext=base64.b64encode(ciphertext).decode(),
            version=version,
            origin=origin,
            set_at=now,
        )


_CANARY = SecretBinding("canary", "canary", "canary")
_EPOCH = datetime.fromtimestamp(0, UTC)
_PUBLIC = "A stored credential cannot be read any more. Enter it again."


def recipient_of(field: str) -> Recipient:
    """The service that reads the secrets of this field; InvalidInput for a field that holds none."""
    if is_extra_key(field):
        return "fetcher"
    try:
        return _RECIPIENTS[field]
    except KeyError:
        raise InvalidInput(f"{field!r} is not a secret's field") from None


def hint_of(value: str) -> str:
    """The last four characters of a long secret, to recognise it by; nothing of a short one."""
    return f"...{value[-4:]}" if len(value) >= 16 else ""


def _seal(value: str, key: X25519PublicKey, info: bytes) -> bytes:
    try:
        plaintext = value.encode()
    except UnicodeEncodeError:
        raise InvalidInput("a secret must be valid Unicode text") from None
    if not plaintext or len(plaintext) > MAX_SECRET_BYTES:
        raise InvalidInput(f"a secret has between 1 and {MAX_SECRET_BYTES} bytes")
    padded = plaintext + b"\x80" + bytes(-(len(plaintext) + 1) % _BLOCK)
    return _suite().encrypt(padded, key, info=info)


def _open(ciphertext: bytes, key: X25519PrivateKey, info: bytes) -> str:
    padded = _suite().decrypt(ciphertext, key, info=info)
    plaintext, mark, zeros = padded.rpartition(b"\x80")
    if not mark or zeros.strip(b"\0"):
        raise ValueError("padding")
    return plaintext.decode()


def _suite() -> Suite:
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def _info(binding: SecretBinding, *, version: int, origin: str, key_id: str) -> bytes:
    """Everything the secret is bound to, each part behind its length, so that no two places share one encoding."""
    parts = (_FORMAT, binding.college_id, binding.integration_id, binding.field, str(version), origin, key_id)
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
