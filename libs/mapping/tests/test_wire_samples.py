"""What real systems send becomes the record of the seed: student 101, Math, present on 2026-07-20 in India.

The answers are those of the vendors' documentation and sources, with invented values; they are exploded, joined and
derived as the fetcher does it, then mapped.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hub_mapping import compile_mapping
from hub_mapping.derive import group_rows, punches_to_attendance
from hub_mapping.shaping import explode
from hub_mapping.texts import key_text
from hub_model.combining import Explode, GroupBy, Punches
from hub_model.mappings import Mapping
from hub_model.records import DataType

OBSERVED = datetime(2026, 7, 22, tzinfo=UTC)
INDIA = "Asia/Kolkata"
DAY = "2026-07-20T"
STUDENTS = [
    {"moodleId": 57, "userId": "_57_1", "classroomId": "u1", "canvasId": "10000000000000057", "sourcedId": "u-57",
     "biometricId": "0101", "studentId": "101", "name": "Rahul"},
]  # fmt: skip


def mapped(data_type: DataType, raw: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The data of the canonical record, without what has no value; a reject fails with its issues."""
    mapping = compile_mapping(Mapping.model_validate(document), data_type, time_zone=INDIA)
    batch = mapping.map_batch([raw], observed_at=OBSERVED)
    assert [reject.issues for reject in batch.rejects] == []
    (record,) = batch.records
    return {name: value for name, value in record["data"].items() if value is not None}


def rules(**fields: Any) -> list[dict[str, Any]]:
    """Rules from paths, or from what a rule says beside ``to``."""
    given = {to: rule if isinstance(rule, dict) else {"from": rule} for to, rule in fields.items()}
    return [{"to": to.replace("__", "."), **rule} for to, rule in given.items()]


def join(
    record: dict[str, Any], rows: Iterable[dict[str, Any]], left: object, right: str, name: str = "student"
) -> dict[str, Any]:
    return {**record, name: next((row for row in rows if key_text(row[right]) == key_text(left)), None)}


def exploded(record: dict[str, Any], *specs: dict[str, Any]) -> dict[str, Any]:
    (found,) = explode(record, [Explode.model_validate(spec) for spec in specs])
    return found


def attendance_of(rows: list[dict[str, Any]], **spec: Any) -> dict[str, Any]:
    (record,) = punches_to_attendance(rows, Punches.model_validate(spec), ZoneInfo(INDIA))
    joined = join(record, STUDENTS, record["personCode"], "biometricId")
    return mapped(DataType.ATTENDANCE, joined, {"rules": rules(studentId="student.studentId", name="student.name")})


MOODLE_SESSION = {
    "id": 9, "courseid": 4, "sessdate": 1784516400, "duration": 3600, "lasttaken": 1784517000,
    "statuses": [
        {"id": 31, "acronym": "P", "description": "Present", "grade": 2},
        {"id": 32, "acronym": "Ab", "description": "Absent", "grade": 0},
        {"id": 33, "acronym": "XX", "description": "Sport", "grade": 2},
        {"id": 34, "acronym": "YY", "description": "Odd", "grade": 1},
    ],
    "attendance_log": [{"studentid": 57, "statusid": "31", "remarks": "", "id": "880"}],
    "users": [{"id": 57, "firstname": "Rahul", "lastname": "Rao"}],
}  # fmt: skip
MOODLE_ATTENDANCE = rules(
    studentId="student.studentId",
    name={"from": "log.studentid", "do": [["find", "users", "id", "firstname"]]},
    date={"from": "sessdate", "do": [["date", "epoch_s"]]},
    startTime={"from": "sessdate", "do": [["time", "epoch_s"]]},
    endTime={"from": "sessdate", "do": [["add_seconds", "duration"], ["time", "epoch_s"]]},
    subjectId="course.idnumber",
    sessionId="id",
    attendance={
        "from": [
            {"from": "log.statusid", "do": [["find", "statuses", "id", "acronym"], ["map", {"P": "present"}]]},
            {"from": "log.statusid", "do": [["find", "statuses", "id", "description"], ["map", {"Absent": "absent"}]]},
            {
                "from": "log.statusid",
                "do": [
                    ["find", "statuses", "id", "grade"],
                    ["rank", "statuses.*.grade", {"highest": "present", "zero": "absent"}],
                ],
            },
            {"from": "log.statusid", "do": ["unknown"]},
        ]
    },
    remarks="log.remarks",
)


