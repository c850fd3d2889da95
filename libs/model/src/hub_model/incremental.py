"""How a stream asks only for what changed since the last sync. Durations are ISO 8601, such as P30D or PT15M.

What a walk has covered is remembered as closed windows, gaps between them are read again, and a window counts only
when every page of it was read and every batch written (``StreamFinished.state``).
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, field_validator

from hub_model.addresses import PLACE, check_path
from hub_model.base import Input, check_time_zone

# Times are counted from then, and a window may be moved back by so much at most.
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = timedelta(days=3660)
_Moved = Annotated[timedelta, Field(ge=timedelta(0), le=_LONGEST)]
_Kept = Annotated[timedelta, Field(gt=timedelta(0), le=_LONGEST)]
_ZoneName = Annotated[str, AfterValidator(check_time_zone)]
# "iso", "epoch_s", "epoch_ms", or a strftime format, in which %:z is an offset such as +05:30.
TimeFormat = Annotated[str, Field(min_length=1, max_length=64)]


def _without_places(path: str) -> str:
    if PLACE.search(path):
        raise ValueError("nothing is filled in here; write the path as it is asked for")
    return check_path(path)


class DatetimeIncremental(Input):
    """Windows of time. ``{{ window.start }}`` and ``{{ window.end }}`` may stand in path, params and body too.

    ``start_time_param`` and ``end_time_param`` are query parameters that take the window's bounds, written as
    ``datetime_format`` in ``time_zone`` (the integration's by default). ``cursor_field`` is where a record has its own
    time: only to show how far the data reaches and to notice rows from the future. ``step`` cuts long windows.
    ``lookback_window`` is read again each time, for rows that come late; ``safety_lag`` keeps the end behind the
    source's own clock, at a multiple of ``cursor_granularity``: a time that the source cuts to minutes lies before the
    row was written. ``start_datetime`` is where the first sync begins; without it everything is read, with no bound
    at the start. ``whole_days`` moves the start to midnight in ``time_zone``, and ``day_start`` after it.
    ``api_retention_period``: a source that forgets; a state older than that means a full read. ``full_every`` reads
    everything anew from time to time, for changes that leave no newer time.
    """

    type: Literal["datetime"] = "datetime"
    cursor_field: str | None = None
    start_time_param: str | None = None
    end_time_param: str | None = None
    datetime_format: TimeFormat = "iso"
    time_zone: _ZoneName | None = None
    start_datetime: AwareDatetime | None = None
    step: timedelta | None = Field(default=None, ge=timedelta(minutes=1))
    cursor_granularity: _Moved = timedelta(seconds=1)
    lookback_window: _Moved = timedelta(minutes=5)
    safety_lag: _Moved = timedelta(seconds=30)
    whole_days: bool = False
    day_start: timedelta = Field(default=timedelta(0), ge=timedelta(0), lt=timedelta(days=1))
    api_retention_period: _Kept | None = None
    full_every: _Kept | None = None

    @field_validator("start_datetime")
    @classmethod
    def _from_1970(cls, start: datetime | None) -> datetime | None:
        if start is not None and not _FIRST <= start < _FIRST.replace(year=9999):
            raise ValueError("write a time from 1970 on, such as 2024-06-01T00:00:00+05:30")
        return start


class ChangeVersionIncremental(Input):
    """Windows of change versions, as Ed-Fi has them: the newest version is asked for before the first page.

    ``versions_path`` is a request below the base URL whose answer holds ``newest_path`` and ``oldest_path``; a state
    older than the oldest version means a full read. ``min_param`` and ``max_param`` take the bounds, which are both
    inclusive. ``full_every`` as for times.
    """

    type: Literal["change_version"] = "change_version"
    versions_path: Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(_without_places)]
    newest_path: str = "newestChangeVersion"
    oldest_path: str | None = "oldestChangeVersion"
    min_param: str = "minChangeVersion"
    max_param: str = "maxChangeVersion"
    full_every: _Kept | None = None


class TokenIncremental(Input):
    """An opaque mark that the source gives with the last page and takes with the next sync's first one.

    It is found at ``token_path`` and sent as ``token_param``. ``start_value`` is sent the first time. ``full_every`` as
    for times.
    """

    type: Literal["token"] = "token"
    token_param: str
    token_path: str
    start_value: str | None = None
    full_every: _Kept | None = None


Incremental = Annotated[DatetimeIncremental | ChangeVersionIncremental | TokenIncremental, Field(discriminator="type")]
