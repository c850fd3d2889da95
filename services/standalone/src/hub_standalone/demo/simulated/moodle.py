"""Moodle's REST web services with the plugin mod_attendance: one address, everything is a function, errors are 200.

Of its habits: PHP brackets, XML unless JSON is asked for, rows dropped after they were counted (short pages), statuses
that are named per activity, ids as numbers here and as text there, one forbidden course that spoils the whole list.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub_standalone.demo.simulated.moodle_rows import MoodleRows, course_id, event_of, idnumber
from hub_standalone.demo.simulated.simulator import Refused, cut, json, same
from hub_standalone.demo.simulated.tables import Entry
from hub_standalone.demo.world import Row

_EVERY_NTH_IS_HIDDEN = 25


class Moodle(MoodleRows):
    """Whoever has no ``idnumber`` is known by the ``profile_field``, without one by the user name. ``closed`` courses
    may not be seen by the token's user.
    """

    name = "moodle"
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
        users = [{**user, "auth": "manual", "confirmed": True} for user in people]
        found = [u for u in users if all(_is_like(str(u[key]), text) for key, text in wanted.items())]
        return {"users": found, "warnings": warnings}

    def _courses(self, given: Row) -> Any:
        ids = [int(text) for text in _listed((given.get("options") or {}).get("ids"))]
        subjects = [entry for entry in self.campus.subjects if not ids or course_id(entry) in ids]
        for entry in subjects:
            self._check_open(entry)
        site = {"id": 1, "shortname": "riverside", "fullname": "Riverside College", "idnumber": "", "categoryid": 0}
        front = [{**site, "visible": 1, "startdate": 0, "enddate": 0, "timemodified": 1}] if not ids or 1 in ids else []
        return front + [self._course_of(entry) for entry in subjects]

    def _courses_by_field(self, given: Row) -> Any:
        """Leaves out what may not be seen, with a warning."""
        closed = [entry for entry in self.campus.subjects if entry.row["subjectId"] in self.closed]
        warnings = [{"item": "course", "itemid": course_id(e), "warningcode": "2", "message": "hidden"} for e in closed]
        courses = [self._course_of(entry) for entry in self.campus.subjects if entry not in closed]
        if given.get("field"):
            courses = [course for course in courses if str(course.get(given["field"])) == given.get("value")]
        return {"courses": courses, "warnings": warnings}

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

    def _events(self, given: Row) -> Any:
        options = given.get("options") or {}
        for name in ("userevents", "siteevents", "ignorehidden"):
            if options.get(name, "1") not in ("0", "1"):
                raise _exception("invalid_parameter_exception", "invalidparameter", "Invalid parameter value detected")
        ids = {int(text) for text in _listed((given.get("events") or {}).get("courseids"))}
        start, end = int(options.get("timestart", 0)), int(options.get("timeend", 0))
        events = []
        for subject in self.campus.subjects:
            if course_id(subject) in ids and subject.row["subjectId"] not in self.closed:
                events += [event_of(subject, lesson) for lesson in self.campus.lessons_of(subject.row["subjectId"])]
        within = [e for e in events if e["timestart"] >= start and (not end or e["timestart"] <= end)]
        return {"events": within, "warnings": []}

    def _sessions(self, given: Row) -> Any:
        subject = self.campus.subjects.numbered(int(given.get("attendanceid") or _missing("attendanceid")) - 300)
        if subject is None:
            raise _exception("dml_missing_record_exception", "invalidrecord", "Can't find data record in database")
        self._check_open(subject)
        return [self._session(subject, lesson) for lesson in self.campus.lessons_of(subject.row["subjectId"])]

    def _grades(self, given: Row) -> Any:
        subject = self._subject_of(given, "courseid")
        wanted = int(given.get("userid", 0))
        grades = [
            {
                "courseid": course_id(subject),
                "courseidnumber": subject.row["subjectId"],
                "userid": self.user_id(student),
                "userfullname": f"{student.row['firstName']} {student.row['lastName']}",
                "useridnumber": idnumber(student),
                "gradeitems": [self._grade_item(mark) for mark in self._marks_of(student, subject)],
            }
            for student in self.campus.students_of(subject.row["subjectId"])
            if wanted in (0, self.user_id(student))
        ]
        return {"usergrades": grades, "warnings": []}

    def _subject_of(self, given: Row, name: str) -> Entry:
        subject = self.campus.subjects.numbered(int(given.get(name) or _missing(name)) - 1)
        if subject is None:
            raise _exception("dml_missing_record_exception", "invalidrecord", "Can't find data record in database")
        self._check_open(subject)
        return subject

    def _check_open(self, subject: Entry) -> None:
        if subject.row["subjectId"] in self.closed:
            raise _exception("moodle_exception", "errorcoursecontextnotvalid", "You cannot execute functions here")


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
