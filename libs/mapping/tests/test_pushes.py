"""Pushes that bring no records: what each is for, whose event it is, and where its secret stands."""

from typing import Any

import pytest
from hub_mapping.pushes import CompiledPushes, compile_pushes, push_issues
from hub_model.errors import InvalidInput
from hub_model.records import DataType
from hub_model.webhooks import WebhookSettings
from hypothesis import given
from hypothesis import strategies as st

COLLECTED = frozenset([DataType.ATTENDANCE, DataType.MARKS, DataType.STUDENTS])
ATTENDANCE = {"when": [{"path": "doctype", "equals": "Student Attendance"}], "dataTypes": ["attendance"]}
BIG = 9007199254740993


def syncing(*rules: dict[str, Any], collected: frozenset[DataType] = COLLECTED) -> Any:
    wanted = compile_pushes(WebhookSettings.model_validate({"syncs": list(rules)}), collected).wanted
    assert wanted is not None
    return lambda body: None if (found := wanted(body)) is None else {str(data_type) for data_type in found}


def claiming(**claims: str) -> Any:
    return of_vendor(claims={name.replace("__", "."): value for name, value in claims.items()}).has_claims


def of_vendor(claims: dict[str, str]) -> CompiledPushes:
    jwt = {"jwksUrl": "https://keys.example.com/set", "claims": claims}
    return compile_pushes(WebhookSettings.model_validate({"scheme": "jwt", "jwt": jwt, "syncs": [{}]}), COLLECTED)


def with_token_at(path: str) -> WebhookSettings:
    placement = {"placement": "body", "name": path}
    return WebhookSettings.model_validate({"scheme": "token", "secretPlacement": placement, "syncs": [{}]})


def test_pushes_of_records_sync_nothing() -> None:
    assert compile_pushes(WebhookSettings(), COLLECTED).wanted is None


def test_without_conditions_every_push_syncs_all_there_is() -> None:
    wanted = syncing({})
    for body in ({}, [], None, "text", 1, {"doctype": "Fee"}):
        assert wanted(body) == {"attendance", "marks", "students"}


def test_a_rule_speaks_of_some_pushes_and_some_data_types() -> None:
    wanted = syncing(ATTENDANCE)
    assert wanted({"doctype": "Student Attendance"}) == {"attendance"}
    for body in ({"doctype": "Fee"}, {}, [], None, "Student Attendance", [{"doctype": "Student Attendance"}]):
        assert wanted(body) is None, "no rule speaks of it"


def test_all_rules_that_hold_count_together() -> None:
    other = {"when": [{"path": "event", "contains": "update"}], "dataTypes": ["marks", "students"]}
    wanted = syncing(ATTENDANCE, other)
    assert wanted({"doctype": "Student Attendance", "event": "on_update"}) == {"attendance", "marks", "students"}
    assert wanted({"doctype": "Fee", "event": "on_update"}) == {"marks", "students"}
    assert wanted({"doctype": "Student Attendance"}) == {"attendance"}
    assert syncing(ATTENDANCE, {})({"doctype": "Student Attendance"}) == {"attendance", "marks", "students"}


def test_all_conditions_of_a_rule_must_hold() -> None:
    rule = {"when": [{"path": "a", "equals": 1}, {"path": "b", "exists": True}], "dataTypes": ["marks"]}
    wanted = syncing(rule)
    assert wanted({"a": 1, "b": 0}) == {"marks"}
    assert wanted({"a": 1}) is None
    assert wanted({"b": 0}) is None


def test_data_that_is_not_collected_is_not_synced() -> None:
    wanted = syncing({**ATTENDANCE, "dataTypes": ["timetable", "marks"]}, collected=frozenset([DataType.MARKS]))
    assert wanted({"doctype": "Student Attendance"}) == {"marks"}
    none_of_them = syncing({**ATTENDANCE, "dataTypes": ["timetable"]})
    assert none_of_them({"doctype": "Student Attendance"}) == set(), "a rule speaks of it, and nothing is to be done"
    assert none_of_them({}) is None


def test_an_events_of_moodle_are_found_in_their_list() -> None:
    wanted = syncing({"when": [{"path": "*.eventname", "contains": "user_graded"}], "dataTypes": ["marks"]})
    assert wanted([{"eventname": "x"}, {"eventname": "\\core\\event\\user_graded"}]) == {"marks"}
    assert wanted([{"eventname": "x"}]) is None


@pytest.mark.parametrize(
    ("body", "is_ours"),
    [
        ({"account": "12"}, True),
        ({"account": 12}, True),
        ({"account": 12.0}, False),
        ({"account": "12 "}, False),
        ({"account": "012"}, False),
        ({"account": None}, False),
        ({"account": ["12"]}, False),
        ({"account": {"12": "12"}}, False),
        ({"account": ""}, False),
        ({}, False),
        ([], False),
        ("12", False),
        (None, False),
    ],
)
def test_a_claim_is_exactly_what_is_written(body: Any, is_ours: bool) -> None:
    assert claiming(account="12")(body) is is_ours