def moodle(statusid: object) -> dict[str, Any]:
    session = {**MOODLE_SESSION, "attendance_log": [{"studentid": 57, "statusid": statusid, "remarks": ""}]}
    record = exploded(session, {"path": "attendance_log", "as": "log"})
    record = join(record, STUDENTS, record["log"]["studentid"], "moodleId")
    record = join(record, [{"id": 4, "idnumber": "MATH"}], record["courseid"], "id", "course")
    updated = {"to": "updatedAt", "from": ["lasttaken"], "do": [["datetime", "epoch_s"]]}
    return mapped(DataType.ATTENDANCE, record, {"rules": MOODLE_ATTENDANCE, "updatedAt": updated, "sourceId": "log.id"})


def test_a_moodle_session() -> None:
    assert moodle("31") == {
        "studentId": "101", "name": "Rahul", "date": "2026-07-20", "startTime": "08:30", "endTime": "09:30",
        "subjectId": "MATH", "sessionId": "9", "attendance": "present",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("statusid", "word", "raw"),
    [("32", "absent", None), (33, "present", None), ("34", "unknown", "YY"), ("99", "unknown", "99")],
)
def test_a_moodle_status_is_known_by_acronym_then_description_then_grade_and_else_stays_unknown(
    statusid: object, word: str, raw: object
) -> None:
    data = moodle(statusid)
    assert data["attendance"] == word
    assert data.get("extensions", {}).get("attendanceRaw") == raw


def test_moodle_users_become_students_once_though_they_are_in_many_courses() -> None:
    user = {
        "id": 57, "username": "r.rao", "fullname": "Rahul Rao", "firstname": "Rahul", "lastname": "Rao",
        "email": "Rahul@x.edu", "idnumber": "", "suspended": 0, "phone1": "1", "phone2": "",
        "customfields": [{"shortname": "hostel", "value": "H1"}, {"shortname": "Roll", "value": "101"}],
        "roles": [{"roleid": 5, "shortname": "student"}], "parent": {"course": "MATH"},
    }  # fmt: skip
    rows = [user, {**user, "parent": {"course": "PHYS"}}]
    (row,) = group_rows(rows, GroupBy.model_validate({"by": "id", "collect": {"courses": "parent.course"}}))
    own = {
        "from": "customfields",
        "do": [["filter", {"path": "shortname", "equals": "roll"}], ["pluck", "value"], "first"],
    }
    found = rules(
        studentId={"from": ["idnumber", own, "username"]},
        name="fullname",
        email="email",
        phone=["phone2", "phone1"],
        status={"from": "suspended", "do": [["map", {"1": "suspended"}, "active"]]},
        externalIds__moodleId="id",
        extensions__courses="courses",
    )
    wanted = [{"path": "roles.*.shortname", "oneOf": ["student"]}]
    assert mapped(DataType.STUDENTS, row, {"rules": found, "when": wanted}) == {
        "studentId": "101", "name": "Rahul Rao", "firstName": "Rahul", "lastName": "Rao", "email": "rahul@x.edu",
        "phone": "1", "status": "active",
        "externalIds": {"moodleId": "57"}, "extensions": {"courses": ["MATH", "PHYS"]},
    }  # fmt: skip


MOODLE_GRADES = {
    "courseid": 4, "userid": 57, "useridnumber": "101",
    "gradeitems": [
        {"id": 71, "itemname": "Quiz 1", "itemtype": "mod", "itemmodule": "quiz", "graderaw": 8.5, "grademin": 0,
         "grademax": 10, "percentageformatted": "85,00 %", "gradedategraded": 1784540000,
         "feedback": "<p>Good &amp; quick</p>"},
        {"id": 72, "itemname": None, "itemtype": "course", "graderaw": None, "grademax": 100,
         "percentageformatted": "-", "gradedategraded": None},
        {"id": 73, "itemname": None, "itemtype": "category", "grademax": 10},
    ],
}  # fmt: skip


