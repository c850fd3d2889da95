"""Whose values a record has that several integrations write. Pure.

An integration *holds* a field while what it last said of it is what is stored; several may hold one. To say nothing
(None, an empty text or list, or an object such as ``externalIds`` without an entry that it had) takes back one's own
word alone: the stored value goes when nobody else holds it. So an LMS that knows no phone numbers does not erase those
of the ERP.

Where one takes back what it had set over another's word, that word is not known here any more: who said it has to be
heard again, see ``left_unsaid``.

A *place* is the name of a field or, in a field that is an object, ``(field, entry)``.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

Place = str | tuple[str, str]
Held = dict[str, set[Place]]


def places_of(data: Mapping[str, Any]) -> set[Place]:
    """Where the record has a value."""
    return {place for name, value in data.items() for place in _places(name, value)}


def settle_said(
    data: Mapping[str, Any], said: Mapping[str, Any], held: Held, writer: str, connected: Collection[str] | None = None
) -> dict[str, Any]:
    """The values to set in the stored ``data``, of what the writer says; brings ``held`` up to date.

    ``connected`` are the integrations whose words stand against it; None: all.
    """
    others = _of_others(held, writer, connected)
    own = held.setdefault(writer, set())
    values: dict[str, Any] = {}
    for name, value in said.items():
        before, after = _places(name, data.get(name)), _places(name, value)
        kept = {place: known for place, known in before.items() if place in others and place not in after}
        if after and name in before.keys() | after.keys():
            kept = {}  # a plain value has one place, so what is said takes it
        if name not in kept:
            values[name] = _joined(data[name], value or {}, {place[1] for place in kept}) if kept else value
        own.difference_update(kept)
        gone = {place for place, known in before.items() if place not in kept and after.get(place) != known}
        for places in held.values():
            places.difference_update(gone)
        own.update(after)
    return values


def left_unsaid(
    data: Mapping[str, Any], said: Mapping[str, Any], held: Held, writer: str, connected: Collection[str] | None = None
) -> dict[str, Any]:
    """What a repetition brings where nobody else holds what is stored; what others have said since stays as it is."""
    own = held.get(writer, set())
    others = _of_others(held, writer, connected) - own
    values: dict[str, Any] = {}
    for name, value in said.items():
        taken = others & ({name} if isinstance(value, dict) else {name, *_places(name, data.get(name))})
        word = {place: known for place, known in _places(name, value).items() if place not in others}
        if word and not taken:
            values[name] = {place[1]: known for place, known in word.items()} if isinstance(value, dict) else value
    return values


def unsaid(places: Iterable[Place]) -> dict[str, None]:
    """What takes back all that was said there."""
    return dict.fromkeys(place if isinstance(place, str) else place[0] for place in sorted(places, key=_order))


def to_names(places: Iterable[Place]) -> list[str | list[str]]:
    """Places as JSON, in one order."""
    return [place if isinstance(place, str) else list(place) for place in sorted(places, key=_order)]


def of_names(names: Iterable[str | list[str]]) -> set[Place]:
    """The inverse of :func:`to_names`."""
    return {name if isinstance(name, str) else (name[0], name[1]) for name in names}


def _of_others(held: Held, writer: str, connected: Collection[str] | None) -> set[Place]:
    return {
        place
        for integration, places in held.items()
        if integration != writer and (connected is None or integration in connected)
        for place in places
    }


def _places(name: str, value: Any) -> dict[Place, Any]:
    if isinstance(value, dict):
        return {(name, entry): inner for entry, inner in value.items() if not _is_nothing(inner)}
    return {} if _is_nothing(value) else {name: value}


def _is_nothing(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _joined(stored: Mapping[str, Any], said: Mapping[str, Any], kept: Collection[str]) -> dict[str, Any]:
    """What is said of an object, with the entries that others hold, in the order that they had."""
    own = {entry: value for entry, value in said.items() if entry not in kept}
    return {entry: value for entry, value in {**stored, **own}.items() if entry in kept or entry in own}


def _order(place: Place) -> tuple[str, ...]:
    return (place,) if isinstance(place, str) else place
