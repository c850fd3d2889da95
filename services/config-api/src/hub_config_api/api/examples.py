"""The examples of the API's document: what colleges connect first."""

from typing import Any

ERP: dict[str, Any] = {
    "name": "College ERP",
    "type": "student-management",
    "baseUrl": "https://erp.college.edu/api/v1",
    "authType": "bearer",
    "apiKey": "your-bearer-token",
    "endpoints": {
        "attendance": "/attendance/records",
        "marks": "/examination/results",
        "students": "/students/list",
        "faculty": "/staff/list",
    },
    "syncInterval": 30,
    "enabled": True,
}
ATTENDANCE: dict[str, Any] = {
    "name": "BiometricAttendance",
    "type": "attendance",
    "baseUrl": "https://attendance.example.com",
    "authType": "api-key",
    "apiKey": "your-api-key",
    "headers": {"X-College-ID": "12345"},
    "endpoints": {"attendance": "/api/attendance/today"},
    "syncInterval": 15,
    "enabled": True,
}
LMS: dict[str, Any] = {
    "name": "Moodle LMS",
    "type": "lms",
    "baseUrl": "https://lms.college.edu/webservice/rest",
    "authType": "api-key",
    "apiKey": "moodle-token",
    "endpoints": {
        "students": "/server.php?wsfunction=core_user_get_users",
        "subjects": "/server.php?wsfunction=core_course_get_courses",
        "marks": "/server.php?wsfunction=core_grades_get_grades",
    },
    "syncInterval": 60,
    "enabled": True,
}
ONEROSTER: dict[str, Any] = {
    "name": "OneRoster",
    "type": "sis",
    "baseUrl": "https://sis.college.edu/ims/oneroster/rostering/v1p2",
    "authType": "oauth",
    "oauth": {
        "tokenUrl": "https://sis.college.edu/oauth/token",
        "clientId": "hub",
        "clientSecret": "your-client-secret",
        "scopes": ["https://purl.imsglobal.org/spec/or/v1p2/scope/roster.readonly"],
    },
    "endpoints": {"students": {"path": "/students", "recordsPath": "users"}},
}
BIOTIME: dict[str, Any] = {
    "name": "BioTime",
    "type": "attendance",
    "baseUrl": "https://biotime.college.edu",
    "authType": "login",
    "username": "hub",
    "password": "your-password",
    "login": {
        "loginRequester": {
            "path": "/jwt-api-token-auth/",
            "body": {"username": "{{ username }}", "password": "{{ password }}"},
        },
        "sessionTokenPath": "token",
        "requestAuthentication": {"prefix": "JWT "},
    },
    "endpoints": {"students": "/personnel/api/employees/"},
}
MOODLE: dict[str, Any] = {
    "name": "Moodle",
    "type": "moodle",
    "baseUrl": "https://lms.college.edu",
    "settings": {"token": "moodle-token", "studentRoles": ["student"]},
    "endpoints": {"students": True, "attendance": True, "marks": True},
    "enabled": True,
}
INTEGRATIONS: dict[str, Any] = {
    "erp": {"summary": "A college's ERP", "value": ERP},
    "attendance": {"summary": "A biometric attendance system", "value": ATTENDANCE},
    "lms": {"summary": "Moodle", "value": LMS},
    "connector": {"summary": "Moodle, by its connector", "value": MOODLE},
    "oauth": {"summary": "OAuth 2.0 client credentials", "value": ONEROSTER},
    "login": {"summary": "A login that gives a token", "value": BIOTIME},
}
