"""JSON values as query parameters and form fields, and values put into a body by a dotted name."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import orjson
from pydantic import JsonValue

Nesting = Literal["plain", "brackets"]


def flat(params: Iterable[tuple[str, JsonValue]], nesting: Nesting) -> Iterator[tuple[str, str]]:
    """Names and values as text; null leaves a name out.

    Plain: a list repeats its name, an object is sent as JSON. Brackets: both are spelt out as PHP reads them, and true
    is 1, since PHP programs such as Moodle take "true" for a word.
    """
    for name, value in params:
        if nesting == "brackets":
            yield from _bracketed(name, value)
            continue
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                yield name, item if isinstance(item, str) else orjson.dumps(item).decode()


def put(body: JsonValue, name: str, value: JsonValue) -> JsonValue:
    """A copy of the body with the value at a dotted name; objects on the way are made where they are missing."""
    head, _, rest = name.partition(".")
    if isinstance(body, list) and head.isascii() and head.isdigit() and int(head) < len(body):
        index = int(head)
        return [*body[:index], put(body[index], rest, value) if rest else value, *body[index + 1 :]]
    held: dict[str, Any] = body if isinstance(body, dict) else {}
    return {**held, head: put(held.get(head), rest, value) if rest else value}


def _bracketed(name: str, value: JsonValue) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in inner:
            yield from _bracketed(f"{name}[{key}]", item)
    elif isinstance(value, bool):
        yield name, "1" if value else "0"
    elif value is not None:
        yield name, value if isinstance(value, str) else orjson.dumps(value).decode()
