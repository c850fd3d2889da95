"""What the demo's principal writes: the two examples of the integration guide, pointed at the simulated college.

The ERP also has subjects, which need nothing but a path, and a timetable that speaks its own language.
"""

from hub_standalone.client import Json
from hub_standalone.demo.college import College, Credentials

_TIMETABLE: Json = {
    "path": "/timetable",
    "mapping": {
        "rules": [
            {"to": "subjectId", "from": "subject_code", "required": True},
            {"to": "subject", "from": "subject_title"},
            {"to": "section", "from": "class.section"},
            {"to": "room", "from": "class.room"},
            {"to": "facultyId", "from": "teacher.id"},
            {"to": "faculty", "from": "teacher.name"},
            {"to": "dayOfWeek", "from": "weekday"},
            {"to": "period", "from": "hour", "do": ["string"]},
            {"to": "startTime", "from": "begins"},
            {"to": "endTime", "from": "ends"},
            {"to": "type", "from": "kind", "do": [["map", {"L": "lecture", "P": "lab"}]]},
            {"to": "status", "const": "scheduled"},
        ]
    },
}


def erp_draft(college: College, credentials: Credentials) -> Json:
    return {
        "name": "College ERP",
        "type": "student-management",
        "baseUrl": college.erp_url,
        "authType": "bearer",
        "apiKey": credentials.erp_token,
        "endpoints": {
            "attendance": "/attendance/records",
            "marks": "/examination/results",
            "students": "/students/list",
            "faculty": "/staff/list",
            "subjects": "/subjects/list",
            "timetable": _TIMETABLE,
        },
        "syncInterval": 30,
        "enabled": True,
    }


def biometric_draft(college: College, credentials: Credentials) -> Json:
    return {
        "name": "BiometricAttendance",
        "type": "attendance",
        "baseUrl": college.base_url,
        "authType": "api-key",
        "apiKey": credentials.biometric_key,
        "headers": {"X-College-ID": credentials.college_code},
        "endpoints": {"attendance": "/api/attendance/today"},
        "syncInterval": 15,
        "enabled": True,
    }
