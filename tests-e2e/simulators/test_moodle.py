"""Moodle as a plain client reads it: every course, its people, its register, its grades."""

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.moodle import Moodle
from hub_standalone.demo.simulated.times import in_india
from simulators import samples
from simulators.comparison import differences
from simulators.samples import misshapen
from simulators.serving import connect

ADDRESS = "/webservice/rest/server.php"


async def call(client: httpx2.AsyncClient, function: str, token: str = Moodle.token, **more: Any) -> Any:
    form = {"wstoken": token, "wsfunction": function, "moodlewsrestformat": "json", **more}
    response = await client.post(ADDRESS, data=form)
    assert response.status_code == 200
    return response.json()


async def courses_of(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    return [course for course in await call(client, "core_course_get_courses") if course["id"] != 1]


async def enrolled(client: httpx2.AsyncClient, course_id: int) -> list[dict[str, Any]]:
    """Pages of twenty until an empty one."""
    people: list[dict[str, Any]] = []
    for start in range(0, 10_000, 20):
        options: dict[str, Any] = {}
        for index, (name, value) in enumerate({"limitfrom": start, "limitnumber": 20}.items()):
            options |= {f"options[{index}][name]": name, f"options[{index}][value]": value}
        page = await call(client, "core_enrol_get_enrolled_users", courseid=course_id, **options)
        if not page:
            break
        people += page
    return people


async def test_every_person_is_found_though_pages_are_short(campus: Campus) -> None:
    moodle = Moodle(campus)
    async with connect(moodle) as client:
        people = {p["id"]: p for c in await courses_of(client) for p in await enrolled(client, c["id"])}
        first = await call(client, "core_enrol_get_enrolled_users", courseid=2)
    students = [
        {"studentId": p["idnumber"] or p["username"], "name": p["fullname"], "email": p["email"].lower()}
        for p in people.values()
        if p["roles"][0]["shortname"] == "student"
    ]
    truth = [{k: row[k] for k in ("studentId", "name", "email")} for row in moodle.truth(DataType.STUDENTS)]
    assert differences(DataType.STUDENTS, truth, students) == []
    assert len(students) == 240
    assert len(people) - len(students) == len(moodle.truth(DataType.FACULTY)) == 24
    assert misshapen(samples.MOODLE_USERS, first) == []


async def test_the_register_holds_every_mark_of_every_lesson(campus: Campus) -> None:
    moodle = Moodle(campus)
    rows = []
    async with connect(moodle) as client:
        for course in await courses_of(client):
            names = {p["id"]: p["idnumber"] or p["username"] for p in await enrolled(client, course["id"])}
            sections = await call(client, "core_course_get_contents", courseid=course["id"])
            modules = [module for section in sections for module in section["modules"]]
            [register] = [module for module in modules if module["modname"] == "attendance"]
            sessions = await call(client, "mod_attendance_get_sessions", attendanceid=register["instance"])
            assert misshapen(samples.MOODLE_SESSIONS, sessions) == []
            for session in sessions:
                words = {str(s["id"]): s["description"].lower().replace(" ", "_") for s in session["statuses"]}
                rows += [
                    {
                        "studentId": names[mark["studentid"]],
                        "subjectId": course["idnumber"],
                        "sessionId": str(session["id"]),
                        "date": in_india(at(session["sessdate"]), "%Y-%m-%d"),
                        "startTime": in_india(at(session["sessdate"]), "%H:%M"),
                        "endTime": in_india(at(session["sessdate"] + session["duration"]), "%H:%M"),
                        "attendance": words[mark["statusid"]],
                    }
                    for mark in session["attendance_log"]
                ]
    truth = [{k: v for k, v in row.items() if k != "name"} for row in moodle.truth(DataType.ATTENDANCE)]
    assert differences(DataType.ATTENDANCE, truth, rows) == []
    assert len(rows) == 20_160


async def test_grades_are_each_exam_and_the_total(campus: Campus) -> None:
    moodle = Moodle(campus)
    rows = []
    async with connect(moodle) as client:
        for course in await courses_of(client):
            names = {p["id"]: p["idnumber"] or p["username"] for p in await enrolled(client, course["id"])}
            answer = await call(client, "gradereport_user_get_grade_items", courseid=course["id"])
            assert misshapen(samples.MOODLE_GRADES, answer) == []
            for grades in answer["usergrades"]:
                rows += [
                    {
                        "studentId": grades["useridnumber"] or names[grades["userid"]],
                        "subjectId": grades["courseidnumber"],
                        "examId": str(item["id"]),
                        "examName": item["itemname"] or "Course total",
                        "maxMarks": item["grademax"],
                        **({} if (raw := item.get("graderaw")) is None else {"marksObtained": raw}),
                        **({} if (p := item["percentageformatted"]) == "-" else {"percentage": float(p[:-2])}),
                    }
                    for item in grades["gradeitems"]
                ]
    truth = [
        {k: v for k, v in row.items() if k not in ("gradedAt", "result", "examType")}
        for row in moodle.truth(DataType.MARKS)
    ]
    assert differences(DataType.MARKS, truth, rows) == []
    assert len(rows) == 2880 + 24 * 60


async def test_the_calendar_has_a_lesson_for_each_event(campus: Campus) -> None:
    moodle = Moodle(campus)
    async with connect(moodle) as client:
        courses = {course["id"]: course["idnumber"] for course in await courses_of(client)}
        ids: dict[str, Any] = {f"events[courseids][{index}]": course for index, course in enumerate(courses)}
        answer, refused = [
            await call(client, "core_calendar_get_calendar_events", **{**ids, "options[userevents]": flag})
            for flag in ("0", "true")
        ]
    rows = [
        {
            "subjectId": courses[event["courseid"]],
            "date": in_india(at(event["timestart"]), "%Y-%m-%d"),
            "startTime": in_india(at(event["timestart"]), "%H:%M"),
            "endTime": in_india(at(event["timestart"] + event["timeduration"]), "%H:%M"),
            "type": "lecture",
        }
        for event in answer["events"]
    ]
    assert differences(DataType.TIMETABLE, moodle.truth(DataType.TIMETABLE), rows) == []
    assert len(rows) == 672
    assert refused["errorcode"] == "invalidparameter"


async def test_subjects_come_with_the_front_page_and_marked_up_names(campus: Campus) -> None:
    moodle = Moodle(campus)
    async with connect(moodle) as client:
        courses = await call(client, "core_course_get_courses")
        some = await call(
            client, "core_course_get_courses", **dict[str, Any]({"options[ids][0]": 3, "options[ids][1]": 4})
        )
    assert [course["id"] for course in courses if not course["idnumber"]] == [1]
    assert [course["id"] for course in some] == [3, 4]
    assert any("multilang" in course["fullname"] for course in courses)
    assert {c["idnumber"] for c in courses} - {""} == {row["subjectId"] for row in moodle.truth(DataType.SUBJECTS)}


async def test_refusals_are_200_with_an_exception(campus: Campus) -> None:
    async with connect(Moodle(campus)) as client:
        assert misshapen(samples.MOODLE_ERROR, await call(client, "core_course_get_courses", token="wrong")) == []
        assert (await call(client, "core_user_delete_users"))["errorcode"] == "accessexception"
        assert (await call(client, "core_enrol_get_enrolled_users"))["errorcode"] == "invalidparameter"
        as_xml = await client.get(
            ADDRESS, params={"wstoken": Moodle.token, "wsfunction": "core_webservice_get_site_info"}
        )
        logins = [
            (await client.post("/login/token.php", data={"username": Moodle.username, "password": password})).json()
            for password in (Moodle.password, "wrong")
        ]
    assert as_xml.text.startswith("<?xml")
    assert [login.get("token") for login in logins] == [Moodle.token, None]


async def test_an_unknown_search_key_widens_the_search(campus: Campus) -> None:
    async with connect(Moodle(campus)) as client:
        narrow, wide = [
            await call(client, "core_user_get_users", **{"criteria[0][key]": key, "criteria[0][value]": "CS2501"})
            for key in ("idnumber", "rollnumber")
        ]
        by_mail = {"criteria[0][key]": "email", "criteria[0][value]": "%@college.example.edu"}
        assert len((await call(client, "core_user_get_users", **by_mail))["users"]) == 24
    assert (len(narrow["users"]), narrow["warnings"]) == (1, [])
    assert len(wide["users"]) == 264
    assert len(wide["warnings"]) == 1


@pytest.mark.parametrize("function", ["core_enrol_get_enrolled_users", "gradereport_user_get_grade_items"])
async def test_a_closed_course_spoils_the_list_and_itself_alone(campus: Campus, function: str) -> None:
    moodle = Moodle(campus)
    moodle.closed.add("CS302")
    async with connect(moodle) as client:
        assert (await call(client, "core_course_get_courses"))["errorcode"] == "errorcoursecontextnotvalid"
        by_field = await call(client, "core_course_get_courses_by_field")
        assert (len(by_field["courses"]), len(by_field["warnings"])) == (23, 1)
        assert "exception" in await call(client, function, courseid=3)
        assert "exception" not in await call(client, function, courseid=4)
    assert len(moodle.truth(DataType.ATTENDANCE)) < 20_160
    assert {row["subjectId"] for row in moodle.truth(DataType.MARKS)} == {c["idnumber"] for c in by_field["courses"]}


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
