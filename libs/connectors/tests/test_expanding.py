"""Answers fill a preset's places; what is missing or wrong is told by pointer; the college's own words win."""

from typing import Any

import pytest
from hub_connectors.expanding import expand
from hub_connectors.spec import Preset
from hub_model.errors import InvalidInput

PRESET = Preset.model_validate(
    {
        "name": "lms",
        "title": "An LMS",
        "vendor": "A",
        "category": "lms",
        "summary": "A",
        "documentation": "A",
        "base_url_example": "https://lms.example",
        "webhooks": "None.",
        "capabilities": {"students": {"support": "yes"}, "marks": {"support": "yes"}},
        "settings": [
            {
                "name": "roles",
                "label": "Roles",
                "help": "Which roles.",
                "kind": "list",
                "default": ["student"],
                "example": ["student"],
            },
            {"name": "school", "label": "School", "help": "Its id.", "required": True, "example": "7"},
            {
                "name": "posted",
                "label": "Posted",
                "help": "Only posted marks.",
                "kind": "boolean",
                "default": False,
                "example": True,
            },
            {
                "name": "key",
                "label": "Key",
                "help": "The API key.",
                "secret": True,
                "example": "k-1",
                "fills": "apiKey",
            },
            {"name": "client", "label": "Client", "help": "Client id.", "example": "c", "fills": "oauth.clientId"},
            {
                "name": "second",
                "label": "Second key",
                "help": "The other key.",
                "secret": True,
                "example": "k-2",
                "fills": "extraKeys.api_secret",
                "fillsAs": "{}:true",
            },
            {
                "name": "tokenUrl",
                "label": "Token URL",
                "help": "Where tokens are.",
                "example": "https://lms.example/token",
                "default": "{{ baseUrl }}/token",
                "fills": "oauth.tokenUrl",
            },
            {"name": "since", "label": "Since", "help": "A date.", "example": "2026-06-01"},
        ],
        "draft": {
            "authType": "api-key",
            "headers": {"X-A": "1"},
            "extraKeys": [{"name": "other"}, {"name": "api_secret"}],
            "endpoints": {
                "students": {
                    "path": "/schools/{{ settings.school }}/users",
                    "when": [{"path": "role", "oneOf": "{{ settings.roles }}"}],
                },
                "marks": {
                    "path": "/m/{{ parent.id }}",
                    "incremental": {"type": "datetime", "startDatetime": "{{ settings.since }}T00:00:00Z"},
                    "body": " <q from='{{ settings.since }}' to='{{ window.end }}'/>",
                    "when": [
                        {"$if": "settings.posted", "path": "posted", "exists": True},
                        {"path": "x", "exists": True},
                    ],
                },
            },
        },
    }
)


def expanded(settings: dict[str, Any] | None = None, **own: Any) -> dict[str, Any]:
    return expand(
        PRESET, {"name": "N", "baseUrl": "https://l.example", "settings": {"school": "7", **(settings or {})}, **own}
    )


def refusal(**draft: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        expand(PRESET, {"settings": {"school": "7"}, **draft})
    return {issue.pointer: issue.code for issue in caught.value.issues}


def test_a_whole_place_keeps_the_answers_kind_and_one_in_a_text_becomes_text() -> None:
    students = expanded({"roles": ["learner", "auditor"]})["endpoints"]["students"]
    assert students == {"path": "/schools/7/users", "when": [{"path": "role", "oneOf": ["learner", "auditor"]}]}


def test_places_of_parents_and_windows_are_left_alone() -> None:
    assert expanded()["endpoints"]["marks"]["path"] == "/m/{{ parent.id }}"


def test_a_conditional_part_is_there_only_where_its_setting_says_so() -> None:
    assert len(expanded()["endpoints"]["marks"]["when"]) == 1
    assert expanded({"posted": True})["endpoints"]["marks"]["when"][0] == {"path": "posted", "exists": True}


def test_credentials_fill_the_drafts_own_fields_and_are_not_kept_among_the_settings() -> None:
    draft = expanded({"key": "k-9", "client": "c-9"})
    assert (draft["apiKey"], draft["oauth"]["clientId"]) == ("k-9", "c-9")
    kept = draft["connector"]["settings"]
    assert (kept["client"], "key" in kept, "second" in kept) == ("c-9", False, False)


def test_an_answer_goes_into_the_entry_of_a_list_that_has_its_name_and_in_the_form_that_is_wanted_there() -> None:
    assert expanded({"second": "s"})["extraKeys"] == [{"name": "other"}, {"name": "api_secret", "value": "s:true"}]
    assert expanded()["extraKeys"] == [{"name": "other"}, {"name": "api_secret"}]


def test_a_default_may_begin_with_the_base_url() -> None:
    assert expanded(baseUrl="https://l.example/")["oauth"]["tokenUrl"] == "https://l.example/token"
    assert expanded({"tokenUrl": "https://id.example/t"})["oauth"]["tokenUrl"] == "https://id.example/t"


def test_a_text_is_left_out_where_an_answer_within_it_is_missing() -> None:
    assert expanded()["endpoints"]["marks"]["incremental"] == {"type": "datetime"}
    marks = expanded({"since": "2026-06-01"})["endpoints"]["marks"]
    assert marks["incremental"]["startDatetime"] == "2026-06-01T00:00:00Z"


def test_an_answer_within_xml_stays_within_its_place() -> None:
    marks = expanded({"since": "'/><x a='&"})["endpoints"]["marks"]
    assert marks["body"] == " <q from='&apos;/&gt;&lt;x a=&apos;&amp;' to='{{ window.end }}'/>"


def test_what_the_draft_says_itself_wins() -> None:
    draft = expanded(headers={"X-A": "2", "X-B": "3"}, syncInterval=15, apiKey="own")
    assert (draft["headers"], draft["syncInterval"], draft["apiKey"]) == ({"X-A": "2", "X-B": "3"}, 15, "own")


def test_a_draft_that_authenticates_in_another_way_is_not_asked_for_the_presets_credentials() -> None:
    login = {"authType": "oauth1", "oauth1": {"consumerKey": "k", "consumerSecret": "s"}}
    draft = expanded({}, **login)
    assert (draft["authType"], draft["oauth1"]) == ("oauth1", login["oauth1"])
    assert "oauth" not in draft
    assert draft["headers"] == {"X-A": "1"}
    assert "client" not in draft["connector"]["settings"]
    assert expanded({"key": "k-9"}, authType="api-key")["apiKey"] == "k-9"


def test_endpoints_choose_data_types_and_may_replace_one() -> None:
    draft = expanded(endpoints={"students": True, "attendance": "/own"})
    assert draft["endpoints"]["students"]["path"] == "/schools/7/users"
    assert draft["endpoints"]["attendance"] == "/own"
    assert "marks" not in draft["endpoints"]
    assert refusal(endpoints={"faculty": True}) == {"/endpoints/faculty": "not_offered"}


def test_every_wrong_answer_is_told_with_its_pointer() -> None:
    assert refusal(settings={"roles": "student", "posted": 1, "colour": "red"}) == {
        "/settings/roles": "wrong_kind",
        "/settings/posted": "wrong_kind",
        "/settings/school": "missing",
        "/settings/colour": "unknown_setting",
    }
    assert refusal(settings=[]) == {"/settings": "not_an_object"}
