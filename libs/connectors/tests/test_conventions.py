"""A draft with Moodle's paths works as it is written; what it says itself is left alone."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hub_connectors.drafting import complete
from hub_mapping import compile_mapping
from hub_mapping.conditions import compile_conditions
from hub_mapping.shaping import compile_fields
from hub_model.integrations import IntegrationDraft
from hub_model.records import DataType

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


def records_of(draft: IntegrationDraft, data_type: DataType, *raw: Any) -> list[dict[str, Any]]:
    """What the mapping makes of these rows, without those that it does not want."""
    mapping = compile_mapping(draft.endpoints[data_type].mapping, data_type, time_zone=draft.time_zone)
    batch = mapping.map_batch(list(raw), observed_at=datetime(2026, 3, 1, tzinfo=UTC))
    assert batch.rejects == []
    return [record["data"] for record in batch.records]


def test_the_example_of_the_guide_is_completed_for_moodle() -> None:
    draft = completed()
    assert (draft.type, draft.base_url) == ("lms", LMS["baseUrl"])
    assert (draft.api_key_placement.placement, draft.api_key_placement.name) == ("body", "wstoken")
    asked = {name.value: endpoint.path for name, endpoint in draft.endpoints.items()}
    assert asked == {**LMS["endpoints"], "marks": "/server.php?wsfunction=gradereport_user_get_grade_items"}
    assert set(draft.streams) == {"courses", "people"}
    requests = [*draft.endpoints.values(), *draft.streams.values()]
    assert all(request.path.startswith("/server.php?") and request.method == "POST" for request in requests)
    assert all(isinstance(request.body, dict) and request.body["moodlewsrestformat"] == "json" for request in requests)
    assert all(request.body_type == "form" for request in requests)
    assert all(endpoint.nesting == "brackets" for endpoint in draft.endpoints.values())
    assert draft.limits.concurrency == 2


def test_of_all_users_of_a_site_students_are_who_learns_and_faculty_who_teaches() -> None:
    path = LMS["endpoints"]["students"]
    draft = completed(endpoints={"students": path, "faculty": path})
    users = [
        {"id": 1, "idnumber": "S1", "fullname": "Asha", "courses": [{"learns": "CS1"}, {"learns": "CS2"}]},
        {"id": 2, "idnumber": "T1", "fullname": "Ravi", "courses": [{"teaches": "CS1"}, {"teaches": "CS2"}]},
        {"id": 3, "idnumber": "A1", "fullname": "Nobody's", "courses": []},
    ]
    (student,) = records_of(draft, DataType.STUDENTS, *users)
    (teacher,) = records_of(draft, DataType.FACULTY, *users)
    assert (student["studentId"], "subjectIds" in student) == ("S1", False)
    assert (teacher["facultyId"], teacher["subjectIds"]) == ("T1", ["CS1", "CS2"])
    # The roles are told course by course, so the people of the courses are read too, and for these the courses.
    assert set(draft.streams) == {"courses", "people"}
    for endpoint in draft.endpoints.values():
        assert [(join.stream, join.as_) for join in endpoint.joins] == [("people", "courses")]
        assert endpoint.records_path == "users"


@pytest.mark.parametrize(
    ("criteria", "asked"),
    [("", [{"key": "email", "value": "%"}]), ("&criteria[0][key]=deleted&criteria[0][value]=0", None)],
)
def test_all_users_are_searched_for_unless_the_draft_says_which(criteria: str, asked: Any) -> None:
    draft = completed(endpoints={"students": LMS["endpoints"]["students"] + criteria})
    body = draft.endpoints[DataType.STUDENTS].body
    assert isinstance(body, dict)
    assert body.get("criteria") == asked


def test_the_front_page_of_a_site_is_no_subject_and_a_course_without_a_number_goes_by_its_short_name() -> None:
    draft = completed(endpoints={"subjects": LMS["endpoints"]["subjects"]})
    endpoint = draft.endpoints[DataType.SUBJECTS]
    rows = [{"id": 1, "shortname": "Riverside"}, {"id": 7, "idnumber": "", "shortname": "CS1", "fullname": "Logic"}]
    holds, shape = compile_conditions(endpoint.when), compile_fields(endpoint.fields or {})
    (subject,) = records_of(draft, DataType.SUBJECTS, *[shape(row) for row in rows if holds(row)])
    assert (subject["subjectId"], subject["name"]) == ("CS1", "Logic")


def test_the_function_that_the_preset_itself_uses_is_asked_course_by_course() -> None:
    draft = completed(endpoints={"marks": "/server.php?wsfunction=gradereport_user_get_grade_items"})
    parent = draft.endpoints[DataType.MARKS].parent
    assert parent is not None
    assert parent.stream == "courses"
    assert draft.connector is not None
    assert "is asked for each course, as the preset does" in draft.connector.recognised[0]


def test_a_path_is_recognised_wherever_in_its_query_the_function_stands() -> None:
    path = "/server.php?moodlewsrestformat=json&wsfunction=core_course_get_courses"
    (endpoint,) = completed(endpoints={"subjects": path}).endpoints.values()
    assert (endpoint.path, endpoint.method) == (path, "POST")


def test_a_bearer_token_stays_in_its_header() -> None:
    assert "apiKeyPlacement" not in complete({**LMS, "authType": "bearer"})


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
