"""Vendors' webhooks in the presets: each is complete, and knows which pushes are about what."""

from typing import Any

import pytest
from hub_connectors.expanding import expand
from hub_connectors.loader import parse_preset, presets
from hub_mapping.pushes import compile_pushes, push_issues
from hub_model.errors import InvalidInput, Issue
from hub_model.integrations import IntegrationDraft
from hub_model.records import DataType
from hub_model.webhooks import WebhookScheme, WebhookSettings

ALL = frozenset(DataType)
WITH_WEBHOOKS = {
    "canvas": WebhookScheme.JWT,
    "frappe-education": WebhookScheme.HMAC,
    "hikvision": WebhookScheme.TOKEN,
    "moodle": WebhookScheme.TOKEN,
}


def draft_of(name: str, settings: dict[str, Any] | None = None, **own: Any) -> IntegrationDraft:
    """The draft of a college that answers what the preset needs and these."""
    preset = presets()[name]
    needed = {setting.name: setting.example for setting in preset.settings if setting.required}
    return IntegrationDraft.model_validate(
        expand(
            preset,
            {"name": "A", "baseUrl": preset.base_url_example, "settings": {**needed, **(settings or {})}, **own},
        )
    )


def answered(name: str) -> dict[str, Any]:
    preset = presets()[name]
    return {} if preset.webhook_needs is None else {preset.webhook_needs.name: preset.webhook_needs.example}


def webhook_of(name: str) -> WebhookSettings:
    webhook = draft_of(name, answered(name)).webhook
    assert webhook is not None
    return webhook


def synced_after(name: str, body: object) -> set[str] | None:
    wanted = compile_pushes(webhook_of(name), frozenset(presets()[name].capabilities)).wanted
    assert wanted is not None
    data_types = wanted(body)
    return None if data_types is None else set(data_types)


def refused(name: str, settings: dict[str, Any], **own: Any) -> list[Issue]:
    with pytest.raises(InvalidInput) as caught:
        draft_of(name, settings, **own)
    return caught.value.issues


def test_these_vendors_push() -> None:
    schemes = {name: preset.webhook_scheme for name, preset in presets().items() if preset.webhook is not None}
    assert schemes == WITH_WEBHOOKS


@pytest.mark.parametrize("name", WITH_WEBHOOKS)
def test_a_vendors_webhook_is_complete_and_its_rules_compile(name: str) -> None:
    webhook = webhook_of(name)
    assert webhook.scheme is WITH_WEBHOOKS[name]
    assert push_issues(webhook) == []
    assert {data_type for rule in webhook.syncs for data_type in rule.data_types} <= presets()[name].capabilities.keys()


@pytest.mark.parametrize("name", ["canvas", "hikvision"])
def test_without_the_answer_that_it_needs_there_is_no_webhook(name: str) -> None:
    assert draft_of(name).webhook is None
    [needed] = answered(name)
    assert draft_of(name, {needed: [] if name == "hikvision" else ""}).webhook is None


@pytest.mark.parametrize("name", ["canvas", "hikvision"])
def test_a_scheme_that_is_wanted_without_the_answer_that_it_needs_is_told_by_its_setting(name: str) -> None:
    [needed] = answered(name)
    [issue] = refused(name, {}, webhook={"scheme": WITH_WEBHOOKS[name]})
    assert (issue.pointer, issue.code) == (f"/settings/{needed}", "missing")
    assert draft_of(name, answered(name), webhook={"scheme": WITH_WEBHOOKS[name]}).webhook == webhook_of(name)


def test_an_answer_that_is_about_webhooks_alone_needs_the_other_one() -> None:
    [issue] = refused("canvas", {"keySetUrl": "https://canvas.college.edu/jwks"})
    assert issue.pointer == "/settings/rootAccountUuid"
    given = {setting.name: setting.default for setting in presets()["canvas"].settings if setting.default is not None}
    assert draft_of("canvas", given).webhook is None


def test_networks_that_are_none_are_told_by_their_setting() -> None:
    assert [issue.pointer for issue in refused("hikvision", {"deviceNetworks": ["10.20.0.0/24", "the lab"]})] == [
        "/settings/deviceNetworks"
    ]


def test_a_draft_with_another_scheme_brings_all_of_its_webhook() -> None:
    webhook = draft_of("frappe-education", webhook={"scheme": "standard"}).webhook
    assert webhook == WebhookSettings(scheme=WebhookScheme.STANDARD)
    assert draft_of("canvas", webhook={"scheme": "standard"}).webhook == webhook


def test_a_draft_with_the_same_scheme_or_none_is_laid_over_the_vendors() -> None:
    rules = [{"dataTypes": ["marks"]}]
    for own in ({"syncs": rules}, {"scheme": "hmac", "syncs": rules}):
        webhook = draft_of("frappe-education", webhook=own).webhook
        assert webhook is not None
        assert webhook.signature == webhook_of("frappe-education").signature
        assert [rule.data_types for rule in webhook.syncs] == [[DataType.MARKS]]


