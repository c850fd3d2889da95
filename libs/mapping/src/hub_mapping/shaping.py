"""Shapes records before they are mapped: one record per entry of a list, and only the fields that are needed.

Compiled once per endpoint. What comes out shares its values with what went in: neither is ever changed in place.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from hub_model.combining import Explode
from hub_model.mappings import Candidate

from hub_mapping.conditions import compile_conditions
from hub_mapping.flaws import flaw, kind_of
from hub_mapping.origins import compile_field
from hub_mapping.paths import Record, Walk, compile_walk, compile_without
from hub_mapping.problems import Problems

Shaped = dict[str, Any]
Exploded = Callable[[Record], Iterator[Shaped]]

# What one record may become: lists beside each other multiply.
MAX_EXPLODED = 100_000
_UTC = ZoneInfo("UTC")


def compile_explode(specs: Sequence[Explode]) -> Exploded:
    """A function from a record to the records it becomes, each list of ``specs`` within what the one before gave.

    The list itself is left out of them, or every record would carry it whole. It raises InvalidInput where something
    that is neither list nor object stands at the path, and where one record becomes more than MAX_EXPLODED.
    """
    stages = [_stage(spec) for spec in specs]

    def exploded(record: Record) -> Iterator[Shaped]:
        records: Iterator[Shaped] = iter((dict(record),))
        for stage in stages:
            records = stage(records)
        return records

    return exploded


def explode(record: Record, specs: Sequence[Explode]) -> Iterator[Shaped]:
    """The records that this one record becomes; for many records ``compile_explode`` once."""
    return compile_explode(specs)(record)


def compile_fields(fields: Mapping[str, str | Candidate], zone: ZoneInfo = _UTC) -> Callable[[Record], Shaped]:
    """A function from a record to its values at these paths, or of these candidates; what has no value is left out.

    Without ``fields`` a record stays as it is. ``zone`` is the college's, for what candidates do with times.
    """
    if not fields:
        return dict
    problems = Problems()
    picks = [(name, compile_field(origin, zone, problems, f"/{name}")) for name, origin in fields.items()]
    problems.raise_any("The fields")
    made = [(name, pick) for name, pick in picks if pick is not None]

    def pruned(record: Record) -> Shaped:
        found = ((name, pick(record)) for name, pick in made)
        return {name: value for name, value in found if value is not None}

    return pruned


def project(record: Record, fields: Mapping[str, str | Candidate], zone: ZoneInfo = _UTC) -> Shaped:
    """This one record, pruned; for many records ``compile_fields`` once."""
    return compile_fields(fields, zone)(record)


def _stage(spec: Explode) -> Callable[[Iterator[Shaped]], Iterator[Shaped]]:
    walk, without = compile_walk(spec.path), compile_without(spec.path)
    holds = compile_conditions(spec.when) if spec.when else None

    def stage(records: Iterator[Shaped]) -> Iterator[Shaped]:
        visited = 0
        for record in records:
            rest: Shaped | None = None
            for key, entry in _entries(walk, record, spec.path):
                visited += 1
                if visited > MAX_EXPLODED:
                    raise flaw("too_long", f"explode makes one record more than {MAX_EXPLODED}; explode fewer lists.")
                if holds is not None and not holds(entry):
                    continue
                rest = without(record) if rest is None else rest
                shaped = {**rest, spec.as_: entry}
                if spec.key_as is not None:
                    shaped[spec.key_as] = key
                yield shaped
            if rest is None and spec.on_no_records == "emit_parent":
                yield record

    return stage


def _entries(walk: Walk, record: Record, path: str) -> Iterator[tuple[object, object]]:
    """Every entry with its key in the object, or its place in the list."""
    for found in walk(record):
        if type(found) is list:
            yield from enumerate(found)
        elif type(found) is dict:
            yield from found.items()
        elif found is not None and found != "":
            raise flaw("wrong_type", f"explode: '{path}' leads to {kind_of(found)}, not to a list or an object.")
