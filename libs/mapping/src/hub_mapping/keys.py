"""What identifies a canonical record: its natural key, a JSON array of strings; and the hash of its content.

    students    studentId
    faculty     facultyId
    subjects    subjectId, section
    timetable   subjectId or subject, section, date or dayOfWeek, startTime
    attendance  studentId, date, subjectId or subject, sessionId or period
    marks       studentId, subjectId or subject, examId, attempt
    custom      the fields its mapping names

What a record does not have is "" in its key. Ids compare as trimmed text, with their leading zeros.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

import orjson
from hub_model.records import DataType

Data = Mapping[str, Any]
KeyOf = Callable[[Data], str]

# The parts of each key: a field, or a field and the one that stands in when it has no value.
KEY_PARTS: Mapping[DataType, tuple[tuple[str, ...], ...]] = MappingProxyType(
    {
        DataType.STUDENTS: (("studentId",),),
        DataType.FACULTY: (("facultyId",),),
        DataType.SUBJECTS: (("subjectId",), ("section",)),
        DataType.TIMETABLE: (("subjectId", "subject"), ("section",), ("date", "dayOfWeek"), ("startTime",)),
        DataType.ATTENDANCE: (("studentId",), ("date",), ("subjectId", "subject"), ("sessionId", "period")),
        DataType.MARKS: (("studentId",), ("subjectId", "subject"), ("examId",), ("attempt",)),
    }
)


def key_of(parts: Sequence[tuple[str, ...]]) -> KeyOf:
    """A function from canonical data to its key."""
    pairs = tuple((names[0], names[-1]) for names in parts)

    def key(data: Data) -> str:
        texts = []
        for name, other in pairs:
            value = data.get(name)
            if value is None:
                value = data.get(other)
            texts.append(value if type(value) is str else "" if value is None else str(value))
        return orjson.dumps(texts).decode()

    return key


def content_hash(payload: bytes, *, deleted: bool) -> str:
    """128 bits over the data as JSON with sorted names. A delete differs from the record it deletes."""
    if deleted:
        return blake2b(payload, digest_size=16, person=b"deleted").hexdigest()
    return blake2b(payload, digest_size=16).hexdigest()