def test_moodle_grades() -> None:
    found = rules(
        studentId=["useridnumber", "student.studentId"],
        subjectId={"const": "MATH"},
        examId="item.id",
        examName={
            "from": [
                "item.itemname",
                {"const": "Course total", "when": [{"path": "item.itemtype", "equals": "course"}]},
            ]
        },
        examType={
            "from": [
                {"const": "course_total", "when": [{"path": "item.itemtype", "equals": "course"}]},
                {"from": "item.itemmodule", "do": [["map", {"quiz": "quiz", "assign": "assignment"}, "other"]]},
            ]
        },
        marksObtained="item.graderaw",
        maxMarks="item.grademax",
        minMarks="item.grademin",
        percentage={
            "from": "item.percentageformatted",
            "do": [["null_if", "-"], ["decimal", {"percent": True, "point": ","}]],
        },
        gradedAt={"from": "item.gradedategraded", "do": [["null_if", 0], ["datetime", "epoch_s"]]},
        remarks={"from": "item.feedback", "do": ["strip_html"]},
        result={"from": [{"const": "pending", "when": [{"path": "item.graderaw", "equals": None}]}]},
    )
    mapping = compile_mapping(
        Mapping.model_validate(
            {"rules": found, "when": [{"path": "item.itemtype", "equals": "category", "not": True}]}
        ),
        DataType.MARKS,
        time_zone=INDIA,
    )
    records = list(explode(MOODLE_GRADES, [Explode(path="gradeitems")]))
    batch = mapping.map_batch(records, observed_at=OBSERVED)
    assert (batch.rejects, batch.skipped) == ([], 1)
    quiz, total = (
        {name: value for name, value in record["data"].items() if value is not None} for record in batch.records
    )
    assert quiz == {
        "studentId": "101", "subjectId": "MATH", "examId": "71", "examName": "Quiz 1", "examType": "quiz",
        "marksObtained": 8.5, "maxMarks": 10, "minMarks": 0, "percentage": 85, "attempt": 1,
        "gradedAt": "2026-07-20T09:33:20.000000Z", "remarks": "Good & quick",
    }  # fmt: skip
    assert (total["examName"], total["examType"], total["result"]) == ("Course total", "course_total", "pending")
    assert "percentage" not in total


