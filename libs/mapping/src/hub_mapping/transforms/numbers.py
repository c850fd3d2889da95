"""Transforms of numbers: integer, decimal, multiply."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from zoneinfo import ZoneInfo

from hub_mapping.numbers import decimal_reader, parse_decimal, to_decimal, to_integer
from hub_mapping.transforms.step import Arguments, Example, Step, Transform, bad_arguments, plain

_OPTIONS = frozenset(["grouping", "point", "percent"])
_GROUPINGS = frozenset(["", ",", ".", " ", "'"])
_MAX_DECIMALS = 10
# More digits than two exact numbers can make together.
_EXACT = Context(prec=1000)


def _decimal(arguments: Arguments, _zone: ZoneInfo) -> Step:
    options = arguments[0] if arguments else {}
    if len(arguments) > 1 or not isinstance(options, dict) or not options.keys() <= _OPTIONS:
        raise bad_arguments(f"its options are {', '.join(sorted(_OPTIONS))}")
    grouping, point, percent = options.get("grouping", ""), options.get("point", "."), options.get("percent", False)
    if not isinstance(grouping, str) or grouping not in _GROUPINGS or point not in (".", ",") or grouping == point:
        raise bad_arguments('grouping is one of "," "." " " "\'", point is "." or ",", and they differ')
    if not isinstance(percent, bool):
        raise bad_arguments("percent is true or false")
    read = decimal_reader(grouping=grouping, point=str(point), percent=percent)
    return lambda value, _record: read(value)


def _multiply(arguments: Arguments, _zone: ZoneInfo) -> Step:
    factor, decimals = [*arguments, None][:2] if 1 <= len(arguments) <= 2 else (None, None)
    if type(factor) not in (int, float) or not (number := to_decimal(factor)):
        raise bad_arguments("it takes the number to multiply by, then to how many decimals to round if at all")
    if decimals is not None and (type(decimals) is not int or not 0 <= decimals <= _MAX_DECIMALS):
        raise bad_arguments(f"the decimals to round to are 0 to {_MAX_DECIMALS}")
    exact_factor = Decimal(str(number))
    unit = Decimal(1).scaleb(-decimals) if isinstance(decimals, int) else None

    def step(value: object, _record: Mapping[str, object]) -> object:
        found = to_decimal(value)
        if found is None:
            return None
        product = _EXACT.multiply(Decimal(str(found)), exact_factor)
        if unit is not None:
            product = product.quantize(unit, ROUND_HALF_UP, context=_EXACT)
        return parse_decimal(str(product))

    return step


NUMBER_TRANSFORMS = (
    Transform(
        "integer", "A whole number; never a rounded one.", '"integer"', plain(to_integer),
        Example("integer", "12", 12),
    ),
    Transform(
        "decimal", "An exact number, optionally with grouping, a decimal comma or a percent sign.",
        '"decimal" or ["decimal", {"grouping": ",", "point": ".", "percent": true}]', _decimal,
        Example(["decimal", {"grouping": ","}], "1,23,456.50", 123456.5),
    ),
    Transform(
        "multiply", "The number times another, exactly; or rounded half up to a number of decimals.",
        '["multiply", 100] or ["multiply", 100, 2]', _multiply,
        Example(["multiply", 100], 0.85, 85),
    ),
)  # fmt: skip
