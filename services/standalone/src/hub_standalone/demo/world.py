"""The college's data: made from a seed and a day, the same every time, as its systems would send it.

Everything is a plain JSON object in the order the systems list it. What the hub should make of it is in ``truth``.
"""

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from hub_standalone.demo.people import Person, draw_people, phone_number

Row = dict[str, Any]

INDIA = timezone(timedelta(hours=5, minutes=30))
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
PERIODS = (("09:00", "09:55"), ("10:00", "10:55"), ("11:15", "12:10"), ("13:30", "14:25"))

_SCHOOL_DAYS = 21
_SECTIONS = ("A", "B")
_STUDENTS_PER_SECTION = 30
_SEMESTER = "3"
_SUBJECTS = {
    "CS": ("Data Structures", "Discrete Mathematics", "Digital Logic", "Java Programming", "Database Lab", "Java Lab"),
    "EC": ("Signals and Systems", "Network Theory", "Analog Circuits", "Electromagnetics", "Circuits Lab", "DSP Lab"),
    "ME": ("Thermodynamics", "Fluid Mechanics", "Machine Drawing", "Material Science", "Workshop", "Fluids Lab"),
    "CE": ("Surveying", "Strength of Materials", "Hydraulics", "Building Materials", "Survey Lab", "Concrete Lab"),
}
_DEPARTMENTS = {
    "CS": "Computer Science and Engineering",
    "EC": "Electronics and Communication Engineering",
    "ME": "Mechanical Engineering",
    "CE": "Civil Engineering",
}
_EXAMS = (("internal", "Internal Assessment 1", 20, 30), ("midterm", "Mid-Semester Examination", 50, 12))


@dataclass(frozen=True, slots=True)
class World:
    """Rows per feed. ``invalid`` are those among ``attendance`` that no hub should accept."""

    today: date
    students: list[Row]
    faculty: list[Row]
    subjects: list[Row]
    timetable: list[Row]
    attendance: list[Row]
    marks: list[Row]
    biometric: list[Row]
    invalid: list[Row]


