"""Dates, times of day and instants from text and epochs, in the college's time zone.

Without a format only ISO 8601 is read: 03/04/2024 is never guessed. Results are text: ``2024-01-15``, ``09:30`` and
instants in the form of ``hub_model.base.format_datetime``.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from hub_model.base import format_datetime
from hub_model.errors import InvalidInput

from hub_mapping.flaws import flaw, unexpected
from hub_mapping.moments import Moment, check_length, check_year, localised, read_iso

_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9])(?:\.0+)?)?")
_FINAL = re.compile(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{6}Z")
_REMEMBERED = 1024

Read = Callable[[object], str | None]


def date_reader(zone: ZoneInfo) -> Read:
    """Reads ``2024-01-15``; also an ISO instant that is midnight, which is how JSON often writes a date."""

    @lru_cache(_REMEMBERED)
    def read_text(text: str) -> str | None:
        try:
            found = date.fromisoformat(text)
        except ValueError:
            return _midnight(text, zone)
        if found.isoformat() != text:
            raise _not_a_date()
        check_year(found.year)
        return text

    def read(value: object) -> str | None:
        if type(value) is str:
            text = value.strip()
            check_length(text)
            return read_text(text) if text else None
        if value is None:
            return None
        raise unexpected('a date such as "2024-01-15" (for epochs: ["date", "epoch_s"])', value)

    return read


def datetime_reader(zone: ZoneInfo) -> Read:
    """Reads ISO 8601 instants; one without a zone is local time in ``zone``."""

    def read(value: object) -> str | None:
        if type(value) is str:
            text = value.strip()
            if not text:
                return None
            moment = read_iso(text)
            # What a transform made is in its final form already.
            return text if _FINAL.fullmatch(text) else format_datetime(localised(moment, zone))
        if value is None:
            return None
        raise unexpected('an instant such as "2024-01-15T09:30:00Z" (for epochs: ["datetime", "epoch_s"])', value)

    return read


def to_clock(value: object, *, cut: bool = False) -> str | None:
    """A time of day as ``HH:MM``: "9:30", "09:30:00". Seconds are refused, unless 0 or to be ``cut``."""
    if type(value) is not str:
        if value is None:
            return None
        raise unexpected('a time of day such as "09:30"', value)
    text = value.strip()
    if not text:
        return None
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise flaw("not_a_time", 'Is not a time of day such as "09:30"; give its format, such as ["time", "%I:%M %p"].')
    hour, minute, second = match.groups()
    if second and int(second) and not cut:
        raise _has_seconds()
    return f"{int(hour):02}:{minute}"


def day_of(moment: Moment, zone: ZoneInfo) -> Read:
    """The date of a moment, where the college is."""

    def read(value: object) -> str | None:
        found = moment(value)
        if found is None:
            return None
        return (found.astimezone(zone) if found.tzinfo else found).date().isoformat()

    return read


def clock_of(moment: Moment, zone: ZoneInfo, *, cut: bool = False) -> Read:
    """The time of day of a moment, where the college is."""

    def read(value: object) -> str | None:
        found = moment(value)
        if found is None:
            return None
        local = found.astimezone(zone) if found.tzinfo else found
        if (local.second or local.microsecond) and not cut:
            raise _has_seconds()
        return local.strftime("%H:%M")

    return read


def instant_of(moment: Moment, zone: ZoneInfo) -> Read:
    """The moment itself, in UTC."""

    def read(value: object) -> str | None:
        found = moment(value)
        return None if found is None else format_datetime(localised(found, zone))

    return read


def _midnight(text: str, zone: ZoneInfo) -> str:
    """The date of an instant that says no more than a date: midnight here, or midnight as written."""
    try:
        moment = read_iso(text)
    except InvalidInput as error:
        raise _not_a_date() from error
    local = moment.astimezone(zone) if moment.tzinfo else moment
    if _is_midnight(local):
        return local.date().isoformat()
    if not _is_midnight(moment):
        raise flaw(
            "has_time", 'Holds a time of day too, which a date would lose; write ["date", "iso"] to take its day.'
        )
    if moment.date() != local.date():
        raise flaw("ambiguous", f"Is midnight, but on another day in {zone.key}; give the date alone.")
    return moment.date().isoformat()


def _is_midnight(moment: datetime) -> bool:
    return not (moment.hour or moment.minute or moment.second or moment.microsecond)


def _not_a_date() -> InvalidInput:
    return flaw("not_a_date", 'Is not a date such as "2024-01-15"; give its format, such as ["date", "%d/%m/%Y"].')


def _has_seconds() -> InvalidInput:
    return flaw(
        "has_seconds",
        "Has seconds, which HH:MM would lose; map it to an instant such as checkInAt, or cut them: "
        '["time", "iso", {"seconds": "cut"}].',
    )
