"""Dotted paths into raw records: ``contact.email``, ``grades.0``, ``roles.*.shortname``.

A missing step is None, never an exception: sources leave fields out all the time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from hub_mapping.flaws import flaw

Record = Mapping[str, object]
Pick = Callable[[Record], object]
Walk = Callable[[object], Iterator[object]]
Presence = Callable[[Record], bool]

MAX_PATH_LENGTH = 256
MAX_SEGMENTS = 16
EVERY = "*"
_MAX_INDEX_DIGITS = 6
_MISSING = object()

# For each segment: the literal names that may start there, longest first, with the segment that follows each.
_Steps = tuple[tuple[tuple[str, int], ...], ...]


def compile_path(path: str) -> Pick:
    """A function from a record to the value at ``path``, or None.

    A key that contains dots wins over the same text read as steps: in ``{"a.b": 1, "a": {"b": 2}}`` the path
    ``a.b`` is 1. A number steps into a list. With ``*``, which stands for every entry of a list or object, the value is
    the list of all that is found, in order and without nulls, or None if that is nothing. Raises InvalidInput for a
    path nothing could match.
    """
    check_path(path)
    if "." not in path and path != EVERY:
        return lambda record: record.get(path)
    stretches = _stretches(path)
    if len(stretches) > 1:
        return lambda record: [value for value in _every(record, stretches) if value is not None] or None
    steps = stretches[0]
    return lambda record: _follow(record, steps)


def compile_walk(path: str) -> Walk:
    """A function from any JSON value to the values at ``path`` in it, nulls too; the path "" is the value itself."""
    if not path:
        return lambda value: iter((value,))
    check_path(path)
    stretches = _stretches(path)
    return lambda value: _every(value, stretches)


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
    """Whether a record says anything at one of the paths, be it null; a list is told by being there, though empty.

    Without paths: always.
    """
    if not paths:
        return lambda _record: True
    ways = [_stretches(path)[0] for path in paths]
    return lambda record: any(_follow(record, steps, missing=_MISSING) is not _MISSING for steps in ways)


def compile_without(path: str) -> Callable[[Record], dict[str, object]]:
    """A function that copies a record without what is at ``path``; only what lies on the path is copied."""
    check_path(path)
    segments = tuple(path.split("."))

    def without(record: Record) -> dict[str, object]:
        left = _without(dict(record), segments)
        return left if isinstance(left, dict) else {}

    return without


def check_path(path: str) -> None:
    """Raise InvalidInput, saying what to write instead, unless the path can be compiled."""
    if not path.strip():
        raise flaw("bad_path", "Write the path of a field, such as 'roll_no' or 'contact.email'.")
    if len(path) > MAX_PATH_LENGTH or path.count(".") >= MAX_SEGMENTS:
        raise flaw("bad_path", f"A path has at most {MAX_SEGMENTS} steps and {MAX_PATH_LENGTH} characters.")
    if path == "$" or path.startswith(("$.", "$[", "/")):
        raise flaw("bad_path", "Write steps joined by dots, such as 'contact.email' or 'grades.0', without $ or /.")


def _stretches(path: str) -> tuple[_Steps, ...]:
    """The steps before the first ``*``, between it and the next, and so on; some may be empty."""
    stretches: list[list[str]] = [[]]
    for segment in path.split("."):
        if segment == EVERY:
            stretches.append([])
        else:
            stretches[-1].append(segment)
    return tuple(_steps(segments) for segments in stretches)


def _steps(segments: Sequence[str]) -> _Steps:
    count = len(segments)
    return tuple(
        tuple((".".join(segments[start:end]), end) for end in range(count, start, -1)) for start in range(count)
    )


def _every(value: object, stretches: tuple[_Steps, ...]) -> Iterator[object]:
    """All values there are; each value of the record is passed once at most."""
    value = _follow(value, stretches[0], missing=_MISSING)
    if value is _MISSING:
        return
    if len(stretches) == 1:
        yield value
        return
    entries = value.values() if type(value) is dict else value if type(value) is list else ()
    for entry in entries:
        yield from _every(entry, stretches[1:])


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


def _without(value: object, segments: tuple[str, ...]) -> object:
    """A copy without what is there; a list keeps the place of an entry that is taken out, as null."""
    head, rest = segments[0], segments[1:]
    if head == EVERY:
        if type(value) is dict:
            return {name: _without(entry, rest) for name, entry in value.items()} if rest else {}
        if type(value) is list:
            return [_without(entry, rest) for entry in value] if rest else []
    elif type(value) is dict:
        for end in range(len(segments), 0, -1):
            name = ".".join(segments[:end])
            if name in value:
                left = {other: entry for other, entry in value.items() if other != name}
                return {**value, name: _without(value[name], segments[end:])} if segments[end:] else left
    elif type(value) is list and head.isascii() and head.isdigit() and len(head) <= _MAX_INDEX_DIGITS:
        place = int(head)
        if place < len(value):
            return [*value[:place], _without(value[place], rest) if rest else None, *value[place + 1 :]]
    return value