ONEROSTER_USER = {
    "sourcedId": "u-57", "status": "active", "dateLastModified": "2026-07-01T00:00:00.000Z", "enabledUser": "true",
    "givenName": "Rahul", "familyName": "Rao", "identifier": "101", "role": "student", "grades": ["11"],
    "orgs": [{"href": "https://h/orgs/o-1", "sourcedId": "o-1", "type": "org"}],
}  # fmt: skip
ONEROSTER_STUDENTS = {
    "sourceId": "sourcedId",
    "updatedAt": {"to": "updatedAt", "from": "dateLastModified"},
    "rules": rules(
        studentId={
            "from": [
                "identifier",
                {
                    "from": "userIds",
                    "do": [["filter", {"path": "type", "equals": "sis"}], ["pluck", "identifier"], "first"],
                },
                "sourcedId",
            ]
        },
        firstName="givenName",
        lastName="familyName",
        semester={"from": "grades", "do": ["first"]},
        status={"from": "enabledUser", "do": ["boolean", ["map", {"true": "active"}, "inactive"]]},
        recordStatus="status",
        department={
            "from": [
                {
                    "from": "roles",
                    "do": [
                        ["filter", {"path": "roleType", "equals": "primary"}],
                        ["pluck", "org"], "first", "ref_id", ["find", "orgRows", "sourcedId", "name"],
                    ],
                },
                {"from": "orgs.0.sourcedId", "do": [["find", "orgRows", "sourcedId", "name"]]},
            ]
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "user",
    [
        ONEROSTER_USER,
        {**ONEROSTER_USER, "enabledUser": True, "orgs": None, "identifier": None,
         "userIds": [{"type": "x", "identifier": "7"}, {"type": "SIS", "identifier": "101"}],
         "roles": [
             {"roleType": "secondary", "org": {"sourcedId": "o-2"}},
             {"roleType": "primary", "org": {"sourcedId": "o-1"}},
         ]},
    ],
)  # fmt: skip
def test_a_oneroster_user_of_either_version(user: dict[str, Any]) -> None:
    orgs = [{"sourcedId": "o-2", "name": "Arts"}, {"sourcedId": "o-1", "name": "Science"}]
    assert mapped(DataType.STUDENTS, {**user, "orgRows": orgs}, ONEROSTER_STUDENTS) == {
        "studentId": "101", "name": "Rahul Rao", "firstName": "Rahul", "lastName": "Rao", "semester": "11",
        "status": "active", "recordStatus": "active", "department": "Science",
    }  # fmt: skip


def test_a_oneroster_tombstone_needs_no_name() -> None:
    raw = {"sourcedId": "u-58", "status": "tobedeleted", "dateLastModified": "2026-07-19T10:00:00.000Z"}
    mapping = compile_mapping(Mapping.model_validate(ONEROSTER_STUDENTS), DataType.STUDENTS, time_zone=INDIA)
    (record,) = mapping.map_batch([raw], observed_at=OBSERVED).records
    assert (record["deleted"], record["sourceId"], record["data"]) == (True, "u-58", {"studentId": "u-58"})


def test_a_tombstone_that_tells_only_its_row_is_a_delete_of_that_row() -> None:
    rows = [{"sourcedId": f"r-{number}", "status": "tobedeleted"} for number in (1, 1, 2)]
    document: dict[str, Any] = {
        "sourceId": "sourcedId",
        "deletedWhen": [{"path": "status", "equals": "tobedeleted"}],
        "rules": rules(studentId="student.sourcedId", examId="lineItem.sourcedId"),
    }
    mapping = compile_mapping(Mapping.model_validate(document), DataType.MARKS, time_zone=INDIA)
    living = {"sourcedId": "r-3", "status": "active"}
    batch = mapping.map_batch([*rows, {"status": "tobedeleted"}, living], observed_at=OBSERVED)
    found = [(record["key"], record["sourceId"], record["deleted"], record["data"]) for record in batch.records]
    assert found == [("", "r-1", True, {}), ("", "r-2", True, {})]
    assert (batch.duplicates, [reject.index for reject in batch.rejects]) == (1, [3, 4])


def test_a_oneroster_result() -> None:
    result = {
        "sourcedId": "r-1", "status": "active", "lineItem": {"sourcedId": "li-1"}, "student": {"sourcedId": "u-57"},
        "scoreStatus": "fully graded", "score": 8.5, "scoreDate": "2026-07-20",
    }  # fmt: skip
    item = {
        "sourcedId": "li-1", "title": "Quiz 1", "dueDate": "2026-07-20T00:00:00.000Z", "resultValueMax": 10.0,
        "class": {"sourcedId": "MATH"}, "categoryTitle": "Weekly Quizzes",
    }  # fmt: skip
    record = join(join(result, STUDENTS, "u-57", "sourcedId"), [item], "li-1", "sourcedId", "line")
    found = rules(
        studentId="student.studentId", subjectId=["class.sourcedId", "line.class.sourcedId"],
        examId="lineItem.sourcedId", examName="line.title", marksObtained="score", maxMarks="line.resultValueMax",
        examDate={"from": ["line.dueDate", "line.assignDate"], "do": [["date", "iso"]]}, gradedAt="scoreDate",
        examType={"from": "line.categoryTitle", "do": [["map", {"*quiz*": "quiz", "*exam*": "endterm"}, "other"]]},
        result={
            "from": "scoreStatus",
            "do": [
                ["map", {"exempt": "exempt", "not submitted": "not_submitted", "fully graded": "unknown"}, "pending"]
            ],
        },
    )  # fmt: skip
    assert mapped(DataType.MARKS, record, {"rules": found}) == {
        "studentId": "101", "subjectId": "MATH", "examId": "li-1", "examName": "Quiz 1", "examType": "quiz",
        "marksObtained": 8.5, "maxMarks": 10, "percentage": 85, "examDate": "2026-07-20", "result": "unknown",
        "gradedAt": "2026-07-19T18:30:00.000000Z", "attempt": 1,
    }  # fmt: skip


CANVAS_RESULT = {
    "from": [
        {"const": "exempt", "when": [{"path": "excused", "equals": True}]},
        {"const": "not_submitted", "when": [{"path": "missing", "equals": True}]},
        {"const": "pending", "when": [{"path": "workflow_state", "equals": "graded", "not": True}]},
    ]
}


def test_a_canvas_submission_keeps_an_id_beyond_what_a_float_holds() -> None:
    raw = {
        "id": 1, "assignment_id": 12, "user_id": 10000000000000057, "score": 8.5, "grade": "8.5",
        "workflow_state": "graded", "graded_at": "2026-07-20T09:00:00Z", "posted_at": None, "late": False,
        "missing": False, "excused": None, "attempt": 1,
        "assignment": {"name": "Quiz 1", "points_possible": 10, "submission_types": ["online_quiz"]},
    }  # fmt: skip
    found = rules(
        studentId="student.studentId", subject={"const": "Math"}, examId="assignment_id", examName="assignment.name",
        maxMarks="assignment.points_possible", marksObtained="score", gradedAt="graded_at", result=CANVAS_RESULT,
        examType={"from": "assignment.submission_types.0", "do": [["map", {"online_quiz": "quiz"}, "assignment"]]},
    )  # fmt: skip
    record = join(raw, STUDENTS, raw["user_id"], "canvasId")
    assert mapped(DataType.MARKS, record, {"rules": found, "sourceId": "id"}) == {
        "studentId": "101", "subject": "Math", "examId": "12", "examName": "Quiz 1", "examType": "quiz", "attempt": 1,
        "marksObtained": 8.5, "maxMarks": 10, "percentage": 85, "grade": "8.5",
        "gradedAt": "2026-07-20T09:00:00.000000Z",
    }  # fmt: skip


def test_a_canvas_live_event() -> None:
    raw = {
        "metadata": {"event_name": "grade_change", "event_time": "2026-07-20T09:00:00.000Z"},
        "body": {"assignment_id": "12", "student_sis_id": "101", "score": 8.5, "points_possible": 10},
    }
    found = rules(
        studentId="body.student_sis_id", subject={"const": "Math"}, examId="body.assignment_id",
        marksObtained="body.score", maxMarks="body.points_possible",
    )  # fmt: skip
    data = mapped(
        DataType.MARKS, raw, {"rules": found, "when": [{"path": "metadata.event_name", "equals": "grade_change"}]}
    )
    assert (data["studentId"], data["percentage"]) == ("101", 85)


EDFI_WORDS = {
    "In Attendance": "present", "Present": "present", "Unexcused Absence": "absent", "Absent": "absent",
    "Excused Absence": "excused", "Tardy": "late", "Early departure": "early_departure", "Partial": "half_day",
}  # fmt: skip


def test_an_edfi_attendance_event_is_late() -> None:
    raw = {
        "id": "g", "eventDate": "2026-07-20", "arrivalTime": "08:45:00",
        "attendanceEventCategoryDescriptor": "uri://ed-fi.org/AttendanceEventCategoryDescriptor#Tardy",
        "studentReference": {"studentUniqueId": "101"},
        "sectionReference": {"localCourseCode": "MATH", "schoolId": 1, "sectionIdentifier": "A"},
    }  # fmt: skip
    found = rules(
        studentId="studentReference.studentUniqueId", date="eventDate", subjectId="sectionReference.localCourseCode",
        section="sectionReference.sectionIdentifier",
        attendance={"from": "attendanceEventCategoryDescriptor", "do": [["tail", "#"], ["map", EDFI_WORDS]]},
        checkInAt={"from": "arrivalTime", "do": [["template", "{eventDate}T{}"], "datetime"]},
    )  # fmt: skip
    assert mapped(DataType.ATTENDANCE, raw, {"rules": found, "sourceId": "id"}) == {
        "studentId": "101", "date": "2026-07-20", "subjectId": "MATH", "section": "A", "attendance": "late",
        "checkInAt": "2026-07-20T03:15:00.000000Z",
    }  # fmt: skip


def test_an_edfi_delete() -> None:
    raw = {
        "id": "g", "changeVersion": 4412,
        "keyValues": {"studentUniqueId": "101", "eventDate": "2026-07-20", "localCourseCode": "MATH"},
    }  # fmt: skip
    found = rules(
        studentId="keyValues.studentUniqueId", date="keyValues.eventDate", subjectId="keyValues.localCourseCode"
    )
    mapping = compile_mapping(
        Mapping.model_validate({"rules": found, "sourceId": "id"}), DataType.ATTENDANCE, time_zone=INDIA, deletes=True
    )
    (record,) = mapping.map_batch([raw], observed_at=OBSERVED).records
    assert (record["deleted"], record["key"]) == (True, '["101","2026-07-20","MATH",""]')


FRAPPE = {
    "name": "EDU-ATT-2026-00009", "student": "101", "student_name": "Rahul", "course_schedule": "EDU-CSH-1",
    "student_group": "BSC-A", "date": "2026-07-20", "status": "Present", "docstatus": 1,
    "modified": "2026-07-20 09:05:11.123456", "schedule": {"course": "Math"},
}  # fmt: skip
FRAPPE_ATTENDANCE = {
    "sourceId": "name",
    "updatedAt": {"to": "updatedAt", "from": "modified", "do": ["datetime"]},
    "when": [{"path": "docstatus", "equals": 0, "not": True}],
    "deletedWhen": [{"path": "docstatus", "equals": 2}],
    "rules": rules(
        studentId="student", name="student_name", attendance="status", sessionId="course_schedule",
        subjectId="schedule.course", section="student_group",
    ),
}  # fmt: skip


def test_frappe_attendance_and_what_becomes_of_drafts_and_cancelled_ones() -> None:
    assert mapped(DataType.ATTENDANCE, FRAPPE, FRAPPE_ATTENDANCE) == {
        "studentId": "101", "name": "Rahul", "date": "2026-07-20", "sessionId": "EDU-CSH-1", "subjectId": "Math",
        "section": "BSC-A", "attendance": "present",
    }  # fmt: skip
    mapping = compile_mapping(Mapping.model_validate(FRAPPE_ATTENDANCE), DataType.ATTENDANCE, time_zone=INDIA)
    batch = mapping.map_batch([{**FRAPPE, "docstatus": 0}, {**FRAPPE, "docstatus": 2}], observed_at=OBSERVED)
    assert (batch.skipped, [record["deleted"] for record in batch.records]) == (1, [True])
    assert batch.records[0]["version"] == "2026-07-20T03:35:11.123456Z"


def test_a_google_submission_whose_missing_fields_are_zero_and_false() -> None:
    def graded(kind: str, at: str) -> dict[str, Any]:
        change = {"gradeChangeType": f"{kind}_GRADE_POINTS_EARNED_CHANGE", "gradeTimestamp": DAY + at}
        return {"gradeHistory": change}

    raw = {
        "id": "S1", "userId": "u1", "courseWorkId": "cw1", "state": "RETURNED", "assignedGrade": 8.5,
        "updateTime": "2026-07-20T09:00:00.123Z",
        "work": {
            "title": "Quiz 1", "maxPoints": 10, "workType": "SHORT_ANSWER_QUESTION",
            "dueDate": {"year": 2026, "month": 7, "day": 20},
        },
        "submissionHistory": [
            {"stateHistory": {"state": "TURNED_IN"}},
            graded("ASSIGNED", "08:00:00Z"),
            graded("ASSIGNED", "09:00:00Z"),
            graded("DRAFT", "10:00:00Z"),
        ],
    }  # fmt: skip
    found = rules(
        studentId="student.studentId", subject={"const": "Math"}, examId="courseWorkId", examName="work.title",
        maxMarks="work.maxPoints", marksObtained="assignedGrade",
        examDate={"from": "work.dueDate", "do": ["date_parts"]},
        examType={
            "from": "work.workType", "do": [["map", {"ASSIGNMENT": "assignment", "*_QUESTION": "quiz"}, "other"]]
        },
        gradedAt={
            "from": "submissionHistory",
            "do": [
                ["filter", {"path": "gradeHistory.gradeChangeType", "matches": "^ASSIGNED_GRADE"}],
                ["pluck", "gradeHistory.gradeTimestamp"], "last",
            ],
        },
        result={
            "from": [
                {"from": "state", "do": [["map", {"RETURNED": "unknown", "TURNED_IN": "pending"}, None]]},
                {"const": "not_submitted", "when": [{"path": "late", "equals": True}]},
            ]
        },
    )  # fmt: skip
    record = join(raw, STUDENTS, "u1", "classroomId")
    assert mapped(DataType.MARKS, record, {"rules": found, "sourceId": "id"}) == {
        "studentId": "101", "subject": "Math", "examId": "cw1", "examName": "Quiz 1", "examType": "quiz", "attempt": 1,
        "marksObtained": 8.5, "maxMarks": 10, "percentage": 85, "examDate": "2026-07-20", "result": "unknown",
        "gradedAt": "2026-07-20T09:00:00.000000Z",
    }  # fmt: skip


def test_a_blackboard_meeting_whose_ids_are_numbers_here_and_text_there() -> None:
    raw = {
        "id": 7, "meetingId": "465", "userId": "_57_1", "status": "Present",
        "parent": {"course": "Math", "start": "2026-07-20T03:00:21.000Z", "end": None},
    }  # fmt: skip
    found = rules(
        studentId="student.studentId", name="student.name", subject="parent.course", sessionId="meetingId",
        date={"from": "parent.start", "do": [["date", "iso"]]},
        startTime={"from": "parent.start", "do": [["time", "iso", {"seconds": "cut"}]]},
        endTime={"from": "parent.end", "do": [["time", "iso", {"seconds": "cut"}]]},
        attendance="status",
    )  # fmt: skip
    assert mapped(DataType.ATTENDANCE, join(raw, STUDENTS, "_57_1", "userId"), {"rules": found, "sourceId": "id"}) == {
        "studentId": "101", "name": "Rahul", "subject": "Math", "date": "2026-07-20", "startTime": "08:30",
        "sessionId": "465", "attendance": "present",
    }  # fmt: skip


PRESENT = {
    "studentId": "101", "name": "Rahul", "date": "2026-07-20", "attendance": "present", "source": "biometric",
    "checkInAt": "2026-07-20T03:01:10.000000Z",
}  # fmt: skip


def test_punches_of_biotime_etimeoffice_essl_and_hikvision() -> None:
    biotime = {"id": 5001, "emp_code": "0101", "punch_time": "2026-07-20 08:31:10", "punch_state": "0"}
    plain = "%Y-%m-%d %H:%M:%S"
    assert (
        attendance_of(
            [biotime], person="emp_code", punchedAt="punch_time", datetimeFormat=plain, direction="punch_state"
        )
        == PRESENT
    )
    etimeoffice = {"Name": "Rahul Rao", "Empcode": "0101", "PunchDate": "20/07/2026 08:31:10", "M_Flag": None}
    assert (
        attendance_of(
            [etimeoffice], person="Empcode", punchedAt="PunchDate", datetimeFormat="%d/%m/%Y %H:%M:%S", timeZone=INDIA
        )
        == PRESENT
    )
    essl = {"code": "0101", "time": "2026-07-20 08:31:10", "direction": "in"}
    assert (
        attendance_of([essl], person="code", punchedAt="time", datetimeFormat=plain, direction="direction") == PRESENT
    )
    hikvision = {"employeeNoString": "0101", "time": "2026-07-20T08:31:10+05:30", "attendanceStatus": "checkIn"}
    assert (
        attendance_of([hikvision], person="employeeNoString", punchedAt="time", direction="attendanceStatus") == PRESENT
    )


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"INTime": "08:31", "OUTTime": "--:--", "Status": "P", "Late_In": "00:00"},
         {"attendance": "present", "checkInAt": "2026-07-20T03:01:00.000000Z"}),
        ({"INTime": "09:31", "OUTTime": "16:00", "Status": "P", "Late_In": "00:31"},
         {"attendance": "late", "checkInAt": DAY + "04:01:00.000000Z", "checkOutAt": DAY + "10:30:00.000000Z"}),
        ({"INTime": "--:--", "OUTTime": "--:--", "Status": "A", "Late_In": "00:00"}, {"attendance": "absent"}),
        ({"INTime": "--:--", "OUTTime": "--:--", "Status": "P/2", "Late_In": ""}, {"attendance": "half_day"}),
        ({"INTime": "--:--", "OUTTime": "--:--", "Status": "LV", "Late_In": ""}, {"attendance": "leave"}),
        ({"INTime": "--:--", "OUTTime": "--:--", "Status": "??", "Late_In": ""},
         {"attendance": "unknown", "extensions": {"attendanceRaw": "??"}}),
        ({"INTime": "--:--", "OUTTime": "--:--", "Status": "WO", "Late_In": ""}, None),
    ],
)  # fmt: skip
def test_a_day_of_etimeoffice(row: dict[str, Any], expected: dict[str, Any] | None) -> None:
    at = [["null_if", "--:--"], ["template", "{DateString} {}"], ["datetime", "%d/%m/%Y %H:%M"]]
    late = [{"path": "Status", "equals": "P"}, {"path": "Late_In", "matches": "[1-9]"}]
    words = {"P": "present", "A": "absent", "P/2": "half_day", "L": "leave", "LV": "leave"}
    document = {
        "rules": rules(
            studentId="student.studentId",
            date={"from": "DateString", "do": [["date", "%d/%m/%Y"]]},
            checkInAt={"from": "INTime", "do": at},
            checkOutAt={"from": "OUTTime", "do": at},
            attendance={"from": [{"const": "late", "when": late}, {"from": "Status", "do": [["map", words]]}]},
        ),
        "when": [{"path": "Status", "oneOf": ["WO", "H"], "not": True}],
    }
    record = join({"Empcode": "0101", "DateString": "20/07/2026", **row}, STUDENTS, "0101", "biometricId")
    if expected is not None:
        data = mapped(DataType.ATTENDANCE, record, document)
        assert data == {"studentId": "101", "date": "2026-07-20", **expected}
        return
    mapping = compile_mapping(Mapping.model_validate(document), DataType.ATTENDANCE, time_zone=INDIA)
    assert mapping.map_batch([record], observed_at=OBSERVED).skipped == 1


