"""Answers as vendors document them: one student, one subject, one day. All values are invented."""

import json
from typing import Any

MOODLE_ERROR = '{"exception":"moodle_exception","errorcode":"invalidtoken","message":"Invalid token"}'
MOODLE_USERS = """[{"id":57,"username":"r.rao","fullname":"Rahul Rao","firstname":"Rahul","lastname":"Rao",
    "email":"Rahul@x.edu","idnumber":"101","roles":[{"roleid":5,"shortname":"student"}]}]"""
MOODLE_SESSIONS = """[{"id":9,"courseid":4,"sessdate":1784516400,"duration":3600,"lasttaken":1784517000,
    "statuses":[{"id":31,"acronym":"P","description":"Present","grade":2}],
    "attendance_log":[{"studentid":57,"statusid":"31","remarks":"","id":"880"}],
    "users":[{"id":57,"firstname":"Rahul","lastname":"Rao"}]}]"""
MOODLE_GRADES = """{"usergrades":[{"courseid":4,"userid":57,"useridnumber":"101","gradeitems":[{"id":71,
    "itemname":"Quiz 1","itemtype":"mod","itemmodule":"quiz","graderaw":8.5,"grademin":0,"grademax":10,
    "percentageformatted":"85.00 %","gradedategraded":1784540000}]}],"warnings":[]}"""
ONEROSTER_USERS = """{"users":[{"sourcedId":"u-57","status":"active","dateLastModified":"2026-07-01T00:00:00.000Z",
    "enabledUser":"true","givenName":"Rahul","familyName":"Rao","identifier":"101","role":"student","grades":["11"],
    "orgs":[{"href":"x","sourcedId":"o-1","type":"org"}]}]}"""
ONEROSTER_TOMBSTONE = """{"users":[{"sourcedId":"u-58","status":"tobedeleted",
    "dateLastModified":"2026-07-19T10:00:00.000Z"}]}"""
ONEROSTER_RESULTS = """{"results":[{"sourcedId":"r-1","status":"active","lineItem":{"sourcedId":"li-1"},
    "student":{"sourcedId":"u-57"},"scoreStatus":"fully graded","score":8.5,"scoreDate":"2026-07-20"}]}"""
ONEROSTER_ERROR_11 = """{"statusInfoSet":[{"imsx_codeMajor":"failure","imsx_severity":"error",
    "imsx_description":"bad filter","imsx_codeMinor":"invalid_filter_field"}]}"""
ONEROSTER_ERROR_12 = """{"imsx_codeMajor":"failure","imsx_severity":"error","imsx_description":"bad filter",
    "imsx_CodeMinor":{"imsx_codeMinorField":[{"imsx_codeMinorFieldName":"x","imsx_codeMinorFieldValue":"y"}]}}"""
CANVAS_SUBMISSIONS = """[{"id":1,"assignment_id":12,"user_id":10000000000000057,"score":8.5,"grade":"8.5",
    "workflow_state":"graded","graded_at":"2026-07-20T09:00:00Z","posted_at":null,"late":false,"missing":false,
    "excused":null,"attempt":1}]"""
CANVAS_FORBIDDEN = '{"errors":[{"message":"user not authorized to perform that action"}]}'
EDFI_EVENTS = """[{"id":"guid","eventDate":"2026-07-20",
    "attendanceEventCategoryDescriptor":"uri://ed-fi.org/AttendanceEventCategoryDescriptor#Tardy",
    "studentReference":{"studentUniqueId":"101"},"sectionReference":{"localCourseCode":"MATH","schoolId":1,
    "schoolYear":2027,"sessionName":"Fall","sectionIdentifier":"A"}}]"""
EDFI_DELETES = """[{"id":"guid","changeVersion":4412,"keyValues":{"studentUniqueId":"101","eventDate":"2026-07-20",
    "localCourseCode":"MATH","sectionIdentifier":"A","attendanceEventCategoryDescriptor":"uri://x#Tardy"}}]"""
FRAPPE_LIST = """{"data":[{"name":"EDU-ATT-2026-00009","student":"101","student_name":"Rahul Rao",
    "course_schedule":"EDU-CSH-1","student_group":"BSC-A","date":"2026-07-20","status":"Present","docstatus":1,
    "modified":"2026-07-20 09:05:11.123456"}]}"""
