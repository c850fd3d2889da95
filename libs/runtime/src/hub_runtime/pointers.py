"""From pydantic's error locations to JSON Pointers (RFC 6901) into what the client sent."""

from collections.abc import Mapping, Sequence
from typing import Any

from hub_model.errors import Issue

_OUTSIDE_BODY = ("query", "path", "header", "cookie")
_MESSAGES = {
    "extra_forbidden": "This field is not known here; check its spelling or leave it out.",
    "missing": "This field is required.",
}


def issues_of(errors: Sequence[Mapping[str, Any]], body: object) -> list[Issue]:
    """One issue per error. A query parameter's pointer is ``/name``. Messages never repeat the offending value."""
    return [Issue(_pointer_of(tuple(item["loc"]), body), str(item["type"]), _message_of(item)) for item in errors]


def _message_of(item: Mapping[str, Any]) -> str:
    message = _MESSAGES.get(str(item["type"])) or str(item["msg"]).removeprefix("Value error, ")
    if item["loc"] and item["loc"][0] in _OUTSIDE_BODY:
        return f"{item['loc'][0]} parameter {item['loc'][-1]}: {message}"
    return message


def _pointer_of(loc: tuple[int | str, ...], body: object) -> str:
    if loc and loc[0] in _OUTSIDE_BODY:
        return pointer_to(loc[1:])
    return pointer_to(_steps(loc[1:], body))


def _steps(loc: tuple[int | str, ...], value: object) -> list[int | str]:
    """The parts of ``loc`` that lead somewhere in the input.

    pydantic also puts the tag of a union, the type of a plain union's member and "[key]" into a location; a
    pointer that contained those would lead nowhere.
    """
    steps: list[int | str] = []
    for index, part in enumerate(loc):
        if isinstance(value, Mapping):
            if part in value:
                value = value[part]
            elif index == len(loc) - 1 and part != "[key]":
                return [*steps, part]
            else:
                continue
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return steps
        steps.append(part)
    return steps


def pointer_to(parts: Sequence[int | str]) -> str:
    """The JSON Pointer of these steps from the top."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