@pytest.mark.parametrize(
    ("forenoon", "afternoon", "word"),
    [
        ("false", "true", "half_day"),
        ("true", "false", "half_day"),
        ("true", "true", "absent"),
        ("false", "false", "present"),
    ],
)
def test_an_absence_of_fedena(forenoon: str, afternoon: str, word: str) -> None:
    absent = {name: {"path": name, "equals": True} for name in ("forenoon", "afternoon")}
    document = {
        "rules": rules(
            studentId="student_admission_no",
            date={"from": "date", "do": [["date", ["%d-%m-%Y", "iso"]]]},
            attendance={
                "from": [
                    {"const": "absent", "when": list(absent.values())},
                    {"const": "half_day", "when": [absent["forenoon"]]},
                    {"const": "half_day", "when": [absent["afternoon"]]},
                    {"const": "present", "when": [{"path": "forenoon", "exists": True}]},
                ]
            },
        )
    }
    raw = {
        "student_admission_no": "101",
        "date": "20-07-2026",
        "forenoon": forenoon,
        "afternoon": afternoon,
        "reason": "",
    }
    assert mapped(DataType.ATTENDANCE, raw, document) == {"studentId": "101", "date": "2026-07-20", "attendance": word}
    assert mapped(DataType.ATTENDANCE, {**raw, "date": "2026-07-20"}, document)["date"] == "2026-07-20"


