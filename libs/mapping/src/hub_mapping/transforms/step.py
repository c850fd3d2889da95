"""What a transform is, and how its arguments are read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from hub_mapping.flaws import flaw

# A step takes a value and the whole raw record, and gives the new value.
Step = Callable[[object, Mapping[str, object]], object]
Arguments = Sequence[JsonValue]


@dataclass(frozen=True, slots=True)
class Example:
    """A proof of what a transform does; the tests run every one. A word that stays unknown ``gives`` null."""

    do: JsonValue
    value: JsonValue
    gives: JsonValue
    record: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Transform:
    """One entry of the vocabulary of ``do``.

    ``build`` makes the step from its arguments and the time zone, and raises InvalidInput if they are wrong.
    ``usage`` is how to write it. A step meets missing values only if ``sees_missing``.
    """

    name: str
    summary: str
    usage: str
    build: Callable[[Arguments, ZoneInfo], Step]
    example: Example
    sees_missing: bool = False


def plain(convert: Callable[[object], object]) -> Callable[[Arguments, ZoneInfo], Step]:
    """The build of a transform that takes no arguments."""

    def build(arguments: Arguments, _zone: ZoneInfo) -> Step:
        if arguments:
            raise bad_arguments("it takes no arguments")
        return lambda value, _record: convert(value)

    return build


def each(convert: Callable[[object], object]) -> Callable[[object], object]:
    """The same function, applied to every entry where the value is a list."""

    def convert_each(value: object) -> object:
        return [convert(entry) for entry in value] if type(value) is list else convert(value)

    return convert_each


def texts(arguments: Arguments, *, least: int, most: int) -> list[str]:
    """The arguments, all of which must be text."""
    found = [argument for argument in arguments if isinstance(argument, str)]
    if len(found) != len(arguments) or not least <= len(found) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        raise bad_arguments(f"it takes {count} texts")
    return found


def bad_arguments(problem: str) -> Exception:
    """What to raise when the arguments of a transform are wrong."""
    return flaw("bad_arguments", problem)
