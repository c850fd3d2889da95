"""Which windows a walk asks for, given what earlier ones have covered. Pure: times and states in, windows out.

A window ends before the source's own present: behind its clock by the safety lag, and never after the run began, so
that what is written while the walk reads belongs to the next one. It begins where the last one ended, moved back by
the lookback; what was left out between two covered windows is asked for again. Where that is not enough, since the
source has forgotten or its clock was set back, everything is.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from hub_model.base import Instant, Value
from hub_model.errors import ErrorClass, SourceError
from hub_model.incremental import ChangeVersionIncremental, DatetimeIncremental, Incremental, TokenIncremental
from hub_model.intervals import Intervals, add_interval, all_upto, gaps
from hub_model.stream_states import StreamState

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NO_TIME = timedelta(0)

# From and to; None is unbounded.
Window = tuple[int | None, int | None]

FORGOTTEN = "The source no longer knows all that changed since the last sync, so everything was read again."
WENT_BACK = "The source has gone back since the last sync, its clock or all of its data, so everything was read again."
MARK_REFUSED = "The source does not take the mark that the last sync ended with any more, so everything was read again."
NOT_YET = "The time to begin at ('startDatetime') is yet to come for the source, so nothing was read."
_TOLERATED = timedelta(minutes=1)
# They travel in the chain's messages.
MAX_WINDOWS = 5_000


class Plan(Value):
    """The windows to ask for, oldest first. ``is_full``: together they are everything the source has.

    ``limit``: what an older state covers beyond it no longer counts. ``token`` is where to go on by mark. ``identity``
    is that of the state to come, ``began_at`` when the run began. ``deletes_known``: the source can tell
    what was deleted.
    """

    identity: str = ""
    began_at: Instant
    windows: tuple[Window, ...] = ((None, None),)
    is_full: bool = True
    limit: int | None = None
    token: str | None = None
    deletes_known: bool = True
    warnings: tuple[str, ...] = ()

    def covered(self, windows: int) -> Intervals:
        """What is covered once so many of the windows are read."""
        found: Intervals = ()
        for low, high in self.windows[:windows]:
            if high is not None:
                found = add_interval(found, low or 0, high)
        return found

    @property
    def is_everything(self) -> bool:
        """Whether nothing that the source has is left out."""
        if not self.is_full or self.token is not None or not self.windows:
            return False
        return all(low is None for low, _ in self.windows)

    def state(self, windows: int, token: str | None = None) -> StreamState:
        """What is to be remembered once so many of the windows are read, and their records written."""
        is_whole = windows == len(self.windows)
        return StreamState(
            identity=self.identity,
            windows=self.covered(windows),
            withdrawn_after=self.limit,
            token=token or self.token,
            full_at=self.began_at if self.is_full and is_whole else None,
        )


def plan_times(
    spec: DatetimeIncremental, state: StreamState | None, *, source_now: datetime, began_at: datetime, zone: ZoneInfo
) -> Plan:
    """The windows of time. ``source_now`` and ``began_at`` (of the run) are both by the source's clock."""
    end = microseconds(min(source_now, began_at) - spec.safety_lag)
    end -= end % max(1, _length(spec.cursor_granularity))
    start = None if spec.start_datetime is None else microseconds(spec.start_datetime)
    zone = ZoneInfo(spec.time_zone) if spec.time_zone else zone
    known = all_upto(state.windows, end) if state is not None else ()
    doubt = _doubt(spec, state, known, start=start or 0, end=end, now=source_now)
    if not known or doubt:
        windows = _cut(spec, [(start, end)], zone)
        warnings = [doubt] if doubt else []
        warnings += [] if windows else [NOT_YET]
        return Plan(began_at=began_at, windows=windows, limit=end, warnings=tuple(warnings))
    reached = known[-1][1]
    again = max(reached - _length(spec.lookback_window), start or 0)
    windows = _cut(spec, [*gaps(known, start or 0, reached), (again, end)], zone)
    return Plan(began_at=began_at, windows=windows, is_full=False, limit=end)


def plan_versions(state: StreamState | None, *, newest: int, oldest: int | None, began_at: datetime) -> Plan:
    """The windows of change versions, bounds included: the last version is asked for again, which is harmless."""
    if state is None or not state.windows:
        return Plan(began_at=began_at, windows=((None, newest),), limit=newest)
    reached = state.windows[-1][1]
    if newest < reached or (oldest is not None and reached < oldest):
        words = FORGOTTEN if newest >= reached else WENT_BACK
        return Plan(began_at=began_at, windows=((None, newest),), limit=newest, warnings=(words,))
    spans = (*gaps(state.windows, 0, reached), (reached, newest))
    return Plan(began_at=began_at, windows=spans, is_full=False, limit=newest)


def plan_token(spec: TokenIncremental, state: StreamState | None, *, began_at: datetime) -> Plan:
    """One walk from the mark that the last one ended with."""
    token = state.token if state is not None else None
    return Plan(began_at=began_at, is_full=token is None, token=spec.start_value if token is None else token)


