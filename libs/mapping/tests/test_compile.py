"""What is wrong with a mapping is said before the first record, all of it, and where."""

import pytest
from hub_mapping import compile_mapping
from hub_model.errors import InvalidInput
from hub_model.mappings import Mapping
from hub_model.records import DataType


def problems(document: dict[str, object], data_type: DataType = DataType.ATTENDANCE) -> dict[str, tuple[str, str]]:
    """Pointer -> (code, message) of everything that is wrong."""
    with pytest.raises(InvalidInput) as refused:
        compile_mapping(Mapping.model_validate(document), data_type, time_zone="Asia/Kolkata")
    assert refused.value.code == "invalid_mapping"
    assert refused.value.issues[0].message in str(refused.value)
    return {issue.pointer: (issue.code, issue.message) for issue in refused.value.issues}


def rule_problem(rule: dict[str, object], data_type: DataType = DataType.ATTENDANCE) -> tuple[str, str, str]:
    """Pointer, code and message of the one thing that is wrong with this rule."""
    ((pointer, (code, message)),) = problems({"rules": [rule]}, data_type).items()
    return pointer, code, message


def test_an_unknown_field_names_the_closest_and_all_that_are_allowed() -> None:
    pointer, code, message = rule_problem({"to": "atendance", "from": "x"})
    assert (pointer, code) == ("/rules/0/to", "unknown_field")
    assert "Did you mean attendance?" in message
    assert "studentId" in message


def test_an_unknown_transform_lists_those_there_are() -> None:
    pointer, code, message = rule_problem({"to": "name", "from": "x", "do": ["trim", "tirm"]})
    assert (pointer, code) == ("/rules/0/do/1", "unknown_transform")
    assert "trim" in message


def test_every_problem_is_reported_at_once() -> None:
    found = problems(
        {
            "rules": [
                {"to": "nme", "from": "x"},
                {"to": "date", "from": "", "do": [["date", "%Q"], ["map"], 5 and "nope"], "default": "tomorrow"},
                {"to": "attendance", "const": "here"},
            ],
            "key": ["studentId"],
            "timeZone": "Mars/Base",
            "deleted": "$.gone",
            "updatedAt": {"to": "x", "from": "m", "do": ["dattime"]},
        }
    )
    assert set(found) == {
        "/timeZone", "/key", "/rules/0/to", "/rules/1/from", "/rules/1/do/0", "/rules/1/do/1", "/rules/1/do/2",
        "/rules/1/default", "/rules/2/const", "/deleted", "/updatedAt/do/0",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "pointer", "code"),
    [
        ({"to": "name", "from": []}, "/rules/0/from", "bad_path"),
        ({"to": "name", "from": ["a", " "]}, "/rules/0/from", "bad_path"),
        ({"to": "name", "from": ["a"] * 21}, "/rules/0/from", "bad_path"),
        ({"to": "name", "const": "x", "do": ["trim"]}, "/rules/0/do", "const_with_do"),
        ({"to": "studentId", "const": None}, "/rules/0/const", "missing"),
        ({"to": "name", "const": None, "required": True}, "/rules/0/const", "missing"),
        ({"to": "date", "const": "15/01/2024"}, "/rules/0/const", "not_a_date"),
        ({"to": "attendance", "from": "s", "default": "P?"}, "/rules/0/default", "not_allowed"),
        ({"to": "attendance", "from": "s", "do": [["map", {"P": "here"}]]}, "/rules/0/do/0", "not_allowed"),
        (
            {"to": "attendance", "from": "s", "do": ["trim", ["map", {"P": "present"}, "?"]]},
            "/rules/0/do/1",
            "not_allowed",
        ),
        ({"to": "attendance", "from": "s", "do": [["map", {}]]}, "/rules/0/do/0", "bad_arguments"),
        ({"to": "name", "from": "s", "do": [[]]}, "/rules/0/do/0", "unknown_transform"),
        ({"to": "name", "from": "s", "do": [[5]]}, "/rules/0/do/0", "unknown_transform"),
        ({"to": "name.first", "from": "s"}, "/rules/0/to", "unknown_field"),
        ({"to": "extensions.x", "const": {"$a": 1}}, "/rules/0/const", "bad_name"),
        ({"to": "extensions", "const": "text"}, "/rules/0/const", "wrong_type"),
    ],
)
def test_a_wrong_rule_is_refused_where_it_is_wrong(rule: dict[str, object], pointer: str, code: str) -> None:
    assert rule_problem(rule)[:2] == (pointer, code)


def test_wrong_arguments_say_how_to_write_them() -> None:
    _pointer, code, message = rule_problem({"to": "date", "from": "d", "do": [["date", "dd/mm/yyyy"]]})
    assert code == "bad_format"
    assert "%d/%m/%Y" in message


def test_words_that_are_not_allowed_come_with_those_that_are() -> None:
    _pointer, _code, message = rule_problem({"to": "attendance", "from": "s", "do": [["map", {"P": "here"}]]})
    assert "present, absent, late" in message


def test_a_field_has_one_rule() -> None:
    found = problems({"rules": [{"to": "name", "from": "a"}, {"to": "name", "from": "b"}]})
    assert found.keys() == {"/rules/1/to"}


def test_source_id_and_updated_at_are_given_once() -> None:
    found = problems(
        {
            "rules": [{"to": "sourceId", "from": "a"}, {"to": "sourceUpdatedAt", "from": "b"}],
            "sourceId": "id",
            "updatedAt": {"to": "x", "from": "c"},
        }
    )
    assert found.keys() == {"/sourceId", "/updatedAt"}


@pytest.mark.parametrize(
    ("key", "pointer"),
    [([], "/key"), (["a", "a"], "/key"), (["a.b"], "/key/0"), (["ok", "$x"], "/key/1"), (["sourceId"], "/key/0")],
)
def test_a_custom_record_needs_a_key(key: list[str], pointer: str) -> None:
    assert problems({"key": key}, DataType.CUSTOM).keys() == {pointer}


def test_only_needs_a_rule_for_every_required_field() -> None:
    found = problems({"rules": [{"to": "studentId", "from": "id"}], "only": True})
    assert "date" in found["/rules"][1] or "attendance" in found["/rules"][1]
    names = {"rules": [{"to": "studentId", "from": "id"}, {"to": "firstName", "from": "f"}], "only": True}
    compile_mapping(Mapping.model_validate(names), DataType.STUDENTS, time_zone="Asia/Kolkata")


def test_a_zone_of_the_mapping_wins_and_a_wrong_one_of_the_integration_is_told() -> None:
    compile_mapping(Mapping.model_validate({"timeZone": "UTC"}), DataType.MARKS, time_zone="Mars/Base")
    with pytest.raises(InvalidInput) as refused:
        compile_mapping(Mapping(), DataType.MARKS, time_zone="Mars/Base")
    assert refused.value.issues[0].pointer == "/timeZone"


@pytest.mark.parametrize("data_type", [data_type for data_type in DataType if data_type is not DataType.CUSTOM])
def test_no_mapping_at_all_compiles_for_every_canonical_type(data_type: DataType) -> None:
    compile_mapping(Mapping(), data_type, time_zone="Asia/Kolkata")