def test_a_dump_of_opensis_with_students_as_values_of_objects() -> None:
    enrollment = {"1": {"GRADE": "10", "SECTION": "B"}, "2": {"GRADE": "11", "SECTION": "A", "DROP_DATE": ""}}
    student = {
        "STUDENT_ID": "57", "ALT_ID": "101", "FIRST_NAME": "Rahul", "MIDDLE_NAME": "", "LAST_NAME": "Rao",
        "ENROLLMENT_INFO": enrollment,
    }  # fmt: skip
    record = exploded(
        {"schools": {"X College": {"57": student}}},
        {"path": "schools", "as": "school", "keyAs": "title"},
        {"path": "school", "as": "student", "keyAs": "id"},
    )

    def newest(name: str) -> dict[str, Any]:
        return {"from": "student.ENROLLMENT_INFO", "do": ["values", "last", ["pluck", name]]}

    found = rules(
        studentId=["student.ALT_ID", "student.STUDENT_ID"],
        name={"from": "student.FIRST_NAME", "do": [["concat", " ", "student.MIDDLE_NAME", "student.LAST_NAME"]]},
        semester=newest("GRADE"), section=newest("SECTION"), leavingDate=newest("DROP_DATE"), department="title",
    )  # fmt: skip
    assert mapped(DataType.STUDENTS, record, {"rules": found, "sourceId": "id"}) == {
        "studentId": "101", "name": "Rahul Rao", "semester": "11", "section": "A", "department": "X College",
    }  # fmt: skip


