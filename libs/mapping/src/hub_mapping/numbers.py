"""Numbers from JSON values and text: exact, or refused.

12.7 is never 12, "007" is never 7, and true is never 1. A number leaves here in one form only (8.0 is 8), so that
an unchanged mark has an unchanged hash.
"""

import re
from collections.abc import Callable
from decimal import Decimal

from hub_model.errors import InvalidInput

from hub_mapping.flaws import flaw, unexpected
from hub_mapping.texts import MAX_EXACT_FLOAT, check_float

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_MAX_TEXT = 64
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.0+)?")
_DECIMAL = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")


def to_integer(value: object) -> int | None:
    """A whole number within 64 bits: 5, 5.0, "5", "5.0". Not 5.5, "007", true."""
    if type(value) is str:
        text = value.strip()
        if not text:
            return None
        if len(text) > _MAX_TEXT or not _INTEGER.fullmatch(text):
            raise flaw("not_an_integer", "Is not a whole number written plainly, such as 5 or -12.")
        value = int(text.partition(".")[0])
    number = to_decimal(value)
    if isinstance(number, float):
        raise flaw("not_an_integer", "Is not a whole number, and rounding it would lose the rest.")
    return number


def to_decimal(value: object) -> int | float | None:
    """An exact number: 85.5, "85.5", 8.0 -> 8. Not "85,5", NaN, true, or more digits than can be kept."""
    if type(value) is int:
        if INT64_MIN <= value <= INT64_MAX:
            return value
        raise flaw("out_of_range", "Is a whole number of more than 64 bits.")
    if type(value) is float:
        check_float(value)
        return int(value) if value.is_integer() else value
    if type(value) is str:
        return parse_decimal(value)
    if value is None:
        return None
    raise unexpected("a number", value)


def parse_decimal(text: str) -> int | float | None:
    """The number that plain decimal text writes, or None for blank text."""
    text = text.strip()
    if not text:
        return None
    if len(text) > _MAX_TEXT or not _DECIMAL.fullmatch(text):
        raise _not_a_number()
    exact = Decimal(text)
    if exact == exact.to_integral_value() and abs(exact) <= INT64_MAX:
        return int(exact)
    number = float(exact)
    check_float(number)
    if abs(number) > MAX_EXACT_FLOAT or Decimal(repr(number)) != exact:
        raise flaw("inexact", "Has more digits than can be kept exactly (15 always can); round it at the source.")
    return number


def decimal_reader(*, grouping: str, point: str, percent: bool) -> Callable[[object], int | float | None]:
    """A reader of numbers as people write them: "1,23,456.5", "85,5", "85.00 %"."""
    separator, mark = re.escape(grouping), re.escape(point)
    grouped = rf"[0-9]{{1,3}}(?:{separator}[0-9]{{2,3}})*{separator}[0-9]{{3}}|" if grouping else ""
    pattern = re.compile(rf"[+-]?(?:{grouped}[0-9]+)(?:{mark}[0-9]+)?")

    def read(value: object) -> int | float | None:
        if type(value) is not str:
            return to_decimal(value)
        text = value.strip()
        if not text:
            return None
        if percent:
            text = text.removesuffix("%").rstrip()
        if len(text) > _MAX_TEXT or not pattern.fullmatch(text):
            raise _not_a_number()
        return parse_decimal(text.replace(grouping, "").replace(point, "."))

    return read


def _not_a_number() -> InvalidInput:
    return flaw(
        "not_a_number",
        "Is not a plain number such as 85.5. For 1,234.5 or 85 % give options: "
        '["decimal", {"grouping": ",", "percent": true}]; for words such as AB use null_if.',
    )
