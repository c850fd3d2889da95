"""Conditions on decoded JSON."""

import pytest
from hub_mapping import compile_conditions
from hub_model.conditions import Condition
from hub_model.errors import InvalidInput
from hypothesis import given, settings
from hypothesis import strategies as st

RECORD = {
    "status": " Active ",
    "count": 1,
    "big": 10**400,
    "ratio": 1e300,
    "flag": True,
    "empty": "",
    "blank": " ",
    "null": None,
    "list": [],
    "tags": ["a", "B"],
    "roles": [{"id": 5, "shortname": "student"}, {"id": 3, "shortname": "EditingTeacher"}, {}],
    "by_year": {"2025": {"drop": ""}, "2026": {"drop": None}},
    "point": {"x": 1},
    "broken": "\ud800 x",
}


def holds(*conditions: dict[str, object], value: object = RECORD) -> bool:
    return compile_conditions([Condition.model_validate(condition) for condition in conditions])(value)


@pytest.mark.parametrize(
    "condition",
    [
        {"path": "status", "equals": "active"},
        {"path": "count", "equals": "1"},
        {"path": "count", "equals": 1.0},
        {"path": "flag", "equals": "TRUE"},
        {"path": "flag", "equals": True},
        {"path": "point", "equals": {"x": 1}},
        {"path": "tags", "equals": ["a", "B"]},
        {"path": "null", "equals": None},
        {"path": "nowhere.deep", "equals": None},
        {"path": "empty", "equals": ""},
        {"path": "by_year.*.drop", "equals": None},
        {"path": "roles.*.shortname", "equals": "student"},
        {"path": "roles.*.id", "equals": "3"},
        {"path": "tags.*", "equals": "b"},
        {"path": "tags.1", "equals": "b"},
        {"path": "status", "oneOf": ["closed", "ACTIVE"]},
        {"path": "null", "oneOf": ["closed", None]},
        {"path": "roles.*.shortname", "oneOf": ["teacher", "editingteacher"]},
        {"path": "status", "exists": True},
        {"path": "list", "exists": True},
        {"path": "empty", "exists": False},
        {"path": "roles.*.missing", "exists": False},
        {"path": "status", "contains": "CTIV"},
        {"path": "count", "contains": "1"},
        {"path": "roles.*.shortname", "contains": "teacher"},
        {"path": "status", "matches": "^ Act"},
        {"path": "roles.*.shortname", "matches": "(?i)^editing"},
        {"path": "broken", "matches": "x$"},
        {"path": "status", "equals": "closed", "not": True},
        {"path": "nowhere", "exists": True, "not": True},
        {"path": "roles.*.shortname", "equals": "observer", "not": True},
    ],
)
def test_a_condition_holds(condition: dict[str, object]) -> None:
    assert holds(condition)
    assert not holds({**condition, "not": not condition.get("not", False)})


@pytest.mark.parametrize(
    "condition",
    [
        {"path": "flag", "equals": 1},
        {"path": "count", "equals": True},
        {"path": "count", "equals": "01"},
        {"path": "tags", "equals": "a"},
        {"path": "status", "equals": None},
        {"path": "blank", "equals": None},
        {"path": "ratio", "equals": "1e300"},
        {"path": "big", "equals": "1"},
        {"path": "nowhere", "equals": "none"},
        {"path": "nowhere", "oneOf": ["a"]},
        {"path": "null", "exists": True},
        {"path": "list.*", "exists": True},
        {"path": "point", "contains": "x"},
        {"path": "status", "matches": "act"},
        {"path": "point", "matches": "."},
    ],
)
def test_a_condition_does_not_hold(condition: dict[str, object]) -> None:
    assert not holds(condition)


def test_all_conditions_must_hold_and_none_always_do() -> None:
    active, closed = {"path": "status", "equals": "active"}, {"path": "status", "equals": "closed"}
    assert holds(active, {"path": "count", "equals": 1})
    assert not holds(active, closed)
    assert holds()


def test_the_empty_path_is_the_value_itself() -> None:
    assert holds({"path": "", "equals": "a"}, value=" A ")
    assert holds({"path": "*", "equals": "a"}, value=["b", "a"])
    assert not holds({"path": "x", "exists": True}, value="x")


def test_a_stored_condition_that_names_every_field_is_the_same_condition() -> None:
    stored = Condition(path="count", exists=True).model_dump(by_alias=True)
    assert holds(stored)


@pytest.mark.parametrize(
    ("condition", "pointer", "code"),
    [
        ({"path": "a", "matches": "(a"}, "/1/matches", "bad_pattern"),
        ({"path": "a", "matches": "(?=a)"}, "/1/matches", "bad_pattern"),
        ({"path": "a", "matches": "((a{1,99}){1,99}){1,99}"}, "/1/matches", "bad_pattern"),
        ({"path": "$.a", "exists": True}, "/1/path", "bad_path"),
        ({"path": "a." * 20, "exists": True}, "/1/path", "bad_path"),
    ],
)
def test_what_cannot_be_compiled_is_told_at_its_place(condition: dict[str, object], pointer: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        holds({"path": "b", "exists": True}, condition)
    assert [(issue.pointer, issue.code) for issue in refused.value.issues] == [(pointer, code)]


def test_an_expression_takes_time_in_proportion_to_the_text() -> None:
    # An engine that tries one way after the other would be at this for longer than the world will last.
    tries = compile_conditions([Condition(path="", matches="(x+x+)+y")])
    assert not tries("x" * 1_000_000)
    assert tries("x" * 1_000_000 + "y")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "*"]), inner),
    max_leaves=8,
)
conditions = st.builds(
    lambda path, test, turned: Condition.model_validate({"path": path, **test, "not": turned}),
    st.sampled_from(["", "a", "a.b", "a.*", "*.b", "*.*", "a.0"]),
    st.builds(lambda value: {"equals": value}, st.none() | st.booleans() | st.integers() | st.text())
    | st.builds(lambda values: {"oneOf": values}, st.lists(st.none() | st.integers() | st.text(), min_size=1))
    | st.sampled_from([{"exists": True}, {"exists": False}, {"contains": "a"}, {"matches": "^a|b$"}]),
    st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(conditions, json_values)
def test_a_condition_never_raises_and_not_is_its_opposite(condition: Condition, value: object) -> None:
    opposite = condition.model_copy(update={"not_": not condition.not_})
    assert compile_conditions([condition])(value) is not compile_conditions([opposite])(value)
    assert not compile_conditions([condition, opposite])(value)
