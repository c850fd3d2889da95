"""Dotted paths into raw records: ``contact.email``, ``grades.0``.

A missing step is None, never an exception: sources leave fields out all the time.
"""

from collections.abc import Callable, Mapping, Sequence

from hub_mapping.flaws import flaw

Record = Mapping[str, object]
Pick = Callable[[Record], object]
Presence = Callable[[Record], bool]

MAX_PATH_LENGTH = 256
MAX_SEGMENTS = 16
_MAX_INDEX_DIGITS = 6
_MISSING = object()

# For each segment: the literal names that may start there, longest first, with the segment that follows each.
_Steps = tuple[tuple[tuple[str, int], ...], ...]


def compile_path(path: str) -> Pick:
    """A function from a record to the value at ``path``, or None.

    A key that contains dots wins over the same text read as steps: in ``{"a.b": 1, "a": {"b": 2}}`` the path
    ``a.b`` is 1. A number steps into a list. Raises InvalidInput for a path nothing could match.
    """
    check_path(path)
    if "." not in path:
        return lambda record: record.get(path)
    steps = _steps(path.split("."))
    return lambda record: _follow(record, steps)


def compile_paths(paths: Sequence[str]) -> Pick:
    """The first value that is neither missing, null nor ""."""
    picks = [compile_path(path) for path in paths]
    if len(picks) == 1:
        return picks[0]

    def first(record: Record) -> object:
        for pick in picks:
            value = pick(record)
            if value is not None and value != "":
                return value
        return None

    return first


def compile_presence(paths: Sequence[str]) -> Presence:
    """Whether a record says anything at one of the paths, be it null. Without paths: always."""
    if not paths:
        return lambda _record: True
    ways = [_steps(path.split(".")) for path in paths]
    return lambda record: any(_follow(record, steps, missing=_MISSING) is not _MISSING for steps in ways)


def check_path(path: str) -> None:
    """Raise InvalidInput, saying what to write instead, unless the path can be compiled."""
    if not path.strip():
        raise flaw("bad_path", "Write the path of a field, such as 'roll_no' or 'contact.email'.")
    if len(path) > MAX_PATH_LENGTH or path.count(".") >= MAX_SEGMENTS:
        raise flaw("bad_path", f"A path has at most {MAX_SEGMENTS} steps and {MAX_PATH_LENGTH} characters.")
    if path == "$" or path.startswith(("$.", "$[", "/")):
        raise flaw("bad_path", "Write steps joined by dots, such as 'contact.email' or 'grades.0', without $ or /.")


def _steps(segments: Sequence[str]) -> _Steps:
    count = len(segments)
    return tuple(
        tuple((".".join(segments[start:end]), end) for end in range(count, start, -1)) for start in range(count)
    )


def _follow(value: object, steps: _Steps, *, missing: object = None) -> object:
    place = 0
    while place < len(steps):
        if type(value) is dict:
            for name, end in steps[place]:
                if name in value:
                    value, place = value[name], end
                    break
            else:
                return missing
        elif type(value) is list:
            index = steps[place][-1][0]
            if not (index.isascii() and index.isdigit() and len(index) <= _MAX_INDEX_DIGITS):
                return missing
            if int(index) >= len(value):
                return missing
            value, place = value[int(index)], place + 1
        else:
            return missing
    return value