def test_true_is_no_word_and_no_number() -> None:
    for value in ("true", "True", "1"):
        assert not claiming(flag=value)({"flag": True})
    assert claiming(flag="true")({"flag": "true"})


def test_numbers_beyond_what_a_float_holds_stay_apart() -> None:
    assert claiming(id=str(BIG))({"id": BIG})
    assert not claiming(id=str(BIG))({"id": BIG - 1})


def test_all_claims_must_hold() -> None:
    ours = claiming(metadata__root="a-1", iss="canvas")
    assert ours({"metadata": {"root": "a-1"}, "iss": "canvas"})
    assert not ours({"metadata": {"root": "a-1"}})
    assert not ours({"metadata": {"root": "a-2"}, "iss": "canvas"})


def test_one_of_several_values_proves_nothing() -> None:
    ours = of_vendor({"accounts.*.id": "a-1"}).has_claims
    assert ours({"accounts": [{"id": "a-1"}]})
    for accounts in ([{"id": "a-1"}, {"id": "a-2"}], [{"id": "a-1"}, {"id": "a-1"}], [{"id": "a-1"}, {"id": None}], []):
        assert not ours({"accounts": accounts})


def test_a_name_with_dots_wins_over_steps() -> None:
    ours = claiming(metadata__root="a-1")
    assert ours({"metadata.root": "a-1"})
    # Whoever signs chooses all of the names: what stands beside does not make another's event ours.
    assert not ours({"metadata.root": "a-2", "metadata": {"root": "a-1"}})


def test_a_claim_that_can_be_read_in_two_ways_says_the_same_in_both() -> None:
    ours = of_vendor({"metadata.account": "a-1"}).has_claims
    assert ours({"metadata.account": "a-1"})
    assert ours({"metadata.account": "a-1", "metadata": {"account": "a-1"}})
    assert not ours({"metadata.account": "a-1", "metadata": {"account": "a-2"}})
    assert not ours({"metadata.account": "a-2", "metadata": {"account": "a-1"}})


def test_without_claims_no_event_is_anybodys() -> None:
    assert not compile_pushes(WebhookSettings(), COLLECTED).has_claims({})


def test_a_token_is_the_first_value_at_its_path() -> None:
    token_in = compile_pushes(with_token_at("auth.token"), COLLECTED).token_in
    assert token_in({"auth": {"token": "t"}}) == "t"
    for body in ({"auth": {}}, {"auth": "t"}, {"token": "t"}, [], None, "t", {"auth": {"token": None}}):
        assert token_in(body) is None
    assert token_in({"auth": {"token": ["t"]}}) == ["t"], "what is no text is the caller's to refuse"
    every = compile_pushes(with_token_at("*.token"), COLLECTED).token_in
    assert every([{"token": "guess"}, {"token": "t"}]) == "guess", "one try a push"


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ({"syncs": [{}, {"when": [{"path": "a", "equals": 1}, {"path": "$.a", "equals": 1}]}]}, "/syncs/1/when/1/path"),
        ({"syncs": [{"when": [{"path": "a", "matches": "("}]}]}, "/syncs/0/when/0/matches"),
        ({"scheme": "token", "secretPlacement": {"placement": "body", "name": "/token"}}, "/secretPlacement/name"),
        ({"scheme": "jwt", "jwt": {"jwksUrl": "https://x", "claims": {"$.a": "1"}}}, "/jwt/claims"),
    ],
)
def test_what_cannot_be_compiled_is_pointed_at_and_never_compiled(settings: dict[str, Any], pointer: str) -> None:
    webhook = WebhookSettings.model_validate({"syncs": [{}], **settings})
    assert [issue.pointer for issue in push_issues(webhook)] == [pointer]
    with pytest.raises(InvalidInput):
        compile_pushes(webhook, COLLECTED)


def test_what_can_be_compiled_has_no_issues() -> None:
    for webhook in (
        WebhookSettings(),
        with_token_at("auth.token"),
        WebhookSettings.model_validate({"syncs": [ATTENDANCE]}),
    ):
        assert push_issues(webhook) == []


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("ab0") | st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(ANY_JSON)
def test_no_json_raises_anything(body: Any) -> None:
    rules = [
        {"when": [{"path": path, **test}], "dataTypes": ["marks"]}
        for path in ("a", "a.b", "*", "a.*.b", "0")
        for test in ({"equals": 1}, {"contains": "x"}, {"matches": "^x"}, {"exists": False}, {"oneOf": ["x", None]})
    ]
    assert syncing(*rules)(body) in (None, {"marks"})
    for path in ("a", "a.b", "*", "a.*.b", "0"):
        assert of_vendor({path: "x"}).has_claims(body) in (True, False)
        compile_pushes(with_token_at(path), COLLECTED).token_in(body)
