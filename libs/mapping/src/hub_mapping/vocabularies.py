"""The closed lists of words in canonical records, and the other spellings that mean the same beyond doubt.

A word that is in no list is never guessed: the field falls back to "unknown" or "other" where its list has that (to
null where it has neither), and the word itself stays visible in ``extensions.<field>Raw``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from hub_mapping.numbers import INT64_MAX, INT64_MIN
from hub_mapping.texts import clean_text, scalar_text

MAX_WORD = 256
_IGNORED = re.compile(r"[\s_\-]+")


@dataclass(frozen=True)
class Vocabulary:
    """The words of one field. ``strict``: a word outside the list is an issue, because the key depends on it."""

    words: tuple[str, ...]
    synonyms: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False

    @property
    def fallback(self) -> str | None:
        """What stands in for a word outside the list."""
        return next((word for word in ("unknown", "other") if word in self.words), None)

    @cached_property
    def table(self) -> Mapping[str, str]:
        """Normal form -> word."""
        return {normal_form(word): word for word in self.words} | {
            normal_form(text): word for text, word in self.synonyms.items()
        }


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A word that is in no list, on its way to its field."""

    raw: str | int | float | bool

    @classmethod
    def of(cls, raw: str | float) -> "Unmapped":
        """With a raw value that can be stored beside the field."""
        if isinstance(raw, str):
            return cls(clean_text(raw, MAX_WORD) or "")
        return cls(raw if INT64_MIN <= raw <= INT64_MAX else scalar_text(raw))


def normal_form(text: str) -> str:
    """A word without case, spaces, hyphens and underscores: "Half-Day" and "half_day" are one."""
    return _IGNORED.sub("", text).casefold()


ATTENDANCE = Vocabulary(
    words=(
        "present",
        "absent",
        "late",
        "excused",
        "leave",
        "half_day",
        "on_duty",
        "early_departure",
        "not_marked",
        "unknown",
    ),
    synonyms={
        "P": "present",
        "A": "absent",
        "AB": "absent",
        "L": "late",
        "E": "excused",
        "HD": "half_day",
        "OD": "on_duty",
        "tardy": "late",
        "on leave": "leave",
        "excused absence": "excused",
        "unexcused absence": "absent",
    },
)
ATTENDANCE_SOURCE = Vocabulary(("manual", "biometric", "lms", "import"))
GENDER = Vocabulary(("male", "female", "other", "unknown"), {"M": "male", "F": "female", "O": "other"})
RECORD_STATUS = Vocabulary(("active", "inactive", "deleted"), {"tobedeleted": "deleted"})
STUDENT_STATUS = Vocabulary(("active", "inactive", "graduated", "withdrawn", "suspended", "unknown"))
FACULTY_STATUS = Vocabulary(("active", "inactive", "left", "unknown"))
SUBJECT_STATUS = Vocabulary(("active", "inactive", "unknown"))
SUBJECT_TYPE = Vocabulary(("theory", "lab", "tutorial", "project", "other"), {"laboratory": "lab"})
CLASS_TYPE = Vocabulary(("lecture", "lab", "tutorial", "exam", "other"), {"laboratory": "lab"})
CLASS_STATUS = Vocabulary(("scheduled", "cancelled", "rescheduled"), {"canceled": "cancelled"})
DAY_OF_WEEK = Vocabulary(
    ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
    {
        "monday": "mon",
        "tuesday": "tue",
        "tues": "tue",
        "wednesday": "wed",
        "thursday": "thu",
        "thur": "thu",
        "thurs": "thu",
        "friday": "fri",
        "saturday": "sat",
        "sunday": "sun",
    },
    strict=True,
)
EXAM_TYPE = Vocabulary(
    (
        "internal",
        "midterm",
        "endterm",
        "quiz",
        "assignment",
        "practical",
        "viva",
        "project",
        "course_total",
        "other",
    )
)
RESULT = Vocabulary(
    ("pass", "fail", "absent", "exempt", "withheld", "pending", "not_submitted", "unknown"),
    {"passed": "pass", "failed": "fail"},
)
