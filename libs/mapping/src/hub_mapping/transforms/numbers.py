"""Transforms of numbers: integer and decimal."""

from zoneinfo import ZoneInfo

from hub_mapping.numbers import decimal_reader, to_integer
from hub_mapping.transforms.step import Arguments, Example, Step, Transform, bad_arguments, plain

_OPTIONS = frozenset(["grouping", "point", "percent"])
_GROUPINGS = frozenset(["", ",", ".", " ", "'"])


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
)  # fmt: skip
