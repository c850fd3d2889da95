"""Compiles the ``from`` of a rule: one path, or several paths and candidates of which the first value counts."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from hub_model.mappings import Candidate, Rule

from hub_mapping.conditions import Holds, add_conditions
from hub_mapping.paths import Pick, Record, compile_path, compile_paths
from hub_mapping.problems import Problems
from hub_mapping.schemas import Field, Kind
from hub_mapping.steps import Target, compile_steps, through
from hub_mapping.vocabularies import Unmapped

_MAX_PATHS = 20


def has_candidates(rule: Rule) -> bool:
    """Whether what ``from`` gives has been through transforms or conditions already."""
    return any(not isinstance(origin, str) for origin in _origins(rule))


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


def compile_from(rule: Rule, target: Target, pointer: str) -> Pick | None:
    """The value of a rule before its ``do``, or None after telling what is wrong."""
    origins = _origins(rule)
    if not has_candidates(rule):
        return _compile_paths([origin for origin in origins if isinstance(origin, str)], target, pointer)
    if len(origins) > _MAX_PATHS:
        target.problems.add(pointer, "bad_path", f"Give at most {_MAX_PATHS} paths and candidates.")
        return None
    picks: list[Pick] = []
    for place, origin in enumerate(origins):
        candidate = Candidate.model_validate({"from": origin}) if isinstance(origin, str) else origin
        pick = _compile_candidate(candidate, target, f"{pointer}/{place}", is_last=not rule.do)
        if pick is not None:
            picks.append(pick)
    return _first_of(picks)


def compile_field(origin: str | Candidate, zone: ZoneInfo, problems: Problems, pointer: str) -> Pick | None:
    """A value that goes into no canonical field: any JSON, and an unlisted word as it is written."""
    if isinstance(origin, str):
        with problems.at(pointer):
            return compile_path(origin)
        return None
    anything = Target(Field("", Kind.JSON), lambda value: value, zone, problems)
    pick = _compile_candidate(origin, anything, pointer, is_last=False)
    if pick is None:
        return None

    def value_of(record: Record) -> object:
        value = pick(record)
        return value.raw if type(value) is Unmapped else value

    return value_of


def _origins(rule: Rule) -> Sequence[str | Candidate]:
    if rule.from_ is None:
        return ()
    return (rule.from_,) if isinstance(rule.from_, str) else rule.from_


def _own_paths(candidate: Candidate) -> list[str]:
    if candidate.from_ is None:
        return []
    return [candidate.from_] if isinstance(candidate.from_, str) else candidate.from_


def _compile_paths(paths: Sequence[str], target: Target, pointer: str) -> Pick | None:
    if not 1 <= len(paths) <= _MAX_PATHS:
        message = f"Give 1 to {_MAX_PATHS} paths; the first that has a value is taken."
        target.problems.add(pointer, "bad_path", message)
        return None
    with target.problems.at(pointer):
        return compile_paths(paths)
    return None


def _compile_candidate(candidate: Candidate, target: Target, pointer: str, *, is_last: bool) -> Pick | None:
    problems = target.problems
    holds = add_conditions(candidate.when, problems, f"{pointer}/when") if candidate.when else None
    if candidate.from_ is None:
        pick: Pick | None = _compile_const(candidate, target, pointer, is_last=is_last)
    else:
        pick = _compile_paths(_own_paths(candidate), target, f"{pointer}/from")
        steps = compile_steps(candidate.do, target, f"{pointer}/do", is_last=is_last)
        pick = through(pick, steps) if pick is not None and steps else pick
    return pick if pick is None or holds is None else _where(holds, pick)


def _compile_const(candidate: Candidate, target: Target, pointer: str, *, is_last: bool) -> Pick:
    constant = candidate.const
    if candidate.do:
        message = "A const is used as it is; write the final value."
        target.problems.add(f"{pointer}/do", "const_with_do", message)
    if is_last:
        target.constant(constant, f"{pointer}/const")
    return lambda _record: constant


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
