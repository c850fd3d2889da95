"""Ed-Fi ODS/API: discovery, flat resources, change versions with deletes; everything that a school has.

Of its habits: an oversized limit is refused, versions are inclusive at both ends, categories are URIs and part of an
attendance event's key, so that a correction is a delete and a new event.
"""

from collections.abc import Callable, Iterable
from uuid import NAMESPACE_URL, uuid5

from hub_model.records import DataType
from hub_standalone.demo.world import Row
from simulators.campus import Campus
from simulators.oauth import TokenEndpoint
from simulators.simulator import Refused, Simulator, cut, json, only
from simulators.tables import Entry, Table
from simulators.times import canonical, weekday
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_MAX_LIMIT = 500
_SCHOOL = 1
_SESSION = {"schoolId": _SCHOOL, "schoolYear": 2026, "sessionName": "Semester 3"}
_CATEGORY = "uri://ed-fi.org/AttendanceEventCategoryDescriptor#"
_CATEGORIES = {
    "present": "In Attendance",
    "absent": "Unexcused Absence",
    "late": "Tardy",
    "on_duty": "Excused Absence",
}
_SEEN_AS = {"on_duty": "excused"}
# A resource's rows, each with the version of its last change.
Rows = Iterable[tuple[int, Row]]


class EdFi(Simulator):
    """``has_change_queries`` may be off, as it is in many districts. ``closed`` is not used: access is by resource."""

    name = "edfi"
    expresses = frozenset(DataType) - {DataType.CUSTOM}
    client_id, client_secret = "edfi-key", "edfi-Secret"

    def __init__(self, campus: Campus | None = None, *, seed: int = 0, has_change_queries: bool = True) -> None:
        super().__init__(campus, seed=seed)
        self.has_change_queries = has_change_queries
        now = self.campus.clock.now
        self.tokens = TokenEndpoint(self.client_id, self.client_secret, now, accepts=("basic",), life_s=1800)
        self._resources: dict[str, Callable[[], Rows]] = {
            "students": self._students,
            "staffs": self._staffs,
            "courses": self._courses,
            "courseOfferings": self._offerings,
            "sections": self._sections,
            "studentSectionAssociations": self._enrolled,
            "staffSectionAssociations": self._teaching,
            "studentSchoolAssociations": self._at_school,
            "studentEducationOrganizationAssociations": self._contacts,
            "studentSectionAttendanceEvents": self._events,
            "gradebookEntries": self._entries,
            "studentGradebookEntries": self._scores,
            "classPeriods": self._periods,
            "bellSchedules": self._bells,
            "sessions": lambda: [(1, {"id": _guid("session"), **_SESSION, "totalInstructionalDays": 21})],
        }

    def routes(self) -> list[Route]:
        return [
            Route("/", self._discovery),
            Route("/oauth/token", self._token, methods=["POST"]),
            Route("/changeQueries/v1/availableChangeVersions", self._versions),
            Route("/data/v3/ed-fi/{resource}", self._list),
            Route("/data/v3/ed-fi/{resource}/deletes", self._deletes),
            Route("/data/v3/ed-fi/{resource}/keyChanges", self._key_changes),
        ]

    def connection(self) -> Row:
        url = f"{self.origin}/oauth/token"
        return {"clientId": self.client_id, "clientSecret": self.client_secret, "tokenUrl": url}

    def throttled(self, retry_after_s: int) -> Response:
        response = _problem(429, "too-many-requests", "Too Many Requests", "Slow down.")
        response.headers["retry-after"] = str(retry_after_s)
        return response

    def not_found(self) -> Response:
        return _problem(404, "not-found", "Not Found", "The specified data could not be found.")

    async def _discovery(self, request: Request) -> Response:
        urls = {
            "oauth": f"{self.origin}/oauth/token",
            "dataManagementApi": f"{self.origin}/data/v3/",
            "changeQueries": f"{self.origin}/changeQueries/v1/",
        }
        return json({"version": "7.3", "dataModels": [{"name": "Ed-Fi", "version": "5.2.0"}], "urls": urls})

    async def _token(self, request: Request) -> Response:
        return await self.tokens.answer(request)

    async def _versions(self, request: Request) -> Response:
        self._admit(request)
        self._check_change_queries()
        return json({"oldestChangeVersion": 0, "newestChangeVersion": self.campus.clock.version})

    async def _list(self, request: Request) -> Response:
        self._admit(request)
        make = self._resources.get(request.path_params["resource"])
        if make is None:
            return self.not_found()
        first, last = self._window(request)
        rows = self.rendered(request.path_params["resource"], make)
        return self._page(request, [row for version, row in rows if first <= version <= last])

    async def _deletes(self, request: Request) -> Response:
        """Only attendance, grades and students can be removed from the campus."""
        self._admit(request)
        self._check_change_queries()
        logs: dict[str, tuple[Table, Callable[[Row], Row]]] = {
            "students": (self.campus.students, lambda row: {"studentUniqueId": row["studentId"]}),
            "studentSectionAttendanceEvents": (self.campus.attendance, _event_key),
            "studentGradebookEntries": (self.campus.marks, self._score_key),
        }
        if request.path_params["resource"] not in logs:
            return self._page(request, [])
        table, key_of = logs[request.path_params["resource"]]
        first, last = self._window(request)
        living = {_guid(key_of(row)) for row in table.rows}
        gone: dict[str, Row] = {}
        for change in table.log:
            if change.before and first <= change.version <= last:
                key = key_of(change.before)
                gone[_guid(key)] = {"id": _guid(key), "changeVersion": change.version, "keyValues": key}
        return self._page(request, [row for guid, row in gone.items() if guid not in living])

    async def _key_changes(self, request: Request) -> Response:
        self._admit(request)
        self._check_change_queries()
        return self._page(request, [])

    def _page(self, request: Request, rows: list[Row]) -> Response:
        query = request.query_params
        texts = {name: query.get(name, default) for name, default in (("offset", "0"), ("limit", "25"))}
        if not texts["limit"].isdecimal() or int(texts["limit"]) > _MAX_LIMIT:
            detail = f"Limit must be omitted or set to a value between 0 and {_MAX_LIMIT}."
            return _problem(400, "bad-request:parameter", "Parameter Validation Failed", detail)
        if not texts["offset"].isdecimal():
            return _problem(400, "bad-request:parameter", "Parameter Validation Failed", "Offset must be a number.")
        headers = {"Total-Count": str(len(rows))} if query.get("totalCount", "").lower() == "true" else {}
        return json(cut(rows, int(texts["offset"]), int(texts["limit"])), headers=headers)

    def _window(self, request: Request) -> tuple[int, int]:
        query = request.query_params
        if "minChangeVersion" in query or "maxChangeVersion" in query:
            self._check_change_queries()
        newest = self.campus.clock.version
        return int(query.get("minChangeVersion", "0")), int(query.get("maxChangeVersion", str(newest)))

    def _check_change_queries(self) -> None:
        if not self.has_change_queries:
            detail = "The requested feature is disabled."
            raise Refused(_problem(404, "system-configuration:feature-disabled", "Not Found", detail))

    def _admit(self, request: Request) -> None:
        if not self.tokens.bearer_of(request):
            raise Refused(_problem(401, "security:authentication", "Authentication Failed", "Invalid bearer token."))

    def _students(self) -> Rows:
        for entry in self.campus.students:
            row = entry.row
            names = {"firstName": row["firstName"], "lastSurname": row["lastName"]}
            sex = f"uri://ed-fi.org/SexDescriptor#{row['gender'].capitalize()}"
            student = {"studentUniqueId": row["studentId"], **names, "birthDate": row["dateOfBirth"]}
            yield (
                entry.version,
                _resource(entry, {"studentUniqueId": row["studentId"]}, student, birthSexDescriptor=sex),
            )

    def _staffs(self) -> Rows:
        for entry in self.campus.faculty:
            row = entry.row
            mails = [
                {"electronicMailAddress": f"old.{row['email']}", "primaryEmailAddressIndicator": False},
                {"electronicMailAddress": row["email"], "primaryEmailAddressIndicator": True},
            ]
            key = {"staffUniqueId": row["facultyId"]}
            names = {"firstName": row["firstName"], "lastSurname": row["lastName"]}
            yield entry.version, _resource(entry, key, {**key, **names, "electronicMails": mails})

    def _courses(self) -> Rows:
        for entry in self.campus.subjects:
            key = {"courseCode": entry.row["code"], "educationOrganizationId": _SCHOOL}
            yield entry.version, _resource(entry, key, {**key, "courseTitle": entry.row["name"]})

    def _offerings(self) -> Rows:
        for entry in self.campus.subjects:
            key = {"localCourseCode": entry.row["subjectId"], "schoolReference": {"schoolId": _SCHOOL}}
            course = {"courseReference": {"courseCode": entry.row["code"], "educationOrganizationId": _SCHOOL}}
            more = {"localCourseTitle": entry.row["name"], "sessionReference": _SESSION, **course}
            yield entry.version, _resource(entry, key, {**key, **more})

    def _sections(self) -> Rows:
        for entry, section in self.campus.classes():
            weekly = self._weekly(entry, section)
            offering = {"localCourseCode": entry.row["subjectId"], **_SESSION}
            more = {
                "sectionIdentifier": section,
                "courseOfferingReference": offering,
                "availableCredits": float(entry.row["credits"]),
                "locationReference": {"schoolId": _SCHOOL, "classroomIdentificationCode": weekly[0]["room"]},
                "classPeriods": [
                    {"classPeriodReference": {"classPeriodName": _period(row), "schoolId": _SCHOOL}} for row in weekly
                ],
            }
            yield entry.version, _resource(entry, {**offering, "section": section}, more)

    def _weekly(self, subject: Entry, section: str) -> list[Row]:
        rows = self.campus.timetable.by("section")[section]
        return [entry.row for entry in rows if entry.row["subjectId"] == subject.row["subjectId"]]

    def _periods(self) -> Rows:
        periods = {_period(row): row for row in self.campus.timetable.rows}
        for name, row in periods.items():
            times = [{"startTime": f"{row['startTime']}:00", "endTime": f"{row['endTime']}:00"}]
            yield (
                1,
                {"id": _guid(name), "classPeriodName": name, "schoolReference": {"schoolId": 1}, "meetingTimes": times},
            )

    def _bells(self) -> Rows:
        """One bell schedule for each weekday, with the dates on which it rang."""
        periods = {_period(row): row["dayOfWeek"] for row in self.campus.timetable.rows}
        for day in dict.fromkeys(periods.values()):
            dates = sorted({row["date"] for row in self.campus.lessons.rows if weekday(row["date"]) == day})
            names = [name for name, on in periods.items() if on == day]
            yield (
                1,
                {
                    "id": _guid(day),
                    "bellScheduleName": day,
                    "schoolReference": {"schoolId": _SCHOOL},
                    "classPeriods": [{"classPeriodReference": {"classPeriodName": n, "schoolId": 1}} for n in names],
                    "dates": [{"date": date} for date in dates],
                },
            )

    def _enrolled(self) -> Rows:
        for subject, section in self.campus.classes():
            reference = _section(subject.row["subjectId"], section)
            for entry in self.campus.students_of(subject.row["subjectId"], section):
                key = {"studentUniqueId": entry.row["studentId"], **reference}
                student = {"studentReference": {"studentUniqueId": entry.row["studentId"]}}
                yield entry.version, _resource(entry, key, {**student, "sectionReference": reference})

    def _teaching(self) -> Rows:
        for subject, section in self.campus.classes():
            reference = _section(subject.row["subjectId"], section)
            for entry in self.campus.teachers_of(subject.row["subjectId"]):
                staff = {"staffReference": {"staffUniqueId": entry.row["facultyId"]}}
                yield entry.version, _resource(entry, {**staff, **reference}, {**staff, "sectionReference": reference})

    def _at_school(self) -> Rows:
        for entry in self.campus.students:
            student = {"studentReference": {"studentUniqueId": entry.row["studentId"]}}
            grade = f"uri://ed-fi.org/GradeLevelDescriptor#Semester {entry.row['semester']}"
            more = {"entryDate": entry.row["admissionDate"], "entryGradeLevelDescriptor": grade}
            school = {"schoolReference": {"schoolId": _SCHOOL}}
            yield entry.version, _resource(entry, {**student, "school": _SCHOOL}, {**student, **school, **more})

    def _contacts(self) -> Rows:
        for entry in self.campus.students:
            student = {"studentReference": {"studentUniqueId": entry.row["studentId"]}}
            mails = [{"electronicMailAddress": entry.row["email"], "electronicMailTypeDescriptor": "uri://x#Home"}]
            phones = [{"telephoneNumber": entry.row["phone"], "telephoneNumberTypeDescriptor": "uri://x#Mobile"}]
            more = {**student, "electronicMails": mails, "telephones": phones}
            yield entry.version, _resource(entry, {**student, "organisation": 1}, more)

    def _events(self) -> Rows:
        for entry in self.campus.attendance:
            key = _event_key(entry.row)
            reference = _section(entry.row["subjectId"], entry.row["section"])
            more = {
                "eventDate": entry.row["date"],
                "attendanceEventCategoryDescriptor": key["attendanceEventCategoryDescriptor"],
                "studentReference": {"studentUniqueId": entry.row["studentId"]},
                "sectionReference": reference,
            }
            if entry.row.get("remarks"):
                more["attendanceEventReason"] = entry.row["remarks"]
            yield entry.version, _resource(entry, key, more)

    def _entries(self) -> Rows:
        for entry in self.campus.exams:
            key = {"gradebookEntryIdentifier": _exam(entry), "namespace": "uri://riverside"}
            more = {"title": entry.row["examName"], "maxPoints": float(entry.row["maxMarks"])}
            dates = {"dateAssigned": entry.row["examDate"]} | (
                {"dueDate": entry.row["examDate"]} if entry.number % 2 else {}
            )
            yield entry.version, _resource(entry, key, {**key, **more, **dates})

    def _scores(self) -> Rows:
        for entry in self.campus.marks:
            key = self._score_key(entry.row)
            points = entry.row["marksObtained"]
            more = {
                "gradebookEntryReference": {k: key[k] for k in ("gradebookEntryIdentifier", "namespace")},
                "studentSectionAssociationReference": {
                    "studentUniqueId": entry.row["studentId"],
                    "localCourseCode": entry.row["subjectId"],
                    **_SESSION,
                },
                **({} if points is None else {"pointsEarned": points}),
            }
            yield entry.version, _resource(entry, key, more)

    def _score_key(self, row: Row) -> Row:
        exam = self.campus.exams.get(row["subjectId"], row["examId"])
        identity = {"gradebookEntryIdentifier": _exam(exam), "namespace": "uri://riverside"}
        return {**identity, "studentUniqueId": row["studentId"], "localCourseCode": row["subjectId"]}

    def true_students(self) -> list[Row]:
        names = (
            "studentId",
            "name",
            "firstName",
            "lastName",
            "dateOfBirth",
            "gender",
            "email",
            "phone",
            "admissionDate",
        )
        return [only(row, *names) for row in self.campus.students.rows]

    def true_faculty(self) -> list[Row]:
        names = ("facultyId", "firstName", "lastName", "email")
        return [
            {"name": f"{row['firstName']} {row['lastName']}", **only(row, *names)} for row in self.campus.faculty.rows
        ]

    def true_subjects(self) -> list[Row]:
        term = {"academicYear": "2026", "semester": "Semester 3"}
        return [
            {**only(entry.row, "subjectId", "name", "credits"), "section": section, **term}
            for entry, section in self.campus.classes()
        ]

    def true_timetable(self) -> list[Row]:
        rows = []
        for entry, section in self.campus.classes():
            room = self._weekly(entry, section)[0]["room"]
            for lesson in self.campus.lessons_of(entry.row["subjectId"]):
                if lesson.row["section"] == section:
                    row = only(lesson.row, "subjectId", "section", "date", "startTime", "endTime")
                    rows.append({**row, "room": room, "period": _period(lesson.row)})
        return rows

    def true_attendance(self) -> list[Row]:
        return [
            {
                **only(row, "studentId", "date", "subjectId", "section", "remarks"),
                "attendance": _SEEN_AS.get(row["attendance"], row["attendance"]),
            }
            for row in self.campus.attendance.rows
        ]

    def true_marks(self) -> list[Row]:
        names = ("studentId", "subjectId", "examName", "examDate", "marksObtained", "maxMarks", "percentage")
        return [
            {**only(row, *names), "examId": _exam(self.campus.exams.get(row["subjectId"], row["examId"]))}
            for row in self.campus.marks.rows
        ]


