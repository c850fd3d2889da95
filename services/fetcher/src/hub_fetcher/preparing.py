"""The chain that reads the tables which a run's streams wait for, one after another, and starts those streams.

A stream starts as soon as its tables are there. A table that cannot be read fails the streams that need it, and the
others go on.
"""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime

import structlog
from hub_model.endpoints import Stream
from hub_model.errors import ErrorClass, HubError, PermanentError, SourceError
from hub_model.integrations import Integration, IntegrationDraft
from hub_model.messages import Message, PageRequested
from hub_model.records import DataType
from hub_model.run_transitions import prepare
from hub_model.runs import Preparing, Run
from hub_model.streams import reading_order
from hub_storage.repositories import Tables
from hub_storage.repositories.tables import Piece, TableEnd

from hub_fetcher.fetching import Fetching, open_stretch, what_of
from hub_fetcher.opening import Stretch
from hub_fetcher.walking.ending import failed

log = structlog.get_logger(__name__)

# Pieces are written in groups, so that many small pages do not cost a write each.
_WRITTEN_AT_ONCE = 64
_WRITTEN_BYTES = 1024 * 1024


def first_messages(run: Run, settings: IntegrationDraft, observed_at: datetime) -> list[Message]:
    """What starts a run's streams: those that need no table at once, and one chain that prepares the others."""
    request = PageRequested(
        college_id=run.college_id, integration_id=run.integration_id, run_id=run.id, observed_at=observed_at
    )
    waiting = [name for name in run.data_types if _needs(settings, name)]
    messages: list[Message] = [_start_of(name, request) for name in run.data_types if name not in waiting]
    if waiting:
        table = _tables_of(settings, waiting)[0]
        messages.append(request.model_copy(update={"data_types": tuple(waiting), "table": table}))
    return messages


def still_waiting(run: Run, message: PageRequested) -> tuple[DataType, ...]:
    """The streams that wait for the message's table and have not failed meanwhile; none where the run is over."""
    streams = [] if run.status.is_final else [run.streams.get(name) for name in message.data_types]
    return tuple(stream.data_type for stream in streams if stream is not None and stream.failure is None)


async def prepare_table(
    message: PageRequested, run: Run, waiting: Sequence[DataType], integration: Integration, hub: Fetching
) -> AsyncGenerator[Message, None]:
    """One stretch of the chain, and what goes on when its table is over."""
    settings = integration.settings

    async def give_up(error: HubError) -> Sequence[Message]:
        return await _leave(message, waiting, _lost(message, run, settings, waiting, error=error, now=hub.clock()), hub)

    try:
        stream = _table_of(message, run, settings)
        if await hub.tables.find(message.college_id, message.run_id, str(message.table)) is not None:
            # An earlier handling came this far, and streams may be reading the table already: it stays as it is.
            for given in await _leave(message, waiting, _following(message, run, settings, waiting), hub):
                yield given
            return
        progress = Preparing(table=str(message.table), pages=message.pages, rows=message.records)
        await _note_table(message, waiting, progress, hub)
        if (planned := await hub.planner.plan(message, integration, stream)) is not None:
            yield planned.model_copy(update={"data_types": tuple(waiting)})
            return
        stretch = await open_stretch(message, integration, stream, hub)
    except PermanentError as error:
        for given in await give_up(error):
            yield given
        return
    async with aclosing(_keep_rows(message, stretch, hub.tables)) as outputs:
        async for output in outputs:
            match output:
                case PageRequested():
                    yield output.model_copy(update={"data_types": tuple(waiting)})
                case TableEnd():
                    for given in await _leave(message, waiting, _following(message, run, settings, waiting), hub):
                        yield given
                case HubError():
                    for given in await give_up(output):
                        yield given
    log.info("stretch.fetched", **what_of(message), step=message.step, **stretch.walk.summary())