def usable(spec: Incremental, state: StreamState | None, *, identity: str, now: datetime) -> StreamState | None:
    """The state, unless a full read is due: once in a while, or since the endpoint asks for other things now."""
    if state is None or state.identity != identity:
        return None
    is_due = spec.full_every is not None and (state.full_at is None or state.full_at + spec.full_every <= now)
    return None if is_due else state


def bounds(spec: Incremental, plan: Plan, number: int, zone: ZoneInfo) -> dict[str, str]:
    """``start`` and ``end`` of a window as the source reads them; what is unbounded is left out."""
    if isinstance(spec, TokenIncremental):
        return {} if plan.token is None else {"start": plan.token}
    start, end = plan.windows[number]
    if isinstance(spec, ChangeVersionIncremental):
        return {name: str(value) for name, value in (("start", start), ("end", end)) if value is not None}
    zone = ZoneInfo(spec.time_zone) if spec.time_zone else zone
    written = {} if start is None else {"start": text_of(spec, start, zone)}
    return written if end is None else {**written, "end": text_of(spec, end, zone, is_end=True)}


def params(spec: Incremental, bounds: dict[str, str]) -> dict[str, str]:
    """The query parameters of a window."""
    match spec:
        case DatetimeIncremental():
            names = {"start": spec.start_time_param, "end": spec.end_time_param}
        case ChangeVersionIncremental():
            names = {"start": spec.min_param, "end": spec.max_param}
        case TokenIncremental():
            names = {"start": spec.token_param}
    return {name: bounds[bound] for bound, name in names.items() if name is not None and bound in bounds}


def text_of(spec: DatetimeIncremental, value: int, zone: ZoneInfo, *, is_end: bool = False) -> str:
    """An instant in the form and the zone that the source reads. Where a local time comes twice, the wider window."""
    moment = instant(value)
    match spec.datetime_format:
        case "epoch_s":
            return str(value // 1_000_000)
        case "epoch_ms":
            return str(value // 1_000)
        case "iso":
            return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    local = moment.astimezone(zone)
    if "%z" in spec.datetime_format or "%:z" in spec.datetime_format:
        offset = local.strftime("%z")
        return local.strftime(spec.datetime_format.replace("%:z", f"{offset[:3]}:{offset[3:]}"))
    repeated = (local.replace(fold=0).utcoffset() or _NO_TIME) - (local.replace(fold=1).utcoffset() or _NO_TIME)
    wider = local.replace(tzinfo=None) + (repeated if is_end else -repeated)
    return (wider if repeated else local).strftime(spec.datetime_format)


def microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)


def _length(duration: timedelta) -> int:
    return duration // _MICROSECOND


def _doubt(
    spec: DatetimeIncremental, state: StreamState | None, known: Intervals, *, start: int, end: int, now: datetime
) -> str | None:
    """Why the state is not enough to go on from.

    A clock that was set back gives the rows written since then times that are covered already, and nobody knows how
    long ago that was. A step back of a minute is what the lookback is for.
    """
    if state is None or not state.windows:
        return None
    if state.windows[-1][1] - end > _length(_TOLERATED):
        return WENT_BACK
    keeps = spec.api_retention_period
    if keeps is None or not known:
        return None
    missing = gaps(known, start, known[-1][1])
    oldest = missing[0][0] if missing else known[-1][1]
    return FORGOTTEN if oldest < microseconds(now - keeps) else None


def _cut(spec: DatetimeIncremental, spans: Sequence[tuple[int | None, int]], zone: ZoneInfo) -> tuple[Window, ...]:
    """The spans in steps. Whole days begin at the day's start where the college is.

    SourceError where that makes more windows than a message can hold.
    """
    windows: list[Window] = []
    for start, end in spans:
        if start is None:
            windows.append((None, end))
            continue
        first = _day_start(start, spec.day_start, zone) if spec.whole_days else start
        windows += islice(_steps(first, end, spec.step), MAX_WINDOWS + 1)
        if len(windows) > MAX_WINDOWS:
            raise _too_many_windows()
    return tuple(windows)


def _steps(start: int, end: int, step: timedelta | None) -> Iterator[Window]:
    length = end - start if step is None else _length(step)
    while start < end:
        yield start, min(start + length, end)
        start += length


def _day_start(value: int, day_start: timedelta, zone: ZoneInfo) -> int:
    local = instant(value).astimezone(zone).replace(tzinfo=None)
    midnight = (local - day_start).replace(hour=0, minute=0, second=0, microsecond=0)
    return microseconds((midnight + day_start).replace(tzinfo=zone).astimezone(UTC))


def _too_many_windows() -> SourceError:
    return SourceError(
        f"what is to be read would be cut into more than {MAX_WINDOWS} windows",
        error_class=ErrorClass.CONFIG,
        code="too_many_windows",
        public=f"The 'step' of 'incremental' cuts what is to be read into more than {MAX_WINDOWS:,} requests. Set a "
        "longer 'step' or a later 'startDatetime'.",
    )
