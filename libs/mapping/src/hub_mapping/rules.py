"""Compiles one rule to a function from a raw record to the value of its field."""

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from hub_model.mappings import Rule

from hub_mapping.flaws import flaw
from hub_mapping.kinds import Read, reader
from hub_mapping.origins import compile_from, has_candidates, paths_of
from hub_mapping.paths import Pick, Record
from hub_mapping.problems import Problems
from hub_mapping.schemas import Field, Kind
from hub_mapping.steps import Target, compile_steps, through
from hub_mapping.vocabularies import Unmapped

Produce = Callable[[Record], object]

_SHOWN = 120


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
    target = Target(field, read, zone, problems)
    if rule.from_ is None:
        if rule.do:
            problems.add(f"{pointer}/do", "const_with_do", "A const is used as it is; write the final value.")
        constant = target.constant(rule.const, f"{pointer}/const")
        if constant is None and len(problems.issues) == found and (field.required or rule.required):
            problems.add(f"{pointer}/const", "missing", f"{field.name} must have a value.")
        return None if len(problems.issues) > found else lambda _record: constant
    pick = compile_from(rule, target, f"{pointer}/from")
    steps = compile_steps(rule.do, target, f"{pointer}/do")
    default = target.constant(rule.default, f"{pointer}/default")
    if pick is None or len(problems.issues) > found:
        return None
    is_plain = not steps and not has_candidates(rule)
    produce = _plain(pick, read) if is_plain else _finished(through(pick, steps), read, field)
    if rule.required and default is None:
        return _required(produce, f"Has no value at {shown(paths_of(rule))}. Correct the path, or give a default.")
    return produce if default is None else _defaulted(produce, default)


def shown(paths: tuple[str, ...]) -> str:
    """Paths as a message shows them, shortened: they are the mapping's words, not the record's."""
    text = " or ".join(f"'{path}'" for path in paths)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _plain(pick: Pick, read: Read) -> Produce:
    def produce(record: Record) -> object:
        value = pick(record)
        return None if value == "" else read(value)

    return produce


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
