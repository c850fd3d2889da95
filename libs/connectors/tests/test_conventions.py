"""A draft with Moodle's paths works as it is written; what it says itself is left alone."""

from typing import Any

import pytest
from hub_connectors.drafting import complete
from hub_mapping import compile_mapping
from hub_model.integrations import IntegrationDraft

LMS: dict[str, Any] = {
    "name": "Moodle LMS",
    "type": "lms",
    "baseUrl": "https://lms.college.edu/webservice/rest",
    "authType": "api-key",
    "apiKey": "moodle-token",
    "endpoints": {
        "students": "/server.php?wsfunction=core_user_get_users",
        "subjects": "/server.php?wsfunction=core_course_get_courses",
        "marks": "/server.php?wsfunction=core_grades_get_grades",
    },
    "syncInterval": 60,
    "enabled": True,
}


def completed(**changes: Any) -> IntegrationDraft:
    draft = IntegrationDraft.model_validate(complete({**LMS, **changes}))
    for data_type, endpoint in draft.endpoints.items():
        compile_mapping(endpoint.mapping, data_type, time_zone=draft.time_zone)
    return draft


def test_the_example_of_the_guide_is_completed_for_moodle() -> None:
    draft = completed()
    assert (draft.type, draft.base_url) == ("lms", LMS["baseUrl"])
    assert (draft.api_key_placement.placement, draft.api_key_placement.name) == ("body", "wstoken")
    asked = {name.value: endpoint.path for name, endpoint in draft.endpoints.items()}
    assert asked == {**LMS["endpoints"], "marks": "/server.php?wsfunction=gradereport_user_get_grade_items"}
    assert set(draft.streams) == {"courses", "people"}
    requests = [*draft.endpoints.values(), *draft.streams.values()]
    assert all(request.path.startswith("/server.php?") and request.method == "POST" for request in requests)
    assert all(request.body["moodlewsrestformat"] == "json" for request in requests if isinstance(request.body, dict))


def test_what_was_recognised_is_told() -> None:
    connector = completed().connector
    assert connector is not None
    assert connector.name == "moodle"
    assert [words.partition(":")[0] for words in connector.recognised] == ["students", "subjects", "marks"]
    assert "gradereport_user_get_grade_items is used in place of core_grades_get_grades" in connector.recognised[2]


def test_the_draft_s_own_words_win() -> None:
    own = {"path": "/server.php?wsfunction=core_user_get_users", "recordsPath": "users"}
    draft = completed(
        endpoints={"students": own, "subjects": {"path": LMS["endpoints"]["subjects"]}},
        apiKeyPlacement={"placement": "query", "name": "wstoken"},
        limits={"concurrency": 1},
    )
    (students, subjects) = draft.endpoints.values()
    assert (students.method, subjects.method) == ("GET", "POST")
    assert (draft.api_key_placement.placement, draft.limits.concurrency) == ("query", 1)
    assert draft.connector is not None
    assert len(draft.connector.recognised) == 1


def test_a_function_that_nobody_knows_is_asked_for_json() -> None:
    (endpoint,) = completed(endpoints={"marks": "/server.php?wsfunction=local_own_marks"}).endpoints.values()
    assert (endpoint.path, endpoint.body) == (
        "/server.php?wsfunction=local_own_marks",
        {"moodlewsrestformat": "json"},
    )


def test_one_course_that_is_asked_for_stays_the_only_one() -> None:
    path = "/server.php?wsfunction=gradereport_user_get_grade_items&courseid=5"
    (endpoint,) = completed(endpoints={"marks": path}).endpoints.values()
    assert (endpoint.path, endpoint.parent) == (path, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoints": {"students": "/api/students?wsfunction=core_user_get_users"}},
        {"endpoints": {"students": {"path": "/server.php?wsfunction=core_user_get_users", "recordsPath": "users"}}},
        {"endpoints": {}},
        {"endpoints": None},
        {"endpoints": ["/server.php?wsfunction=core_user_get_users"]},
    ],
)
def test_other_drafts_are_left_as_they_are(changes: dict[str, Any]) -> None:
    draft = {**LMS, **changes}
    assert complete(draft) is draft
    assert complete("draft") == "draft"
