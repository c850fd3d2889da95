"""What happens at a college between two syncs: somebody comes, something is corrected, something is withdrawn."""

from datetime import timedelta

from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.punches import DEVICES, punch
from hub_standalone.demo.simulated.simulator import Simulator
from hub_standalone.demo.world import INDIA

NEW_STUDENT, OTHER_NAME, GONE_STUDENT = "CS2599", "CS2502", "CS2503"


def change(simulator: Simulator) -> None:
    """A student comes and another is renamed; attendance and marks are added and corrected, somebody punches.

    What the vendor ``shows_deletes`` of is removed as well.
    """
    campus, shown = simulator.campus, simulator.shows_deletes
    _add_and_alter(campus)
    _, wrong_mark, *_ = campus.marks.rows
    _, wrong_row, *_ = campus.attendance.rows
    for kind, table, key in (
        (DataType.MARKS, campus.marks, ("studentId", "subjectId", "examId")),
        (DataType.ATTENDANCE, campus.attendance, ("studentId", "date", "period")),
    ):
        if kind not in shown:
            continue
        removed = [wrong_mark if kind is DataType.MARKS else wrong_row]
        if DataType.STUDENTS in shown:
            removed += [row for row in table.rows if row["studentId"] == GONE_STUDENT]
        for row in removed:
            table.remove(*(row[name] for name in key))
    if DataType.STUDENTS in shown:
        campus.students.remove(GONE_STUDENT)


def _add_and_alter(campus: Campus) -> None:
    names = {"firstName": "Zoya", "lastName": "Khan", "name": "Zoya Khan"}
    contact = {"email": f"{NEW_STUDENT.lower()}@students.example.edu", "phone": "+915550000999"}
    numbers = {"studentId": NEW_STUDENT, "biometricId": "00999", "rollNumber": "099"}
    student = campus.students.add({**campus.students.rows[0], **numbers, **names, **contact}).row
    campus.students.change(OTHER_NAME, firstName="Asha", lastName="Iyer", name="Asha Iyer")

    marked = campus.attendance.rows[0]
    campus.attendance.add({**marked, "studentId": NEW_STUDENT, "name": student["name"], "attendance": "absent"})
    other = "absent" if marked["attendance"] == "present" else "present"
    campus.attendance.change(marked["studentId"], marked["date"], marked["period"], attendance=other)

    graded = next(row for row in campus.marks.rows if row["marksObtained"] is not None)
    campus.marks.add({**graded, "studentId": NEW_STUDENT, "marksObtained": 12.5, "percentage": 62.5})
    points = graded["marksObtained"] - 1.5
    changed = {"marksObtained": points, "percentage": points * 100 / graded["maxMarks"]}
    campus.marks.change(graded["studentId"], graded["subjectId"], graded["examId"], **changed)

    now = campus.clock.now().astimezone(INDIA).replace(microsecond=0) - timedelta(minutes=2)
    campus.punches.add(punch(student, now, "in", DEVICES[0], now + timedelta(seconds=30)))
