"""Fedena, openSIS, Open edX, Linways and a college's own API as plain clients read them."""

from typing import Any
from xml.etree import ElementTree

import httpx2
import pytest
from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from simulators import samples
from simulators.comparison import differences
from simulators.fedena import Fedena
from simulators.generic import GenericRest, Paging
from simulators.linways import Linways
from simulators.openedx import OpenEdx
from simulators.opensis import OpenSis
from simulators.samples import misshapen
from simulators.serving import connect


async def fedena_rows(client: httpx2.AsyncClient, path: str) -> list[dict[str, str | None]]:
    response = await client.get(f"/api/{path}")
    assert response.status_code == 200, response.text
    return [{field.tag: field.text for field in child} for child in ElementTree.fromstring(response.content)]


async def test_fedena_has_everything_as_xml(campus: Campus) -> None:
    simulator = Fedena(campus)
    given = simulator.connection()
    form = {"grant_type": "password", "client_id": given["clientId"], "client_secret": given["clientSecret"]}
    async with connect(simulator) as client:
        refused = await client.get("/api/students")
        user = {"username": given["username"], "password": given["password"]}
        wrong = await client.post("/oauth/token", data={**form, **user, "password": "wrong"})
        token = (await client.post("/oauth/token", data={**form, **user})).json()["access_token"]
        client.headers["authorization"] = f'Token token="{token}"'
        students = await fedena_rows(client, "students")
        missed = [r for s in students[:40] for r in await fedena_rows(client, f"attendances/{s['admission_no']}")]
        whole, scores, subjects, timetable = [
            await fedena_rows(client, path) for path in ("attendances", "exam_scores", "subjects", "timetables")
        ]
        one = await fedena_rows(client, f"attendances/{missed[0]['student_admission_no']}?date={missed[0]['date']}")
        batch = await fedena_rows(client, "students?search[batch_name_equals]=CS-A")
        nobody = await client.get("/api/students/nobody")
    words = {("true", "true"): "absent", ("true", "false"): "half_day", ("false", "true"): "half_day"}
    attendance = [
        {
            "studentId": row["student_admission_no"],
            "date": row["date"],
            "attendance": words[row["forenoon"] or "", row["afternoon"] or ""],
        }
        for row in whole
    ]
    assert differences(DataType.ATTENDANCE, simulator.truth(DataType.ATTENDANCE), attendance) == []
    assert missed == [row for row in whole if row["student_admission_no"] in {s["admission_no"] for s in students[:40]}]
    assert one == missed[:1]
    assert {"absent", "half_day"} == {row["attendance"] for row in attendance}
    code_of = {row["subject_name"]: row["code"] for row in subjects}
    marks = [
        {
            "studentId": row["admission_no"],
            "subjectId": code_of[row["subject"]],
            "examId": row["exam_group"],
            "marksObtained": float(row["marks"]) if row["marks"] else None,
        }
        for row in scores
    ]
    truth = [{k: row[k] for k in marks[0] if k in row} for row in simulator.truth(DataType.MARKS)]
    assert differences(DataType.MARKS, truth, marks) == []
    assert (len(students), len(batch), len(timetable)) == (240, 30, 160)
    sample = ElementTree.fromstring(samples.FEDENA)
    assert {field.tag for field in sample[0]} == set(whole[0])
    assert (refused.status_code, wrong.status_code, nobody.status_code) == (401, 400, 404)
    assert all(ElementTree.fromstring(r.content).tag == "errors" for r in (refused, nobody))


async def test_opensis_gives_one_nest_of_objects(campus: Campus) -> None:
    simulator = OpenSis(campus)
    params = {"api_key": simulator.api_key, "api_secret": simulator.api_secret}
    async with connect(simulator) as client:
        body = (await client.get("/api/StudentEnrollmentInfo.php", params={**params, "format": "json"})).json()
        staff = (await client.get("/api/StaffInfo.php", params=params)).json()["data"]["2026"]["Riverside College"]
        other = (await client.get("/api/StudentEnrollmentInfo.php", params={**params, "sch_year": "2020"})).json()
        as_xml = await client.get("/api/SchoolInfo.php", params={**params, "format": "xml"})
        wrong = await client.get("/api/StudentEnrollmentInfo.php?api_key=a&api_secret=b")
    people = body["data"]["2026"]["Riverside College"]
    rows = [
        {
            "studentId": row["ALT_ID"] or row["STUDENT_ID"],
            "name": " ".join(filter(None, (row["FIRST_NAME"], row["MIDDLE_NAME"], row["LAST_NAME"]))),
            "firstName": row["FIRST_NAME"],
            "lastName": row["LAST_NAME"],
            "dateOfBirth": row["DOB"],
            "gender": row["GENDER"].lower(),
            "semester": [*row["ENROLLMENT_INFO"].values()][-1]["GRADE"],
            "section": [*row["ENROLLMENT_INFO"].values()][-1]["SECTION"],
        }
        for row in people.values()
    ]
    assert differences(DataType.STUDENTS, simulator.truth(DataType.STUDENTS), rows) == []
    assert misshapen(samples.OPENSIS_STUDENT, people["57"]) == []
    assert (len(staff), other, wrong.status_code) == (24, {"data": []}, 200)
    assert misshapen(samples.OPENSIS_ERROR, wrong.json()) == []
    assert as_xml.text.startswith("<?xml")