def _resource(entry: Entry, key: Row, fields: Row, **more: str) -> Row:
    stamps = {"_etag": str(entry.version), "_lastModifiedDate": canonical(entry.modified)}
    return {"id": _guid(key), **fields, **more, **stamps}


def _guid(key: object) -> str:
    return uuid5(NAMESPACE_URL, repr(key)).hex


def _section(subject_id: str, section: str) -> Row:
    return {"localCourseCode": subject_id, **_SESSION, "sectionIdentifier": section}


def _event_key(row: Row) -> Row:
    """The category is part of it."""
    return {
        "studentUniqueId": row["studentId"],
        "eventDate": row["date"],
        **_section(row["subjectId"], row["section"]),
        "attendanceEventCategoryDescriptor": _CATEGORY + _CATEGORIES[row["attendance"]],
    }


def _exam(exam: Entry) -> str:
    return f"{exam.row['subjectId']}-{exam.row['examId']}"


def _period(row: Row) -> str:
    return f"{row['dayOfWeek'].capitalize()}-{row['period']}"


def _problem(status: int, kind: str, title: str, detail: str) -> Response:
    body = {"detail": detail, "type": f"urn:ed-fi:api:{kind}", "title": title, "status": status}
    response = json({**body, "correlationId": "4fd4f2a1", "validationErrors": {}, "errors": []}, status)
    response.headers["content-type"] = "application/problem+json"
    return response
