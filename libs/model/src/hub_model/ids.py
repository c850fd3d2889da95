"""Ids: random where nobody may guess them, derived where a repetition must be recognised."""

import hashlib
import secrets
import uuid

_NAMESPACE_HASH = hashlib.sha1(uuid.UUID("6f1d3a52-0c57-5b0e-9a5e-3d6b0f6f2c11").bytes, usedforsecurity=False)
# What the digit becomes whose upper two bits say which kind of UUID it is.
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def new_id() -> str:
    """A fresh id of 128 random bits, as 32 hex digits. Webhook addresses contain it, so it must be unguessable."""
    return secrets.token_hex(16)


def derived_id(*parts: str | int) -> str:
    """The same id for the same parts, in every process and after every restart (UUIDv5).

    Parts are joined by their lengths, so ("a", "bc") and ("ab", "c") differ.
    """
    name = ""
    for part in parts:
        text = str(part)
        name += f"{len(text)}:{text}"
    # What uuid.uuid5 does, without a UUID object between hash and text: several are made for every message.
    digest = _NAMESPACE_HASH.copy()
    digest.update(name.encode())
    digits = digest.hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{_VARIANTS[digits[16]]}{digits[17:20]}-{digits[20:32]}"
