"""Compiles one rule to a function from a raw record to the value of its field."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from hub_model.errors import InvalidInput
from hub_model.mappings import Rule, Transform
from pydantic import JsonValue

from hub_mapping.flaws import flaw
from hub_mapping.kinds import Read, reader
from hub_mapping.paths import Pick, Record, compile_paths
from hub_mapping.problems import Problems
from hub_mapping.schemas import Field, Kind
from hub_mapping.transforms import TRANSFORMS, Step
from hub_mapping.transforms.texts import map_results
from hub_mapping.vocabularies import Unmapped

Produce = Callable[[Record], object]

_MAX_PATHS = 20
_SHOWN = 120
# Each step, and whether it meets missing values.
_Steps = tuple[tuple[Step, bool], ...]


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """What fills one canonical field, or one ``entry`` of an open one."""

    field: Field
    entry: str | None
    produce: Produce
    paths: tuple[str, ...]


def compile_rule(rule: Rule, field: Field, zone: ZoneInfo, *, problems: Problems, pointer: str) -> Produce | None:
    """The function of one rule, or None after telling ``problems`` what is wrong with it."""
    found = len(problems.issues)
    read = reader(field, zone)
    if rule.from_ is None:
        if rule.do:
            problems.add(f"{pointer}/do", "const_with_do", "A const is used as it is; write the final value.")
        constant = _constant(rule.const, field, read, problems=problems, pointer=f"{pointer}/const")
        if constant is None and len(problems.issues) == found and (field.required or rule.required):
            problems.add(f"{pointer}/const", "missing", f"{field.name} must have a value.")
        return None if len(problems.issues) > found else lambda _record: constant
    paths = paths_of(rule)
    pick = _compile_from(paths, problems, f"{pointer}/from")
    steps = _compile_do(rule.do, zone, problems, f"{pointer}/do")
    _check_words(rule.do, field, read, problems=problems, pointer=f"{pointer}/do")
    default = _constant(rule.default, field, read, problems=problems, pointer=f"{pointer}/default")
    if pick is None or len(problems.issues) > found:
        return None
    produce = _through_steps(pick, steps, read, is_word=field.kind is Kind.WORD) if steps else _plain(pick, read)
    if rule.required and default is None:
        return _required(produce, f"Has no value at {shown(paths)}. Correct the path, or give a default.")
    return produce if default is None else _defaulted(produce, default)


def paths_of(rule: Rule) -> tuple[str, ...]:
    """The paths a rule tries, in order."""
    if rule.from_ is None:
        return ()
    return (rule.from_,) if isinstance(rule.from_, str) else tuple(rule.from_)


def shown(paths: tuple[str, ...]) -> str:
    """Paths as a message shows them, shortened: they are the mapping's words, not the record's."""
    text = " or ".join(f"'{path}'" for path in paths)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _compile_from(paths: tuple[str, ...], problems: Problems, pointer: str) -> Pick | None:
    if not 1 <= len(paths) <= _MAX_PATHS:
        problems.add(pointer, "bad_path", f"Give 1 to {_MAX_PATHS} paths; the first that has a value is taken.")
        return None
    with problems.at(pointer):
        return compile_paths(paths)
    return None


def _compile_do(do: Sequence[Transform], zone: ZoneInfo, problems: Problems, pointer: str) -> _Steps:
    steps: list[tuple[Step, bool]] = []
    for place, transform in enumerate(do):
        name, arguments = _named(transform)
        known = TRANSFORMS.get(name)
        if known is None:
            allowed = ", ".join(sorted(TRANSFORMS))
            problems.add(f"{pointer}/{place}", "unknown_transform", f"No such transform. There are: {allowed}.")
            continue
        with problems.at(f"{pointer}/{place}", f"Write {known.usage}: "):
            steps.append((known.build(arguments, zone), known.sees_missing))
    return tuple(steps)


def _check_words(do: Sequence[Transform], field: Field, read: Read, *, problems: Problems, pointer: str) -> None:
    """A map that ends in a closed list of words gives words of that list."""
    name, arguments = _named(do[-1]) if do else ("", [])
    if name != "map" or field.kind is not Kind.WORD:
        return
    try:
        results = map_results(arguments)
    except InvalidInput:
        return  # told already, when its step was built
    for result in results:
        _constant(result, field, read, problems=problems, pointer=f"{pointer}/{len(do) - 1}")


def _named(transform: Transform) -> tuple[str, list[JsonValue]]:
    if isinstance(transform, str):
        return transform, []
    name, *arguments = transform or [""]
    return (name, arguments) if isinstance(name, str) else ("", arguments)


def _constant(value: JsonValue, field: Field, read: Read, *, problems: Problems, pointer: str) -> object:
    """A value of the mapping itself, in the form of its field."""
    with problems.at(pointer):
        constant = read(value)
        if isinstance(constant, Unmapped) and field.words is not None:
            raise flaw("not_allowed", f"{field.name} is one of: {', '.join(field.words.words)}.")
        return constant
    return None


def _plain(pick: Pick, read: Read) -> Produce:
    def produce(record: Record) -> object:
        value = pick(record)
        return None if value == "" else read(value)

    return produce


def _through_steps(pick: Pick, steps: _Steps, read: Read, *, is_word: bool) -> Produce:
    def produce(record: Record) -> object:
        value = pick(record)
        for step, sees_missing in steps:
            if (value is None or value == "") and not sees_missing:
                continue
            value = step(value, record)
            if type(value) is Unmapped:
                if not is_word:
                    raise flaw("unmapped", "Is a word that the map does not list; add it, or a value for all others.")
                break
        return None if value is None or value == "" else read(value)

    return produce


def _required(produce: Produce, message: str) -> Produce:
    def checked(record: Record) -> object:
        value = produce(record)
        if value is None:
            raise flaw("missing", message)
        return value

    return checked


def _defaulted(produce: Produce, default: object) -> Produce:
    def filled(record: Record) -> object:
        value = produce(record)
        return default if value is None else value

    return filled
