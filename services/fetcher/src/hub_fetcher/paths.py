"""Dotted paths into decoded JSON. Keys that contain dots themselves, such as ``@odata.nextLink``, are found too."""

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
        if index.isascii() and index.isdigit() and int(index) < len(value):
            return dig(value[int(index)], rest)
        return MISSING
    if not isinstance(value, dict):
        return MISSING
    if path in value:
        return value[path]
    head = path
    while "." in head:
        head = head.rpartition(".")[0]
        if head in value:
            return dig(value[head], path[len(head) + 1 :])
    return MISSING