async def _keep_rows(
    message: PageRequested, stretch: Stretch, tables: Tables
) -> AsyncGenerator[Message | TableEnd | HubError, None]:
    """Go the stretch and keep its rows; gives the chain's next message, or how the table ended.

    Invariant: rows are stored before the message that leaves them behind is given.
    """
    ids = (message.college_id, message.run_id, str(message.table))
    held: list[Piece] = []
    size = 0
    async with stretch.session, aclosing(stretch.outputs) as outputs:
        async for output in outputs:
            if isinstance(output, Piece):
                held.append(output)
                size += len(getattr(output.rows, "json", b""))
            if len(held) >= _WRITTEN_AT_ONCE or size >= _WRITTEN_BYTES or not isinstance(output, Piece):
                await tables.write(*ids, held)
                held, size = [], 0
            if isinstance(output, TableEnd):
                await tables.close(*ids, output)
            if not isinstance(output, Piece):
                yield output


async def _leave(
    message: PageRequested, waiting: Sequence[DataType], given: Sequence[Message], hub: Fetching
) -> Sequence[Message]:
    """What is given after a table; where that is no further table, the run is told that none is read any more."""
    if not any(isinstance(onward, PageRequested) and onward.data_type is None for onward in given):
        await _note_table(message, waiting, None, hub)
    return given


async def _note_table(
    message: PageRequested, waiting: Sequence[DataType], preparing: Preparing | None, hub: Fetching
) -> None:
    """Tell the run which table is read for it, and how far it is."""
    await hub.runs.change(message.college_id, message.run_id, lambda run: prepare(run, waiting, preparing, hub.clock()))


def _table_of(message: PageRequested, run: Run, settings: IntegrationDraft) -> Stream:
    """The stream that the message wants read; SourceError if it is wanted no more."""
    if message.table not in _tables_of(settings, run.data_types):
        raise SourceError(
            f"the stream {message.table} is not needed any more",
            error_class=ErrorClass.TRANSIENT,
            code="endpoint_changed",
            public=f"The integration was changed while '{message.table}' was being read. The next sync reads it anew.",
        )
    return settings.streams[message.table]


def _following(
    message: PageRequested, run: Run, settings: IntegrationDraft, waiting: Iterable[DataType]
) -> list[Message]:
    """What goes on when the message's table is over: streams that have all their tables now, and the next table."""
    order = _tables_of(settings, run.data_types)
    done = set(order[: order.index(message.table) + 1]) if message.table in order else set(order)
    missing = {name: [table for table in _needs(settings, name) if table not in done] for name in waiting}
    messages: list[Message] = [_start_of(name, message) for name, left in missing.items() if not left]
    rest = tuple(name for name, left in missing.items() if left)
    if rest:
        wanted = {table for name in rest for table in missing[name]}
        following = PageRequested(
            college_id=message.college_id,
            integration_id=message.integration_id,
            run_id=message.run_id,
            table=next(table for table in order if table in wanted),
            data_types=rest,
            step=message.step + 1,
            observed_at=message.observed_at,
        )
        messages.append(following)
    return messages


def _lost(
    message: PageRequested,
    run: Run,
    settings: IntegrationDraft,
    waiting: Sequence[DataType],
    *,
    error: HubError,
    now: datetime,
) -> list[Message]:
    """The failures of the streams that need the message's table, and what goes on without it."""
    without = [name for name in waiting if message.table in _needs(settings, name)]
    failures: list[Message] = []
    for name in without:
        request = message.model_copy(update={"data_type": name, "data_types": (), "table": None})
        failures.append(failed(request, error, batches=0, now=now))
    return [*failures, *_following(message, run, settings, [name for name in waiting if name not in without])]


def _needs(settings: IntegrationDraft, data_type: DataType) -> tuple[str, ...]:
    """The tables that must be read before this stream."""
    endpoint = settings.endpoints.get(data_type)
    return reading_order(settings.streams, endpoint) if endpoint is not None else ()


def _tables_of(settings: IntegrationDraft, data_types: Iterable[DataType]) -> list[str]:
    """All tables of these streams, each after those it needs itself."""
    return list(dict.fromkeys(table for name in data_types for table in _needs(settings, name)))


def _start_of(data_type: DataType, request: PageRequested) -> PageRequested:
    return PageRequested(
        college_id=request.college_id,
        integration_id=request.integration_id,
        run_id=request.run_id,
        data_type=data_type,
        # The same for every delivery of this message: it is part of what the records are compared by.
        observed_at=request.observed_at,
    )
