"""Filling in ``{{ parent.x }}`` and ``{{ window.start }}``.

Of a parent's row nothing may be missing: an empty place in a path or a filter asks for something else, often for
everything. A window's bound may be missing, on a first sync above all; what it stands in is then left out.
"""

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

import orjson
from hub_model.errors import ErrorClass, SourceError
from pydantic import JsonValue

from hub_fetcher.paths import MISSING, Missing, dig

# A credential's place is filled when the credential is put in, right before the request is sent.
CREDENTIAL = re.compile(r"\{\{\s*credential\.([A-Za-z0-9_-]+)\s*\}\}")
_PLACE = re.compile(r"\{\{\s*((?!credential\.)[A-Za-z0-9_.]+)\s*\}\}")

# The values by the first part of a place's name: "parent" and "window".
Places = Mapping[str, Mapping[str, Any]]


class Absent(Enum):
    """What a text becomes whose window has no such bound."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


def fill_path(path: str, places: Places) -> str:
    """The path with every value percent-encoded, so that none of them can lead to another path.

    Servers decode before they look for '..', some of them twice, so no value may hold it in any writing.
    """
    filled = _filled(path, places, lambda text: quote(text, safe=""), where="the path")
    if filled is ABSENT:
        raise _config("window_missing", "the path needs a bound of the window, and there is none on a first sync")
    if _leads_elsewhere(filled.partition("?")[0]):
        raise _data("parent_value_unusable", "a value of the parent's row would change the path, so it is not used")
    return filled


def _leads_elsewhere(path: str) -> bool:
    decoded = unquote(path)
    segments = [segment for text in (path, decoded, unquote(decoded)) for segment in re.split(r"[/\\]", text)]
    return any(segment.partition(";")[0] in (".", "..") for segment in segments)


def fill(value: JsonValue, places: Places, *, where: str) -> JsonValue | Absent:
    """The value with all its texts filled in. A text that is one place alone keeps the type of what stands there.

    What is absent takes its key, its place among lists, or the list around it along.
    """
    if isinstance(value, str):
        return _fill_text(value, places, where)
    if isinstance(value, list):
        items = [fill(item, places, where=where) for item in value]
        if any(new is ABSENT and isinstance(old, str) for old, new in zip(value, items, strict=True)):
            return ABSENT
        return [item for item in items if item is not ABSENT]
    if isinstance(value, dict):
        filled = {name: fill(item, places, where=where) for name, item in value.items()}
        return {name: item for name, item in filled.items() if item is not ABSENT}
    return value


def _fill_text(text: str, places: Places, where: str) -> JsonValue | Absent:
    alone = _PLACE.fullmatch(text.strip())
    if alone:
        return _value(alone[1], places, where)
    return _filled(text, places, _escaping(text), where)


def _filled(text: str, places: Places, write: Callable[[str], str], where: str) -> str | Absent:
    values = {name: _value(name, places, where) for name in _PLACE.findall(text)}
    if ABSENT in values.values():
        return ABSENT
    filled = _PLACE.sub(lambda match: write(_as_text(match[1], values[match[1]], where)), text)
    if CREDENTIAL.findall(filled) != CREDENTIAL.findall(text):
        raise _asks_for_credential(where)
    return filled


def _escaping(text: str) -> Callable[[str], str]:
    """Within XML and JSON that is written as text a value must not end the text it stands in."""
    start = text.lstrip()[:2]
    if start[:1] == "<":
        return lambda value: escape(value, {'"': "&quot;", "'": "&apos;"})
    if start[:1] == "[" or (start[:1] == "{" and start != "{{"):
        return lambda value: orjson.dumps(value).decode()[1:-1]
    return lambda value: value


def _value(name: str, places: Places, where: str) -> JsonValue | Absent:
    kind, _, path = name.partition(".")
    found: JsonValue | Missing = dig(places.get(kind, {}), path)
    if kind == "window":
        return ABSENT if found is MISSING or found is None else found
    if found is MISSING or found is None or (isinstance(found, str) and not found.strip()):
        state = "is missing" if found is MISSING else "is null" if found is None else "is empty"
        raise _data("parent_value_missing", f"'{path}' {state} in the parent's row, and {where} needs it")
    if not isinstance(found, int | float) and CREDENTIAL.search(orjson.dumps(found).decode()):
        raise _asks_for_credential(where)
    return found


def _as_text(name: str, value: JsonValue | Absent, where: str) -> str:
    if isinstance(value, dict | list):
        raise _data("parent_value_unusable", f"'{name}' is not text or a number, and {where} needs one")
    if not isinstance(value, str):
        return orjson.dumps(value).decode()
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise _data("parent_value_unusable", f"'{name}' is not valid Unicode, and {where} needs it")
    return value


def _asks_for_credential(where: str) -> SourceError:
    """Data may not say where the credential goes: it would be sent in a field that is stored or shown."""
    return _data("parent_value_unusable", f"a value would put the credential into {where}, so it is not used")


def _data(code: str, what: str) -> SourceError:
    return SourceError(
        what,
        error_class=ErrorClass.DATA,
        code=code,
        public=f"One row of the parent stream cannot be asked for: {what}. Check the names within {{{{ }}}}, or leave "
        "such rows out with the parent's 'when'.",
    )


def _config(code: str, what: str) -> SourceError:
    return SourceError(
        what,
        error_class=ErrorClass.CONFIG,
        code=code,
        public=f"The request cannot be made: {what}. Put it into 'params' or 'body', where it can be left out, or set "
        "'startDatetime'.",
    )
