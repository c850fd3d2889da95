"""Ids: random where nobody may guess them, derived where a repetition must be recognised."""

import hashlib
import secrets
import uuid

_NAMESPACE_HASH = hashlib.sha1(uuid.UUID("6f1d3a52-0c57-5b0e-9a5e-3d6b0f6f2c11").bytes, usedforsecurity=False)
_VARIANTS = "89ab"


def new_id() -> str:
    """A fresh id of 128 random bits, as 32 hex digits. Webhook addresses contain it, so it must be unguessable."""
    return secrets.token_hex(16)


def derived_id(*parts: str | int) -> str:
    """The same id for the same parts, in every process and after every restart (UUIDv5).

    Parts are joined by their lengths, so ("a", "bc") and ("ab", "c") differ.
    """
    name = "".join([f"{len(text)}:{text}" for text in map(str, parts)])
    # What uuid.uuid5 does, without a UUID object between hash and text: several are made for every message.
    digest = _NAMESPACE_HASH.copy()
    digest.update(name.encode())
    digits = digest.hexdigest()
    variant = _VARIANTS[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