FRAPPE_ERROR = r"""{"exc_type":"PermissionError","exception":"frappe.exceptions.PermissionError: x",
    "_server_messages":"[\"{\\\"message\\\": \\\"x\\\"}\"]"}"""
GOOGLE_SUBMISSIONS = """{"studentSubmissions":[{"id":"S1","userId":"u1","courseWorkId":"cw1","state":"RETURNED",
    "assignedGrade":8.5,"updateTime":"2026-07-20T09:00:00.123Z"}],"nextPageToken":"abc"}"""
BLACKBOARD_RECORDS = """{"results":[{"id":7,"meetingId":"465","userId":"_57_1","status":"Present"}],
    "paging":{"nextPage":"/learn/api/public/v1/courses/_4_1/meetings/465/users?offset=100"}}"""
BIOTIME = """{"count":201,"next":"http://127.0.0.1:8081/iclock/api/transactions/?page=2","previous":null,"msg":"",
    "code":0,"data":[{"id":5001,"emp_code":"0101","punch_time":"2026-07-20 08:31:10","punch_state":"0",
    "terminal_sn":"CQUJ1","upload_time":"2026-07-21 07:00:02"}]}"""
ETIMEOFFICE = """{"Error":false,"Msg":"Success","PunchData":[{"Name":"Rahul Rao","Empcode":"0101",
    "PunchDate":"20/07/2026 08:31:00","M_Flag":null,"mcid":"1"}],"MaxRecord":"072026$456"}"""
ETIMEOFFICE_FAILURE = '{"Error":"true","Msg":"x"}'
ESSL = (
    "<GetTransactionsLogResult>Logs Count:1</GetTransactionsLogResult>"
    "<strDataList>0101&#9;2026-07-20 08:31:10&#9;in&#13;&#10;</strDataList>"
)
HIKVISION = """{"AcsEvent":{"searchID":"s","totalMatches":1,"responseStatusStrg":"OK","numOfMatches":1,
    "InfoList":[{"major":5,"minor":75,"time":"2026-07-20T08:31:10+05:30","employeeNoString":"0101",
    "name":"Rahul Rao","serialNo":88,"attendanceStatus":"checkIn"}]}}"""
FEDENA = """<attendance_detail><attendance><student_admission_no>101</student_admission_no><date>2026-07-20</date>
    <forenoon>false</forenoon><afternoon>true</afternoon><batch_name>BSC-A</batch_name><reason/></attendance>
    </attendance_detail>"""
LINWAYS = """{"data":[{"id":"57","name":"Rahul Rao","admissionNumber":"101"}],"_meta":{"totalRecords":"201",
    "currentPage":"1","hasNextPage":true,"recordsFrom":"1","recordsTo":"50"}}"""
OPENSIS_STUDENT = """{"STUDENT_ID":"57","ALT_ID":"101","FIRST_NAME":"Rahul","LAST_NAME":"Rao",
    "ENROLLMENT_INFO":{"1":{"GRADE":"11","SECTION":"A","DROP_DATE":""}}}"""
OPENSIS_ERROR = '{"error":"Invalid Credentials."}'
GUIDE = """{"success":true,"data":[{"studentId":"CS2101","name":"John Doe","attendance":"present","date":"2024-01-15",
    "subject":"Data Structures"}],"pagination":{"page":1,"limit":100,"total":250}}"""


def misshapen(sample: str | Any, given: Any, path: str = "") -> list[str]:
    """Where an answer lacks what the sample has, or has it as another JSON type. Null in the sample fits anything.

    Of a list the entry counts that is most like the sample's: others may lack what is optional.
    """
    wanted = json.loads(sample) if isinstance(sample, str) and not path else sample
    if wanted is None:
        return []
    if isinstance(wanted, dict) and isinstance(given, dict):
        lacking = [f"{path}.{name} is missing" for name in wanted if name not in given]
        inner = [misshapen(value, given[name], f"{path}.{name}") for name, value in wanted.items() if name in given]
        return lacking + [line for lines in inner for line in lines]
    if isinstance(wanted, list) and isinstance(given, list):
        if not wanted:
            return []
        if not given:
            return [f"{path} is empty"]
        tries = [misshapen(wanted[0], item, f"{path}.{index}") for index, item in enumerate(given[:50])]
        return min(tries, key=len)
    return [] if _kind(wanted) == _kind(given) else [f"{path} is {given!r}, as {wanted!r}"]


def _kind(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
