"""The canonical fields of each data type: their names, kinds and words. What a record must have beyond its fields
stands in ``validate``, what identifies it in ``keys``."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from hub_model.records import DataType

from hub_mapping import vocabularies as words
from hub_mapping.vocabularies import Vocabulary


class Kind(StrEnum):
    """What a canonical field holds; ``kinds`` turns raw values into it.

    ``ID``: text that is exactly what the source writes. ``CLOCK``: HH:MM, local. ``WORD``: one of a vocabulary.
    ``IDS``: a list of ids. ``TEXTS``: an object of texts. ``JSON``: any JSON value.
    """

    TEXT = "text"
    ID = "id"
    EMAIL = "email"
    INTEGER = "integer"
    DECIMAL = "decimal"
    WORD = "word"
    DATE = "date"
    CLOCK = "clock"
    INSTANT = "instant"
    IDS = "ids"
    TEXTS = "texts"
    OBJECT = "object"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Field:
    """One canonical field. ``max_length`` bounds its text in characters."""

    name: str
    kind: Kind
    required: bool = False
    words: Vocabulary | None = None
    max_length: int = 500


SOURCE_ID = "sourceId"
SOURCE_UPDATED_AT = "sourceUpdatedAt"
RECORD_STATUS = "recordStatus"
EXTENSIONS = "extensions"
EXTERNAL_IDS = "externalIds"
# Where a delete marker is kept while a record is mapped; no record can hold a field of this name.
DELETED = "$deleted"

# The fields of which a rule may fill one entry, as in ``extensions.hostel``.
OPEN_FIELDS = frozenset([EXTENSIONS, EXTERNAL_IDS])


def _ids(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, Kind.ID, max_length=256) for name in names)


def _texts(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, Kind.TEXT) for name in names)


def _of(kind: Kind, *names: str) -> tuple[Field, ...]:
    return tuple(Field(name, kind) for name in names)


def _required(*fields: Field) -> tuple[Field, ...]:
    return tuple(Field(field.name, field.kind, True, field.words, field.max_length) for field in fields)


def _word(name: str, vocabulary: Vocabulary) -> Field:
    return Field(name, Kind.WORD, words=vocabulary)


# ``sourceId`` and ``sourceUpdatedAt`` describe the source's row: they travel beside ``data``, not in it.
_COMMON = (
    *_ids(SOURCE_ID),
    *_of(Kind.INSTANT, SOURCE_UPDATED_AT),
    _word(RECORD_STATUS, words.RECORD_STATUS),
    *_of(Kind.OBJECT, EXTENSIONS),
)
_PERSON = (
    *_required(*_texts("name")),
    *_texts("firstName", "middleName", "lastName", "phone", "department"),
    Field("email", Kind.EMAIL, max_length=320),
    _word("gender", words.GENDER),
    *_ids("biometricId"),
    *_of(Kind.TEXTS, EXTERNAL_IDS),
)
_REMARKS = Field("remarks", Kind.TEXT, max_length=4000)

STUDENTS = (
    *_required(*_ids("studentId")),
    *_PERSON,
    *_of(Kind.DATE, "dateOfBirth", "admissionDate", "leavingDate"),
    *_ids("admissionNumber", "rollNumber"),
    *_texts("program", "batch", "semester", "section"),
    _word("status", words.STUDENT_STATUS),
)
FACULTY = (
    *_required(*_ids("facultyId")),
    *_PERSON,
    *_texts("designation"),
    *_of(Kind.DATE, "joiningDate"),
    _word("status", words.FACULTY_STATUS),
    *_of(Kind.IDS, "subjectIds"),
)
SUBJECTS = (
    *_required(*_ids("subjectId"), *_texts("name")),
    *_ids("code", "parentSubjectId", "section"),
    _word("type", words.SUBJECT_TYPE),
    *_texts("department", "program", "semester", "academicYear"),
    *_of(Kind.DECIMAL, "credits"),
    *_of(Kind.IDS, "facultyIds"),
    *_of(Kind.DATE, "startDate", "endDate"),
    _word("status", words.SUBJECT_STATUS),
    *_of(Kind.TEXTS, EXTERNAL_IDS),
)
TIMETABLE = (
    *_ids("subjectId", "facultyId", "section", "period"),
    *_texts("subject", "faculty", "room"),
    _word("dayOfWeek", words.DAY_OF_WEEK),
    *_of(Kind.DATE, "date", "effectiveFrom", "effectiveTo"),
    *_required(*_of(Kind.CLOCK, "startTime")),
    *_of(Kind.CLOCK, "endTime"),
    _word("type", words.CLASS_TYPE),
    _word("status", words.CLASS_STATUS),
)
ATTENDANCE = (
    *_required(*_ids("studentId"), *_of(Kind.DATE, "date"), _word("attendance", words.ATTENDANCE)),
    *_texts("name", "subject"),
    *_ids("subjectId", "sessionId", "period", "section", "markedBy"),
    *_of(Kind.CLOCK, "startTime", "endTime"),
    *_of(Kind.INSTANT, "checkInAt", "checkOutAt"),
    _word("source", words.ATTENDANCE_SOURCE),
    _REMARKS,
)
MARKS = (
    *_required(*_ids("studentId", "examId")),
    *_ids("subjectId", "gradedBy"),
    *_texts("subject", "examName", "academicYear", "semester", "grade"),
    _word("examType", words.EXAM_TYPE),
    *_of(Kind.DATE, "examDate"),
    *_of(Kind.DECIMAL, "marksObtained", "maxMarks", "minMarks", "percentage", "gradePoints", "credits"),
    _word("result", words.RESULT),
    *_of(Kind.INTEGER, "attempt"),
    *_of(Kind.INSTANT, "gradedAt"),
    _REMARKS,
)

# Every field of a data type by name. A custom record has only the common ones and what its rules say.
SCHEMAS: Mapping[DataType, Mapping[str, Field]] = MappingProxyType(
    {
        data_type: MappingProxyType({field.name: field for field in (*fields, *_COMMON)})
        for data_type, fields in {
            DataType.STUDENTS: STUDENTS,
            DataType.FACULTY: FACULTY,
            DataType.SUBJECTS: SUBJECTS,
            DataType.TIMETABLE: TIMETABLE,
            DataType.ATTENDANCE: ATTENDANCE,
            DataType.MARKS: MARKS,
            DataType.CUSTOM: (),
        }.items()
    }
)


def custom_field(name: str) -> Field:
    """A field of a custom record, which may hold anything."""
    return Field(name, Kind.JSON)