async def edx_rows(client: httpx2.AsyncClient, url: str | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while url:
        response = await client.get(url)
        assert response.status_code == 200, response.text
        rows += response.json()["results"]
        url = response.json().get("next") or response.json().get("pagination", {}).get("next")
    return rows


async def test_openedx_gives_a_grade_for_each_enrolment_that_has_one(campus: Campus) -> None:
    simulator = OpenEdx(campus)
    given = simulator.connection()
    form = {"grant_type": "client_credentials", "client_id": given["clientId"], "client_secret": given["clientSecret"]}
    names, marks = set(), []
    async with connect(simulator) as client:
        refused = await client.get("/api/courses/v1/courses/")
        token = (await client.post("/oauth2/access_token", data={**form, "token_type": "jwt"})).json()["access_token"]
        client.headers["authorization"] = f"JWT {token}"
        courses = await edx_rows(client, "/api/courses/v1/courses/")
        for course in courses:
            people = await edx_rows(
                client, str(httpx2.URL("/api/enrollment/v1/enrollments", params={"course_id": course["id"]}))
            )
            names |= {row["user"] for row in people}
            marks += await edx_rows(client, f"/api/grades/v1/courses/{course['id'].replace('+', '%2B')}/?page_size=25")
        unencoded = await client.get(f"/api/enrollment/v1/enrollments?course_id={courses[0]['id']}")
        simulator.closed.add("CS301")
        closed = await client.get("/api/grades/v1/courses/course-v1:Riverside+CS301+2026/")
    rows = [
        {
            "studentId": row["username"],
            "subjectId": row["course_id"],
            "examId": "course",
            "examType": "course_total",
            "percentage": round(row["percent"] * 100),
            "result": "pass" if row["passed"] else "fail",
            "grade": row["letter_grade"],
        }
        for row in marks
    ]
    simulator.closed.clear()
    assert differences(DataType.MARKS, simulator.truth(DataType.MARKS), rows) == []
    assert names == {row["studentId"] for row in simulator.truth(DataType.STUDENTS)}
    assert (len(courses), len(names)) == (24, 240)
    assert len(marks) < 240 * 6
    assert all(0 <= row["percent"] <= 1 for row in marks)
    assert (refused.status_code, unencoded.status_code, closed.status_code) == (401, 404, 403)


async def test_linways_says_in_words_whether_there_is_more(campus: Campus) -> None:
    rows, page = [], 1
    async with connect(Linways(campus), headers={"authorization": Linways.token}) as client:
        while True:
            body = (await client.get("/api/v1/students", params={"_page": page})).json()
            assert misshapen(samples.LINWAYS, body) == []
            rows += body["data"]
            if not body["_meta"]["hasNextPage"]:
                break
            page += 1
        large = await client.get("/api/v1/students?_pageSize=1000")
        last = await client.get("/api/v1/students?_pageSize=60&_page=4")
        wrong = await client.get("/api/v1/students", headers={"authorization": f"Bearer {Linways.token}"})
    assert {row["admissionNumber"] for row in rows} == {row["studentId"] for row in campus.students.rows}
    assert (last.json()["_meta"]["hasNextPage"], last.json()["_meta"]["recordsTo"]) == (False, "240")
    assert (page, len(rows), len(large.json()["data"]), wrong.status_code) == (5, 240, 240, 401)


@pytest.mark.parametrize("paging", list(Paging))
async def test_the_generic_api_gives_everything_however_it_pages(campus: Campus, paging: Paging) -> None:
    simulator = GenericRest(campus, paging=paging)
    async with connect(simulator, headers={"authorization": f"Bearer {simulator.token}"}) as client:
        for kind in simulator.expresses if paging is Paging.GUIDE else [DataType.MARKS]:
            rows = await generic_rows(client, kind, paging)
            truth = [{k: v for k, v in r.items() if k not in ("percentage", "gradedAt")} for r in simulator.truth(kind)]
            assert differences(kind, truth, rows) == []


async def generic_rows(client: httpx2.AsyncClient, kind: DataType, paging: Paging) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    url, params = f"/api/v1/{kind.value}", {"limit": "500"}
    for page in range(1, 1000):
        if paging in (Paging.GUIDE, Paging.BARE):
            params["page"] = str(page)
        response = await client.get(url, params=params or None)
        body = response.json()
        found = body if isinstance(body, list) else body["data"]
        rows += found
        if paging is Paging.GUIDE:
            assert kind is not DataType.ATTENDANCE or misshapen(samples.GUIDE, body) == []
            following = None if len(rows) == body["pagination"]["total"] else url
        elif paging is Paging.BARE:
            following = url if found else None
        elif paging is Paging.CURSOR:
            following, params["cursor"] = (url if body["nextCursor"] else None), body["nextCursor"] or ""
        else:
            following = response.links.get("next", {}).get("url") if paging is Paging.LINK else body["next"]
            params = {}
        if following is None:
            break
        url = following
    return rows


async def test_the_generic_api_tells_what_changed_and_what_is_gone() -> None:
    simulator = GenericRest()
    async with connect(simulator, headers={"authorization": f"Bearer {simulator.token}"}) as client:
        simulator.campus.students.change("CS2501", section="B")
        simulator.campus.students.remove("CS2502")
        changed = (await client.get("/api/v1/students?updatedSince=2026-06-01T00:00:00Z")).json()["data"]
        wrong = await client.get("/api/v1/students", headers={"authorization": "Bearer wrong"})
        bad = await client.get("/api/v1/students?limit=many")
    assert [(row["studentId"], row.get("deleted")) for row in changed] == [("CS2501", None), ("CS2502", True)]
    assert [(r.status_code, r.json()["success"]) for r in (wrong, bad)] == [(401, False), (400, False)]
