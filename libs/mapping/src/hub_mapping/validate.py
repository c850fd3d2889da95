"""What a canonical record must have and what follows from it, beyond the kinds of its single fields.

``IDENTITY`` holds for every record, also for one that only says "delete me"; ``COMPLETION`` for those that are kept.
Both fill in what follows from other fields, in place, and return what is wrong.
"""

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType
from typing import Any

from hub_model.errors import Issue
from hub_model.records import DataType

Data = dict[str, Any]
Check = Callable[[Data], list[Issue]]

NAME_PARTS = ("firstName", "middleName", "lastName")
_HUNDREDTH = Decimal("0.01")
_LARGEST_PERCENTAGE = 10**9


def require_subject(data: Data) -> list[Issue]:
    """A class or an exam belongs to a subject; records without one would overwrite each other."""
    if data.get("subjectId") is None and data.get("subject") is None:
        return [Issue("/subjectId", "missing", "Give subjectId or subject: it is part of what identifies the record.")]
    return []


def identify_class(data: Data) -> list[Issue]:
    """A timetable entry has a subject and a day, by date or weekly."""
    issues = require_subject(data)
    if data.get("date") is None and data.get("dayOfWeek") is None:
        issues.append(Issue("/dayOfWeek", "missing", "Give dayOfWeek for a weekly class or date for a single one."))
    return issues


def identify_mark(data: Data) -> list[Issue]:
    """A mark has a subject and an attempt, which is the first unless the source says otherwise."""
    attempt = data.get("attempt")
    if attempt is None:
        data["attempt"] = 1
    elif attempt < 0:
        return [*require_subject(data), Issue("/attempt", "out_of_range", "An attempt is counted from 1.")]
    return require_subject(data)


def complete_person(data: Data) -> list[Issue]:
    """A person's name is made of its parts where the source has no whole one."""
    if data.get("name") is None:
        parts = [data[part] for part in NAME_PARTS if data.get(part) is not None]
        if parts:
            data["name"] = " ".join(parts)
    return []


def complete_class(data: Data) -> list[Issue]:
    """A class ends after it starts."""
    start, end = data.get("startTime"), data.get("endTime")
    if start is not None and end is not None and end <= start:
        message = "Ends before it starts; are these 12-hour times? Give their format, such as %I:%M %p."
        return [Issue("/endTime", "not_after_start", message)]
    return []


def complete_mark(data: Data) -> list[Issue]:
    """Marks are out of something; the percentage follows where the source does not give it.

    More than the maximum is right (extra credit), and so is less than nothing (negative marking).
    """
    most = data.get("maxMarks")
    if most is None:
        return []
    if most <= 0:
        return [Issue("/maxMarks", "out_of_range", "Must be more than 0; leave it out when there is no maximum.")]
    obtained = data.get("marksObtained")
    if obtained is not None and data.get("percentage") is None:
        percentage = Decimal(str(obtained)) * 100 / Decimal(str(most))
        if abs(percentage) < _LARGEST_PERCENTAGE:
            rounded = percentage.quantize(_HUNDREDTH, ROUND_HALF_UP)
            data["percentage"] = int(rounded) if rounded == int(rounded) else float(rounded)
    return []


IDENTITY: Mapping[DataType, Check] = MappingProxyType(
    {DataType.TIMETABLE: identify_class, DataType.MARKS: identify_mark}
)
COMPLETION: Mapping[DataType, Check] = MappingProxyType(
    {
        DataType.STUDENTS: complete_person,
        DataType.FACULTY: complete_person,
        DataType.TIMETABLE: complete_class,
        DataType.MARKS: complete_mark,
    }
)