@pytest.mark.parametrize(
    ("own", "origin"),
    [
        ({}, "offered"),
        ({"webhook": None}, "offered"),
        ({"webhook": {"scheme": "hmac"}}, "taken"),
        ({"webhook": {"secret": "of-our-own-0123456789"}}, "taken"),
        ({"webhook": {"syncs": [{}]}}, None),
        ({"webhook": {"scheme": "legacy"}}, None),
    ],
)
def test_a_draft_says_whether_its_webhook_is_the_presets(own: dict[str, Any], origin: str | None) -> None:
    connector = draft_of("frappe-education", **own).connector
    assert connector is not None
    assert connector.webhook == origin


@pytest.mark.parametrize(
    ("doctype", "expected"),
    [
        ("Student", {"students"}),
        ("Program Enrollment", {"students"}),
        ("Instructor", {"faculty", "timetable"}),
        ("Course", {"subjects"}),
        ("Course Schedule", {"timetable", "attendance"}),
        ("Student Attendance", {"attendance"}),
        ("Assessment Result", {"marks"}),
        ("Assessment Plan", {"marks"}),
        ("Fees", None),
    ],
)
def test_frappe_names_the_document_type(doctype: str, expected: set[str] | None) -> None:
    assert synced_after("frappe-education", {"doctype": doctype, "name": "A-1"}) == expected


def test_a_push_of_frappe_without_a_document_type_may_be_about_anything() -> None:
    body = {"student": "101", "status": "Present", "date": "2026-07-20"}
    assert synced_after("frappe-education", body) == set(presets()["frappe-education"].capabilities)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("grade_change", {"marks"}),
        ("submission_created", {"marks"}),
        ("assignment_updated", {"marks"}),
        ("enrollment_created", {"students", "faculty"}),
        ("enrollment_state_updated", {"students", "faculty"}),
        ("user_account_association_created", {"students", "faculty"}),
        ("user_updated", {"students", "faculty"}),
        ("course_created", {"subjects"}),
        ("course_section_updated", {"subjects"}),
        ("course_progress", None),
        ("course_completed", None),
        ("asset_accessed", None),
        ("logged_in", None),
        ("assignment_group_updated", None),
    ],
)
def test_canvas_names_the_event(event: str, expected: set[str] | None) -> None:
    assert synced_after("canvas", {"metadata": {"event_name": event}, "body": {}}) == expected


def test_only_events_of_the_answered_account_are_canvas_own() -> None:
    pushes = compile_pushes(webhook_of("canvas"), ALL)
    [uuid] = answered("canvas").values()
    assert pushes.has_claims({"metadata": {"root_account_uuid": uuid}})
    assert not pushes.has_claims({"metadata": {"root_account_uuid": "another"}})


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (r"\core\event\user_graded", {"marks"}),
        (r"\core\event\grade_item_updated", {"marks"}),
        (r"\core\event\grade_deleted", {"marks"}),
        (r"\mod_attendance\event\attendance_taken", {"attendance"}),
        (r"\mod_attendance\event\attendance_taken_by_student", {"attendance"}),
        (r"\mod_attendance\event\status_updated", {"attendance"}),
        (r"\mod_attendance\event\session_added", {"timetable", "attendance"}),
        (r"\mod_attendance\event\session_duration_updated", {"timetable", "attendance"}),
        (r"\mod_attendance\event\sessions_imported", {"timetable", "attendance"}),
        (r"\core\event\user_enrolment_created", {"students", "faculty"}),
        (r"\core\event\role_assigned", {"students", "faculty"}),
        (r"\core\event\role_unassigned", {"students", "faculty"}),
        (r"\core\event\user_updated", {"students", "faculty"}),
        (r"\core\event\course_restored", {"subjects"}),
        (r"\core\event\calendar_event_deleted", {"timetable"}),
        (r"\core\event\course_viewed", None),
        (r"\core\event\course_module_viewed", None),
        (r"\core\event\user_list_viewed", None),
        (r"\core\event\user_loggedin", None),
        (r"\core\event\user_profile_viewed", None),
        (r"\mod_attendance\event\report_viewed", None),
        (r"\mod_attendance\event\session_report_viewed", None),
        (r"\mod_attendance\event\student_attendance_sessions_viewed", None),
        (r"\gradereport_user\event\grade_report_viewed", None),
    ],
)
def test_moodle_names_the_event_and_who_only_looks_causes_no_sync(event: str, expected: set[str] | None) -> None:
    assert synced_after("moodle", {"eventname": event, "token": "t", "host": "lms.college.edu"}) == expected


def test_a_terminal_tells_of_punches_and_that_it_is_alive() -> None:
    assert synced_after("hikvision", {"eventType": "AccessControllerEvent"}) == {"attendance"}
    assert synced_after("hikvision", {"eventType": "heartBeat"}) is None
    assert synced_after("hikvision", None) == {"attendance"}


def test_a_preset_whose_webhook_names_no_scheme_is_an_error() -> None:
    text = """
name: a
title: A
vendor: A
category: generic
summary: A
documentation: A
base_url_example: https://a.example
webhooks: A
capabilities: {students: {support: "yes"}}
draft: {webhook: {scheme: hmacc}, endpoints: {students: {path: /a}}}
"""
    with pytest.raises(ValueError, match="names none of the schemes"):
        parse_preset(text, name="a")
