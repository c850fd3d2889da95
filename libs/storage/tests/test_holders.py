"""Whose the values of a record are, by histories: what several integrations say of a few places, in any order."""

from collections.abc import Mapping
from typing import Any

from hub_storage.holders import Held, Place, of_names, places_of, settle_said, to_names
from hypothesis import given
from hypothesis import strategies as st

WRITERS = ("erp", "lms", "biometric")
_value = st.none() | st.integers(0, 2)
_object = st.dictionaries(st.sampled_from("xy"), _value)
_words = st.fixed_dictionaries(
    {}, optional={"phone": _value, "externalIds": st.none() | _object, "odd": _value | _object}
)
_histories = st.lists(st.tuples(st.sampled_from(WRITERS), _words), max_size=8)


@given(history=_histories)
def test_what_is_stored_is_what_its_holders_said_last_and_nothing_is_stored_that_nobody_holds(
    history: list[tuple[str, Mapping[str, Any]]],
) -> None:
    data: dict[str, Any] = {}
    held: Held = {}
    for writer, said in history:
        before = dict(data)
        data.update(settle_said(data, said, held, writer))
        for name, value in said.items():
            # A word of one's own always stands.
            for place in places_of({name: value}):
                assert place in held[writer]
                assert _at(data, place) == _at(said, place)
        assert set().union(*held.values()) == places_of(data)
        for other in WRITERS:
            if other != writer:
                lost = {place for place in held.get(other, set()) if _at(data, place) != _at(before, place)}
                assert not lost, "held by one whose word it is not"
    last: dict[str, dict[str, Any]] = {writer: {} for writer in WRITERS}
    for writer, said in history:
        last[writer].update(said)
    for writer, places in held.items():
        assert all(_at(data, place) == _at(last[writer], place) for place in places)


@given(history=_histories)
def test_none_never_takes_what_only_others_hold(history: list[tuple[str, Mapping[str, Any]]]) -> None:
    data: dict[str, Any] = {}
    held: Held = {}
    for writer, said in history:
        silent = {name: value for name, value in said.items() if not places_of({name: value})}
        others = {place for other, places in held.items() if other != writer for place in places}
        kept = {
            place: _at(data, place) for place in others if (place if isinstance(place, str) else place[0]) in silent
        }
        data.update(settle_said(data, said, held, writer))
        assert all(_at(data, place) == value for place, value in kept.items())


@given(places=st.sets(st.text(max_size=3) | st.tuples(st.text(max_size=3), st.text(max_size=3))))
def test_places_survive_being_written_down(places: set[Place]) -> None:
    assert of_names(to_names(places)) == places


def _at(data: Mapping[str, Any], place: Place) -> Any:
    if isinstance(place, str):
        value = data.get(place)
        return None if isinstance(value, dict) else value
    inner = data.get(place[0])
    return inner.get(place[1]) if isinstance(inner, dict) else None
