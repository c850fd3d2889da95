"""What the records of a page say of their own times, and the mark that a source gives to go on from."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from hub_mapping.moments import moment_reader
from hub_mapping.paths import compile_path
from hub_mapping.times import datetime_reader, instant_of
from hub_model.base import format_datetime
from hub_model.errors import InvalidInput
from hub_model.incremental import DatetimeIncremental, Incremental, TokenIncremental

from hub_fetcher.paths import MISSING, dig


class Times:
    """For a stream that is read by windows; for any other it counts nothing."""

    def __init__(self, spec: Incremental | None, zone: ZoneInfo) -> None:
        self._read: Callable[[Any], object] | None = None
        if isinstance(spec, DatetimeIncremental) and spec.cursor_field is not None:
            self._pick = compile_path(spec.cursor_field)
            self._read = _reader(spec, zone)

    def count(self, records: Sequence[Any], now: datetime) -> tuple[int, int]:
        """How many records have no time that can be read, and how many one after ``now``."""
        if self._read is None:
            return 0, 0
        present = format_datetime(now)
        undated = future = 0
        for record in records:
            value = self._pick(record) if isinstance(record, dict) else None
            moment = None if value is None or value == "" else self._instant(value)
            undated += moment is None
            future += moment is not None and moment > present
        return undated, future

    def _instant(self, value: Any) -> str | None:
        try:
            return str(self._read(value)) if self._read else None
        except InvalidInput:
            return None


def mark_in(body: Any, spec: Incremental | None) -> str | None:
    """The mark in an answer, where the stream goes by marks."""
    if not isinstance(spec, TokenIncremental):
        return None
    found = dig(body, spec.token_path)
    is_mark = found is not MISSING and isinstance(found, str | int) and not isinstance(found, bool)
    return str(found) if is_mark and str(found).strip() else None


def _reader(spec: DatetimeIncremental, zone: ZoneInfo) -> Callable[[Any], object]:
    zone = ZoneInfo(spec.time_zone) if spec.time_zone else zone
    if spec.datetime_format == "iso":
        return datetime_reader(zone)
    return instant_of(moment_reader(spec.datetime_format), zone)
