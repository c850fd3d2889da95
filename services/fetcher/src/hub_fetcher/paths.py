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
        is_index = index.isascii() and index.isdigit() and int(index) < len(value)
        return dig(value[int(index)], rest) if is_index else MISSING
    head = path if isinstance(value, dict) else ""
    while head and head not in value:
        head = head.rpartition(".")[0]
    return dig(value[head], path[len(head) + 1 :]) if head else MISSING
