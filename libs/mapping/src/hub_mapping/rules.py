"""Compiles one rule to a function from a raw record to the value of its field."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from hub_model.errors import InvalidInput
from hub_model.mappings import Candidate, Rule, Transform
from pydantic import JsonValue

from hub_mapping.conditions import Holds, add_conditions
from hub_mapping.flaws import flaw
from hub_mapping.kinds import Read, reader
from hub_mapping.paths import Pick, Record, compile_paths
from hub_mapping.problems import Problems
from hub_mapping.schemas import Field, Kind
from hub_mapping.transforms import TRANSFORMS, Step
from hub_mapping.transforms.words import map_results
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
    pick = _compile_from(rule, field, zone, problems=problems, pointer=f"{pointer}/from")
    steps = _compile_do(rule.do, field, read, zone, problems=problems, pointer=f"{pointer}/do")
    default = _constant(rule.default, field, read, problems=problems, pointer=f"{pointer}/default")
    if pick is None or len(problems.issues) > found:
        return None
    is_plain = not steps and (isinstance(rule.from_, str) or all(isinstance(path, str) for path in rule.from_))
    produce = _plain(pick, read) if is_plain else _finished(_through(pick, steps), read, field)
    if rule.required and default is None:
        return _required(produce, f"Has no value at {shown(paths_of(rule))}. Correct the path, or give a default.")
    return produce if default is None else _defaulted(produce, default)


def paths_of(rule: Rule) -> tuple[str, ...]:
    """The paths a rule tries, in order, and those that its candidates ask about."""
    paths: list[str] = []
    for origin in _origins(rule):
        if isinstance(origin, str):
            paths.append(origin)
        else:
            paths += _own_paths(origin)
            paths += [condition.path for condition in origin.when if condition.path]
    return tuple(dict.fromkeys(paths))


def shown(paths: tuple[str, ...]) -> str:
    """Paths as a message shows them, shortened: they are the mapping's words, not the record's."""
    text = " or ".join(f"'{path}'" for path in paths)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _origins(rule: Rule) -> Sequence[str | Candidate]:
    if rule.from_ is None:
        return ()
    return (rule.from_,) if isinstance(rule.from_, str) else rule.from_


def _own_paths(candidate: Candidate) -> list[str]:
    if candidate.from_ is None:
        return []
    return [candidate.from_] if isinstance(candidate.from_, str) else candidate.from_


def _compile_from(rule: Rule, field: Field, zone: ZoneInfo, *, problems: Problems, pointer: str) -> Pick | None:
    origins = _origins(rule)
    paths = [origin for origin in origins if isinstance(origin, str)]
    if len(paths) == len(origins):
        return _compile_paths(paths, problems, pointer)
    if len(origins) > _MAX_PATHS:
        problems.add(pointer, "bad_path", f"Give at most {_MAX_PATHS} paths and candidates.")
        return None
    picks: list[Pick] = []
    for place, origin in enumerate(origins):
        candidate = Candidate.model_validate({"from": origin}) if isinstance(origin, str) else origin
        # What comes out of a candidate is final only where the rule itself does nothing more to it.
        final = field if not rule.do else None
        pick = _compile_candidate(candidate, final, zone, problems=problems, pointer=f"{pointer}/{place}")
        if pick is not None:
            picks.append(pick)
    return _first_of(picks)


def _compile_paths(paths: Sequence[str], problems: Problems, pointer: str) -> Pick | None:
    if not 1 <= len(paths) <= _MAX_PATHS:
        problems.add(pointer, "bad_path", f"Give 1 to {_MAX_PATHS} paths; the first that has a value is taken.")
        return None
    with problems.at(pointer):
        return compile_paths(paths)
    return None


def _compile_candidate(
    candidate: Candidate, final: Field | None, zone: ZoneInfo, *, problems: Problems, pointer: str
) -> Pick | None:
    found = len(problems.issues)
    holds = add_conditions(candidate.when, problems, f"{pointer}/when") if candidate.when else None
    read = reader(final, zone) if final is not None else None
    pick: Pick | None
    if candidate.from_ is None:
        if candidate.do:
            problems.add(f"{pointer}/do", "const_with_do", "A const is used as it is; write the final value.")
        constant = candidate.const
        if final is not None and read is not None:
            _constant(constant, final, read, problems=problems, pointer=f"{pointer}/const")
        pick = lambda _record: constant  # noqa: E731 - beside the other way to make one
    else:
        pick = _compile_paths(_own_paths(candidate), problems, f"{pointer}/from")
        steps = _compile_do(candidate.do, final, read, zone, problems=problems, pointer=f"{pointer}/do")
        if pick is not None and steps:
            pick = _through(pick, steps)
    if pick is None or len(problems.issues) > found:
        return None
    return pick if holds is None else _where(holds, pick)


def _where(holds: Holds, pick: Pick) -> Pick:
    return lambda record: pick(record) if holds(record) else None


def _first_of(picks: Sequence[Pick]) -> Pick:
    """The first value there is; a word that no map lists only where no other candidate gives a value."""

    def first(record: Record) -> object:
        unmapped: Unmapped | None = None
        for pick in picks:
            value = pick(record)
            if type(value) is Unmapped:
                unmapped = unmapped or value
            elif value is not None and value != "":
                return value
        return unmapped

    return first


def _compile_do(
    do: Sequence[Transform], field: Field | None, read: Read | None, zone: ZoneInfo, *, problems: Problems, pointer: str
) -> _Steps:
    """The steps. ``field`` is what their result fills, if it does so as it is."""
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
    if field is not None and read is not None:
        _check_words(do, field, read, problems=problems, pointer=pointer)
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


def _through(pick: Pick, steps: _Steps) -> Pick:
    """The value after all steps; a word that a map does not list ends them."""

    def through(record: Record) -> object:
        value = pick(record)
        for step, sees_missing in steps:
            if (value is None or value == "") and not sees_missing:
                continue
            if type(value) is Unmapped:
                break
            value = step(value, record)
        return value

    return through


def _finished(pick: Pick, read: Read, field: Field) -> Produce:
    is_word = field.kind is Kind.WORD

    def produce(record: Record) -> object:
        value = pick(record)
        if value is None or value == "":
            return None
        if type(value) is Unmapped and not is_word:
            raise flaw("unmapped", "Is a word that the map does not list; add it, or a value for all others.")
        return read(value)

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
