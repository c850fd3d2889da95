"""JSON values that remember their text.

A record passes several encoders on its way: its hash, its messages, its row. Going over hundreds of small objects
each time costs more than anything else they do, so whoever encodes first keeps the text for the others: they hand
it on as it is (``orjson.Fragment``), wherever the value stands.
"""

from collections.abc import Iterable, Mapping
from typing import Any


class EncodedObject(dict[str, Any]):
    """An object and its text. Like everything in a message it is never changed: the text would no longer fit."""

    __slots__ = ("json",)

    def __init__(self, value: Mapping[str, Any], json: bytes) -> None:
        super().__init__(value)
        self.json = json


class EncodedArray(list[Any]):
    """An array and its text, which is never changed either."""

    __slots__ = ("json",)

    def __init__(self, value: Iterable[Any], json: bytes) -> None:
        super().__init__(value)
        self.json = json


Encoded = EncodedObject | EncodedArray
