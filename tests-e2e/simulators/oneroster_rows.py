"""How OneRoster writes what the campus has, and what a hub should make of it."""

from collections.abc import Callable
from typing import Any

from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import section_of
from hub_standalone.demo.simulated.simulator import Simulator, only
from hub_standalone.demo.simulated.tables import Entry
from hub_standalone.demo.simulated.times import in_utc
from hub_standalone.demo.world import Row

_TERM = {"sourcedId": "s-1", "type": "term"}
_CATEGORIES = {"internal": "Class quiz", "midterm": "Mid-term exam"}
_EXAM_TYPES = {"internal": "quiz", "midterm": "endterm"}
_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


class OneRosterRows(Simulator):
    """Each collection as both versions have it. What is asked for, and how, is the business of ``OneRoster``."""

    expresses = frozenset({DataType.STUDENTS, DataType.FACULTY, DataType.SUBJECTS, DataType.MARKS})
    shows_deletes = frozenset({DataType.STUDENTS, DataType.MARKS})

    def user(self, entry: Entry, role: str) -> Row:
        row = entry.row
        if entry.deleted:
            return _tombstone(entry, role[0].replace("s", "u"))
        return {
            **_base(f"{'u' if role == 'student' else 't'}-{entry.number}", entry),
            "username": row["email"].partition("@")[0],
            "givenName": row["firstName"],
            "familyName": row["lastName"],
            "middleName": "",
            "identifier": row.get("studentId") or row["facultyId"],
            "email": row["email"],
            "sms": "",
            "phone": row["phone"],
            "grades": [row["semester"]] if role == "student" else [],
            "agents": [],
        }

    def _rows(self, path: str) -> list[Row]:
        if path in ("students", "teachers"):
            return self._people(path)
        make: Callable[[], list[Row]] = getattr(self, f"_{path}")
        return self.rendered(path, make)

    def _people(self, path: str) -> list[Row]:
        table = self.campus.students if path == "students" else self.campus.faculty
        return [self.user(entry, path.removesuffix("s")) for entry in table.with_deleted]

    def _users(self) -> list[Row]:
        return self._people("teachers") + self._people("students")

    def _departments(self) -> list[str]:
        return sorted({row["department"] for row in self.campus.subjects.rows})

    def department(self, name: str) -> Row:
        """A reference to the org of a department."""
        return {
            "href": f"{self.base_url}/orgs/x",
            "sourcedId": f"o-{self._departments().index(name) + 2}",
            "type": "org",
        }

    def _orgs(self) -> list[Row]:
        stamp = {"status": "active", "dateLastModified": in_utc(self.campus.opened), "metadata": {}}
        school = {"sourcedId": "o-1", **stamp, "name": "Riverside College", "type": "school", "identifier": "R1"}
        return [school] + [
            {"sourcedId": f"o-{number}", **stamp, "name": name, "type": "department", "identifier": name[:2]}
            for number, name in enumerate(self._departments(), 2)
        ]

    def _schools(self) -> list[Row]:
        return self._orgs()[:1]

    def _terms(self) -> list[Row]:
        stamp = {"status": "active", "dateLastModified": in_utc(self.campus.opened), "metadata": {}}
        dates = {"startDate": "2026-01-05", "endDate": "2026-05-31", "schoolYear": "2026"}
        return [{"sourcedId": "s-1", **stamp, "title": "Semester 3", "type": "semester", **dates}]

    _academicSessions = _terms

    def _courses(self) -> list[Row]:
        return [
            {**_base(f"k-{entry.number}", entry), "title": entry.row["name"], "courseCode": entry.row["subjectId"]}
            for entry in self.campus.subjects
        ]

    def _classes(self) -> list[Row]:
        return [
            {
                **_base(f"c-{entry.number}-{section}", entry),
                "title": entry.row["name"],
                "classCode": section,
                "classType": "scheduled",
                "location": f"Block {section}",
                "grades": [entry.row["semester"]],
                "subjects": [entry.row["department"]],
                "course": {"sourcedId": f"k-{entry.number}", "type": "course"},
                "school": {"sourcedId": "o-1", "type": "org"},
                "terms": [_TERM],
                "periods": [row["period"] for row in self.campus.timetable.rows if _is_of(row, entry, section)],
            }
            for entry, section in self.campus.classes()
        ]

    def _enrollments(self) -> list[Row]:
        rows = []
        for entry, section in self.campus.classes():
            code = entry.row["subjectId"]
            people = [(p, "student", f"u-{p.number}") for p in self.campus.students_of(code, section)]
            people += [(p, "teacher", f"t-{p.number}") for p in self.campus.teachers_of(code)]
            rows += [
                {
                    **_base(f"e-{entry.number}-{section}-{sourced_id}", person),
                    "role": role,
                    "primary": self.flag(role == "teacher"),
                    "user": {"sourcedId": sourced_id, "type": "user"},
                    "class": {"sourcedId": f"c-{entry.number}-{section}", "type": "class"},
                    "school": {"sourcedId": "o-1", "type": "org"},
                    "beginDate": "2026-01-05",
                    "endDate": "2026-06-01",
                }
                for person, role, sourced_id in people
            ]
        return rows

    def flag(self, value: bool) -> Any:
        raise NotImplementedError

    def _categories(self) -> list[Row]:
        stamp = {"status": "active", "dateLastModified": in_utc(self.campus.opened), "metadata": {}}
        return [{"sourcedId": f"cat-{kind}", **stamp, "title": title} for kind, title in _CATEGORIES.items()]

    def _lineItems(self) -> list[Row]:
        return [
            {
                **_base(f"li-{exam.number}-{section}", exam),
                "title": exam.row["examName"],
                "assignDate": exam.row["examDate"],
                "dueDate": exam.row["examDate"],
                "class": {"sourcedId": f"c-{subject.number}-{section}", "type": "class"},
                "category": {"sourcedId": f"cat-{exam.row['examType']}", "type": "category"},
                "gradingPeriod": _TERM,
                "resultValueMin": 0.0,
                "resultValueMax": float(exam.row["maxMarks"]),
            }
            for subject, section in self.campus.classes()
            for exam in self.campus.exams.by("subjectId")[subject.row["subjectId"]]
        ]

    def _results(self) -> list[Row]:
        rows = []
        for entry in self.campus.marks.with_deleted:
            if entry.deleted:
                rows.append(_tombstone(entry, "r"))
                continue
            student = self.campus.students.get(entry.row["studentId"])
            item = self._item_of(entry.row)
            result = {
                **_base(f"r-{entry.number}", entry),
                "lineItem": {"sourcedId": item, "type": "lineItem"},
                "student": {"sourcedId": f"u-{student.number}", "type": "user"},
                "scoreDate": self.score_date(entry),
            }
            points = entry.row["marksObtained"]
            graded = (
                {"scoreStatus": "not submitted"} if points is None else {"scoreStatus": "fully graded", "score": points}
            )
            rows.append({**result, **graded})
        return rows

    def score_date(self, mark: Entry) -> str:
        raise NotImplementedError

    def _item_of(self, mark: Row) -> str:
        exam = self.campus.exams.get(mark["subjectId"], mark["examId"])
        return f"li-{exam.number}-{section_of(self.campus.students.get(mark['studentId']).row)}"

    def true_students(self) -> list[Row]:
        names = ("studentId", "name", "firstName", "lastName", "email", "phone", "department", "status")
        return [only(row, *names) for row in self.campus.students.rows]

    def true_faculty(self) -> list[Row]:
        names = ("facultyId", "firstName", "lastName", "email", "phone", "department", "status")
        return [
            {"name": f"{row['firstName']} {row['lastName']}", **only(row, *names)} for row in self.campus.faculty.rows
        ]

    def true_subjects(self) -> list[Row]:
        term = {"semester": "Semester 3", "academicYear": "2026"}
        return [{**only(e.row, "subjectId", "name"), "section": s, **term} for e, s in self.campus.classes()]

    def true_marks(self) -> list[Row]:
        return [
            {
                **only(
                    row, "studentId", "subjectId", "examName", "examDate", "marksObtained", "maxMarks", "percentage"
                ),
                "examId": self._item_of(row),
                "examType": _EXAM_TYPES[row["examType"]],
                "minMarks": 0,
                **({"result": "not_submitted"} if row["marksObtained"] is None else {}),
            }
            for row in self.campus.marks.rows
        ]


def _base(sourced_id: str, entry: Entry) -> Row:
    return {
        "sourcedId": sourced_id,
        "status": "active",
        "dateLastModified": in_utc(entry.modified, _STAMP),
        "metadata": {},
    }


def _tombstone(entry: Entry, prefix: str) -> Row:
    stamp = in_utc(entry.modified, _STAMP)
    return {"sourcedId": f"{prefix}-{entry.number}", "status": "tobedeleted", "dateLastModified": stamp}


def _is_of(row: Row, subject: Entry, section: str) -> bool:
    return bool(row["subjectId"] == subject.row["subjectId"] and row["section"] == section)
