"""Transforms of dates and times: date, time, datetime."""

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub_mapping.moments import Moment, has_clock, has_date, moment_reader
from hub_mapping.times import clock_of, date_reader, datetime_reader, day_of, instant_of, to_clock
from hub_mapping.transforms.step import Arguments, Example, Step, Transform, bad_arguments, texts


def find_zone(name: str) -> ZoneInfo:
    """The time zone of this name; InvalidInput if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise bad_arguments("the time zone is an IANA name such as Asia/Kolkata") from None


def _build(
    plain: Callable[[ZoneInfo], Callable[[object], object]],
    written: Callable[[Moment, ZoneInfo], Callable[[object], object]],
    says_enough: Callable[[str], bool],
    needed: str,
) -> Callable[[Arguments, ZoneInfo], Step]:
    def build(arguments: Arguments, zone: ZoneInfo) -> Step:
        names = texts(arguments, least=0, most=2)
        if len(names) == 2:
            zone = find_zone(names[1])
        if not names:
            read = plain(zone)
        else:
            moment = moment_reader(names[0])
            if not says_enough(names[0]):
                raise bad_arguments(f"its format must name {needed}")
            read = written(moment, zone)
        return lambda value, _record: read(value)

    return build


TIME_TRANSFORMS = (
    Transform(
        "date", "A date; with \"iso\" or an epoch, the day of an instant where the college is.",
        '"date", ["date", "%d/%m/%Y"], ["date", "iso"], ["date", "epoch_s"] or ["date", "epoch_ms"], then a time zone',
        _build(date_reader, day_of, has_date, "year, month and day"),
        Example(["date", "%d/%m/%Y"], "15/01/2024", "2024-01-15"),
    ),
    Transform(
        "time", "A time of day as HH:MM.", '"time", ["time", "%I:%M %p"], ["time", "iso"] or ["time", "epoch_s"]',
        _build(lambda _zone: to_clock, clock_of, has_clock, "the hour"),
        Example(["time", "%I:%M %p"], "01:30 PM", "13:30"),
    ),
    Transform(
        "datetime", "An instant in UTC; a time without a zone is the college's.",
        '"datetime", ["datetime", "%d/%m/%Y %H:%M"], ["datetime", "epoch_s"] or ["datetime", "epoch_ms"]',
        _build(datetime_reader, instant_of, has_date, "year, month and day"),
        Example(["datetime", "epoch_s"], 1705311000, "2024-01-15T09:30:00.000000Z"),
    ),
)  # fmt: skip
