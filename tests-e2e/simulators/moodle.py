"""Moodle's REST web services with the plugin mod_attendance: one address, everything is a function, errors are 200.

Of its habits: PHP brackets, XML unless JSON is asked for, rows dropped after they were counted (short pages), statuses
that are named per activity, ids as numbers here and as text there, one forbidden course that spoils the whole list.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from hub_model.records import DataType
from hub_standalone.demo.world import Row
from simulators.simulator import Refused, Simulator, cut, json, only, same
from simulators.tables import Entry
from simulators.times import canonical, epoch, in_india, local
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_STATUSES = (
    ("present", "P", "Present", 2),
    ("absent", "A", "Absent", 0),
    ("late", "L", "Late", 1),
    ("on_duty", "OD", "On duty", 2),
)
_EVERY_NTH_IS_HIDDEN = 25
_EVERY_NTH_HAS_NO_IDNUMBER = 60
_TOTAL_ITEM = 9000


class Moodle(Simulator):
    """Whoever has no ``idnumber`` is known by the user name. ``closed`` courses may not be seen by the token's user."""

    name = "moodle"
    expresses = frozenset(DataType) - {DataType.CUSTOM}
    token = "7c1f0a6b2d9e4f53a8b6c0d1e2f30415"
    username, password = "hub-reader", "moodle-Passw0rd"

    def routes(self) -> list[Route]:
        return [
            Route("/webservice/rest/server.php", self._call, methods=["GET", "POST"]),
            Route("/login/token.php", self._login, methods=["GET", "POST"]),
        ]

    def connection(self) -> Row:
        return {"token": self.token, "username": self.username, "password": self.password}

    async def _login(self, request: Request) -> Response:
        given = await _arguments(request)
        if same(given.get("username"), self.username) and same(given.get("password"), self.password):
            return json({"token": self.token, "privatetoken": None})
        return json({"error": "Invalid login, please try again", "errorcode": "invalidlogin"})

    async def _call(self, request: Request) -> Response:
        given = await _arguments(request)
        is_json = given.get("moodlewsrestformat") == "json"
        try:
            answer = self._function(given)(given)
        except Refused as refusal:
            return refusal.response if is_json else _as_xml({"exception": "moodle_exception"})
        return json(answer) if is_json else _as_xml(answer)

    def _function(self, given: Row) -> Callable[[Row], Any]:
        if not same(given.get("wstoken"), self.token):
            raise _exception("moodle_exception", "invalidtoken", "Invalid token - token not found")
        functions: dict[str, Callable[[Row], Any]] = {
            "core_webservice_get_site_info": self._site,
            "core_user_get_users": self._users,
            "core_course_get_courses": self._courses,
            "core_course_get_courses_by_field": self._courses_by_field,
            "core_course_get_contents": self._contents,
            "core_enrol_get_enrolled_users": self._enrolled,
            "core_calendar_get_calendar_events": self._events,
            "gradereport_user_get_grade_items": self._grades,
            "mod_attendance_get_sessions": self._sessions,
        }
        self._known = list(functions)
        function = functions.get(str(given.get("wsfunction")))
        if function is None:
            raise _exception("webservice_access_exception", "accessexception", "Access control exception")
        return function

    def _site(self, given: Row) -> Any:
        functions = [{"name": name, "version": "2024100700"} for name in self._known]
        return {"sitename": "Riverside", "userid": 3, "release": "4.5 (Build: 20241007)", "functions": functions}

    def _users(self, given: Row) -> Any:
        """An unknown key narrows nothing: it is passed over with a warning."""
        warnings, wanted = [], {}
        for criterion in _listed(given.get("criteria")) or _missing("criteria"):
            key = criterion["key"]
            if key in wanted:
                raise _exception("moodle_exception", "keyalreadyset", "The same key was given twice")
            if key in ("id", "lastname", "firstname", "idnumber", "username", "email", "auth"):
                wanted[key] = criterion["value"]
            else:
                warnings.append({"item": key, "warningcode": "invalidfieldparameter", "message": "unknown key"})
        people = [self._user(entry) for table in (self.campus.students, self.campus.faculty) for entry in table]
        users = [{**user, "auth": "manual", "suspended": False, "confirmed": True} for user in people]
        found = [u for u in users if all(_is_like(str(u[key]), text) for key, text in wanted.items())]
        return {"users": found, "warnings": warnings}

    def _courses(self, given: Row) -> Any:
        ids = [int(text) for text in _listed((given.get("options") or {}).get("ids"))]
        subjects = [entry for entry in self.campus.subjects if not ids or _course(entry) in ids]
        for entry in subjects:
            self._check_open(entry)
        site = {"id": 1, "shortname": "riverside", "fullname": "Riverside College", "idnumber": "", "categoryid": 0}
        front = [{**site, "visible": 1, "startdate": 0, "enddate": 0, "timemodified": 1}] if not ids or 1 in ids else []
        return front + [self._course_of(entry) for entry in subjects]

    def _courses_by_field(self, given: Row) -> Any:
        """Leaves out what may not be seen, with a warning."""
        closed = [entry for entry in self.campus.subjects if entry.row["subjectId"] in self.closed]
        warnings = [{"item": "course", "itemid": _course(e), "warningcode": "2", "message": "hidden"} for e in closed]
        courses = [self._course_of(entry) for entry in self.campus.subjects if entry not in closed]
        if given.get("field"):
            courses = [course for course in courses if str(course.get(given["field"])) == given.get("value")]
        return {"courses": courses, "warnings": warnings}

    def _course_of(self, entry: Entry) -> Row:
        name = escape(entry.row["name"])
        return {
            "id": _course(entry),
            "shortname": entry.row["code"],
            "categoryid": 2,
            "fullname": f'<span lang="en" class="multilang">{name}</span>' if entry.number % 6 == 0 else name,
            "idnumber": entry.row["subjectId"],
            "visible": int(entry.row["status"] == "active"),
            "startdate": epoch(self.campus.opened),
            "enddate": 0,
            "timemodified": epoch(entry.modified),
        }

    def _contents(self, given: Row) -> Any:
        subject = self._subject_of(given, "courseid")
        forum = {"id": 400 + subject.number, "name": "Announcements", "instance": 1, "modname": "forum"}
        register = {"id": 700 + subject.number, "name": "Register", "instance": 300 + subject.number}
        general = {"id": 1, "name": "General", "modules": [forum, {**register, "modname": "attendance"}]}
        return [general, {"id": 2, "name": "Topic 1", "modules": []}]

    def _enrolled(self, given: Row) -> Any:
        """Some accounts are hidden from this user, after the page was cut: short pages do not end the list."""
        subject = self._subject_of(given, "courseid")
        options = {option["name"]: option["value"] for option in _listed(given.get("options"))}
        people = [(entry, 5, "student") for entry in self.campus.students_of(subject.row["subjectId"])]
        people += [(entry, 3, "editingteacher") for entry in self.campus.teachers_of(subject.row["subjectId"])]
        rows: list[Row | None] = []
        for index, (entry, role_id, role) in enumerate(people):
            if index % _EVERY_NTH_IS_HIDDEN == 3:
                rows.append(None)
            roles = [{"roleid": role_id, "name": "", "shortname": role, "sortorder": 0}]
            rows.append({**self._user(entry), "roles": roles, "groups": [], "lastcourseaccess": 0})
        page = cut(rows, int(options.get("limitfrom", 0)), int(options.get("limitnumber", 0)) or len(rows))
        return [row for row in page if row]

    def _user(self, entry: Entry) -> Row:
        row = entry.row
        return {
            "id": self._user_id(entry),
            "username": str(row.get("studentId") or row["facultyId"]).lower(),
            "firstname": row["firstName"],
            "lastname": row["lastName"],
            "fullname": f"{row['firstName']} {row['lastName']}",
            "email": row["email"].title() if entry.number % 10 == 0 else row["email"],
            "idnumber": _idnumber(entry),
            "department": row["department"],
        }

    def _user_id(self, entry: Entry) -> int:
        return (10 if "studentId" in entry.row else 1000) + entry.number

    def _events(self, given: Row) -> Any:
        options = given.get("options") or {}
        for name in ("userevents", "siteevents", "ignorehidden"):
            if options.get(name, "1") not in ("0", "1"):
                raise _exception("invalid_parameter_exception", "invalidparameter", "Invalid parameter value detected")
        ids = {int(text) for text in _listed((given.get("events") or {}).get("courseids"))}
        start, end = int(options.get("timestart", 0)), int(options.get("timeend", 0))
        events = []
        for subject in self.campus.subjects:
            if _course(subject) in ids and subject.row["subjectId"] not in self.closed:
                events += [_event(subject, lesson) for lesson in self.campus.lessons_of(subject.row["subjectId"])]
        within = [e for e in events if e["timestart"] >= start and (not end or e["timestart"] <= end)]
        return {"events": within, "warnings": []}

    def _sessions(self, given: Row) -> Any:
        subject = self.campus.subjects.numbered(int(given.get("attendanceid") or _missing("attendanceid")) - 300)
        if subject is None:
            raise _exception("dml_missing_record_exception", "invalidrecord", "Can't find data record in database")
        self._check_open(subject)
        return [self._session(subject, lesson) for lesson in self.campus.lessons_of(subject.row["subjectId"])]

    def _session(self, subject: Entry, lesson: Entry) -> Row:
        marked = self.campus.attendance_of(lesson.row)
        ids = {status: _status_id(subject, index) for index, (status, *_) in enumerate(_STATUSES)}
        statuses = [
            {"id": ids[status], "acronym": acronym, "description": text, "grade": grade, "visible": 1, "deleted": 0}
            for status, acronym, text, grade in _STATUSES
        ]
        log = [
            {
                "studentid": self._user_id(self.campus.students.get(entry.row["studentId"])),
                "statusid": str(ids[entry.row["attendance"]]),
                "remarks": entry.row.get("remarks", ""),
                "id": str(entry.number),
            }
            for entry in marked
        ]
        start = local(lesson.row["date"], lesson.row["startTime"])
        people = self.campus.students_of(subject.row["subjectId"], lesson.row["section"])
        taken = max((epoch(entry.modified) for entry in marked), default=0)
        return {
            "id": lesson.number,
            "attendanceid": 300 + subject.number,
            "courseid": _course(subject),
            "groupid": 900 + ord(lesson.row["section"][-1]),
            "sessdate": epoch(start),
            "duration": epoch(local(lesson.row["date"], lesson.row["endTime"])) - epoch(start),
            "lasttaken": taken or None,
            "timemodified": epoch(lesson.modified),
            "statusset": 0,
            "statuses": statuses,
            "attendance_log": log,
            "users": [
                {"id": self._user_id(e), "firstname": e.row["firstName"], "lastname": e.row["lastName"]} for e in people
            ],
        }

    def _grades(self, given: Row) -> Any:
        subject = self._subject_of(given, "courseid")
        wanted = int(given.get("userid", 0))
        grades = [
            {
                "courseid": _course(subject),
                "courseidnumber": subject.row["subjectId"],
                "userid": self._user_id(student),
                "userfullname": f"{student.row['firstName']} {student.row['lastName']}",
                "useridnumber": _idnumber(student),
                "gradeitems": [self._grade_item(mark) for mark in self._marks_of(student, subject)],
            }
            for student in self.campus.students_of(subject.row["subjectId"])
            if wanted in (0, self._user_id(student))
        ]
        return {"usergrades": grades, "warnings": []}

    def _grade_item(self, mark: Row) -> Row:
        """An ungraded item has a dash for a percentage, and no grade: null, or no such key at all."""
        is_total = mark["examName"] == "Course total"
        item = {
            "id": int(mark["examId"]),
            "itemname": None if is_total else mark["examName"],
            "itemtype": "course" if is_total else "mod",
            "itemmodule": None if is_total else mark["examType"].replace("assignment", "assign"),
            "graderaw": mark.get("marksObtained"),
            "grademin": 0,
            "grademax": mark["maxMarks"],
            "percentageformatted": f"{mark['percentage']:.2f} %" if "percentage" in mark else "-",
            "gradedategraded": mark["at"] if "percentage" in mark else None,
            "gradeishidden": False,
            "feedback": "",
        }
        if item["graderaw"] is None and item["id"] % 2:
            del item["graderaw"]
        return item

    def _marks_of(self, student: Entry, subject: Entry) -> list[Row]:
        """Each exam of the subject, and the total that Moodle makes of them."""
        rows: list[Row] = []
        given = [e.row for e in self.campus.marks.by("studentId")[student.row["studentId"]]]
        mine = [row for row in given if row["subjectId"] == subject.row["subjectId"]]
        for row in mine:
            number = 5000 + self.campus.exams.get(row["subjectId"], row["examId"]).number
            kind = "assignment" if row["examType"] == "internal" else "quiz"
            at = epoch(self.campus.marks.get(row["studentId"], row["subjectId"], row["examId"]).modified)
            rows.append(_mark(number, row["examName"], kind, row["marksObtained"], row["maxMarks"], at))
        points = [row["marksObtained"] for row in mine if row["marksObtained"] is not None]
        most, last = sum(row["maxMarks"] for row in mine), max((row["at"] for row in rows), default=0)
        total = sum(points) if points else None
        return [*rows, _mark(_TOTAL_ITEM + subject.number, "Course total", "course_total", total, most, last)]

    def _subject_of(self, given: Row, name: str) -> Entry:
        subject = self.campus.subjects.numbered(int(given.get(name) or _missing(name)) - 1)
        if subject is None:
            raise _exception("dml_missing_record_exception", "invalidrecord", "Can't find data record in database")
        self._check_open(subject)
        return subject

    def _check_open(self, subject: Entry) -> None:
        if subject.row["subjectId"] in self.closed:
            raise _exception("moodle_exception", "errorcoursecontextnotvalid", "You cannot execute functions here")

    def _open(self) -> list[Entry]:
        return [entry for entry in self.campus.subjects if entry.row["subjectId"] not in self.closed]

    def true_students(self) -> list[Row]:
        names = ("firstName", "lastName", "email", "department")
        ids = {e.row["studentId"]: e for s in self._open() for e in self.campus.students_of(s.row["subjectId"])}
        return [{"studentId": _known_as(e), "name": e.row["name"], **only(e.row, *names)} for e in ids.values()]

    def true_faculty(self) -> list[Row]:
        people = {e.number: e.row for s in self._open() for e in self.campus.teachers_of(s.row["subjectId"])}
        names = ("facultyId", "firstName", "lastName", "email", "department", "subjectIds")
        return [
            {"name": f"{row['firstName']} {row['lastName']}", **only(row, *names)} for _, row in sorted(people.items())
        ]

    def true_subjects(self) -> list[Row]:
        start = in_india(self.campus.opened, "%Y-%m-%d")
        return [{**only(e.row, "subjectId", "code", "name", "status"), "startDate": start} for e in self._open()]

    def true_timetable(self) -> list[Row]:
        lessons = (lesson for s in self._open() for lesson in self.campus.lessons_of(s.row["subjectId"]))
        return [
            {**only(lesson.row, "subjectId", "date", "startTime", "endTime"), "type": "lecture"} for lesson in lessons
        ]

    def true_attendance(self) -> list[Row]:
        names = ("name", "date", "subjectId", "startTime", "endTime", "attendance", "remarks")
        numbers = {(e.row["section"], e.row["date"], e.row["period"]): str(e.number) for e in self.campus.lessons}
        return [
            {
                "studentId": _known_as(self.campus.students.get(row["studentId"])),
                "sessionId": numbers[row["section"], row["date"], row["period"]],
                **only(row, *names),
            }
            for row in self.campus.attendance.rows
            if row["subjectId"] not in self.closed
        ]

    def true_marks(self) -> list[Row]:
        return [
            {
                "studentId": _known_as(student),
                "subjectId": subject.row["subjectId"],
                **only(mark, "examId", "examName", "examType", "marksObtained", "maxMarks", "percentage"),
                **({"gradedAt": mark["gradedAt"]} if "percentage" in mark else {"result": "pending"}),
            }
            for subject in self._open()
            for student in self.campus.students_of(subject.row["subjectId"])
            for mark in self._marks_of(student, subject)
        ]


