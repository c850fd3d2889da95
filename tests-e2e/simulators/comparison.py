"""Compares what a hub holds with the truth of a simulator."""

from collections.abc import Iterable, Sequence
from itertools import islice

from hub_mapping.keys import KEY_PARTS, key_of
from hub_model.records import DataType
from hub_standalone.demo.world import Row

_SHOWN = 10
_NOTHING = (None, "unknown")
# What the hub takes for granted where a source has no such thing.
_GRANTED: dict[DataType, Row] = {DataType.MARKS: {"attempt": 1}}


def differences(data_type: DataType, expected: Sequence[Row], stored: Sequence[Row]) -> list[str]:
    """The first few differences; empty when both have the same records, alike in every field that the truth speaks of.

    Other fields may be there: an API says more of a person than the truth repeats. But a field that the truth has in
    any of its records is compared in all of them, so that a mark of 0 is not taken for none. Null, "unknown" and
    missing are the same.
    """
    return list(islice(_differences(data_type, expected, stored), _SHOWN))


def _differences(data_type: DataType, expected: Sequence[Row], stored: Sequence[Row]) -> Iterable[str]:
    whole_key = key_of(KEY_PARTS[data_type])
    granted = _GRANTED.get(data_type, {})

    def key(row: Row) -> str:
        return whole_key({**granted, **row})

    wanted = {key(row): row for row in expected}
    assert len(wanted) == len(expected), "two records of the truth are one to the hub"
    fields = dict.fromkeys(name for row in expected for name in row)
    seen: set[str] = set()
    for row in stored:
        name = key(row)
        if name in seen:
            yield f"{data_type.value} {name} is there twice"
        elif name not in wanted:
            yield f"{data_type.value} {name} should not be there"
        else:
            for field in fields:
                given, value = row.get(field), wanted[name].get(field)
                if given != value and not (given in _NOTHING and value in _NOTHING):
                    yield f"{data_type.value} {name}: {field} is {given!r}, should be {value!r}"
        seen.add(name)
    yield from (f"{data_type.value} {name} is missing" for name in wanted if name not in seen)
