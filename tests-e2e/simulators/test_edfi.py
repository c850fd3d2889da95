"""Ed-Fi as a plain client reads it: pages of five hundred, then windows of change versions."""

from typing import Any

import httpx2
from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from simulators import samples
from simulators.comparison import differences
from simulators.edfi import EdFi
from simulators.samples import misshapen
from simulators.serving import connect

DATA = "/data/v3/ed-fi"
EVENTS = f"{DATA}/studentSectionAttendanceEvents"


async def signed_in(client: httpx2.AsyncClient) -> None:
    urls = (await client.get("/")).json()["urls"]
    answer = await client.post(
        urls["oauth"], data={"grant_type": "client_credentials"}, auth=(EdFi.client_id, EdFi.client_secret)
    )
    client.headers["authorization"] = f"Bearer {answer.json()['access_token']}"


async def every(client: httpx2.AsyncClient, path: str, **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while page := (await client.get(path, params={"limit": 500, "offset": len(rows), **params})).json():
        rows += page
    return rows


async def test_attendance_and_marks_are_there(campus: Campus) -> None:
    edfi = EdFi(campus)
    async with connect(edfi) as client:
        await signed_in(client)
        events = await every(client, EVENTS)
        scores = await every(client, f"{DATA}/studentGradebookEntries")
        exams = {row["gradebookEntryIdentifier"]: row for row in await every(client, f"{DATA}/gradebookEntries")}
        counted = await client.get(EVENTS, params={"totalCount": "true", "limit": 0})
    words = {"In Attendance": "present", "Unexcused Absence": "absent", "Tardy": "late", "Excused Absence": "excused"}
    rows = [
        {
            "studentId": row["studentReference"]["studentUniqueId"],
            "date": row["eventDate"],
            "subjectId": row["sectionReference"]["localCourseCode"],
            "section": row["sectionReference"]["sectionIdentifier"],
            "attendance": words[row["attendanceEventCategoryDescriptor"].partition("#")[2]],
        }
        for row in events
    ]
    assert differences(DataType.ATTENDANCE, edfi.truth(DataType.ATTENDANCE), rows) == []
    assert misshapen(samples.EDFI_EVENTS, events) == []
    marks = [
        {
            "studentId": row["studentSectionAssociationReference"]["studentUniqueId"],
            "subjectId": row["studentSectionAssociationReference"]["localCourseCode"],
            "examId": (key := row["gradebookEntryReference"]["gradebookEntryIdentifier"]),
            "examName": exams[key]["title"],
            "examDate": exams[key].get("dueDate") or exams[key]["dateAssigned"],
            "maxMarks": exams[key]["maxPoints"],
            "marksObtained": row.get("pointsEarned"),
        }
        for row in scores
    ]
    truth = [{k: row[k] for k in marks[0] if k in row} for row in edfi.truth(DataType.MARKS)]
    assert differences(DataType.MARKS, truth, marks) == []
    assert int(counted.headers["total-count"]) == len({row["id"] for row in events}) == 20_160
    assert (counted.json(), len(marks)) == ([], 2880)


async def test_the_timetable_is_sections_by_bells(campus: Campus) -> None:
    edfi = EdFi(campus)
    async with connect(edfi) as client:
        await signed_in(client)
        sections, bells, periods = [
            await every(client, f"{DATA}/{name}") for name in ("sections", "bellSchedules", "classPeriods")
        ]
        people = await every(client, f"{DATA}/students"), await every(client, f"{DATA}/staffs")
    times = {row["classPeriodName"]: row["meetingTimes"][0] for row in periods}
    dates = {
        period["classPeriodReference"]["classPeriodName"]: [date["date"] for date in bell["dates"]]
        for bell in bells
        for period in bell["classPeriods"]
    }
    rows = [
        {
            "subjectId": section["courseOfferingReference"]["localCourseCode"],
            "section": section["sectionIdentifier"],
            "room": section["locationReference"]["classroomIdentificationCode"],
            "period": (name := period["classPeriodReference"]["classPeriodName"]),
            "date": date,
            "startTime": times[name]["startTime"][:5],
            "endTime": times[name]["endTime"][:5],
        }
        for section in sections
        for period in section["classPeriods"]
        for date in dates[period["classPeriodReference"]["classPeriodName"]]
    ]
    assert differences(DataType.TIMETABLE, edfi.truth(DataType.TIMETABLE), rows) == []
    assert (len(rows), len(sections), *map(len, people)) == (672, 48, 240, 24)


async def test_a_correction_is_a_delete_and_a_new_event() -> None:
    edfi = EdFi()
    first = edfi.campus.attendance.rows[0]
    key = (first["studentId"], first["date"], first["period"])
    other = "absent" if first["attendance"] == "present" else "present"
    async with connect(edfi) as client:
        await signed_in(client)
        before = (await client.get("/changeQueries/v1/availableChangeVersions")).json()["newestChangeVersion"]
        edfi.campus.attendance.change(*key, attendance=other)
        window = {"minChangeVersion": before + 1, "maxChangeVersion": edfi.campus.clock.version}
        changed = await every(client, EVENTS, **window)
        gone = await every(client, f"{EVENTS}/deletes", **window)
        assert [row["id"] for row in changed] != [row["id"] for row in gone]
        assert (len(changed), len(gone)) == (1, 1)
        assert misshapen(samples.EDFI_DELETES, gone) == []
        edfi.campus.attendance.change(*key, attendance=first["attendance"])
        edfi.campus.students.remove("CS2540")
        window["maxChangeVersion"] = edfi.campus.clock.version
        gone = await every(client, f"{EVENTS}/deletes", **window)
        students = await every(client, f"{DATA}/students/deletes", **window)
    assert [row["keyValues"]["attendanceEventCategoryDescriptor"].rpartition("#")[2] for row in gone] == [
        "Unexcused Absence" if other == "absent" else "In Attendance"
    ]
    assert [row["keyValues"] for row in students] == [{"studentUniqueId": "CS2540"}]


async def test_limits_are_refused_and_features_may_be_off(campus: Campus) -> None:
    async with connect(EdFi(campus, has_change_queries=False)) as client:
        assert (await client.get(f"{DATA}/students")).status_code == 401
        await signed_in(client)
        large = await client.get(f"{DATA}/students", params={"limit": 501})
        off = await client.get("/changeQueries/v1/availableChangeVersions")
        beyond = await client.get(f"{DATA}/students", params={"offset": 100_000})
        unknown = await client.get(f"{DATA}/nothing")
    assert (large.status_code, large.headers["content-type"]) == (400, "application/problem+json")
    assert off.json()["type"].endswith("feature-disabled")
    assert beyond.json() == []
    assert (off.status_code, unknown.status_code) == (404, 404)
