"""What the devices at the gate saw of a day, and what a day is once its punches are put together again.

Devices are dirty: fingers are laid on twice, leaving is forgotten, and one device uploads only the next morning.
"""

import random
from collections import defaultdict
from datetime import datetime, time, timedelta
from itertools import pairwise

from hub_standalone.demo.simulated.times import canonical, local
from hub_standalone.demo.world import INDIA, Row

DEVICES = ("CQUJ1001", "CQUJ1002")
DAY_START = timedelta(hours=4)
_ATTENDED = ("present", "late", "on_duty")


def punches_of(students: list[Row], attendance: list[Row]) -> list[Row]:
    """Whoever sat in any lecture came in before the first and, mostly, punched again after the last.

    In the order of upload. ``punchedAt`` and ``uploadedAt`` are ISO with the offset of India.
    """
    people = {row["studentId"]: row for row in students}
    days: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in attendance:
        if row["attendance"] in _ATTENDED:
            days[row["studentId"], row["date"]].append(row)
    punches = [punch for (who, day), rows in days.items() for punch in _day(people[who], day, rows)]
    return sorted(punches, key=lambda punch: (punch["uploadedAt"], punch["personCode"], punch["punchedAt"]))


def punch(student: Row, at: datetime, direction: str, device: str, uploaded: datetime) -> Row:
    return {
        "personCode": student["biometricId"],
        "name": student["name"],
        "studentId": student["studentId"],
        "punchedAt": at.isoformat(),
        "uploadedAt": uploaded.isoformat(),
        "device": device,
        "direction": direction,
    }


def days_of(punches: list[Row]) -> list[Row]:
    """One row per person and day: the first punch and the last, none of which is less than a minute after another.

    A day begins at four in the morning. Whoever punched once has not left.
    """
    days: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for row in punches:
        at = datetime.fromisoformat(row["punchedAt"])
        days[row["personCode"], (at - DAY_START).date().isoformat()].append(at)
    return [_put_together(code, day, sorted(moments)) for (code, day), moments in days.items()]


def _put_together(code: str, day: str, moments: list[datetime]) -> Row:
    apart = moments[:1] + [later for earlier, later in pairwise(moments) if later - earlier >= timedelta(minutes=1)]
    row = {"studentId": code, "date": day, "attendance": "present", "source": "biometric"}
    row["checkInAt"] = canonical(apart[0])
    if len(apart) > 1:
        row["checkOutAt"] = canonical(apart[-1])
    return row


def _day(student: Row, day: str, attended: list[Row]) -> list[Row]:
    chance = random.Random(f"{student['studentId']} {day}")
    device = chance.choice(DEVICES)
    first = min(attended, key=lambda row: row["startTime"])
    came = local(day, first["startTime"]) + timedelta(seconds=chance.randrange(-1500, -60))
    if first["attendance"] == "late":
        came += timedelta(minutes=30)
    left = local(day, max(row["endTime"] for row in attended)) + timedelta(seconds=chance.randrange(60, 900))
    moments = [(came, "in")]
    if chance.random() < 0.1:
        moments.append((came + timedelta(seconds=chance.randrange(2, 50)), "in"))
    if chance.random() > 0.05:
        moments.append((left, "out"))
    return [punch(student, at, direction, device, _uploaded(at, device)) for at, direction in moments]


def _uploaded(at: datetime, device: str) -> datetime:
    if device == DEVICES[0]:
        return at + timedelta(seconds=30)
    return datetime.combine(at.date() + timedelta(days=1), time(7, 0, 2), INDIA)
