"""How a walk ended: what it was short of, in words, and what there is to remember of it. Pure."""

from datetime import datetime

from hub_model.errors import HubError, SourceError
from hub_model.incremental import TokenIncremental
from hub_model.messages import PageRequested, SyncFailed
from hub_model.stream_states import StreamState

from hub_fetcher.paging.position import End
from hub_fetcher.responses.remarks import is_incomplete, sentences
from hub_fetcher.walking.losses import is_without_lists, losses
from hub_fetcher.walking.place import Place
from hub_fetcher.walking.reading import Reading
from hub_fetcher.walking.tally import Tally


def outcome(place: Place, tally: Tally, reading: Reading) -> End | SourceError:
    """How the walk ended, when all requests are over."""
    warnings = [*place.warnings, *(place.plan.warnings if place.plan else ())]
    if place.more_warnings:
        warnings.append(f"There are {place.more_warnings} more warnings like these.")
    if place.refused and reading.parents is not None:
        name = reading.parents.spec.stream
        refused = sum(place.refused.values())
        if refused == place.asked and place.refusal is not None:
            return place.refusal.to_error(refused, name)
        codes = ", ".join(f"{count} x {code}" for code, count in sorted(place.refused.items()))
        warnings.append(f"{refused} of {place.asked} rows of '{name}' could not be read: {codes}.")
    warnings += [*sentences(place.remarks), *losses(reading.stream, place, tally, reading.tables)]
    for name, end in reading.tables.items():
        warnings += [f"{name}: {warning}" for warning in end.warnings]
    return End(complete=_is_whole(place, tally, reading), warnings=tuple(warnings))


def is_snapshot(place: Place, reading: Reading) -> bool:
    """Whether the walk, where it was complete, has seen all that the source has now."""
    source = getattr(reading.stream, "source", None)
    if source is not None:
        return reading.tables[source].snapshot
    return place.plan is None or place.plan.is_everything


def state_of(place: Place, tally: Tally, reading: Reading, *, whole: bool) -> StreamState | None:
    """What to remember of a walk by windows that is over, or failed in the present window."""
    plan = place.plan
    if plan is None or not plan.identity or not _is_whole(place, tally, reading):
        return None
    if not whole and (place.window == 0 or isinstance(reading.stream.incremental, TokenIncremental)):
        return None
    return plan.state(len(plan.windows) if whole else place.window, place.token)


def states_of(place: Place, tally: Tally, reading: Reading, *, whole: bool) -> dict[str, StreamState]:
    """The same by the name of the stream that was asked: records that are made of a table move its state."""
    source = getattr(reading.stream, "source", None)
    if source is not None and not whole:
        return {}
    state = reading.tables[source].state if source is not None else state_of(place, tally, reading, whole=whole)
    name = reading.name if source is None else taken_as(source, reading.name)
    return {} if state is None else {name: state}


def taken_as(table: str, taker: str) -> str:
    """Under which name it is remembered how far a table's rows have become an endpoint's records.

    For each taker: of two that take the same rows one may fail.
    """
    return f"{table}/{taker}"


def failed(
    request: PageRequested,
    error: HubError,
    *,
    batches: int,
    now: datetime,
    states: dict[str, StreamState] | None = None,
) -> SyncFailed:
    """The end of a stream that cannot go on, after so many batches and these windows."""
    return SyncFailed(
        college_id=request.college_id,
        integration_id=request.integration_id,
        run_id=request.run_id,
        data_type=request.data_type,
        stage="fetch",
        error_class=error.error_class,
        code=error.code,
        public=error.public,
        detail=str(error),
        batches=batches,
        failed_at=now,
        states=states or {},
    )


def _is_whole(place: Place, tally: Tally, reading: Reading) -> bool:
    """Whether nothing was left out: by this walk so far, and by those of the tables that it needs."""
    if not place.complete or place.refused or tally.dropped or is_incomplete(place.remarks):
        return False
    if is_without_lists(reading.stream, place, tally, reading.tables):
        return False
    return all(end.complete for end in reading.tables.values())
