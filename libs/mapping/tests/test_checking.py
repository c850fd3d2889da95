"""What is wrong with an endpoint is told where it stands, before anything is fetched."""

from typing import Any

import pytest
from hub_mapping.checking import endpoint_issues, stream_issues
from hub_model.endpoints import Endpoint, Stream
from hub_model.records import DataType

BAD_TEST = [{"path": "a", "exists": True}, {"path": "b", "matches": "("}]


def pointers(document: dict[str, Any], data_type: DataType = DataType.ATTENDANCE) -> list[str]:
    endpoint = Endpoint.model_validate(document)
    return [issue.pointer for issue in endpoint_issues(endpoint, data_type, time_zone="Asia/Kolkata")]


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"when": BAD_TEST}, "/when/1/matches"),
        ({"responseFilters": [{"when": BAD_TEST, "action": "FAIL"}]}, "/responseFilters/0/when/1/matches"),
        ({"parent": {"stream": "courses", "when": BAD_TEST}}, "/parent/when/1/matches"),
        ({"parent": {"stream": "courses", "include": {"id": "/id"}}}, "/parent/include/id"),
        ({"explode": [{"path": "$.a"}]}, "/explode/0/path"),
        ({"explode": [{"path": "a"}, {"path": "b", "when": BAD_TEST}]}, "/explode/1/when/1/matches"),
        ({"joins": [{"stream": "users", "left": " ", "right": "id", "as": "user"}]}, "/joins/0/left"),
        (
            {"joins": [{"stream": "users", "left": "a", "right": "b", "as": "user", "fields": {"x": "/y"}}]},
            "/joins/0/fields/x",
        ),
        ({"fields": {"x": "$"}}, "/fields/x"),
        ({"fields": {"x": {"from": "a", "do": [["regex", "("]]}}}, "/fields/x/do/0"),
        ({"mapping": {"when": BAD_TEST}}, "/mapping/when/1/matches"),
        ({"mapping": {"rules": [{"to": "nonsense", "from": "a"}]}}, "/mapping/rules/0/to"),
        (
            {"deletes": {"path": "/d", "mapping": {"rules": [{"to": "nonsense", "from": "a"}]}}},
            "/deletes/mapping/rules/0/to",
        ),
        (
            {"deletes": {"path": "/d", "responseFilters": [{"when": BAD_TEST, "action": "IGNORE"}]}},
            "/deletes/responseFilters/0/when/1/matches",
        ),
    ],
)
def test_a_flaw_is_told_at_its_place(document: dict[str, Any], pointer: str) -> None:
    assert pointers({"path": "/a", **document}) == [pointer]


@pytest.mark.parametrize(
    "derive",
    [
        {"type": "punches", "person": "p", "punchedAt": "t", "datetimeFormat": "someday"},
        {"type": "punches", "person": "$.p", "punchedAt": "t"},
        {"type": "group", "by": ""},
        {"type": "group", "by": "a", "collect": {"b": "/b"}},
    ],
)
def test_what_cannot_be_derived_is_told(derive: dict[str, Any]) -> None:
    assert pointers({"source": "punches", "derive": derive}) == ["/derive"]


def test_the_mapping_of_deletes_needs_the_key_alone() -> None:
    rules = [{"to": "studentId", "from": "a"}, {"to": "date", "from": "b"}]
    mapping = {"rules": rules, "only": True}
    assert pointers({"path": "/a", "deletes": {"path": "/d", "mapping": mapping}}) == []
    assert pointers({"path": "/a", "mapping": mapping}) == ["/mapping/rules"]


def test_a_stream_is_looked_at_as_an_endpoint_is() -> None:
    stream = Stream.model_validate({"path": "/a", "when": BAD_TEST, "fields": {"x": "$"}})
    assert [issue.pointer for issue in stream_issues(stream)] == ["/when/1/matches", "/fields/x"]
    sound = {"path": "/a", "explode": [{"path": "a.*.b"}], "fields": {"x": "item.x"}}
    assert stream_issues(Stream.model_validate(sound)) == []
