"""How Moodle writes what the campus has, and what a hub should make of it."""

from datetime import UTC, datetime
from xml.sax.saxutils import escape

from hub_model.records import DataType

from hub_standalone.demo.simulated.simulator import Simulator, only
from hub_standalone.demo.simulated.tables import Entry
from hub_standalone.demo.simulated.times import canonical, epoch, in_india, local
from hub_standalone.demo.world import Row

_STATUSES = (
    ("present", "P", "Present", 2),
    ("absent", "A", "Absent", 0),
    ("late", "L", "Late", 1),
    ("on_duty", "OD", "On duty", 2),
)
_EVERY_NTH_HAS_NO_IDNUMBER = 60
_EVERY_NTH_HAS_NO_PHONE = 7
CATEGORY = 2
_TOTAL_ITEM = 9000
_FIRST_SESSION = 3000


class MoodleRows(Simulator):
    """Courses, users, registers and grades. What is asked for, and how, is the business of ``Moodle``.

    ``profile_field`` is the short name of a custom field of people's profiles that holds their number, if there is one.
    """

    expresses = frozenset(DataType) - {DataType.CUSTOM}
    profile_field: str | None = None

    def _course_of(self, entry: Entry) -> Row:
        name = escape(entry.row["name"])
        return {
            "id": course_id(entry),
            "shortname": entry.row["code"],
            "categoryid": CATEGORY,
            "fullname": f'<span lang="en" class="multilang">{name}</span>' if entry.number % 6 == 0 else name,
            "idnumber": entry.row["subjectId"],
            "visible": int(entry.row["status"] == "active"),
            "startdate": epoch(self.campus.opened),
            "enddate": 0,
            "timemodified": epoch(entry.modified),
        }

    def _user(self, entry: Entry) -> Row:
        row = entry.row
        own = {"name": "Number", "shortname": self.profile_field, "type": "text", "value": number_of(entry)}
        return {
            "id": self.user_id(entry),
            "username": number_of(entry).lower(),
            "firstname": row["firstName"],
            "lastname": row["lastName"],
            "fullname": f"{row['firstName']} {row['lastName']}",
            "email": row["email"].title() if entry.number % 10 == 0 else row["email"],
            "idnumber": idnumber(entry),
            "department": row["department"],
            "phone1": "" if _has_no_phone(entry) else row["phone"],
            "suspended": row["status"] != "active",
            **({"customfields": [own]} if self.profile_field else {}),
        }

    def user_id(self, entry: Entry) -> int:
        return (10 if "studentId" in entry.row else 1000) + entry.number

    def _session(self, subject: Entry, lesson: Entry) -> Row:
        marked = self.campus.attendance_of(lesson.row)
        ids = {status: _status_id(subject, index) for index, (status, *_) in enumerate(_STATUSES)}
        statuses = [
            {"id": ids[status], "acronym": acronym, "description": text, "grade": grade, "visible": 1, "deleted": 0}
            for status, acronym, text, grade in _STATUSES
        ]
        log = [
            {
                "studentid": self.user_id(self.campus.students.get(entry.row["studentId"])),
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
            "id": _session_id(lesson),
            "attendanceid": 300 + subject.number,
            "courseid": course_id(subject),
            "groupid": 900 + ord(lesson.row["section"][-1]),
            "sessdate": epoch(start),
            "duration": epoch(local(lesson.row["date"], lesson.row["endTime"])) - epoch(start),
            "lasttaken": taken or None,
            "timemodified": epoch(lesson.modified),
            "statusset": 0,
            "statuses": statuses,
            "attendance_log": log,
            "users": [
                {"id": self.user_id(e), "firstname": e.row["firstName"], "lastname": e.row["lastName"]} for e in people
            ],
        }

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
            "grademax": mark.get("maxMarks", 0),
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

    def _known_as(self, student: Entry) -> str:
        return number_of(student) if idnumber(student) or self.profile_field else number_of(student).lower()

    def _open(self) -> list[Entry]:
        return [entry for entry in self.campus.subjects if entry.row["subjectId"] not in self.closed]

    def true_students(self) -> list[Row]:
        names = ("firstName", "lastName", "email", "department", "status")
        ids = {e.row["studentId"]: e for s in self._open() for e in self.campus.students_of(s.row["subjectId"])}
        return [
            {
                "studentId": self._known_as(e),
                "name": e.row["name"],
                **only(e.row, *names),
                **({} if _has_no_phone(e) else only(e.row, "phone")),
            }
            for e in ids.values()
        ]

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
        names = ("date", "subjectId", "startTime", "endTime", "attendance", "remarks")
        people = {entry.row["studentId"]: entry for entry in self.campus.students.with_deleted}
        return [
            {
                "studentId": self._known_as(people[row["studentId"]]),
                "name": people[row["studentId"]].row["name"],
                "sessionId": str(_session_id(self.campus.lesson_of(row))),
                **only(row, *names),
            }
            for row in self.campus.attendance.rows
            if row["subjectId"] not in self.closed
        ]

    def true_marks(self) -> list[Row]:
        return [
            {
                "studentId": self._known_as(student),
                "subjectId": subject.row["subjectId"],
                **only(mark, "examId", "examName", "examType", "marksObtained", "maxMarks", "percentage"),
                **({"gradedAt": mark["gradedAt"]} if "percentage" in mark else {"result": "pending"}),
            }
            for subject in self._open()
            for student in self.campus.students_of(subject.row["subjectId"])
            for mark in self._marks_of(student, subject)
        ]


def _mark(item: int, name: str, kind: str, points: float | None, most: int, at: int) -> Row:
    row: Row = {"examId": str(item), "examName": name, "examType": kind, "at": at}
    if most:
        row["maxMarks"] = most
    if points is None:
        return row
    return {**row, "marksObtained": points, "percentage": round(points * 100 / most, 2), "gradedAt": _instant(at)}


def _instant(seconds: int) -> str:
    return canonical(datetime.fromtimestamp(seconds, UTC))


def event_of(subject: Entry, lesson: Entry) -> Row:
    start = local(lesson.row["date"], lesson.row["startTime"])
    return {
        "id": 20_000 + lesson.number,
        "name": "Register",
        "description": "<p>Lecture</p>",
        "courseid": course_id(subject),
        "groupid": 900 + ord(lesson.row["section"][-1]),
        "modulename": "attendance",
        "instance": 300 + subject.number,
        "eventtype": "attendance",
        "timestart": epoch(start),
        "timeduration": epoch(local(lesson.row["date"], lesson.row["endTime"])) - epoch(start),
        "visible": 1,
        "timemodified": epoch(lesson.modified),
    }


def course_id(subject: Entry) -> int:
    return 1 + subject.number


def _status_id(subject: Entry, index: int) -> int:
    return len(_STATUSES) * subject.number + index


def _session_id(lesson: Entry) -> int:
    return _FIRST_SESSION + lesson.number


def number_of(person: Entry) -> str:
    return str(person.row.get("studentId") or person.row["facultyId"])


def _has_no_phone(person: Entry) -> bool:
    return person.number % _EVERY_NTH_HAS_NO_PHONE == 0


def idnumber(person: Entry) -> str:
    is_empty = "studentId" in person.row and person.number % _EVERY_NTH_HAS_NO_IDNUMBER == 0
    return "" if is_empty else number_of(person)
