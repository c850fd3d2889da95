"""Transforms of text and words: trim, lower, upper, string, boolean, null_if, map."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from hub_mapping.flaws import flaw, unexpected
from hub_mapping.texts import number_text, scalar_text, word_key
from hub_mapping.transforms.step import Arguments, Example, Step, Transform, bad_arguments, each, plain
from hub_mapping.vocabularies import Unmapped

_MAX_WORDS = 1_000
_TRUTHS = {"true": True, "t": True, "yes": True, "y": True, "on": True, "1": True} | {
    "false": False, "f": False, "no": False, "n": False, "off": False, "0": False,
}  # fmt: skip


def _text(value: object) -> str:
    return value if type(value) is str else number_text(value)


def to_boolean(value: object) -> bool | None:
    """true and false, and the words and digits that mean them."""
    if type(value) is bool:
        return value
    if type(value) is str and not value.strip():
        return None
    truth = _TRUTHS.get(word_key(value)) if isinstance(value, str | int | float) else None
    if truth is None:
        raise flaw("not_a_boolean", "Is not true or false, yes or no, on or off, 1 or 0; translate it with map.")
    return truth


def _null_if(arguments: Arguments, _zone: ZoneInfo) -> Step:
    if not arguments or any(isinstance(argument, dict | list) for argument in arguments):
        raise bad_arguments("it takes the words that mean nothing")
    words = {word_key(argument) for argument in arguments if argument is not None}

    def step(value: object, _record: Mapping[str, object]) -> object:
        if isinstance(value, str | int | float) and word_key(value) in words:
            return None
        return value

    return step


def _map(arguments: Arguments, _zone: ZoneInfo) -> Step:
    table = map_table(arguments)
    has_else = len(arguments) == 2
    otherwise = arguments[1] if has_else else None

    def step(value: object, _record: Mapping[str, object]) -> object:
        if not isinstance(value, str | int | float):
            raise unexpected("a word", value)
        key = word_key(value)
        if key in table:
            return table[key]
        if has_else:
            return otherwise
        return Unmapped.of(value)

    return step


def map_table(arguments: Arguments) -> dict[str, JsonValue]:
    """The table of a ``map``, by compared words; InvalidInput if the arguments are not one."""
    words = arguments[0] if arguments else None
    if not isinstance(words, dict) or not 1 <= len(words) <= _MAX_WORDS or len(arguments) > 2:
        raise bad_arguments(f"it takes an object of 1 to {_MAX_WORDS} words, then the value for all others if any")
    if any(isinstance(result, dict | list) for result in [*words.values(), *arguments[1:]]):
        raise bad_arguments("a word becomes text, a number, true, false or null")
    table: dict[str, JsonValue] = {}
    for word, result in words.items():
        if table.setdefault(word_key(word), result) != result:
            raise bad_arguments("two of its words differ only by case or spaces, and become different things")
    return table


def map_results(arguments: Arguments) -> list[JsonValue]:
    """Everything a ``map`` with these arguments may give."""
    return [*map_table(arguments).values(), *arguments[1:]]


TEXT_TRANSFORMS = (
    Transform(
        "trim", "Text without spaces around it.", '"trim"', plain(each(lambda value: _text(value).strip())),
        Example("trim", " CS01 ", "CS01"),
    ),
    Transform(
        "lower", "Text in lower case.", '"lower"', plain(each(lambda value: _text(value).lower())),
        Example("lower", "A@B.edu", "a@b.edu"),
    ),
    Transform(
        "upper", "Text in upper case.", '"upper"', plain(each(lambda value: _text(value).upper())),
        Example("upper", "cs01", "CS01"),
    ),
    Transform(
        "string", "A number, or true and false, written out exactly; text as it is.", '"string"',
        plain(each(scalar_text)), Example("string", 101, "101"),
    ),
    Transform(
        "boolean", "true or false from words and digits.", '"boolean"', plain(to_boolean),
        Example("boolean", "Yes", True),
    ),
    Transform(
        "null_if", "Nothing, if the value is one of these words.", '["null_if", "-", "N/A"]', _null_if,
        Example(["null_if", "-", "N/A"], "n/a", None),
    ),
    Transform(
        "map", "The word beside it in the table; without a value for all others, an unlisted word is not guessed.",
        '["map", {"P": "present"}] or ["map", {"P": "present"}, "absent"]', _map,
        Example(["map", {"P": "present", "A": "absent"}], " p ", "present"),
    ),
)  # fmt: skip
