"""What a college answers changes what a preset makes of the same records."""

from datetime import UTC, datetime
from typing import Any

from hub_connectors.expanding import expand
from hub_connectors.loader import find_preset
from hub_mapping import compile_conditions, compile_mapping
from hub_model.integrations import IntegrationDraft
from hub_model.records import DataType

SINCE = {"since": "2026-06-01"}
FEDENA = {"clientId": "c", "username": "u"}
GOOGLE = {"clientId": "c"}
ETIMEOFFICE = {"corporateId": "corp", "userName": "hub", **SINCE}


def drafted(name: str, **settings: Any) -> IntegrationDraft:
    preset = find_preset(name)
    return IntegrationDraft.model_validate(
        expand(preset, {"name": "N", "baseUrl": "https://x.example/api", "settings": settings})
    )


def mapped(draft: IntegrationDraft, data_type: DataType, *records: dict[str, Any]) -> list[dict[str, Any]]:
    """The data of what the endpoint takes of these records, as they come out of its joins or its source."""
    endpoint = draft.endpoints[data_type]
    mapping = compile_mapping(endpoint.mapping, data_type, time_zone=draft.time_zone)
    holds = compile_conditions(endpoint.when)
    kept = [record for record in records if holds(record)]
    batch = mapping.map_batch(kept, observed_at=datetime(2026, 7, 22, tzinfo=UTC))
    assert batch.rejects == []
    return [record["data"] for record in batch.records]


def test_people_of_biotimes_departments_of_staff_are_faculty_and_have_no_attendance() -> None:
    student = {"id": 1, "code": "0101", "firstName": "Rahul", "lastName": "Rao", "department": "Physics"}
    clerk = {"id": 2, "code": "0102", "firstName": "Mary", "department": "office"}
    days = [
        {"personCode": person["code"], "date": "2026-07-20", "attendance": "present", "person": person}
        for person in (student, clerk)
    ]
    everybody = drafted("zkteco-biotime", username="u", **SINCE)
    assert DataType.FACULTY not in everybody.endpoints
    assert [row["studentId"] for row in mapped(everybody, DataType.STUDENTS, student, clerk)] == ["0101", "0102"]
    assert len(mapped(everybody, DataType.ATTENDANCE, *days)) == 2

    apart = drafted("zkteco-biotime", username="u", staffDepartments=["Office"], **SINCE)
    assert [row["studentId"] for row in mapped(apart, DataType.STUDENTS, student, clerk)] == ["0101"]
    assert [(row["facultyId"], row["name"]) for row in mapped(apart, DataType.FACULTY, student, clerk)] == [
        ("0102", "Mary")
    ]
    assert [row["name"] for row in mapped(apart, DataType.ATTENDANCE, *days)] == ["Rahul Rao"]


def test_the_bounds_of_a_day_are_those_of_the_college() -> None:
    draft = drafted("essl-soap", userName="u", serialNumbers=["A1"], dayStart="00:00", presentFrom="05:30", **SINCE)
    derive = draft.endpoints[DataType.ATTENDANCE].model_dump(mode="json")["derive"]
    assert (derive["day_start"], derive["present_from"], derive["late_after"]) == ("PT0S", "PT5H30M", None)


def test_essls_user_name_cannot_leave_its_place_in_the_request() -> None:
    body = (
        drafted("essl-soap", userName="a<b>&", serialNumbers=["A1"], windowNames="Date", **SINCE)
        .streams["punches"]
        .body
    )
    assert "<UserName>a&lt;b&gt;&amp;</UserName>" in str(body)
    assert "<ToDate>{{ window.end }}</ToDate>" in str(body)


def test_etimeoffices_user_has_four_parts_and_late_counts_only_if_the_college_says_so() -> None:
    day = {"code": "0101", "name": "Rahul", "day": "20/07/2026", "in": "09:31", "status": "P", "late": "00:31"}
    for count, word in ((False, "present"), (True, "late")):
        draft = drafted("etimeoffice", password="s:3", countLate=count, **ETIMEOFFICE)
        [data] = mapped(draft, DataType.ATTENDANCE, day)
        assert (data["attendance"], data["checkInAt"]) == (word, "2026-07-20T04:01:00.000000Z")
    assert draft.password is not None
    assert f"{draft.username}:{draft.password.get_secret_value()}" == "corp:hub:s:3:true"


def test_googles_people_are_known_by_what_the_college_takes_of_their_address() -> None:
    person = {"id": "u1", "email": "cs2501@college.edu", "name": "Rahul Rao"}
    for settings, student_id in ((GOOGLE, "cs2501@college.edu"), ({**GOOGLE, "idPattern": "^([^@]+)@"}, "cs2501")):
        draft = drafted("google-classroom", **settings)
        assert [row["studentId"] for row in mapped(draft, DataType.STUDENTS, person)] == [student_id]
    mark = {"userId": "u1", "courseWorkId": "w1", "parent": {"course": "7"}, "work": {"state": "PUBLISHED"}}
    [data] = mapped(draft, DataType.MARKS, {**mark, "student": {"email": "cs2501@college.edu"}})
    assert data["studentId"] == "cs2501"
    [hidden] = mapped(draft, DataType.STUDENTS, {"id": "u1", "name": "Rahul Rao"})
    assert hidden["studentId"] == "u1"


def test_what_a_half_day_of_fedena_says_is_read_as_the_college_means_it() -> None:
    row = {"student_admission_no": "101", "date": "20-07-2026", "forenoon": "true", "afternoon": "true"}
    for answer, word in (("true", "absent"), ("false", "present")):
        [data] = mapped(drafted("fedena", absentWhen=answer, **FEDENA), DataType.ATTENDANCE, row)
        assert (data["date"], data["attendance"]) == ("2026-07-20", word)


def test_tokens_are_obtained_at_the_systems_own_address_unless_another_is_given() -> None:
    oauth = drafted("open-edx", clientId="c", tokenScheme="Bearer").oauth
    assert oauth is not None
    assert (oauth.token_url, oauth.token_placement.prefix) == ("https://x.example/api/oauth2/access_token", "Bearer ")
    other = drafted("fedena", tokenUrl="https://id.example/t", **FEDENA).oauth
    assert other is not None
    assert other.token_url == "https://id.example/t"


def test_linways_staff_are_read_once_their_path_is_known() -> None:
    assert list(drafted("linways").endpoints) == [DataType.STUDENTS]
    draft = drafted("linways", staffPath="/employees", staffIdField="code")
    assert draft.endpoints[DataType.FACULTY].path == "/employees"
    assert mapped(draft, DataType.FACULTY, {"id": "9", "code": "F9", "name": "Mary"})[0]["facultyId"] == "F9"
