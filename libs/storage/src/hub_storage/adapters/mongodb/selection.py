"""A query as filters. Knows nothing of connections, so that what it writes can be read and tested alone.

A filter's values never become operators: each stands behind one (``$eq`` or another) and is one scalar.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub_storage.collection import Filter, OneOf, Query, Range

Condition = dict[str, Any]

# In the order in which the server sorts them; null and missing come before, and are one.
_KINDS = ("number", "string", "bool")
_BOUNDS = ("gt", "gte", "lt", "lte")


@dataclass(frozen=True, slots=True)
class Selection:
    """What one ``find`` asks for."""

    filter: Condition
    sort: list[tuple[str, int]]


def matching(criteria: Filter) -> Condition:
    """A filter whose fields and values were checked."""
    return {field: _condition(wanted) for field, wanted in criteria.items()}


def selections(query: Query) -> Iterator[Selection]:
    """What to find, one after the other, until there is enough.

    Past the end of a page an index is entered once for each part of the order: what has the same sort value, what
    has a later one, and what has one of a later kind, since a comparison holds for one kind alone.
    """
    direction = -1 if query.descending else 1
    base = matching(query.filter)
    for condition in _stretches(query):
        sort = [(query.sort, direction)] if query.sort is not None else []
        yield Selection(all_of([base, condition]), [*sort, ("_id", direction)])


def _stretches(query: Query) -> Iterator[Condition]:
    if query.after is None:
        yield {}
        return
    value, document_id = query.after
    comparison = "$lt" if query.descending else "$gt"
    past_id = {"_id": {comparison: document_id}}
    if query.sort is None:
        yield past_id
        return
    yield {query.sort: {"$eq": value}, **past_id}
    if value is not None:
        yield {query.sort: {comparison: value}}
    if not isinstance(query.filter.get(query.sort), Range):  # a range holds values of one kind
        yield from _other_kinds(query.sort, value, descending=query.descending)


def _other_kinds(sort: str, value: Any, *, descending: bool) -> Iterator[Condition]:
    place = -1 if value is None else _KINDS.index(_kind_of(value))
    kinds = _KINDS[:place] if descending and value is not None else () if descending else _KINDS[place + 1 :]
    if kinds:
        yield {sort: {"$type": list(kinds)}}
    if descending and value is not None:
        yield {sort: {"$eq": None}}


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "string" if isinstance(value, str) else "number"


def _condition(wanted: Any) -> Condition:
    if isinstance(wanted, Range):
        bounds = {f"${name}": bound for name in _BOUNDS if (bound := getattr(wanted, name)) is not None}
        return bounds or {"$ne": None}
    if isinstance(wanted, OneOf):
        return {"$in": list(wanted.values)}
    return {"$eq": wanted}


def all_of(conditions: Iterable[Mapping[str, Any]]) -> Condition:
    """One filter that asks for all; flat where it can be, which is what planners know best."""
    flat: Condition = {}
    clashing: list[Mapping[str, Any]] = []
    for condition in conditions:
        if flat.keys() & condition.keys():
            clashing.append(condition)
        else:
            flat |= condition
    return {**flat, "$and": clashing} if clashing else flat
