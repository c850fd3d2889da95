"""Makes records from all rows of a table: one per group, or attendance from the punches of a device.

The order of the rows means nothing to punches: devices send them late, twice, and in any order. For the same rows the
result is the same, in the same order.
"""

import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hub_model.base import format_datetime
from hub_model.combining import GroupBy, Punches
from hub_model.errors import InvalidInput

from hub_mapping.flaws import flaw
from hub_mapping.moments import localised, moment_reader
from hub_mapping.paths import Record, Walk, compile_path, compile_walk
from hub_mapping.texts import key_text
from hub_mapping.transforms.times import find_zone
from hub_mapping.vocabularies import normal_form

Derived = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NOWHERE, _IN, _OUT = 0, 1, 2
# Names as devices say them, and ZKTeco's numbers: in, out, break out, break in, overtime in, overtime out.
_DIRECTIONS = (
    dict.fromkeys(["in", "i", "checkin", "breakin", "overtimein", "entry", "0", "3", "4"], _IN)
    | dict.fromkeys(["out", "o", "checkout", "breakout", "overtimeout", "exit", "1", "2", "5"], _OUT)
)  # fmt: skip


def group_rows(rows: Iterable[Record], spec: GroupBy) -> Iterator[Derived]:
    """One record for each value at ``by``, in the order in which the values first come.

    It is the last row with that value, and holds what ``collect`` gathers from all of them; values are compared as ids
    are, so 57 and "57" are one. A row without a value there stands for itself: it may not be lost without a word.
    """
    pick = compile_path(spec.by)
    walks = {name: compile_walk(path) for name, path in spec.collect.items()}
    return _grouped(rows, pick, walks)


def _grouped(rows: Iterable[Record], pick: Callable[[Record], object], walks: Mapping[str, Walk]) -> Iterator[Derived]:
    groups: dict[object, tuple[Derived, dict[str, dict[object, object]]]] = {}
    for place, row in enumerate(rows):
        _, gathered = groups.get(key := key_text(pick(row)) or place, ({}, {name: {} for name in walks}))
        for name, walk in walks.items():
            for value in walk(row):
                for entry in value if type(value) is list else [value]:
                    if entry is not None and entry != "":
                        gathered[name].setdefault(_identity(entry), entry)
        groups[key] = (dict(row), gathered)
    for last, gathered in groups.values():
        yield {**last, **{name: list(values.values()) for name, values in gathered.items()}}


def _identity(value: object) -> object:
    return key_text(value) or json.dumps(value, sort_keys=True)


def punches_to_attendance(rows: Iterable[Record], spec: Punches, zone: ZoneInfo) -> Iterator[Derived]:
    """One record per person and day where the college is (``zone``).

    It has personCode, date, checkInAt, checkOutAt, attendance, punches (how many, duplicates left out), source and
    sourceUpdatedAt (the last punch). A punch that cannot be read becomes a record of its own without a date, which no
    mapping accepts: it is rejected with the reason in ``unreadable`` and the row in ``punch``, and so is seen.

    Where a day has punches in both directions, the first that is not out is the check-in and the last that is not in
    the check-out; a device that calls every punch "in" says nothing by that. Raises InvalidInput for a ``spec`` that
    cannot be used.
    """
    return _attendance(rows, _PunchReader(spec, zone), _Days(spec, zone))


class _PunchReader:
    """Reads who punched and when; a punch becomes one whole number, so that a term's fit into memory."""

    def __init__(self, spec: Punches, zone: ZoneInfo) -> None:
        self._person = compile_path(spec.person)
        self._punched_at = compile_path(spec.punched_at)
        self._direction = compile_path(spec.direction) if spec.direction else None
        self._moment = moment_reader(spec.datetime_format)
        self._zone = find_zone(spec.time_zone) if spec.time_zone else zone

    def read(self, row: Record) -> tuple[str, int]:
        """The person and the punch: microseconds since 1970, times 4, and its direction."""
        person = self.person(row)
        if person is None:
            raise flaw("missing", "There is no person's code.")
        found = self._moment(self._punched_at(row))
        if found is None:
            raise flaw("missing", "There is no time.")
        microseconds = (localised(found, self._zone) - _EPOCH) // _MICROSECOND
        word = key_text(self._direction(row)) if self._direction else None
        return person, microseconds << 2 | (_DIRECTIONS.get(normal_form(word), _NOWHERE) if word else _NOWHERE)

    def person(self, row: Record) -> str | None:
        return key_text(self._person(row))


class _Days:
    """Cuts one person's punches into days, and says what each day was."""

    def __init__(self, spec: Punches, zone: ZoneInfo) -> None:
        self._spec = spec
        self._zone = zone
        self._apart = spec.duplicate_within // _MICROSECOND
        self._late_after: timedelta | None = None
        if spec.late_after is not None:
            clock = time.fromisoformat(spec.late_after)
            offset = timedelta(hours=clock.hour, minutes=clock.minute)
            # Before the day's start it is a time of the night that belongs to the day.
            self._late_after = offset if offset >= spec.day_start else offset + timedelta(days=1)

    def of(self, person: str, punches: Iterable[int]) -> Iterator[Derived]:
        """The days in order. Duplicates go first: one beside a day's start must not make another day."""
        days: dict[date, list[tuple[datetime, int]]] = {}
        last: int | None = None
        for punch in sorted(set(punches)):
            microseconds = punch >> 2
            if last is not None and (microseconds == last or microseconds - last < self._apart):
                continue
            last = microseconds
            moment = _EPOCH + timedelta(microseconds=microseconds)
            day = (self._local(moment) - self._spec.day_start).date()
            days.setdefault(day, []).append((moment, punch & 3))
        for day, of_day in days.items():
            yield self._record(person, day, of_day)

    def _record(self, person: str, day: date, punches: list[tuple[datetime, int]]) -> Derived:
        both = {_IN, _OUT} <= {direction for _, direction in punches}
        came = next((moment for moment, direction in punches if not both or direction != _OUT), punches[0][0])
        left = next((moment for moment, direction in reversed(punches) if not both or direction != _IN), None)
        if left is not None and left <= came:
            left = None
        return {
            "personCode": person,
            "date": day.isoformat(),
            "checkInAt": format_datetime(came),
            "checkOutAt": None if left is None else format_datetime(left),
            "attendance": self._status(day, came, left),
            "punches": len(punches),
            "source": "biometric",
            "sourceUpdatedAt": format_datetime(punches[-1][0]),
        }

    def _status(self, day: date, came: datetime, left: datetime | None) -> str:
        enough, half = self._spec.present_from, self._spec.half_day_from
        if left is not None and enough is not None and left - came < enough:
            return "half_day" if half is not None and left - came >= half else "absent"
        midnight = datetime.combine(day, time())
        if self._late_after is not None and self._local(came) > midnight + self._late_after:
            return "late"
        return "present"

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(self._zone).replace(tzinfo=None)


def _attendance(rows: Iterable[Record], reader: _PunchReader, days: _Days) -> Iterator[Derived]:
    people: dict[str, array[int]] = {}
    for row in rows:
        try:
            person, punch = reader.read(row)
        except InvalidInput as error:
            yield {"personCode": reader.person(row), "date": None, "unreadable": str(error), "punch": dict(row)}
            continue
        people.setdefault(person, array("q")).append(punch)
    for person, punches in people.items():
        yield from days.of(person, punches)
