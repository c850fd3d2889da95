"""Compiles conditions to one function from a decoded JSON value to whether all of them hold."""

from collections.abc import Callable, Iterator, Sequence

from hub_model.conditions import Condition
from hub_model.errors import InvalidInput
from pydantic import JsonValue

from hub_mapping.paths import compile_walk
from hub_mapping.patterns import compile_pattern
from hub_mapping.problems import Problems
from hub_mapping.texts import word_key

Holds = Callable[[object], bool]
# Looks at the values at the path that are there.
_Test = Callable[[Iterator[object]], bool]


def compile_conditions(conditions: Sequence[Condition]) -> Holds:
    """Whether all of the conditions hold for a value. The function never raises, whatever JSON the value is.

    Raises InvalidInput with a pointer to each condition that cannot be compiled.
    """
    problems = Problems()
    compiled = add_conditions(conditions, problems, "")
    problems.raise_any("The conditions")
    return compiled


def add_conditions(conditions: Sequence[Condition], problems: Problems, pointer: str) -> Holds:
    """The same as part of something larger, whose ``problems`` hear what is wrong."""
    tests: list[Holds] = []
    for place, condition in enumerate(conditions):
        walk, test = None, None
        with problems.at(f"{pointer}/{place}/path"):
            walk = compile_walk(condition.path)
        with problems.at(f"{pointer}/{place}/matches"):
            test = _test_of(condition)
        if walk is not None and test is not None:
            tests.append(_one(walk, test, turned=condition.not_))
    if len(tests) == 1:
        return tests[0]
    return lambda value: all(test(value) for test in tests)


def _one(walk: Callable[[object], Iterator[object]], test: _Test, *, turned: bool) -> Holds:
    def holds(value: object) -> bool:
        there = (found for found in walk(value) if found is not None and found != "")
        return test(there) is not turned

    return holds


def _test_of(condition: Condition) -> _Test:
    if condition.one_of is not None:
        return _equals_any(condition.one_of)
    if condition.exists is not None:
        wanted = condition.exists
        return lambda values: any(True for _ in values) is wanted
    if condition.contains is not None:
        part = condition.contains.casefold()
        return lambda values: any(part in text.casefold() for text in _texts(values))
    if condition.matches is not None:
        search = compile_pattern(condition.matches).search
        return lambda values: any(search(text) is not None for text in _texts(values))
    return _equals_any([condition.equals])


def _equals_any(wanted: Sequence[JsonValue]) -> _Test:
    words = {word_key(value) for value in wanted if isinstance(value, str | int | float)}
    structures = [value for value in wanted if isinstance(value, dict | list)]
    nothing = any(value is None or value == "" for value in wanted)

    def equals(values: Iterator[object]) -> bool:
        found = False
        for value in values:
            found = True
            if isinstance(value, dict | list):
                if value in structures:
                    return True
            elif words and _word(value) in words:
                return True
        return nothing and not found

    return equals


def _word(value: object) -> str | None:
    try:
        return word_key(value)
    except InvalidInput:
        return None  # a number that did not arrive exactly equals no word


def _texts(values: Iterator[object]) -> Iterator[str]:
    """Texts as they are, numbers written out; half a surrogate pair, which RE2 cannot take, becomes ``?``."""
    for value in values:
        if isinstance(value, dict | list):
            continue
        text = value if isinstance(value, str) else _word(value)
        if text is not None:
            yield text if text.isascii() else text.encode(errors="replace").decode()
