"""The demo's LMS: a site of the same college, and what it adds to what the hub should hold."""

from datetime import date
from typing import Any

import httpx2
import pytest
from hub_model.records import DataType
from hub_standalone.demo.college import College, Credentials
from hub_standalone.demo.lms import lms_draft, open_lms, with_lms
from hub_standalone.demo.simulated.moodle import Moodle
from hub_standalone.demo.truth import Truth, truth
from hub_standalone.demo.world import World, build_world

DAY = date(2026, 3, 17)
CREDENTIALS = Credentials(erp_token="erp-token", biometric_key="gate-key", college_code="4711")


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(7, DAY)


@pytest.fixture
def lms() -> Moodle:
    return open_lms(7, DAY)


@pytest.fixture
def expected(world: World, lms: Moodle) -> Truth:
    return with_lms(truth(world), lms)


async def test_it_is_a_part_of_the_college_that_is_served(world: World, lms: Moodle) -> None:
    college = College(world, CREDENTIALS, lms)
    college.settle_at("http://college:9000")
    draft = lms_draft(lms)
    assert draft["baseUrl"] == "http://college:9000/lms"
    form: dict[str, Any] = {"wsfunction": "core_webservice_get_site_info", "moodlewsrestformat": "json"}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(college.app)) as http:
        address = f"{draft['baseUrl']}/webservice/rest/server.php"
        answer = await http.post(address, data={**form, "wstoken": draft["settings"]["token"]})
        refused = await http.post(address, data={**form, "wstoken": Moodle.token})
    assert answer.json()["sitename"] == "Riverside"
    assert refused.json()["errorcode"] == "invalidtoken"


def test_it_adds_to_the_records_of_the_erp_and_contradicts_none(world: World, expected: Truth) -> None:
    for data_type, records in truth(world).records.items():
        for identity, record in records.items():
            assert record.items() <= expected.records[data_type][identity].items()
    students = expected.records[DataType.STUDENTS].values()
    assert len(students) == 240
    enriched = [student for student in students if "externalIds" in student]
    assert len(enriched) == len({student["externalIds"]["moodleId"] for student in enriched}) == 60
    assert all(student["studentId"].startswith("CS") for student in enriched)


def test_its_register_and_its_grades_are_records_of_their_own(world: World, expected: Truth) -> None:
    added = {
        data_type.value: len(records) - len(truth(world).records[data_type])
        for data_type, records in expected.records.items()
    }
    # Five days of four lessons, in two sections and for 60 students; three grades in six courses.
    assert added == {
        "students": 0, "faculty": 0, "subjects": 0, "timetable": 40, "attendance": 1200, "marks": 1080,
    }  # fmt: skip
    days = {row["date"] for row in expected.records[DataType.ATTENDANCE].values() if row.get("source") == "lms"}
    assert days == {"2026-03-10", "2026-03-11", "2026-03-12", "2026-03-13", "2026-03-16"}


def test_no_id_of_a_session_is_also_a_period(expected: Truth) -> None:
    """The key of attendance has one place for both."""
    rows = expected.records[DataType.ATTENDANCE].values()
    sessions = {row["sessionId"] for row in rows if "sessionId" in row}
    assert not sessions & {row.get("period") for row in rows}
