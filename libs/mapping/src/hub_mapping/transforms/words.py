"""Transforms of words: boolean, null_if, map, rank, unknown. What is in no list is never guessed."""

from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from hub_mapping.flaws import flaw, unexpected
from hub_mapping.numbers import to_decimal
from hub_mapping.paths import compile_path
from hub_mapping.texts import word_key
from hub_mapping.transforms.step import Arguments, Example, Step, Transform, bad_arguments, plain
from hub_mapping.vocabularies import Unmapped

_MAX_WORDS = 1_000
_MAX_PATTERNS = 50
_RANKS = frozenset(["highest", "zero"])
_TRUTHS = {"true": True, "t": True, "yes": True, "y": True, "on": True, "1": True} | {
    "false": False, "f": False, "no": False, "n": False, "off": False, "0": False,
}  # fmt: skip


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
    patterns = [(_matcher(word), result) for word, result in table.items() if "*" in word]
    has_else = len(arguments) == 2
    otherwise = arguments[1] if has_else else None

    def step(value: object, _record: Mapping[str, object]) -> object:
        if not isinstance(value, str | int | float):
            raise unexpected("a word", value)
        key = word_key(value)
        if key in table:
            return table[key]
        for matches, result in patterns:
            if matches(key):
                return result
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
        if not word.strip("* "):
            raise bad_arguments("a word is not blank or a * alone; the value for all others is the second argument")
        if table.setdefault(word_key(word), result) != result:
            raise bad_arguments("two of its words differ only by case or spaces, and become different things")
    if sum("*" in word for word in table) > _MAX_PATTERNS:
        raise bad_arguments(f"at most {_MAX_PATTERNS} of its words have a *")
    return table


def map_results(arguments: Arguments) -> list[JsonValue]:
    """Everything a ``map`` with these arguments may give."""
    return [*map_table(arguments).values(), *arguments[1:]]


def _matcher(word: str) -> Callable[[str], bool]:
    """Whether a text is the word, whose stars stand for anything."""
    head, *middle, tail = word.split("*")

    def matches(text: str) -> bool:
        place, end = len(head), len(text) - len(tail)
        if place > end or not text.startswith(head) or not text.endswith(tail):
            return False
        for part in middle:
            place = text.find(part, place, end)
            if place < 0:
                return False
            place += len(part)
        return True

    return matches


def _rank(arguments: Arguments, _zone: ZoneInfo) -> Step:
    path, words = arguments if len(arguments) == 2 else (None, None)
    if not isinstance(path, str) or not isinstance(words, dict) or not words or not words.keys() <= _RANKS:
        raise bad_arguments('it takes the path of all values, then words for "highest", "zero" or both')
    if any(isinstance(word, dict | list) for word in words.values()):
        raise bad_arguments("a rank becomes text, a number, true, false or null")
    pick = compile_path(path)

    def step(value: object, record: Mapping[str, object]) -> object:
        found = pick(record)
        if not isinstance(value, str | int | float):
            raise unexpected("a number", value)
        numbers = [number for entry in (found if type(found) is list else [found]) for number in [to_decimal(entry)]]
        known = [number for number in numbers if number is not None]
        own, highest = to_decimal(value), max(known, default=0)
        # Where all are the same there is no order to go by.
        if own is not None and min(known, default=0) < highest:
            if own == highest and "highest" in words:
                return words["highest"]
            if own == 0 and "zero" in words:
                return words["zero"]
        return Unmapped.of(value)

    return step


def _unknown(value: object) -> Unmapped:
    if not isinstance(value, str | int | float):
        raise unexpected("a word", value)
    return Unmapped.of(value)


WORD_TRANSFORMS = (
    Transform(
        "boolean", "true or false from words and digits.", '"boolean"', plain(to_boolean),
        Example("boolean", "Yes", True),
    ),
    Transform(
        "null_if", "Nothing, if the value is one of these words.", '["null_if", "-", "N/A"]', _null_if,
        Example(["null_if", "-", "N/A"], "n/a", None),
    ),
    Transform(
        "map", "The word beside it in the table; * in a listed word stands for anything. An unlisted word gives the "
        "value for all others, and is not guessed where there is none.",
        '["map", {"P": "present"}], ["map", {"P": "present"}, "absent"] or ["map", {"*quiz*": "quiz"}, "other"]', _map,
        Example(["map", {"P": "present", "A": "absent"}], " p ", "present"),
    ),
    Transform(
        "rank", "A word for the highest of the numbers at a path, and for 0 where others are higher; the others are "
        "not guessed, and none is where all are the same.",
        '["rank", "statuses.*.grade", {"highest": "present", "zero": "absent"}]', _rank,
        Example(["rank", "grades", {"highest": "present", "zero": "absent"}], 2, "present", {"grades": [0, 1, 2]}),
    ),
    Transform(
        "unknown", "The value as a word that nobody knows: kept beside its field, which is then unknown. For the last "
        "candidate of a field.", '"unknown"', plain(_unknown), Example("unknown", "31", None),
    ),
)  # fmt: skip