def _mark(item: int, name: str, kind: str, points: float | None, most: int, at: int) -> Row:
    row = {"examId": str(item), "examName": name, "examType": kind, "maxMarks": most, "at": at}
    if points is None:
        return row
    return {**row, "marksObtained": points, "percentage": round(points * 100 / most, 2), "gradedAt": _instant(at)}


def _instant(seconds: int) -> str:
    return canonical(datetime.fromtimestamp(seconds, UTC))


def _event(subject: Entry, lesson: Entry) -> Row:
    start = local(lesson.row["date"], lesson.row["startTime"])
    return {
        "id": 20_000 + lesson.number,
        "name": "Register",
        "description": "<p>Lecture</p>",
        "courseid": _course(subject),
        "groupid": 900 + ord(lesson.row["section"][-1]),
        "modulename": "attendance",
        "instance": 300 + subject.number,
        "eventtype": "attendance",
        "timestart": epoch(start),
        "timeduration": epoch(local(lesson.row["date"], lesson.row["endTime"])) - epoch(start),
        "visible": 1,
        "timemodified": epoch(lesson.modified),
    }


def _course(subject: Entry) -> int:
    return 1 + subject.number


def _status_id(subject: Entry, index: int) -> int:
    return len(_STATUSES) * subject.number + index


