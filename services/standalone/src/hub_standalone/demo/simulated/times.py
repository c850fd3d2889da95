"""Moments of the campus, which is in India, in the many ways in which vendors write them."""

from datetime import UTC, date, datetime

from hub_standalone.demo.world import INDIA

ZONE = "Asia/Kolkata"


def local(day: str, clock: str) -> datetime:
    """That time of that day, where the college is. The clock is ``HH:MM`` or ``HH:MM:SS``."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=INDIA)


def epoch(moment: datetime) -> int:
    return int(moment.timestamp())


def in_utc(moment: datetime, form: str = "%Y-%m-%dT%H:%M:%S.000Z") -> str:
    return moment.astimezone(UTC).strftime(form)


def in_india(moment: datetime, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    return moment.astimezone(INDIA).strftime(form)


def canonical(moment: datetime) -> str:
    """As the hub stores an instant."""
    return in_utc(moment, "%Y-%m-%dT%H:%M:%S.%fZ")


def weekday(day: str) -> str:
    """``mon`` to ``sun``."""
    return date.fromisoformat(day).strftime("%a").lower()
