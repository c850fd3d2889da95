"""Compiles a ``do`` to steps, and runs them over the value that a path leads to."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from hub_model.errors import InvalidInput
from hub_model.mappings import Transform
from pydantic import JsonValue

from hub_mapping.flaws import flaw
from hub_mapping.kinds import Read
from hub_mapping.paths import Pick, Record
from hub_mapping.problems import Problems
from hub_mapping.schemas import Field, Kind
from hub_mapping.transforms import TRANSFORMS, Step
from hub_mapping.transforms.words import map_results
from hub_mapping.vocabularies import Unmapped

# Each step, and whether it meets missing values.
Steps = tuple[tuple[Step, bool], ...]


@dataclass(frozen=True, slots=True)
class Target:
    """The field that is to be filled, its reader, and who hears what is wrong with that."""

    field: Field
    read: Read
    zone: ZoneInfo
    problems: Problems

    def constant(self, value: JsonValue, pointer: str) -> object:
        """A value of the mapping itself, in the form of the field."""
        with self.problems.at(pointer):
            constant = self.read(value)
            if isinstance(constant, Unmapped) and self.field.words is not None:
                raise flaw("not_allowed", f"{self.field.name} is one of: {', '.join(self.field.words.words)}.")
            return constant
        return None


def compile_steps(do: Sequence[Transform], target: Target, pointer: str, *, is_last: bool = True) -> Steps:
    """The steps of a ``do``. ``is_last``: nothing comes between what they give and the field."""
    steps: list[tuple[Step, bool]] = []
    for place, transform in enumerate(do):
        name, arguments = _named(transform)
        known = TRANSFORMS.get(name)
        if known is None:
            allowed = ", ".join(sorted(TRANSFORMS))
            message = f"No such transform. There are: {allowed}."
            target.problems.add(f"{pointer}/{place}", "unknown_transform", message)
            continue
        with target.problems.at(f"{pointer}/{place}", f"Write {known.usage}: "):
            steps.append((known.build(arguments, target.zone), known.sees_missing))
    if is_last:
        _check_words(do, target, pointer)
    return tuple(steps)


def through(pick: Pick, steps: Steps) -> Pick:
    """The value after all steps; a word that a map does not list ends them."""

    def value_of(record: Record) -> object:
        value = pick(record)
        for step, sees_missing in steps:
            if (value is None or value == "") and not sees_missing:
                continue
            if type(value) is Unmapped:
                break
            value = step(value, record)
        return value

    return value_of


def _check_words(do: Sequence[Transform], target: Target, pointer: str) -> None:
    """A map that ends in a closed list of words gives words of that list."""
    name, arguments = _named(do[-1]) if do else ("", [])
    if name != "map" or target.field.kind is not Kind.WORD:
        return
    try:
        results = map_results(arguments)
    except InvalidInput:
        return  # told already, when its step was built
    for result in results:
        target.constant(result, f"{pointer}/{len(do) - 1}")


def _named(transform: Transform) -> tuple[str, list[JsonValue]]:
    if isinstance(transform, str):
        return transform, []
    name, *arguments = transform or [""]
    return (name, arguments) if isinstance(name, str) else ("", arguments)
