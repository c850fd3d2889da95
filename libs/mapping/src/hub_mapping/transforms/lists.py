"""Transforms of lists and objects: first, last, values, filter, pluck, find, ref_id."""

from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

from hub_model.conditions import Condition
from hub_model.errors import InvalidInput
from pydantic import JsonValue, TypeAdapter, ValidationError

from hub_mapping.conditions import compile_conditions
from hub_mapping.flaws import unexpected
from hub_mapping.paths import compile_path
from hub_mapping.texts import key_text
from hub_mapping.transforms.step import Arguments, Example, Step, Transform, bad_arguments, plain, texts

_MAX_CONDITIONS = 20
_CONDITIONS = TypeAdapter(list[Condition])
# In this order; the last is an address whose last part is the id.
_REFERENCE = ("sourcedId", "id", "href")


def _first(value: object) -> object:
    if type(value) is not list:
        return value
    return next((entry for entry in value if entry is not None and entry != ""), None)


def _last(value: object) -> object:
    return _first(value[::-1]) if type(value) is list else value


def _values(value: object) -> object:
    if type(value) is dict:
        return list(value.values())
    if type(value) is list:
        return value
    raise unexpected("an object or a list", value)


def _filter(arguments: Arguments, _zone: ZoneInfo) -> Step:
    holds = compile_conditions(_conditions(arguments))

    def step(value: object, _record: Mapping[str, object]) -> object:
        if type(value) is not list:
            raise unexpected('a list (of an object take "values" first)', value)
        return [entry for entry in value if holds(entry)] or None

    return step


def _conditions(arguments: Arguments) -> list[Condition]:
    given = arguments[0] if len(arguments) == 1 else None
    if not isinstance(given, dict | list) or not 1 <= len(given) <= _MAX_CONDITIONS:
        raise bad_arguments(f"it takes a condition, or a list of up to {_MAX_CONDITIONS}")
    try:
        conditions = _CONDITIONS.validate_python(given if isinstance(given, list) else [given])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise bad_arguments(f"a condition is wrong at {'.'.join(map(str, first['loc'][1:]))}: {first['msg']}") from None
    try:
        compile_conditions(conditions)
    except InvalidInput as error:
        raise bad_arguments(str(error.issues[0].message if error.issues else error)) from None
    return conditions


def _pluck(arguments: Arguments, _zone: ZoneInfo) -> Step:
    (path,) = texts(arguments, least=1, most=1)
    at = _within(path)

    def step(value: object, _record: Mapping[str, object]) -> object:
        if type(value) is list:
            return [found for found in map(at, value) if found is not None] or None
        if type(value) is dict:
            return at(value)
        raise unexpected("a list of objects, or an object", value)

    return step


def _find(arguments: Arguments, _zone: ZoneInfo) -> Step:
    path, key, *rest = texts(arguments, least=2, most=3)
    pick, key_of = compile_path(path), _within(key)
    result: Callable[[object], object] = _within(rest[0]) if rest else lambda entry: entry

    def step(value: object, record: Mapping[str, object]) -> object:
        wanted = key_text(value)
        among = pick(record)
        if wanted is None or among is None:
            return None
        entries = among.values() if type(among) is dict else among if type(among) is list else [among]
        return next((result(entry) for entry in entries if key_text(key_of(entry)) == wanted), None)

    return step


def _within(path: str) -> Callable[[object], object]:
    """The value at a path within an entry that may be anything."""
    pick = compile_path(path)
    return lambda entry: pick(entry) if isinstance(entry, dict) else None


def _ref_id(value: object) -> str | None:
    if type(value) is dict:
        name = next((name for name in _REFERENCE if key_text(value.get(name))), "")
        found = key_text(value.get(name))
        return found.rstrip("/").rpartition("/")[2] or None if name == "href" and found else found
    if isinstance(value, str | int | float):
        return key_text(value)
    raise unexpected("a reference with sourcedId, id or href", value)


_STATUSES: JsonValue = [{"id": 31, "acronym": "P"}, {"id": 32, "acronym": "A"}]

LIST_TRANSFORMS = (
    Transform(
        "first", "The first entry of a list that is there; what is no list stays as it is.", '"first"', plain(_first),
        Example("first", [None, "a", "b"], "a"),
    ),
    Transform(
        "last", "The last entry of a list that is there; what is no list stays as it is.", '"last"', plain(_last),
        Example("last", ["a", "b", None], "b"),
    ),
    Transform(
        "values", "The values of an object as a list.", '"values"', plain(_values),
        Example("values", {"1": {"grade": "10"}, "2": {"grade": "11"}}, [{"grade": "10"}, {"grade": "11"}]),
    ),
    Transform(
        "filter", "The entries of a list for which the conditions hold.",
        '["filter", {"path": "type", "equals": "primary"}] or ["filter", [{...}, {...}]]', _filter,
        Example(["filter", {"path": "n", "equals": "id"}], [{"n": "a"}, {"n": "id", "v": 5}], [{"n": "id", "v": 5}]),
    ),
    Transform(
        "pluck", "The value at a path in each entry of a list, or in an object.", '["pluck", "org.sourcedId"]', _pluck,
        Example(["pluck", "v"], [{"v": 5}, {}, {"v": 6}], [5, 6]),
    ),
    Transform(
        "find", "Of the list at a path, the entry in which the value stands at the second path, or what stands there "
        "at the third.",
        '["find", "statuses", "id", "acronym"]', _find,
        Example(["find", "statuses", "id", "acronym"], "31", "P", {"statuses": _STATUSES}),
    ),
    Transform(
        "ref_id", "The id of a reference: its sourcedId, its id, or the end of its href; a plain id as it is.",
        '"ref_id"', plain(_ref_id),
        Example("ref_id", {"href": "https://x.edu/users/u-57", "sourcedId": "u-57", "type": "user"}, "u-57"),
    ),
)  # fmt: skip
