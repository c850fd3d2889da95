"""How Ed-Fi writes what the campus has, and what a hub should make of it."""

from collections.abc import Iterable
from uuid import NAMESPACE_URL, uuid5

from hub_model.records import DataType
from hub_standalone.demo.simulated.simulator import Simulator, only
from hub_standalone.demo.simulated.tables import Entry
from hub_standalone.demo.simulated.times import canonical, weekday
from hub_standalone.demo.world import Row

_SCHOOL = 1
SESSION = {"schoolId": _SCHOOL, "schoolYear": 2026, "sessionName": "Semester 3"}
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


class EdFiRows(Simulator):
    """Each resource as rows with the version of their last change. What is asked for is the business of ``EdFi``."""

    expresses = frozenset(DataType) - {DataType.CUSTOM}
    shows_deletes = frozenset({DataType.STUDENTS, DataType.ATTENDANCE, DataType.MARKS})

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
            more = {"localCourseTitle": entry.row["name"], "sessionReference": SESSION, **course}
            yield entry.version, _resource(entry, key, {**key, **more})

    def _sections(self) -> Rows:
        for entry, section in self.campus.classes():
            weekly = self._weekly(entry, section)
            offering = {"localCourseCode": entry.row["subjectId"], **SESSION}
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
                {"id": guid(name), "classPeriodName": name, "schoolReference": {"schoolId": 1}, "meetingTimes": times},
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
                    "id": guid(day),
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
            key = event_key(entry.row)
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
                    **SESSION,
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
    return {"id": guid(key), **fields, **more, **stamps}


def guid(key: object) -> str:
    return uuid5(NAMESPACE_URL, repr(key)).hex


def _section(subject_id: str, section: str) -> Row:
    return {"localCourseCode": subject_id, **SESSION, "sectionIdentifier": section}


def event_key(row: Row) -> Row:
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
