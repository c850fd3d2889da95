"""Blackboard Learn as a plain client reads it: relative next pages, meeting by meeting, column by column."""

from datetime import datetime
from typing import Any

import httpx2
from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.faults import Kind
from hub_standalone.demo.simulated.times import in_india
from simulators import samples
from simulators.blackboard import Blackboard
from simulators.comparison import differences
from simulators.samples import misshapen
from simulators.serving import connect

API = "/learn/api/public"


async def signed_in(client: httpx2.AsyncClient) -> None:
    client_id = (Blackboard.client_id, Blackboard.client_secret)
    answer = await client.post(f"{API}/v1/oauth2/token", data={"grant_type": "client_credentials"}, auth=client_id)
    client.headers["authorization"] = f"Bearer {answer.json()['access_token']}"


async def every(client: httpx2.AsyncClient, path: str | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while path:
        response = await client.get(path)
        assert response.status_code == 200, response.text
        rows += response.json()["results"]
        path = response.json().get("paging", {}).get("nextPage")
    return rows


async def test_everything_is_there(campus: Campus) -> None:
    simulator = Blackboard(campus)
    attendance, marks = [], []
    people: dict[str, str] = {}
    async with connect(simulator) as client:
        await signed_in(client)
        courses = await every(client, f"{API}/v3/courses")
        for course in courses:
            path = f"courses/{course['id']}"
            members = await every(client, f"{API}/v1/{path}/users?role=Student&expand=user")
            people |= {r["userId"]: r["user"].get("studentId") or r["user"]["externalId"] for r in members}
            for meeting in await every(client, f"{API}/v1/{path}/meetings"):
                records = await every(client, f"{API}/v1/{path}/meetings/{meeting['id']}/users")
                assert all(str(meeting["id"]) == row["meetingId"] for row in records)
                start, end = (meeting[n] and datetime.fromisoformat(meeting[n]) for n in ("start", "end"))
                attendance += [
                    {
                        "studentId": people[row["userId"]],
                        "subjectId": course["externalId"],
                        "sessionId": row["meetingId"],
                        "date": in_india(start, "%Y-%m-%d"),
                        "startTime": in_india(start, "%H:%M"),
                        "endTime": in_india(end, "%H:%M") if end else None,
                        "attendance": row["status"].lower(),
                    }
                    for row in records
                ]
            for column in await every(client, f"{API}/v2/{path}/gradebook/columns"):
                if column["grading"]["type"] == "Calculated":
                    continue
                marks += [
                    {
                        "studentId": people[row["userId"]],
                        "subjectId": course["externalId"],
                        "examId": column["id"],
                        "examName": column["name"],
                        "maxMarks": column["score"]["possible"],
                        "marksObtained": row["score"],
                    }
                    for row in await every(client, f"{API}/v2/{path}/gradebook/columns/{column['id']}/users")
                ]
        first = await client.get(
            f"{API}/v1/courses/_1_1/meetings/{simulator.campus.lessons_of('CS301')[0].number}/users?limit=10"
        )
        users = await every(client, f"{API}/v1/users")
    assert differences(DataType.ATTENDANCE, simulator.truth(DataType.ATTENDANCE), attendance) == []
    truth = [{k: row[k] for k in marks[0]} for row in simulator.truth(DataType.MARKS)]
    assert differences(DataType.MARKS, truth, marks) == []
    assert set(people.values()) == {row["studentId"] for row in simulator.truth(DataType.STUDENTS)}
    assert (len(courses), len(attendance), len(users)) == (24, 20_160, 264)
    assert misshapen(samples.BLACKBOARD_RECORDS, first.json()) == []
    assert first.json()["paging"]["nextPage"].startswith("/learn/")


async def test_an_oversized_limit_is_clamped(campus: Campus) -> None:
    async with connect(Blackboard(campus)) as client:
        await signed_in(client)
        users = await client.get(f"{API}/v1/users?limit=500")
        members = await client.get(f"{API}/v1/courses/externalId:CS301/users")
    assert (len(users.json()["results"]), len(members.json()["results"])) == (100, 61)


async def test_refusals_and_the_daily_budget(campus: Campus) -> None:
    simulator = Blackboard(campus, budget=4)
    simulator.closed.add("CS301")
    simulator.faults.order(Kind.BUSY, where="/v1/terms", retry_after_s=9)
    async with connect(simulator) as client:
        before = await client.get(f"{API}/v3/courses")
        await signed_in(client)
        denied = await client.get(f"{API}/v1/courses/_1_1/meetings")
        busy, spent = [await client.get(f"{API}/v1/terms") for _ in range(2)]
    assert [r.status_code for r in (before, denied, busy, spent)] == [401, 403, 429, 429]
    assert busy.headers["retry-after"] == "9"
    assert spent.headers["x-rate-limit-remaining"] == "0"
    assert {"status", "message"} <= set(denied.json())