def build_world(seed: int, today: date) -> World:
    """The college as it is on the morning of ``today``: 240 students, 21 days of lectures, two examinations."""
    chance = random.Random(seed)  # noqa: S311 - a simulation must be repeatable
    people = draw_people(chance, len(_SUBJECTS) * (len(_SECTIONS) * _STUDENTS_PER_SECTION + 6))
    subjects = [row for code in _SUBJECTS for row in _subjects_of(code)]
    faculty = [_teacher(subject, people.pop(), number) for number, subject in enumerate(subjects, 1)]
    students = [
        _student(code, number, people.pop(), chance)
        for code in _SUBJECTS
        for number in range(1, len(_SECTIONS) * _STUDENTS_PER_SECTION + 1)
    ]
    timetable = [row for code in _SUBJECTS for section in _SECTIONS for row in _week(code, section, subjects, faculty)]
    days = _school_days_before(today, _SCHOOL_DAYS)
    attendance = [row for day in days for row in _lectures(day, students, subjects, timetable, chance)]
    invalid = {**attendance[0], "date": f"{today.year}-02-31"}
    attendance.insert(len(attendance) // 2, invalid)
    return World(
        today=today,
        students=students,
        faculty=faculty,
        subjects=subjects,
        timetable=timetable,
        attendance=attendance,
        marks=[row for exam in _EXAMS for row in _results(exam, today, students, subjects, chance)],
        biometric=[_punch(student, today, chance) for student in students],
        invalid=[invalid],
    )


def _subjects_of(code: str) -> list[Row]:
    return [
        {
            "subjectId": f"{code}30{number}",
            "name": name,
            "code": f"{code}-30{number}",
            "type": "theory" if number <= 4 else "lab",
            "department": _DEPARTMENTS[code],
            "semester": _SEMESTER,
            "credits": 4 if number <= 4 else 1.5,
            "status": "active",
        }
        for number, name in enumerate(_SUBJECTS[code], 1)
    ]


def _teacher(subject: Row, person: Person, number: int) -> Row:
    return {
        "facultyId": f"F{number:03d}",
        "name": f"Dr. {person.name}",
        "firstName": person.first_name,
        "lastName": person.last_name,
        "email": f"faculty{number:03d}@college.example.edu",
        "phone": phone_number(900_000 + number),
        "gender": person.gender,
        "department": subject["department"],
        "designation": "Professor" if number % 6 == 1 else "Assistant Professor",
        "status": "active",
        "subjectIds": [subject["subjectId"]],
    }


def _student(code: str, number: int, person: Person, chance: random.Random) -> Row:
    student_id = f"{code}25{number:02d}"
    return {
        "studentId": student_id,
        "name": person.name,
        "firstName": person.first_name,
        "lastName": person.last_name,
        "email": f"{student_id.lower()}@students.example.edu",
        "phone": phone_number(10_000 * list(_SUBJECTS).index(code) + number),
        "gender": person.gender,
        "dateOfBirth": (date(2006, 1, 1) + timedelta(days=chance.randrange(730))).isoformat(),
        "admissionDate": "2025-08-01",
        "rollNumber": f"{number:03d}",
        "program": "B.Tech",
        "department": _DEPARTMENTS[code],
        "batch": "2025-2029",
        "semester": _SEMESTER,
        "section": _SECTIONS[(number - 1) // _STUDENTS_PER_SECTION],
        "status": "active",
    }


def _week(code: str, section: str, subjects: list[Row], faculty: list[Row]) -> list[Row]:
    """The ERP's timetable speaks its own language: the demo maps it field by field."""
    own = [(subject, teacher) for subject, teacher in zip(subjects, faculty, strict=True) if _is_of(subject, code)]
    rows = []
    for day_number, day in enumerate(DAYS):
        for period, (begins, ends) in enumerate(PERIODS, 1):
            subject, teacher = own[(day_number * len(PERIODS) + period + _SECTIONS.index(section) * 3) % len(own)]
            rows.append(
                {
                    "subject_code": subject["subjectId"],
                    "subject_title": subject["name"],
                    "class": {"section": f"{code}-{section}", "room": f"{code}{section}1{period}"},
                    "teacher": {"id": teacher["facultyId"], "name": teacher["name"]},
                    "weekday": day,
                    "hour": period,
                    "begins": begins,
                    "ends": ends,
                    "kind": "L" if subject["type"] == "theory" else "P",
                }
            )
    return rows


def _lectures(
    day: date, students: list[Row], subjects: list[Row], timetable: list[Row], chance: random.Random
) -> list[Row]:
    """Who sat in which lecture of one day."""
    names = {subject["subjectId"]: subject["name"] for subject in subjects}
    plan: dict[str, list[Row]] = {}
    for lecture in timetable:
        if lecture["weekday"] == DAYS[day.weekday()]:
            plan.setdefault(lecture["class"]["section"], []).append(lecture)
    return [
        {
            "studentId": student["studentId"],
            "name": student["name"],
            "attendance": chance.choices(("present", "absent", "late", "on_duty"), (84, 10, 4, 2))[0],
            "date": day.isoformat(),
            "subject": names[lecture["subject_code"]],
            "subjectId": lecture["subject_code"],
            "period": str(lecture["hour"]),
            "startTime": lecture["begins"],
            "endTime": lecture["ends"],
        }
        for student in students
        for lecture in plan[f"{student['studentId'][:2]}-{student['section']}"]
    ]


def _results(
    exam: tuple[str, str, int, int], today: date, students: list[Row], subjects: list[Row], chance: random.Random
) -> list[Row]:
    """One row per student and subject; who missed the examination has no marks, which is not the same as none."""
    kind, name, maximum, days_ago = exam
    rows = []
    for student in students:
        for subject in subjects:
            if not _is_of(subject, student["studentId"][:2]):
                continue
            obtained = None if chance.random() < 0.02 else chance.randrange(maximum // 4, maximum * 2 + 1) / 2
            rows.append(
                {
                    "studentId": student["studentId"],
                    "subjectId": subject["subjectId"],
                    "subject": subject["name"],
                    "examId": f"{kind}-{_SEMESTER}",
                    "examName": name,
                    "examType": kind,
                    "examDate": (today - timedelta(days=days_ago)).isoformat(),
                    "semester": _SEMESTER,
                    "marksObtained": obtained,
                    "maxMarks": maximum,
                    "result": "absent" if obtained is None else "pass" if obtained * 5 >= maximum * 2 else "fail",
                    "attempt": 1,
                }
            )
    return rows


def _punch(student: Row, today: date, chance: random.Random) -> Row:
    """One person's day at the biometric gate: no subject, so a record of its own beside the lectures."""
    row = {"studentId": student["studentId"], "name": student["name"], "date": today.isoformat(), "source": "biometric"}
    if chance.random() < 0.08:
        return {**row, "attendance": "absent"}
    arrival = datetime(today.year, today.month, today.day, 8, 30, tzinfo=INDIA)
    arrival += timedelta(seconds=chance.randrange(45 * 60))
    late = (arrival.hour, arrival.minute) >= (9, 5)
    return {**row, "attendance": "late" if late else "present", "checkInAt": arrival.isoformat()}


def _school_days_before(today: date, count: int) -> list[date]:
    days: list[date] = []
    day = today
    while len(days) < count:
        day -= timedelta(days=1)
        if day.weekday() < len(DAYS):
            days.append(day)
    return days[::-1]


def _is_of(subject: Row, code: str) -> bool:
    return str(subject["subjectId"]).startswith(code)
