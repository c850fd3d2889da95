"""The college that all simulators show: the demo's world, with dated lessons, classes and punches, and open to change.

Rows are canonical records (the fields of ``hub_mapping.schemas``). What a vendor's API shows of them, and what of that
a hub should store, is the business of each simulator. The same seed and day give the same college.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from operator import itemgetter

from hub_model.records import DataType

from hub_standalone.demo.simulated.punches import punches_of
from hub_standalone.demo.simulated.tables import Clock, Entry, Table
from hub_standalone.demo.simulated.times import local, weekday
from hub_standalone.demo.truth import truth
from hub_standalone.demo.world import Row, build_world

SEED = 2026
TODAY = date(2026, 3, 17)
# What tells a lesson apart.
_LESSON = ("section", "date", "period")
_GRADED_AFTER = timedelta(days=2)


class Campus:
    """Tables to look at and to change. Changes carry the moment that ``now`` tells; what was there from the first day
    on was modified before ``today``, attendance when its lesson ended. ``lesson_days``: only so many of the last days
    have lessons, and with them attendance and punches. ``department``: only that one's, by its code, such as ``CS``.

    ``students`` by studentId, ``faculty`` by facultyId, ``subjects`` by subjectId, ``timetable`` (weekly) by section,
    dayOfWeek, period; ``lessons`` (dated) by section, date, period; ``attendance`` by studentId, date, period;
    ``exams`` by subjectId, examId; ``marks`` by studentId, subjectId, examId; ``punches`` by personCode, punchedAt.
    """

    def __init__(
        self,
        seed: int = SEED,
        today: date = TODAY,
        now: Callable[[], datetime] | None = None,
        *,
        lesson_days: int | None = None,
        department: str | None = None,
    ) -> None:
        rows = _first_day(seed, today, lesson_days, department or "")
        self.today = today
        self.clock = Clock(now or (lambda: datetime.now(UTC)))
        self.opened = local((today - timedelta(days=90)).isoformat(), "08:00")
        self.students = self._table(["studentId"], rows["students"], self._on_the_first_day)
        self.faculty = self._table(["facultyId"], rows["faculty"], self._on_the_first_day)
        self.subjects = self._table(["subjectId"], rows["subjects"], self._on_the_first_day)
        self.timetable = self._table(["section", "dayOfWeek", "period"], rows["timetable"], self._on_the_first_day)
        self.lessons = self._table(_LESSON, rows["lessons"], self._on_the_first_day)
        self.attendance = self._table(["studentId", "date", "period"], rows["attendance"], _when_it_ended)
        self.exams = self._table(["subjectId", "examId"], rows["exams"], self._on_the_first_day)
        self.marks = self._table(["studentId", "subjectId", "examId"], rows["marks"], _told("gradedAt"))
        self.punches = self._table(["personCode", "punchedAt"], rows["punches"], _told("uploadedAt"))

    def students_of(self, subject_id: str, section: str | None = None) -> list[Entry]:
        """Who takes a subject: everybody of its department, or of one of its sections."""
        taught = self.students.by("department")[self.subjects.get(subject_id).row["department"]]
        return [entry for entry in taught if section is None or section_of(entry.row) == section]

    def teachers_of(self, subject_id: str) -> list[Entry]:
        return [entry for entry in self.faculty if subject_id in entry.row["subjectIds"]]

    def classes(self) -> list[tuple[Entry, str]]:
        """Each subject with each section that takes it, in a stable order."""
        return [
            (entry, section)
            for entry in self.subjects
            for section in sorted({section_of(student.row) for student in self.students_of(entry.row["subjectId"])})
        ]

    def lessons_of(self, subject_id: str) -> list[Entry]:
        return self.lessons.by("subjectId")[subject_id]

    def attendance_of(self, lesson: Row) -> list[Entry]:
        """Who was marked in a lesson."""
        return self.attendance.by(*_LESSON)[itemgetter(*_LESSON)(lesson)]

    def lesson_of(self, attendance: Row) -> Entry:
        """The lesson in which somebody was marked."""
        return self.lessons.get(*itemgetter(*_LESSON)(attendance))

    def _table(self, key: Sequence[str], rows: list[Row], modified: Callable[[Row], datetime]) -> Table:
        table = Table(key, self.clock)
        table.fill(rows, modified)
        return table

    def _on_the_first_day(self, row: Row) -> datetime:
        return self.opened


@lru_cache(maxsize=4)
def _first_day(seed: int, today: date, lesson_days: int | None, department: str) -> Mapping[str, list[Row]]:
    """The rows of each table. They are shared: whoever changes a row makes another."""
    whole = truth(build_world(seed, today)).records
    records = {kind: [row for row in rows.values() if _is_of(row, department)] for kind, rows in whole.items()}
    numbered = enumerate(records[DataType.STUDENTS], 1)
    students = [{**row, "biometricId": f"{number:05d}"} for number, row in numbered]
    sections = {row["studentId"]: section_of(row) for row in students}
    lectures = [row for row in records[DataType.ATTENDANCE] if "period" in row]
    days = sorted({row["date"] for row in lectures})[-(lesson_days or 0) :]
    attendance = [{**row, "section": sections[row["studentId"]]} for row in lectures if row["date"] in days]
    marks = [{**row, "gradedAt": _graded_at(row)} for row in records[DataType.MARKS]]
    return {
        "students": students,
        "faculty": records[DataType.FACULTY],
        "subjects": records[DataType.SUBJECTS],
        "timetable": records[DataType.TIMETABLE],
        "lessons": _lessons(records[DataType.TIMETABLE], days),
        "attendance": attendance,
        "exams": _exams(marks),
        "marks": marks,
        "punches": punches_of(students, attendance),
    }


def section_of(student: Row) -> str:
    """``CS-A``, as the timetable calls it; a student's own section is ``A``."""
    return f"{student['studentId'][:2]}-{student['section']}"


def _is_of(row: Row, department: str) -> bool:
    """Every id of a student and a subject begins with the code of its department."""
    ids = [row.get("studentId"), row.get("subjectId"), *row.get("subjectIds", ())]
    return any(str(name).startswith(department) for name in ids if name is not None)


def _lessons(timetable: list[Row], days: list[str]) -> list[Row]:
    return [{**row, "date": day} for day in days for row in timetable if row["dayOfWeek"] == weekday(day)]


def _exams(marks: list[Row]) -> list[Row]:
    """Each examination of each subject once."""
    names = ("subjectId", "subject", "examId", "examName", "examType", "examDate", "semester", "maxMarks")
    exams = {(row["subjectId"], row["examId"]): {name: row[name] for name in names} for row in marks}
    return list(exams.values())


def _graded_at(row: Row) -> str:
    return (local(row["examDate"], "15:30") + _GRADED_AFTER).isoformat()


def _told(name: str) -> Callable[[Row], datetime]:
    return lambda row: datetime.fromisoformat(row[name])


def _when_it_ended(row: Row) -> datetime:
    return local(row["date"], row["endTime"])
