"""The college's third system: Moodle, where one department has the people that the ERP has, a register, and grades.

Where both speak of one thing they agree, so the order in which the hub reads them does not matter. Teachers are left
to the ERP, which knows their titles.
"""

import secrets
from datetime import date

from hub_model.records import DataType

from hub_standalone.client import Json
from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.faults import Kind
from hub_standalone.demo.simulated.moodle import Moodle
from hub_standalone.demo.simulated.moodle_rows import CATEGORY
from hub_standalone.demo.truth import Truth, by_identity
from hub_standalone.demo.world import Row

_TAKEN = (DataType.STUDENTS, DataType.SUBJECTS, DataType.TIMETABLE, DataType.ATTENDANCE, DataType.MARKS)
_DEPARTMENT = "CS"
# The register has been kept for a week.
_LESSON_DAYS = 5
_PROFILE_FIELD = "collegenumber"


def open_lms(seed: int, today: date) -> Moodle:
    """The site. One of its answers will be that it is closed for maintenance, once."""
    lms = Moodle(Campus(seed, today, lesson_days=_LESSON_DAYS, department=_DEPARTMENT))
    lms.token = secrets.token_hex(16)
    lms.profile_field = _PROFILE_FIELD
    lms.faults.order(Kind.MAINTENANCE, "wsfunction=mod_attendance_get_sessions", after=3)
    return lms


def lms_draft(lms: Moodle) -> Json:
    """By the preset: no paths, no mapping. Some students' ID number is empty, so it is told where else to look."""
    return {
        "name": "College LMS",
        "type": "moodle",
        "baseUrl": lms.base_url,
        "settings": {"token": lms.token, "idField": _PROFILE_FIELD},
        "endpoints": {data_type.value: True for data_type in _TAKEN},
        "syncInterval": 60,
        "enabled": True,
    }


def with_lms(expected: Truth, lms: Moodle) -> Truth:
    """What the hub should hold once it has read Moodle too: each record has what any of the systems says of it."""
    records = dict(expected.records)
    for data_type in _TAKEN:
        known = records[data_type]
        told = by_identity(data_type, [{**row, **_besides(data_type, row, lms)} for row in lms.truth(data_type)])
        records[data_type] = {
            **known,
            **{identity: {**known.get(identity, {}), **row} for identity, row in told.items()},
        }
    return Truth(records=records, rejects=expected.rejects)


def _besides(data_type: DataType, row: Row, lms: Moodle) -> Row:
    """What the preset also keeps, beyond what the vendor's truth speaks of."""
    match data_type:
        case DataType.STUDENTS:
            return {"externalIds": {"moodleId": str(lms.user_id(lms.campus.students.get(row["studentId"])))}}
        case DataType.SUBJECTS:
            return {"extensions": {"categoryId": CATEGORY}}
        case DataType.ATTENDANCE:
            return {"source": "lms"}
        case DataType.MARKS:
            return {"attempt": 1, "minMarks": 0}
    return {}
