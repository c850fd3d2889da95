"""Transforms of dates and times: date, time, datetime, date_parts, add_seconds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub_model.base import format_datetime
from pydantic import JsonValue

from hub_mapping.flaws import flaw, unexpected
from hub_mapping.moments import Moment, check_year, has_clock, has_date, localised, moments_reader, read_iso
from hub_mapping.numbers import parse_decimal, to_decimal, to_integer
from hub_mapping.paths import Pick, compile_path
from hub_mapping.times import clock_of, date_reader, datetime_reader, day_of, instant_of, to_clock
from hub_mapping.transforms.step import Arguments, Example, Step, Transform, bad_arguments, plain

_MAX_FORMATS = 10
_MAX_SECONDS = 10**10


def find_zone(name: str) -> ZoneInfo:
    """The time zone of this name; InvalidInput if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise bad_arguments("the time zone is an IANA name such as Asia/Kolkata") from None


@dataclass(frozen=True, slots=True)
class _Written:
    """How a moment is written, or None where it is written as the field itself wants it; and where that is."""

    moment: Moment | None
    zone: ZoneInfo


def _written(arguments: Arguments, zone: ZoneInfo, *, says_enough: Callable[[str], bool], needed: str) -> _Written:
    if not arguments:
        return _Written(None, zone)
    formats = _formats(arguments[0])
    if len(arguments) > 2:
        raise bad_arguments("it takes a format, or a list of formats, then a time zone")
    if len(arguments) == 2:
        zone = find_zone(arguments[1] if isinstance(arguments[1], str) else "")
    moment = moments_reader(formats)
    if not all(says_enough(written) for written in formats):
        raise bad_arguments(f"its format must name {needed}")
    return _Written(moment, zone)


def _formats(given: JsonValue) -> list[str]:
    formats = given if isinstance(given, list) else [given]
    texts = [written for written in formats if isinstance(written, str)]
    if len(texts) < len(formats) or not 1 <= len(texts) <= _MAX_FORMATS:
        raise bad_arguments(f"it takes a format, or a list of up to {_MAX_FORMATS}, then a time zone")
    return texts


def _date(arguments: Arguments, zone: ZoneInfo) -> Step:
    written = _written(arguments, zone, says_enough=has_date, needed="year, month and day")
    read = day_of(written.moment, written.zone) if written.moment else date_reader(written.zone)
    return lambda value, _record: read(value)


def _time(arguments: Arguments, zone: ZoneInfo) -> Step:
    cut = False
    if arguments and isinstance(arguments[-1], dict):
        *arguments, options = arguments
        if options != {"seconds": "cut"}:
            raise bad_arguments('its only option is {"seconds": "cut"}')
        cut = True
    written = _written(arguments, zone, says_enough=has_clock, needed="the hour")
    read = clock_of(written.moment, written.zone, cut=cut) if written.moment else partial(to_clock, cut=cut)
    return lambda value, _record: read(value)


def _datetime(arguments: Arguments, zone: ZoneInfo) -> Step:
    written = _written(arguments, zone, says_enough=has_date, needed="year, month and day")
    read = instant_of(written.moment, written.zone) if written.moment else datetime_reader(written.zone)
    return lambda value, _record: read(value)


def _date_of_parts(value: object) -> str:
    if type(value) is not dict:
        raise unexpected("an object with year, month and day", value)
    year, month, day = (to_integer(value.get(name)) for name in ("year", "month", "day"))
    try:
        found = date(year or 0, month or 0, day or 0)
    except (ValueError, OverflowError):
        raise flaw("not_a_date", "Is not a whole date of year, month and day.") from None
    check_year(found.year)
    return found.isoformat()


def _always(value: object) -> Pick:
    return lambda _record: value


def _add_seconds(arguments: Arguments, zone: ZoneInfo) -> Step:
    given = arguments[0] if len(arguments) == 1 else None
    if isinstance(given, str):
        pick = compile_path(given)
    elif type(given) in (int, float):
        pick = _always(given)
    else:
        raise bad_arguments("it takes the path of a number of seconds, or the number")

    def step(value: object, record: Mapping[str, object]) -> object:
        seconds = to_decimal(pick(record))
        if seconds is None:
            return None
        if abs(seconds) > _MAX_SECONDS:
            raise flaw("out_of_range", "Is too long a time to add; it is counted in seconds.")
        if type(value) is str and not value.strip().lstrip("-").isdecimal():
            return format_datetime(localised(read_iso(value.strip()), zone) + timedelta(seconds=seconds))
        moment = to_decimal(value)
        return None if moment is None else parse_decimal(str(Decimal(str(moment)) + Decimal(str(seconds))))

    return step


TIME_TRANSFORMS = (
    Transform(
        "date", "A date; with \"iso\" or an epoch, the day of an instant where the college is. Of several formats, "
        "which must not read one text as different days, the first that fits.",
        '"date", ["date", "%d/%m/%Y"], ["date", "iso"], ["date", "epoch_s"], ["date", "epoch_ms"] or '
        '["date", ["%d-%m-%Y", "iso"]], then a time zone', _date,
        Example(["date", "%d/%m/%Y"], "15/01/2024", "2024-01-15"),
    ),
    Transform(
        "time", "A time of day as HH:MM; seconds are refused unless they may be cut.",
        '"time", ["time", "%I:%M %p"], ["time", "iso"], ["time", "epoch_s"] or ["time", "iso", {"seconds": "cut"}]',
        _time, Example(["time", "%I:%M %p"], "01:30 PM", "13:30"),
    ),
    Transform(
        "datetime", "An instant in UTC; a time without a zone is the college's.",
        '"datetime", ["datetime", "%d/%m/%Y %H:%M"], ["datetime", "epoch_s"] or ["datetime", "epoch_ms"], then a time '
        "zone", _datetime,
        Example(["datetime", "epoch_s"], 1705311000, "2024-01-15T09:30:00.000000Z"),
    ),
    Transform(
        "date_parts", "A date from an object of year, month and day.", '"date_parts"', plain(_date_of_parts),
        Example("date_parts", {"year": 2026, "month": 7, "day": 20}, "2026-07-20"),
    ),
    Transform(
        "add_seconds", "A moment so much later: epoch seconds stay a number, text becomes an instant.",
        '["add_seconds", "duration"] or ["add_seconds", 3600]', _add_seconds,
        Example(["add_seconds", "duration"], 1784516400, 1784520000, {"duration": 3600}),
    ),
)  # fmt: skip
