"""What may stand in an id, a filter or an indexed field: one text, number, truth value or null.

Stores disagree about anything else: some look into lists, some read operators out of objects. So nothing else
reaches them.
"""

import math
import re
from typing import Any

from hub_model.errors import InvalidInput

from hub_storage.collection import CollectionSpec, Document, Filter, OneOf, Query, Range

_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**63 - 1
_RECORD_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)?")
# What stands in a document where a path leads nowhere.
_MISSING = None


def check_text(value: object, what: str) -> str:
    """The text; InvalidInput if it is none, or holds half a character."""
    if not isinstance(value, str):
        raise InvalidInput(f"{what} is a text, not a {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{what} holds half a surrogate pair, which is no character") from None
    return value


def check_scalar(value: object, what: str) -> None:
    """Raises InvalidInput for what is no text, number, truth value or null."""
    match value:
        case None | bool():
            return
        case str():
            check_text(value, what)
        case int() if _MIN_INTEGER <= value <= _MAX_INTEGER:
            return
        case float() if math.isfinite(value):
            return
        case _:
            raise InvalidInput(f"{what} is one text, number of 64 bits, truth value or null")


def check_query(spec: CollectionSpec, query: Query) -> None:
    """Raises InvalidInput for a field that no index declares, and for what is no value."""
    check_filter(spec, query.filter)
    if query.sort is not None:
        check_declared(spec, query.sort)
    if query.after is not None:
        check_scalar(query.after[0], "the sort value to go on after")
        check_text(query.after[1], "the id to go on after")


def check_filter(spec: CollectionSpec, criteria: Filter) -> None:
    for field, wanted in criteria.items():
        check_declared(spec, field)
        match wanted:
            case Range(gt, gte, lt, lte):
                values: tuple[Any, ...] = (gt, gte, lt, lte)
            case OneOf(values):
                pass
            case _:
                values = (wanted,)
        for value in values:
            check_scalar(value, f"what {field!r} is compared with")


def check_declared(spec: CollectionSpec, field: str) -> None:
    if field not in spec.fields:
        raise InvalidInput(f"no index of {spec.name!r} declares the field {field!r}")


def check_indexed(spec: CollectionSpec, document: Document) -> None:
    """Raises InvalidInput for a document that holds a list or an object in an indexed field."""
    for field in spec.fields:
        value = _at(spec, document, field) if "." in field else document.get(field, _MISSING)
        if type(value) is str and value.isascii():
            continue  # as nearly every value is
        check_scalar(value, f"the indexed field {field!r} of {spec.name!r}")


def _at(spec: CollectionSpec, document: Document, field: str) -> Any:
    value: Any = document
    for part in field.split("."):
        if isinstance(value, list | tuple):
            raise InvalidInput(f"{field!r} of {spec.name!r} is indexed, so no list can be on the way to it")
        value = value.get(part, _MISSING) if isinstance(value, dict) else _MISSING
    return value


def check_record_field(field: str, value: object) -> None:
    """Raises InvalidInput for what is no canonical field or entry of one, or no value."""
    if not _RECORD_FIELD.fullmatch(field):
        raise InvalidInput(f"{field[:64]!r} is not the name of a field")
    check_scalar(value, f"what {field!r} is compared with")
