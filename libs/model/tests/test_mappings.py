"""Mappings as they are written: the short form, rules, and what is read back from the store."""

from typing import Any

import pytest
from hub_model.mappings import Candidate, Mapping, Rule
from pydantic import ValidationError


def test_the_short_form_is_field_and_path() -> None:
    mapping = Mapping.model_validate({"studentId": "roll", "name": "profile.full_name"})
    assert [(rule.to, rule.from_) for rule in mapping.rules] == [("studentId", "roll"), ("name", "profile.full_name")]


def test_the_mappings_own_paths_may_stand_in_the_short_form() -> None:
    mapping = Mapping.model_validate(
        {"studentId": "roll", "sourceId": "id", "deleted": "gone", "updatedAt": "mtime", "timeZone": "UTC"}
    )
    assert [rule.to for rule in mapping.rules] == ["studentId"]
    assert (mapping.source_id, mapping.deleted, mapping.time_zone) == ("id", "gone", "UTC")
    assert mapping.updated_at is not None
    assert mapping.updated_at.from_ == "mtime"


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"studentId": "roll", "sourceId": "id"},
        {"sourceId": "id"},
        {"rules": [{"to": "name", "from": ["a", "b"], "do": ["trim", ["map", {"P": "present"}]], "default": 0}]},
        {"rules": [{"to": "status", "const": None}, {"to": "status", "const": 0}], "only": True, "key": ["a"]},
        {"updatedAt": {"to": "updatedAt", "from": "m", "do": [["datetime", "%d/%m/%Y"]]}},
    ],
    ids=repr,
)
def test_a_mapping_is_read_back_from_what_is_stored(written: dict[str, Any]) -> None:
    mapping = Mapping.model_validate(written)
    stored = mapping.model_dump(mode="json", by_alias=True)
    again = Mapping.model_validate(stored)
    assert again.model_dump(mode="json", by_alias=True) == stored


@pytest.mark.parametrize(
    "written",
    [
        {"to": "name"},
        {"to": "name", "from": "a", "const": 1},
        {"from": "a"},
        {"to": "", "from": "a"},
        {"to": "a.b.c", "from": "a"},
        {"to": "$where", "from": "a"},
        {"to": "name", "from": "a", "form": "b"},
    ],
    ids=repr,
)
def test_a_rule_that_is_none_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate(written)


def test_a_constant_null_is_a_constant() -> None:
    rule = Rule.model_validate({"to": "name", "const": None})
    assert rule.from_ is None


def test_a_candidate_is_read_back_as_it_was_stored() -> None:
    document = {
        "to": "result",
        "from": ["state", {"const": "exempt", "when": [{"path": "excused", "equals": True}]}, {"from": ["a", "b"]}],
    }
    rule = Rule.model_validate(document)
    assert Rule.model_validate(rule.model_dump(mode="json", by_alias=True)) == rule


@pytest.mark.parametrize("candidate", [{}, {"do": ["trim"]}, {"from": "a", "const": 1}, {"from": "a", "default": 1}])
def test_a_candidate_has_exactly_one_origin_and_nothing_of_a_rule(candidate: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Candidate.model_validate(candidate)
