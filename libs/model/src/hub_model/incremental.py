"""How a stream asks only for what changed since the last sync. Durations are ISO 8601, such as P30D or PT15M.

What a walk has covered is remembered as closed windows, gaps between them are read again, and a window counts only
when every page of it was read and every batch written (``StreamFinished.state``).
"""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from hub_model.base import Input

# "iso", "epoch_s", "epoch_ms", or a strftime format.
TimeFormat = Annotated[str, Field(min_length=1, max_length=64)]


class DatetimeIncremental(Input):
    """Windows of time. ``{{ window.start }}`` and ``{{ window.end }}`` may stand in path, params and body too.

    ``start_time_param`` and ``end_time_param`` are query parameters that take the window's bounds, written as
    ``datetime_format`` in ``time_zone`` (the integration's by default). ``cursor_field`` is where a record has its own
    time: only to show how far the data reaches and to notice rows from the future. ``step`` cuts long windows.
    ``lookback_window`` is read again each time, for rows that come late; ``safety_lag`` keeps the end behind the
    source's own clock. ``start_datetime`` is where the first sync begins; without it everything is read, with no bound
    at the start. ``whole_days`` moves the start to midnight in ``time_zone``, and ``day_start`` after it.
    ``api_retention_period``: a source that forgets; a state older than that means a full read. ``full_every`` reads
    everything anew from time to time, for changes that leave no newer time.
    """

    type: Literal["datetime"] = "datetime"
    cursor_field: str | None = None
    start_time_param: str | None = None
    end_time_param: str | None = None
    datetime_format: TimeFormat = "iso"
    time_zone: str | None = None
    start_datetime: datetime | None = None
    step: timedelta | None = Field(default=None, gt=timedelta(0))
    cursor_granularity: timedelta = Field(default=timedelta(seconds=1), ge=timedelta(0))
    lookback_window: timedelta = Field(default=timedelta(minutes=5), ge=timedelta(0))
    safety_lag: timedelta = Field(default=timedelta(seconds=30), ge=timedelta(0))
    whole_days: bool = False
    day_start: timedelta = Field(default=timedelta(0), ge=timedelta(0), lt=timedelta(days=1))
    api_retention_period: timedelta | None = Field(default=None, gt=timedelta(0))
    full_every: timedelta | None = Field(default=None, gt=timedelta(0))


class ChangeVersionIncremental(Input):
    """Windows of change versions, as Ed-Fi has them: the newest version is asked for before the first page.

    ``versions_path`` is a request below the base URL whose answer holds ``newest_path`` and ``oldest_path``; a state
    older than the oldest version means a full read. ``min_param`` and ``max_param`` take the bounds, which are both
    inclusive. ``full_every`` as for times.
    """

    type: Literal["change_version"] = "change_version"
    versions_path: str = Field(min_length=1, max_length=2048)
    newest_path: str = "newestChangeVersion"
    oldest_path: str | None = "oldestChangeVersion"
    min_param: str = "minChangeVersion"
    max_param: str = "maxChangeVersion"
    full_every: timedelta | None = Field(default=None, gt=timedelta(0))


class TokenIncremental(Input):
    """An opaque mark that the source gives with the last page and takes with the next sync's first one.

    It is found at ``token_path`` and sent as ``token_param``. ``start_value`` is sent the first time. ``full_every`` as
    for times.
    """

    type: Literal["token"] = "token"
    token_param: str
    token_path: str
    start_value: str | None = None
    full_every: timedelta | None = Field(default=None, gt=timedelta(0))


Incremental = Annotated[DatetimeIncremental | ChangeVersionIncremental | TokenIncremental, Field(discriminator="type")]
