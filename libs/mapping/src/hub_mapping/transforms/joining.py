"""Transforms that join and part values: concat, split, coalesce. Two of them read other fields of the record."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from hub_mapping.flaws import flaw, unexpected
from hub_mapping.paths import compile_path
from hub_mapping.texts import number_text
from hub_mapping.transforms.step import Arguments, Example, Step, Transform, bad_arguments, texts

_MAX_PATHS = 10
_MAX_PARTS = 500


def _concat(arguments: Arguments, _zone: ZoneInfo) -> Step:
    separator, *paths = texts(arguments, least=1, most=_MAX_PATHS + 1)
    picks = [compile_path(path) for path in paths]

    def step(value: object, record: Mapping[str, object]) -> object:
        values = [*(value if type(value) is list else [value]), *(pick(record) for pick in picks)]
        parts = [_part(part) for part in values if part is not None]
        return separator.join(part for part in parts if part) or None

    return step


def _split(arguments: Arguments, _zone: ZoneInfo) -> Step:
    separator = arguments[0] if arguments else None
    place = arguments[1] if len(arguments) > 1 else None
    if not isinstance(separator, str) or not separator or len(arguments) > 2:
        raise bad_arguments("it takes the text to split at, then which part to keep if only one (0 is the first)")
    if place is not None and (type(place) is not int or not -_MAX_PARTS <= place < _MAX_PARTS):
        raise bad_arguments("which part to keep is a whole number, 0 for the first and -1 for the last")

    def step(value: object, _record: Mapping[str, object]) -> object:
        if type(value) is not str:
            raise unexpected("text to split", value)
        if value.count(separator) >= _MAX_PARTS:
            raise flaw("too_long", f"Has more than {_MAX_PARTS} parts.")
        parts = [part.strip() for part in value.split(separator)]
        if type(place) is not int:
            return [part for part in parts if part]
        return parts[place] if -len(parts) <= place < len(parts) else None

    return step


def _coalesce(arguments: Arguments, _zone: ZoneInfo) -> Step:
    picks = [compile_path(path) for path in texts(arguments, least=0, most=_MAX_PATHS)]

    def step(value: object, record: Mapping[str, object]) -> object:
        candidates = [*(value if type(value) is list else [value]), *(pick(record) for pick in picks)]
        return next((found for found in candidates if not _is_blank(found)), None)

    return step


def _part(value: object) -> str:
    return value.strip() if type(value) is str else number_text(value)


def _is_blank(value: object) -> bool:
    return value is None or (type(value) is str and not value.strip())


JOINING_TRANSFORMS = (
    Transform(
        "concat", "The value and those at other paths as one text, leaving out what is missing.",
        '["concat", " ", "middle_name", "last_name"]', _concat,
        Example(["concat", " ", "middle", "last"], "Asha", "Asha Rao", {"last": "Rao"}),
        sees_missing=True,
    ),
    Transform(
        "split", "The parts of a text, or one of them.", '["split", ","] or ["split", ", ", 0]', _split,
        Example(["split", ","], "CS101, CS102", ["CS101", "CS102"]),
    ),
    Transform(
        "coalesce", "The first of the value, its entries if it is a list, and the values at other paths that is there.",
        '"coalesce" or ["coalesce", "alt_id", "roll_no"]', _coalesce,
        Example(["coalesce", "alt_id"], "", "A7", {"alt_id": "A7"}),
        sees_missing=True,
    ),
)  # fmt: skip
