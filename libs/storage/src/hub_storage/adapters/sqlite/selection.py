"""A query as SQL. Knows nothing of connections, so that what it writes can be read and tested alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hub_storage.adapters.sqlite.schema import expression_of, table_of
from hub_storage.collection import CollectionSpec, Filter, OneOf, Query, Range

_BOUNDS = (("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<="))


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of SQL and the values of its question marks."""

    sql: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """A statement without its LIMIT, and its values."""

    sql: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of the order that one index serves: what holds in it, and by what it is ordered."""

    conditions: list[Condition]
    order: tuple[str, ...]


def selections(spec: CollectionSpec, query: Query) -> Iterator[Selection]:
    """The statements whose rows, one after the other, answer the query.

    Usually one. Beyond a page's end there are two: SQLite could use no index for "after this value, or null", so
    the documents with and without a sort value are read apart.
    """
    matching = list(conditions(query.filter))
    direction = "DESC" if query.descending else "ASC"
    for stretch in _stretches(query):
        parts = [*matching, *stretch.conditions]
        where = f" WHERE {' AND '.join(part.sql for part in parts)}" if parts else ""
        order = ", ".join(f"{expression} {direction}" for expression in stretch.order)
        yield Selection(
            f"SELECT id, version, document FROM {table_of(spec)}{where} ORDER BY {order}",
            tuple(value for part in parts for value in part.values),
        )


def conditions(criteria: Filter) -> Iterator[Condition]:
    """What a filter asks for, field by field."""
    for field, wanted in criteria.items():
        expression = expression_of(field)
        if isinstance(wanted, Range):
            bounds = [(operator, getattr(wanted, name)) for name, operator in _BOUNDS]
            given = [
                Condition(f"{expression} {operator} ?", (value,)) for operator, value in bounds if value is not None
            ]
            yield from given or [Condition(f"{expression} IS NOT NULL")]
            if kind := _kind_of(bounds):
                yield Condition(f"typeof({expression}) IN ({kind})")
        elif isinstance(wanted, OneOf):
            yield _one_of(expression, wanted.values)
        else:
            yield _equals(expression, wanted)


def _equals(expression: str, value: Any) -> Condition:
    return Condition(f"{expression} IS NULL") if value is None else Condition(f"{expression} = ?", (value,))


def _kind_of(bounds: Sequence[tuple[str, Any]]) -> str | None:
    """SQLite takes every text for more than every number, and a range is to hold values of its bounds' kind."""
    values = [value for _, value in bounds if value is not None]
    if not values:
        return None
    return "'text'" if isinstance(values[0], str) else "'integer', 'real'"


def _one_of(expression: str, values: Sequence[Any]) -> Condition:
    present = tuple(value for value in values if value is not None)
    sql = f"{expression} IN ({', '.join('?' * len(present))})"
    return Condition(sql if len(present) == len(values) else f"({sql} OR {expression} IS NULL)", present)


def _stretches(query: Query) -> Iterator[_Stretch]:
    """The stretches of the order that lie past ``query.after``; nulls come first, as in an index."""
    comparison = "<" if query.descending else ">"
    expression = expression_of(query.sort) if query.sort is not None else "id"
    whole = (expression, "id") if query.sort is not None else ("id",)
    if query.after is None:
        yield _Stretch([], whole)
        return
    value, document_id = query.after
    past_id = Condition(f"id {comparison} ?", (document_id,))
    if query.sort is None:
        yield _Stretch([past_id], whole)
    elif value is None:
        yield _Stretch([Condition(f"{expression} IS NULL"), past_id], ("id",))
        if not query.descending:
            yield _Stretch([Condition(f"{expression} IS NOT NULL")], whole)
    else:
        # The first condition repeats what the second implies, in the form that an index can be entered with.
        at_least = Condition(f"{expression} {comparison}= ?", (value,))
        past = Condition(f"({expression} {comparison} ? OR id {comparison} ?)", (value, document_id))
        yield _Stretch([at_least, past], whole)
        if query.descending and not isinstance(query.filter.get(query.sort), Range):
            yield _Stretch([Condition(f"{expression} IS NULL")], ("id",))
