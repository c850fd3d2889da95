"""Frappe Education as a plain client reads it: document types by modification, five hundred at a time."""

import json
from typing import Any

import httpx2
from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.faults import Kind
from simulators import samples
from simulators.comparison import differences
from simulators.frappe import Frappe
from simulators.samples import misshapen
from simulators.serving import connect

TOKEN = {"authorization": f"token {Frappe.api_key}:{Frappe.api_secret}"}


async def every(client: httpx2.AsyncClient, doctype: str, filters: Any = ()) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while True:
        params = {"fields": '["*"]', "filters": json.dumps(filters), "order_by": "modified asc"}
        params |= {"limit_start": str(len(rows)), "limit_page_length": "500"}
        response = await client.get(f"/api/resource/{doctype}", params=params)
        assert response.status_code == 200, response.text
        page = response.json()["data"]
        if not page:
            return rows
        rows += page


def padded(time: str) -> str:
    return time.zfill(8)[:5]


async def test_everything_is_there(campus: Campus) -> None:
    frappe = Frappe(campus)
    async with connect(frappe, headers=TOKEN) as client:
        marks, results, plans, schedules, students, instructors, rooms = [
            await every(client, doctype)
            for doctype in (
                "Student Attendance",
                "Assessment Result",
                "Assessment Plan",
                "Course Schedule",
                "Student",
                "Instructor",
                "Room",
            )
        ]
    lesson_of = {row["name"]: row for row in schedules}
    words = {"Present": "present", "Absent": "absent", "Leave": "leave"}
    attendance = [
        {
            "studentId": row["student"],
            "name": row["student_name"],
            "date": row["date"],
            "sessionId": row["course_schedule"],
            "subjectId": lesson_of[row["course_schedule"]]["course"],
            "section": row["student_group"],
            "attendance": words[row["status"]],
        }
        for row in marks
    ]
    assert differences(DataType.ATTENDANCE, frappe.truth(DataType.ATTENDANCE), attendance) == []
    assert misshapen(samples.FRAPPE_LIST, {"data": marks}) == []
    staff = {row["name"]: row["employee"] for row in instructors}
    names = {row["name"]: row["room_name"] for row in rooms}
    lessons = [
        {
            "subjectId": row["course"],
            "facultyId": staff[row["instructor"]],
            "section": row["student_group"],
            "room": names[row["room"]],
            "date": row["schedule_date"],
            "startTime": padded(row["from_time"]),
            "endTime": padded(row["to_time"]),
        }
        for row in schedules
    ]
    assert differences(DataType.TIMETABLE, frappe.truth(DataType.TIMETABLE), lessons) == []
    assert any(row["from_time"] == "9:00:00" for row in schedules)
    plan_of = {row["name"]: row for row in plans}
    scores = [
        {
            "studentId": row["student"],
            "subjectId": row["course"],
            "examId": row["assessment_plan"],
            "examName": plan_of[row["assessment_plan"]]["assessment_name"],
            "examDate": plan_of[row["assessment_plan"]]["schedule_date"],
            "marksObtained": row["total_score"],
            "maxMarks": row["maximum_score"],
        }
        for row in results
    ]
    truth = [{k: row[k] for k in scores[0]} for row in frappe.truth(DataType.MARKS)]
    assert differences(DataType.MARKS, truth, scores) == []
    assert (len(marks), len(schedules), len(students)) == (20_160, 672, 240)
    assert {row["student_name"] for row in students} == {row["name"] for row in frappe.truth(DataType.STUDENTS)}


async def test_a_list_shows_twenty_names_unless_asked_for_more(campus: Campus) -> None:
    async with connect(Frappe(campus), headers=TOKEN) as client:
        plain = (await client.get("/api/resource/Student")).json()["data"]
        whole = (await client.get("/api/resource/Student?limit_page_length=0")).json()["data"]
        named = (await client.get('/api/resource/Student?fields=["name","gender"]&limit=3')).json()["data"]
        one = (await client.get("/api/resource/Assessment Result/EDU-RES-2026-00001")).json()["data"]
        group = (await client.get("/api/resource/Student Group/CS-A")).json()["data"]
        listed = (await client.get('/api/resource/Student Group?fields=["*"]')).json()["data"]
        count = (await client.get("/api/method/frappe.client.get_count?doctype=Student")).json()["message"]
        child = await client.get('/api/resource/Assessment Result?fields=["name","details"]')
    assert (len(plain), [*plain[0]], len(whole), [*named[0]]) == (20, ["name"], 240, ["name", "gender"])
    assert one["details"][0]["score"] == one["total_score"]
    assert (len(group["students"]), "students" in listed[0], count) == (30, False, 240)
    assert (child.status_code, child.json()["exc_type"]) == (417, "DataError")


async def test_a_correction_cancels_a_document_and_amends_it() -> None:
    frappe = Frappe()
    first, second = frappe.campus.attendance.rows[:2]
    since = [["modified", ">=", "2026-06-01 00:00:00"], ["docstatus", "in", [1, 2]]]
    async with connect(frappe, headers=TOKEN) as client:
        assert await every(client, "Student Attendance", since) == []
        frappe.campus.attendance.change(first["studentId"], first["date"], first["period"], attendance="on_duty")
        frappe.campus.attendance.remove(second["studentId"], second["date"], second["period"])
        rows = await every(client, "Student Attendance", since)
        as_object = await every(client, "Student Attendance", {"docstatus": 2})
    assert [(row["name"], row["docstatus"], row["amended_from"], row["status"]) for row in rows] == [
        ("EDU-ATT-2026-00001", 2, None, "Present"),
        ("EDU-ATT-2026-00001-1", 1, "EDU-ATT-2026-00001", "Leave"),
        ("EDU-ATT-2026-00002", 2, None, rows[2]["status"]),
    ]
    assert [row["name"] for row in as_object] == ["EDU-ATT-2026-00001", "EDU-ATT-2026-00002"]
    assert len(frappe.truth(DataType.ATTENDANCE)) == 20_159


async def test_refusals_and_throttling(campus: Campus) -> None:
    frappe = Frappe(campus)
    frappe.faults.order(Kind.BUSY, where="Instructor", retry_after_s=7)
    async with connect(frappe) as client:
        none, wrong, busy, unknown = [
            await client.get(f"/api/resource/{doctype}", headers=headers)
            for doctype, headers in (
                ("Student", {}),
                ("Student", {"authorization": "token a:b"}),
                ("Instructor", TOKEN),
                ("Nothing", TOKEN),
            )
        ]
        missing = await client.get("/api/resource/Student/nobody", headers=TOKEN)
        who = await client.get("/api/method/frappe.auth.get_logged_user", headers=TOKEN)
    assert (none.status_code, wrong.status_code, unknown.status_code) == (403, 401, 404)
    assert misshapen(samples.FRAPPE_ERROR, none.json()) == []
    assert json.loads(json.loads(none.json()["_server_messages"])[0])["message"] == "Not permitted"
    assert (busy.status_code, busy.text, busy.headers["retry-after"]) == (429, "Too Many Requests", "7")
    assert (missing.status_code, missing.json()) == (404, {})
    assert "@" in who.json()["message"]
