"""Transforms that join and part values: concat, template, hash, split, coalesce. Most read other fields too."""

import json
import re
from collections.abc import Mapping
from hashlib import blake2b
from zoneinfo import ZoneInfo

from hub_mapping.flaws import flaw, unexpected
from hub_mapping.paths import compile_path
from hub_mapping.texts import key_text, number_text
from hub_mapping.transforms.step import Arguments, Example, Step, Transform, bad_arguments, texts

_MAX_PATHS = 10
_MAX_PARTS = 500
_MAX_TEMPLATE = 500
_PLACE = re.compile(r"\{([^{}]*)\}")


def _concat(arguments: Arguments, _zone: ZoneInfo) -> Step:
    separator, *paths = texts(arguments, least=1, most=_MAX_PATHS + 1)
    picks = [compile_path(path) for path in paths]

    def step(value: object, record: Mapping[str, object]) -> object:
        values = [*(value if type(value) is list else [value]), *(pick(record) for pick in picks)]
        parts = [_part(part) for part in values if part is not None]
        return separator.join(part for part in parts if part) or None

    return step


def _template(arguments: Arguments, _zone: ZoneInfo) -> Step:
    (template,) = texts(arguments, least=1, most=1)
    # Text and paths take turns.
    parts = _PLACE.split(template)
    places = len(parts) // 2
    if (
        not 1 <= places <= _MAX_PATHS
        or len(template) > _MAX_TEMPLATE
        or any(mark in "".join(parts[::2]) for mark in "{}")
    ):
        raise bad_arguments(f"it takes a text of up to {_MAX_TEMPLATE} characters with 1 to {_MAX_PATHS} {{path}}")
    picks = [compile_path(path) if path else None for path in parts[1::2]]

    def step(value: object, record: Mapping[str, object]) -> object:
        values = [value if pick is None else pick(record) for pick in picks]
        found = ["" if part is None else _part(part) for part in values]
        if not all(found):
            return None
        return "".join(text + filled for text, filled in zip(parts[::2], [*found, ""], strict=True))

    return step


def _hash(arguments: Arguments, _zone: ZoneInfo) -> Step:
    picks = [compile_path(path) for path in texts(arguments, least=0, most=_MAX_PATHS)]

    def step(value: object, record: Mapping[str, object]) -> object:
        parts = [key_text(part) for part in [value, *(pick(record) for pick in picks)]]
        if not any(parts):
            return None
        return blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()

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
        "concat", "The value, or a list's entries, and those at other paths as one text, leaving out what is missing.",
        '["concat", " ", "middle_name", "last_name"]', _concat,
        Example(["concat", " ", "middle", "last"], "Asha", "Asha Rao", {"last": "Rao"}),
        sees_missing=True,
    ),
    Transform(
        "template", "A text with values at paths in it, {} being the value itself; nothing if one of them is missing.",
        '["template", "{plan}#{criteria}"] or ["template", "{DateString} {}"]', _template,
        Example(["template", "{date} {}"], "08:31", "20/07/2026 08:31", {"date": "20/07/2026"}),
    ),
    Transform(
        "hash", "An id made of the value and those at other paths: the same for the same, and for nothing else.",
        '["hash", "time", "device.serial"]', _hash,
        Example(["hash", "time"], "0101", "baf399d05a027c3df386f8db586d4558", {"time": "2026-07-20 08:31:10"}),
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
