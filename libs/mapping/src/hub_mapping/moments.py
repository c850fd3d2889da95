"""How a moment may be written: ISO 8601, a format of the college's own, seconds or milliseconds since 1970.

A moment read from text without a zone is naive: whoever needs an instant says whose local time it is.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from hub_model.errors import InvalidInput

from hub_mapping.flaws import flaw, unexpected
from hub_mapping.numbers import to_decimal

Moment = Callable[[object], datetime | None]

ISO = "iso"
EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000}
FIRST_YEAR, LAST_YEAR = 1900, 2200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?) ?(Z|z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_DIRECTIVES = frozenset("aAbBdfHIjmMpSyYz")
MAX_MOMENT_TEXT = 64
_REMEMBERED = 1024


def moment_reader(written: str) -> Moment:
    """A reader of moments written as ``written``: "iso", "epoch_s", "epoch_ms" or a strptime format."""
    if written == ISO:
        return _read_text(read_iso)
    if written in EPOCHS:
        return _epoch_reader(EPOCHS[written])
    check_format(written)
    return _read_text(lambda text: _read_format(text, written))


def moments_reader(formats: Sequence[str]) -> Moment:
    """A reader of moments written in one of these ways, tried in order.

    Raises InvalidInput for ways that would read one text as different moments, such as day first and month first: which
    of them is meant must not be guessed record by record.
    """
    if len(formats) == 1:
        return moment_reader(formats[0])
    readers = [moment_reader(written) for written in formats]
    _check_apart(formats, readers)

    def moment(value: object) -> datetime | None:
        for read in readers[:-1]:
            with suppress(InvalidInput):
                return read(value)
        return readers[-1](value)

    return moment


def _check_apart(formats: Sequence[str], readers: Sequence[Moment]) -> None:
    sample = datetime(2003, 2, 1, 5, 4, tzinfo=UTC)
    samples = [sample.isoformat() if written == ISO else sample.strftime(written) for written in formats]
    texts = [text for text, written in zip(samples, formats, strict=True) if written not in EPOCHS]
    # Any number is seconds and milliseconds.
    if len(formats) - len(texts) > 1 or any(len(set(_readings(text, readers))) > 1 for text in texts):
        raise flaw("bad_format", "Two of these formats read one text as different moments; give the one it has.")


def _readings(text: str, readers: Sequence[Moment]) -> Iterator[datetime]:
    for read in readers:
        with suppress(InvalidInput):
            if (moment := read(text)) is not None:
                yield moment.replace(tzinfo=UTC)


def read_iso(text: str) -> datetime:
    """An ISO 8601 instant; naive if it names no zone. More than six decimals of a second are cut."""
    match = _ISO.fullmatch(text)
    if match is not None:
        clock, zone = match.groups()
        plain = f"{text[:10]}T{clock}{(zone or '').upper()}" if clock else text
        with suppress(ValueError):
            moment = datetime.fromisoformat(plain)
            check_year(moment.year)
            return moment
    raise flaw("not_an_instant", 'Is not an ISO 8601 instant such as "2024-01-15T09:30:00Z".')


def localised(moment: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a moment: a naive one is local time in ``zone``.

    A local time that the clocks skipped is refused; of one that came twice the first is meant.
    """
    if moment.tzinfo is not None:
        return moment
    instant = moment.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != moment:
        raise flaw("no_such_time", f"Is a local time that the clocks of {zone.key} skipped.")
    return instant


def check_year(year: int) -> None:
    """Raise for the years that stand for "no date" in many systems, such as 0001 and 9999."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise flaw(
            "out_of_range", f"Lies outside the years {FIRST_YEAR} to {LAST_YEAR}; if it means no date, use null_if."
        )


def check_format(pattern: str) -> None:
    """Raise InvalidInput unless ``pattern`` is a strptime format that can be read back."""
    used = directives(pattern)
    if not used or used - _DIRECTIVES or len(pattern) > MAX_MOMENT_TEXT:
        raise flaw(
            "bad_format", "Write a format such as %d/%m/%Y or %d-%b-%Y %I:%M %p, or one of iso, epoch_s, epoch_ms."
        )
    if "I" in used and "p" not in used:
        raise flaw("bad_format", "%I counts to 12 and needs %p for AM or PM; %H counts to 23.")
    sample = datetime(2001, 12, 23, 14, 35, tzinfo=UTC)
    try:
        datetime.strptime(sample.strftime(pattern), pattern)  # noqa: DTZ007 - only whether it can be read
    except (ValueError, re.error):
        raise flaw("bad_format", "This format cannot be read back; name each part once.") from None


def check_length(text: str) -> None:
    """Raise for text too long to be a moment, before anything remembers it."""
    if len(text) > MAX_MOMENT_TEXT:
        raise flaw("too_long", f"Has {len(text)} characters; no date or time is that long.")


def directives(pattern: str) -> frozenset[str]:
    """The letters after each % of a format."""
    return frozenset(re.findall(r"%(.?)", pattern.replace("%%", "")))


def has_date(written: str) -> bool:
    """Whether a moment so written names year, month and day."""
    used = directives(written)
    month_and_day = "j" in used or ("d" in used and used & set("mbB"))
    return written == ISO or written in EPOCHS or bool(used & set("yY") and month_and_day)


def has_clock(written: str) -> bool:
    """Whether a moment so written names a time of day."""
    return written == ISO or written in EPOCHS or bool(directives(written) & set("HI"))


def _read_text(read: Callable[[str], datetime]) -> Moment:
    remembered = lru_cache(_REMEMBERED)(read)

    def moment(value: object) -> datetime | None:
        if type(value) is str:
            text = value.strip()
            check_length(text)
            return remembered(text) if text else None
        if value is None:
            return None
        raise unexpected("text that holds a date or time", value)

    return moment


def _read_format(text: str, pattern: str) -> datetime:
    try:
        moment = datetime.strptime(text, pattern)  # noqa: DTZ007 - naive on purpose, see localised
    except (ValueError, OverflowError):
        raise flaw("wrong_format", f"Is not written as {pattern}.") from None
    if has_date(pattern):
        check_year(moment.year)
    return moment


def _epoch_reader(microseconds: int) -> Moment:
    def moment(value: object) -> datetime | None:
        number = to_decimal(value)
        if number is None:
            return None
        with suppress(OverflowError):
            found = _EPOCH + timedelta(microseconds=round(number * microseconds))
            if _EPOCH.year < found.year <= LAST_YEAR:
                return found
        raise flaw(
            "out_of_range",
            'Is no plausible epoch: seconds and milliseconds may be mixed up; if 0 means no date, use ["null_if", 0].',
        )

    return moment
