"""Text as it may be stored: trimmed, composed (NFC), free of what breaks a store. And scalars as exact text."""

import math
import unicodedata
from decimal import Decimal

from hub_model.errors import InvalidInput

from hub_mapping.flaws import flaw, unexpected

# Whole floats beyond this may have lost digits already, before they came here: 2**53 itself is what 2**53 + 1 becomes.
MAX_EXACT_FLOAT = 2**53 - 1
_MAX_DIGITS = 64


def clean_text(text: str, limit: int) -> str | None:
    """Trimmed text of at most ``limit`` characters, or None when nothing is left."""
    text = text.strip()
    if len(text) > limit:
        raise flaw("too_long", f"Has {len(text)} characters; at most {limit} are kept. Map a shorter field.")
    if not text.isascii():
        check_unicode(text)
        text = unicodedata.normalize("NFC", text)
    if "\0" in text:
        raise flaw("nul", "Contains a NUL character, which no store can hold.")
    return text or None


def check_unicode(text: str) -> None:
    """Raise unless the text can be written as UTF-8: half a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise flaw("not_unicode", "Contains half a surrogate pair, which is not valid Unicode text.") from None


def number_text(value: object) -> str:
    """A number written exactly, in its shortest form: 101 -> "101", 8.0 -> "8", 8.5 -> "8.5"."""
    if type(value) is int:
        if abs(value) >= 10**_MAX_DIGITS:
            raise flaw("too_long", f"A number has at most {_MAX_DIGITS} digits; send longer ones as text.")
        return str(value)
    if type(value) is float:
        check_float(value)
        return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
    raise unexpected("text", value)


def check_float(value: float) -> None:
    """Raise unless the float is finite and small enough to be exact."""
    if not math.isfinite(value):
        raise flaw("not_finite", "Is not a finite number; NaN and infinity cannot be stored.")
    if abs(value) > MAX_EXACT_FLOAT:
        raise flaw("inexact", "Is a number too large to have arrived exactly; send it as text.")


def scalar_text(value: object) -> str:
    """Any scalar as text, for comparing it with what a person wrote: true -> "true"."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    return number_text(value)


def word_key(value: object) -> str:
    """How words are compared: as text, trimmed, without case."""
    return scalar_text(value).strip().casefold()


def key_text(value: object) -> str | None:
    """An id as text, for comparing ids of two sources: 57, 57.0, "57" and " 57 " are one; None for what is no id.

    Text keeps its leading zeros and its case; true is "true", never 1; a number that may have lost digits is no id.
    """
    if type(value) is str:
        text = value.strip()
        return (text if text.isascii() else unicodedata.normalize("NFC", text)) or None
    if isinstance(value, int | float):
        try:
            return scalar_text(value)
        except InvalidInput:
            return None
    return None