def _idnumber(person: Entry) -> str:
    if "facultyId" in person.row:
        return str(person.row["facultyId"])
    return "" if person.number % _EVERY_NTH_HAS_NO_IDNUMBER == 0 else str(person.row["studentId"])


def _known_as(student: Entry) -> str:
    return _idnumber(student) or str(student.row["studentId"]).lower()


def _exception(kind: str, code: str, message: str) -> Refused:
    return Refused(json({"exception": kind, "errorcode": code, "message": message}))


def _missing(name: str) -> Any:
    message = f"Invalid parameter value detected (Missing required key in single structure: {name})"
    raise _exception("invalid_parameter_exception", "invalidparameter", message)


def _is_like(value: str, pattern: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("%"))), value, re.IGNORECASE) is not None


async def _arguments(request: Request) -> Row:
    """What PHP makes of query and form: ``a[0][b]=c`` is ``{"a": {"0": {"b": "c"}}}``, and the form wins."""
    pairs = request.query_params.multi_items() + parse_qsl((await request.body()).decode(), keep_blank_values=True)
    given: Row = {}
    for name, value in pairs:
        *path, last = [part or str(len(given)) for part in name.replace("]", "").split("[")]
        inner = given
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return given


def _listed(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else []


def _as_xml(answer: Any) -> Response:
    text = f'<?xml version="1.0" encoding="UTF-8" ?>\n<RESPONSE>\n{_element(answer)}\n</RESPONSE>'
    return Response(text, media_type="application/xml")


def _element(value: Any) -> str:
    if isinstance(value, dict):
        keys = (f'<KEY name="{name}">{_element(inner)}</KEY>' for name, inner in value.items())
        return f"<SINGLE>{''.join(keys)}</SINGLE>"
    if isinstance(value, list):
        return f"<MULTIPLE>{''.join(map(_element, value))}</MULTIPLE>"
    return '<VALUE null="null"/>' if value is None else f"<VALUE>{escape(str(value))}</VALUE>"
