"""Canvas as a plain client reads it: by the links, course by course."""

from datetime import datetime
from typing import Any

import httpx2
import pytest
from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.faults import Kind
from hub_standalone.demo.simulated.times import in_india
from simulators import samples
from simulators.canvas import Canvas
from simulators.comparison import differences
from simulators.samples import misshapen
from simulators.serving import connect

BEARER = {"authorization": f"Bearer {Canvas.token}"}


async def every(client: httpx2.AsyncClient, path: str, **params: Any) -> list[dict[str, Any]]:
    response = await client.get(path, params=params)
    assert response.status_code == 200, response.text
    rows: list[dict[str, Any]] = response.json()
    while link := response.links.get("next"):
        response = await client.get(link["url"])
        rows += response.json()
    return rows


async def test_everything_is_there(campus: Campus) -> None:
    canvas = Canvas(campus)
    people: dict[int, Any] = {}
    marks, lessons = [], []
    async with connect(canvas, headers=BEARER) as client:
        courses = await every(client, "/api/v1/accounts/1/courses", **{"include[]": "term"})
        for course in courses:
            path = f"/api/v1/courses/{course['id']}"
            for row in await every(client, f"{path}/enrollments", **{"type[]": "StudentEnrollment"}, per_page=100):
                people[row["user_id"]] = row["user"]
            work = {row["id"]: row for row in await every(client, f"{path}/assignments")}
            scores = await every(client, f"{path}/students/submissions", **{"student_ids[]": "all"}, per_page=999)
            assert misshapen(samples.CANVAS_SUBMISSIONS, scores) == []
            marks += [
                {
                    "studentId": people[row["user_id"]]["sis_user_id"],
                    "subjectId": course["sis_course_id"],
                    "examId": str(row["assignment_id"]),
                    "examName": work[row["assignment_id"]]["name"],
                    "maxMarks": work[row["assignment_id"]]["points_possible"],
                    "marksObtained": row["score"],
                    "attempt": 1,
                }
                for row in scores
            ]
            events = await every(
                client,
                "/api/v1/calendar_events",
                **{"context_codes[]": f"course_{course['id']}"},
                start_date="2026-01-01",
                end_date="2026-12-31",
            )
            lessons += [
                {
                    "subjectId": course["sis_course_id"],
                    "date": local(event["start_at"], "%Y-%m-%d"),
                    "startTime": local(event["start_at"], "%H:%M"),
                    "endTime": local(event["end_at"], "%H:%M"),
                    "room": event["location_name"],
                    "status": "scheduled",
                }
                for event in events
            ]
        assert len(await every(client, "/api/v1/accounts/self/users")) == 264
    students = [{"studentId": p["sis_user_id"], "name": p["name"], "email": p["email"]} for p in people.values()]
    truth = [{k: row[k] for k in ("studentId", "name", "email")} for row in canvas.truth(DataType.STUDENTS)]
    assert differences(DataType.STUDENTS, truth, students) == []
    truth = [{k: row[k] for k in marks[0] if k in row} for row in canvas.truth(DataType.MARKS)]
    assert differences(DataType.MARKS, truth, marks) == []
    assert differences(DataType.TIMETABLE, canvas.truth(DataType.TIMETABLE), lessons) == []
    assert (len(courses), len(students), len(marks), len(lessons)) == (24, 240, 2880, 672)
    assert courses[0]["term"]["name"] == "Semester 3"
    assert all(user_id > 2**53 for user_id in people)


async def test_a_page_has_ten_rows_unless_asked_and_never_more_than_a_hundred(campus: Campus) -> None:
    async with connect(Canvas(campus), headers=BEARER) as client:
        sizes = [
            len((await client.get("/api/v1/accounts/1/users", params=params)).json())
            for params in ({}, {"per_page": 50}, {"per_page": 5000})
        ]
        token = await client.get(f"/api/v1/accounts/1/users?access_token={Canvas.token}", headers={"authorization": ""})
    assert sizes == [10, 50, 100]
    assert Canvas.token not in token.links["next"]["url"]
    assert "x-request-cost" in token.headers


async def test_without_all_students_there_are_no_submissions(campus: Campus) -> None:
    async with connect(Canvas(campus), headers=BEARER) as client:
        path = "/api/v1/courses/sis_course_id:CS301/students/submissions"
        assert (await client.get(path)).json() == []
        assert len((await client.get(path, params={"student_ids[]": "all", "per_page": 100})).json()) == 100
        later = {"student_ids[]": "all", "graded_since": "2026-03-01T00:00:00Z"}
        assert all(row["graded_at"] > "2026-03-01" for row in await every(client, path, **later))


async def test_deleted_enrolments_are_listed_when_asked_for() -> None:
    canvas = Canvas()
    canvas.campus.students.remove("CS2501")
    async with connect(canvas, headers=BEARER) as client:
        path, kind = "/api/v1/courses/sis_course_id:CS301/enrollments", {"type[]": "StudentEnrollment"}
        assert len(await every(client, path, **kind)) == 59
        gone = await every(client, path, **kind, **{"state[]": "deleted"})
    assert [row["sis_user_id"] for row in gone] == ["CS2501"]


@pytest.mark.parametrize("status", [403, 429])
async def test_throttling_and_refusals_differ(campus: Campus, status: int) -> None:
    canvas = Canvas(campus, throttle_status=status)
    canvas.closed.add("CS301")
    canvas.faults.order(Kind.BUSY)
    async with connect(canvas, headers=BEARER) as client:
        busy, closed = [await client.get("/api/v1/courses/sis_course_id:CS301/assignments") for _ in range(2)]
        wrong = await client.get("/api/v1/accounts/1/courses", headers={"authorization": "Bearer wrong"})
    assert busy.status_code == status
    assert "Rate Limit Exceeded" in busy.text
    assert closed.status_code == 403
    assert misshapen(samples.CANVAS_FORBIDDEN, closed.json()) == []
    assert wrong.status_code == 401
    assert "www-authenticate" in wrong.headers


def local(text: str, form: str) -> str:
    return in_india(datetime.fromisoformat(text), form)
