"""Dotted paths into decoded JSON. Keys that contain dots themselves, such as ``@odata.nextLink``, are found too."""

from collections.abc import Iterator
from enum import Enum
from typing import Any, Final


class Missing(Enum):
    """The value of a path that leads nowhere; null is a value."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


def dig(value: Any, path: str) -> Any:
    """The value at ``path``, or MISSING. The longest key that fits wins; numbers index arrays; "" is the value."""
    if not path:
        return value
    if isinstance(value, list):
        index, _, rest = path.partition(".")
        is_index = index.isascii() and index.isdigit() and int(index) < len(value)
        return dig(value[int(index)], rest) if is_index else MISSING
    head = path if isinstance(value, dict) else ""
    while head and head not in value:
        head = head.rpartition(".")[0]
    return dig(value[head], path[len(head) + 1 :]) if head else MISSING


def dig_every(value: Any, path: str) -> Iterator[tuple[Any, Any]]:
    """The values at a path in which ``*`` stands for every entry of a list or object, each with what holds it.

    No entry, no value; an entry that the path leads nowhere in gives MISSING.
    """
    before, star, after = _at_star(path)
    holder = dig(value, before)
    if not star:
        yield holder, dig(value, before.rpartition(".")[0]) if before else None
    elif isinstance(holder, list | dict):
        for entry in holder.values() if isinstance(holder, dict) else holder:
            yield from dig_every(entry, after)
    else:
        yield None if holder is None else MISSING, dig(value, before.rpartition(".")[0])


def _at_star(path: str) -> tuple[str, bool, str]:
    steps = path.split(".")
    if "*" not in steps:
        return path, False, ""
    place = steps.index("*")
    return ".".join(steps[:place]), True, ".".join(steps[place + 1 :])
