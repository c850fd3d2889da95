"""How Canvas writes what the campus has, and what a hub should make of it."""

from hub_model.records import DataType
from hub_standalone.demo.simulated.simulator import Simulator, only
from hub_standalone.demo.simulated.tables import Entry
from hub_standalone.demo.simulated.times import canonical, in_utc, local
from hub_standalone.demo.world import Row

_SHARD = 10_000_000_000_000_000  # every id lies beyond 2^53


class CanvasRows(Simulator):
    """Enrolments, users and submissions. What is asked for, and how, is the business of ``Canvas``."""

    expresses = frozenset({DataType.STUDENTS, DataType.FACULTY, DataType.SUBJECTS, DataType.TIMETABLE, DataType.MARKS})
    shows_deletes = frozenset({DataType.STUDENTS})

    def _enrollment(self, subject: Entry, entry: Entry, kind: str) -> Row:
        return {
            "id": course_id(subject) * 10 + _user_id(entry) % 10_000,
            "course_id": course_id(subject),
            "user_id": _user_id(entry),
            "type": kind,
            "role": kind,
            "enrollment_state": "deleted" if entry.deleted else "active",
            "sis_user_id": entry.row.get("studentId") or entry.row["facultyId"],
            "updated_at": in_utc(entry.modified, "%Y-%m-%dT%H:%M:%SZ"),
            "user": self._user(entry),
        }

    def _user(self, entry: Entry) -> Row:
        row = entry.row
        known_as = row.get("studentId") or row["facultyId"]
        return {
            "id": _user_id(entry),
            "name": f"{row['firstName']} {row['lastName']}",
            "sortable_name": f"{row['lastName']}, {row['firstName']}",
            "short_name": row["firstName"],
            "sis_user_id": known_as,
            "login_id": known_as.lower(),
            "email": row["email"],
        }

    def _submission(self, mark: Entry) -> Row:
        points = mark.row["marksObtained"]
        at = None if points is None else in_utc(mark.modified, "%Y-%m-%dT%H:%M:%SZ")
        return {
            "id": 50_000 + mark.number,
            "assignment_id": 700 + self.campus.exams.get(mark.row["subjectId"], mark.row["examId"]).number,
            "user_id": _user_id(self.campus.students.get(mark.row["studentId"])),
            "score": points,
            "grade": None if points is None else f"{points:g}",
            "entered_score": points,
            "submitted_at": None,
            "graded_at": at,
            "posted_at": at if mark.number % 50 else None,
            "workflow_state": "unsubmitted" if points is None else "graded",
            "late": False,
            "missing": points is None,
            "excused": None,
            "attempt": 1 if points is not None else None,
        }

    def true_students(self) -> list[Row]:
        names = ("studentId", "name", "firstName", "lastName", "email", "status")
        return [only(row, *names) for row in self.campus.students.rows]

    def true_faculty(self) -> list[Row]:
        names = ("facultyId", "firstName", "lastName", "email")
        return [
            {**only(e.row, *names), "name": f"{e.row['firstName']} {e.row['lastName']}"}
            for e in self.campus.faculty
            if set(e.row["subjectIds"]) - self.closed
        ]

    def true_subjects(self) -> list[Row]:
        start = {"startDate": self.campus.opened.date().isoformat(), "semester": "Semester 3"}
        return [{**only(row, "subjectId", "name", "code", "status"), **start} for row in self.campus.subjects.rows]

    def true_timetable(self) -> list[Row]:
        names = ("subjectId", "date", "startTime", "endTime", "room", "status")
        return [only(row, *names) for row in self.campus.lessons.rows if row["subjectId"] not in self.closed]

    def true_marks(self) -> list[Row]:
        """Scores that are not posted are there too: an administrator sees them."""
        rows = []
        for mark in self.campus.marks:
            if mark.row["subjectId"] in self.closed:
                continue
            exam = self.campus.exams.get(mark.row["subjectId"], mark.row["examId"])
            names = ("studentId", "subjectId", "examName", "marksObtained", "maxMarks", "percentage", "attempt")
            row = {**only(mark.row, *names), "examId": str(700 + exam.number)}
            row["examType"] = "assignment" if exam.row["examType"] == "internal" else "quiz"
            if mark.row["marksObtained"] is None:
                rows.append({**row, "result": "not_submitted"})
            else:
                rows.append({**row, "gradedAt": canonical(mark.modified.replace(microsecond=0))})
        return rows


def event_of(lesson: Entry, code: str) -> Row:
    times = {name: local(lesson.row["date"], lesson.row[f"{name}Time"]) for name in ("start", "end")}
    return {
        "id": 90_000 + lesson.number,
        "title": lesson.row["subject"],
        "context_code": code,
        "start_at": in_utc(times["start"], "%Y-%m-%dT%H:%M:%SZ"),
        "end_at": in_utc(times["end"], "%Y-%m-%dT%H:%M:%SZ"),
        "location_name": lesson.row["room"],
        "workflow_state": "active" if lesson.row["status"] == "scheduled" else "deleted",
        "type": "event",
    }


def course_id(subject: Entry) -> int:
    return _SHARD + 100 + subject.number


def _user_id(person: Entry) -> int:
    return _SHARD + (5000 if "facultyId" in person.row else 1000) + person.number
