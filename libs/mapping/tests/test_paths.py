"""Dotted paths."""

import pytest
from hub_mapping.paths import MAX_SEGMENTS, compile_path, compile_paths, compile_presence, compile_walk
from hub_model.errors import InvalidInput

RECORD = {
    "roll": "CS01",
    "zero": 0,
    "empty": "",
    "blank": " ",
    "null": None,
    "contact": {"email": "a@b.edu", "phones": ["1", "2"], "0": "zeroth"},
    "grades": [{"subject": {"code": "CS101"}}, None],
    "a.b": 1,
    "a": {"b": 2, "c.d": 3, "c": {"d": 4}},
    "x.y": {"z": 5},
    "x": {"y": {"z": 6, "w": 7}},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("roll", "CS01"),
        ("zero", 0),
        ("contact.email", "a@b.edu"),
        ("contact.phones.1", "2"),
        ("contact.0", "zeroth"),
        ("grades.0.subject.code", "CS101"),
        ("contact", RECORD["contact"]),
    ],
)
def test_a_path_steps_into_objects_and_lists(path: str, value: object) -> None:
    assert compile_path(path)(RECORD) == value


@pytest.mark.parametrize(
    "path",
    [
        "nowhere",
        "null",
        "null.more",
        "roll.more",
        "zero.0",
        "contact.phones.2",
        "contact.phones.-1",
        "contact.phones.1.x",
        "contact.phones.x",
        "contact.phones.٣",
        "contact.phones.²",
        "contact.phones." + "9" * 40,
        "grades.1.subject",
        "contact..email",
        ".",
    ],
)
def test_a_missing_step_is_none_never_an_exception(path: str) -> None:
    assert compile_path(path)(RECORD) is None


def test_a_literal_key_with_dots_wins_over_steps() -> None:
    assert compile_path("a.b")(RECORD) == 1
    assert compile_path("a.c.d")(RECORD) == 3
    assert compile_path("x.y.z")(RECORD) == 5


def test_the_longest_literal_key_is_final_even_where_it_leads_nowhere() -> None:
    assert compile_path("x.y.w")(RECORD) is None


def test_of_several_paths_the_first_that_is_not_missing_null_or_empty_wins() -> None:
    assert compile_paths(["nowhere", "null", "empty", "zero", "roll"])(RECORD) == 0
    assert compile_paths(["empty", "blank"])(RECORD) == " "
    assert compile_paths(["nowhere", "null"])(RECORD) is None


@pytest.mark.parametrize(
    "path",
    ["", "  ", "$", "$.data", "$[0]", "/data/0", "a" * 257, ".".join("a" * (MAX_SEGMENTS + 1))],
)
def test_a_path_nothing_could_match_is_refused_with_what_to_write(path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        compile_path(path)
    assert refused.value.code == "bad_path"


def test_a_path_of_the_greatest_length_is_compiled() -> None:
    deep: object = "leaf"
    for _ in range(MAX_SEGMENTS):
        deep = {"a": deep}
    assert compile_path(".".join("a" * MAX_SEGMENTS))(deep) == "leaf"


PEOPLE = {
    "roles": [{"short": "student", "n": [1, 2]}, {"short": None, "n": [3]}, {}, "x", {"short": ""}],
    "years": {"2025": {"grade": "10"}, "2026": {"grade": "11"}},
    "none": [],
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("roles.*.short", ["student", ""]),
        ("roles.*.n.*", [1, 2, 3]),
        ("roles.*.n.0", [1, 3]),
        ("years.*.grade", ["10", "11"]),
        ("none.*", None),
        ("roles.*.nowhere", None),
        ("nowhere.*.x", None),
        ("roles.0.short.*", None),
    ],
)
def test_a_star_gives_the_list_of_all_that_is_found(path: str, values: object) -> None:
    assert compile_path(path)(PEOPLE) == values


def test_a_lone_star_is_every_value_of_the_record() -> None:
    assert compile_path("*")({"a": 1, "b": None, "c": [2]}) == [1, [2]]


def test_a_walk_passes_everything_that_is_there_nulls_too() -> None:
    assert list(compile_walk("roles.*.short")(PEOPLE)) == ["student", None, ""]
    assert list(compile_walk("")("x")) == ["x"]
    assert list(compile_walk("a")("x")) == []


@pytest.mark.parametrize(
    ("path", "told"),
    [("roles.*.short", True), ("none.*", True), ("nowhere.*", False), ("null", True), ("*", True), ("a.b", False)],
)
def test_a_list_is_told_by_being_there(path: str, told: bool) -> None:
    assert compile_presence([path])({**PEOPLE, "null": None}) is told
