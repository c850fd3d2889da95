"""Google Classroom as a plain client reads it: by page tokens, course by course."""

from typing import Any

import httpx2
from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from simulators import samples
from simulators.comparison import differences
from simulators.google_classroom import GoogleClassroom
from simulators.samples import misshapen
from simulators.serving import connect


async def signed_in(client: httpx2.AsyncClient, simulator: GoogleClassroom) -> httpx2.Response:
    given = simulator.connection()
    form = {
        "grant_type": "refresh_token",
        "client_id": given["clientId"],
        "client_secret": given["clientSecret"],
        "refresh_token": given["refreshToken"],
    }
    answer = await client.post("/token", data=form)
    client.headers["authorization"] = f"Bearer {answer.json().get('access_token')}"
    return answer


async def every(client: httpx2.AsyncClient, path: str, key: str) -> list[dict[str, Any]]:
    """A short page means nothing, and no key at all means no rows."""
    rows: list[dict[str, Any]] = []
    params: dict[str, Any] = {"pageSize": 40}
    while True:
        response = await client.get(f"/v1/{path}", params=params)
        assert response.status_code == 200, response.text
        rows += response.json().get(key, [])
        if "nextPageToken" not in response.json():
            return rows
        params["pageToken"] = response.json()["nextPageToken"]


async def test_everything_is_there(campus: Campus) -> None:
    simulator = GoogleClassroom(campus)
    mails: dict[str, str] = {}
    marks = []
    async with connect(simulator) as client:
        await signed_in(client, simulator)
        courses = await every(client, "courses", "courses")
        for course in courses:
            path = f"courses/{course['id']}"
            students = await every(client, f"{path}/students", "students")
            mails |= {row["userId"]: row["profile"]["emailAddress"] for row in students}
            work = {row["id"]: row for row in await every(client, f"{path}/courseWork", "courseWork")}
            submissions = await every(client, f"{path}/courseWork/-/studentSubmissions", "studentSubmissions")
            marks += [
                {
                    "studentId": mails[row["userId"]],
                    "subjectId": course["id"],
                    "examId": row["courseWorkId"],
                    "examName": (task := work[row["courseWorkId"]])["title"],
                    "examDate": "{year}-{month:02}-{day:02}".format(**task["dueDate"]),
                    "maxMarks": task["maxPoints"],
                    "marksObtained": row.get("assignedGrade"),
                }
                for row in submissions
            ]
        teachers = await every(client, f"courses/{courses[0]['id']}/teachers", "teachers")
        sample = await client.get(f"/v1/courses/{courses[0]['id']}/courseWork/-/studentSubmissions")
    truth = [{k: row[k] for k in marks[0] if k in row} for row in simulator.truth(DataType.MARKS)]
    assert differences(DataType.MARKS, truth, marks) == []
    assert set(mails.values()) == {row["studentId"] for row in simulator.truth(DataType.STUDENTS)}
    assert {course["id"] for course in courses} == {row["subjectId"] for row in simulator.truth(DataType.SUBJECTS)}
    assert (len(courses), len(mails), len(marks), len(teachers)) == (48, 240, 2880, 1)
    assert misshapen(samples.GOOGLE_SUBMISSIONS, sample.json()) == []


async def test_an_empty_list_has_no_key_and_false_has_none_either() -> None:
    simulator = GoogleClassroom()
    simulator.campus.faculty.remove("F001")
    async with connect(simulator) as client:
        await signed_in(client, simulator)
        course = (await every(client, "courses", "courses"))[0]["id"]
        teachers = await client.get(f"/v1/courses/{course}/teachers")
        students = await client.get(f"/v1/courses/{course}/students")
        work = await every(client, f"courses/{course}/courseWork", "courseWork")
        drafts = await client.get(f"/v1/courses/{course}/courseWork", params={"courseWorkStates": "DRAFT"})
        submissions = await every(client, f"courses/{course}/courseWork/-/studentSubmissions", "studentSubmissions")
    assert teachers.json() == {}
    assert len(students.json()["students"]) <= 30
    assert any("minutes" not in row["dueTime"] for row in work)
    assert [row["state"] for row in drafts.json()["courseWork"]] == ["DRAFT"]
    assert not any(row.get("late") is False for row in submissions)


async def test_a_page_token_holds_for_its_own_request_only(campus: Campus) -> None:
    simulator = GoogleClassroom(campus)
    async with connect(simulator) as client:
        await signed_in(client, simulator)
        token = (await client.get("/v1/courses?pageSize=5&courseStates=ACTIVE")).json()["nextPageToken"]
        other = await client.get("/v1/courses", params={"pageToken": token})
        nonsense = await client.get("/v1/courses", params={"pageToken": "nonsense"})
    assert [r.json()["error"]["status"] for r in (other, nonsense)] == ["INVALID_ARGUMENT"] * 2


async def test_refusals(campus: Campus) -> None:
    simulator = GoogleClassroom(campus)
    simulator.closed.add("CS301")
    async with connect(simulator) as client:
        before = await client.get("/v1/courses")
        await signed_in(client, simulator)
        denied = await client.get(f"/v1/courses/{simulator.truth(DataType.SUBJECTS)[0]['subjectId']}/students")
        missing = await client.get("/v1/courses/1/students")
    errors = [(r.status_code, r.json()["error"]["status"]) for r in (before, denied, missing)]
    assert errors == [(401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED"), (404, "NOT_FOUND")]
    assert len(simulator.truth(DataType.MARKS)) == 2880 - 120


async def test_a_refresh_token_that_rotates_is_good_once() -> None:
    simulator = GoogleClassroom(rotates=True)
    old = simulator.connection()["refreshToken"]
    async with connect(simulator) as client:
        first = await signed_in(client, simulator)
        assert (await client.get("/v1/courses")).status_code == 200
        second = await signed_in(client, simulator)
        simulator.tokens.refresh_token, kept = old + "x", simulator.tokens.refresh_token
        refused = await client.post("/token", data={"grant_type": "refresh_token", "refresh_token": old})
    assert old != first.json()["refresh_token"] != second.json()["refresh_token"] == kept
    assert refused.status_code == 401