def test_a_grade_of_open_edx_is_a_part_of_one() -> None:
    raw = {"username": "rahul", "course_id": "course-v1:X+M+1", "passed": True, "percent": 0.85, "letter_grade": "B"}
    found = rules(
        studentId={"const": "101"}, subjectId="course_id", examId={"const": "course"}, grade="letter_grade",
        percentage={"from": "percent", "do": [["multiply", 100, 2]]}, examType={"const": "course_total"},
        result={"from": "passed", "do": [["map", {"true": "pass", "false": "fail"}]]},
    )  # fmt: skip
    assert mapped(DataType.MARKS, raw, {"rules": found}) == {
        "studentId": "101", "subjectId": "course-v1:X+M+1", "examId": "course", "examType": "course_total",
        "percentage": 85, "grade": "B", "result": "pass", "attempt": 1,
    }  # fmt: skip


def test_linways_and_the_seed_itself() -> None:
    raw = {"id": "57", "name": "Rahul Rao", "admissionNumber": "101"}
    document = {"studentId": "admissionNumber", "sourceId": "id"}
    assert mapped(DataType.STUDENTS, raw, document)["studentId"] == "101"
    seed = {"studentId": "101", "name": "Rahul", "attendance": "present", "date": "2026-07-20", "subject": "Math"}
    assert mapped(DataType.ATTENDANCE, seed, {}) == seed
