"""The first page of an endpoint and of the streams that it needs, shaped as a sync shapes them, for connection tests.

Each stream is asked once, however many need it; for a child, the first row of its parent stands for all of them.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from hub_mapping import compile_conditions
from hub_mapping.derive import group_rows, punches_to_attendance
from hub_mapping.shaping import project
from hub_model.combining import Parent, Punches
from hub_model.endpoints import Endpoint, Stream
from hub_model.errors import InvalidInput
from hub_model.incremental import DatetimeIncremental, TokenIncremental
from hub_model.integrations import Integration
from hub_model.records import DataType
from hub_model.streams import given_rows

from hub_fetcher.paging.pagination import arrive, begin
from hub_fetcher.paging.position import PageFacts
from hub_fetcher.planning import is_looked_up
from hub_fetcher.requests.request import request_at
from hub_fetcher.responses.records import find_records, is_ordinary
from hub_fetcher.responses.remarks import sentences
from hub_fetcher.sources import Sources
from hub_fetcher.transport import Patience
from hub_fetcher.walking.incremental import bounds, params, plan_times, plan_token
from hub_fetcher.walking.joins import Joiner, lookup_of
from hub_fetcher.walking.shaping import NO_MATCH, Shaper

_MOST_RECORDS = 500
_AT_A_TIME = 3

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """Some records of a stream, and how it answered, in words that hold nothing of them.

    ``was_asked`` is False where there was no parent row to ask for, or nothing that had to be asked.
    """

    records: Sequence[Row]
    words: str
    was_asked: bool = True


class Samples:
    """The first pages of one integration. What a stream is refused, whoever needs it is refused."""

    def __init__(self, integration: Integration, sources: Sources, patience: Patience) -> None:
        self._integration = integration
        self._settings = integration.settings
        self._sources = sources
        self._patience = patience
        self._turn = asyncio.Semaphore(_AT_A_TIME)
        self._streams: dict[str, asyncio.Task[Sample]] = {}

    async def of_stream(self, name: str) -> Sample:
        """The first page of a stream that is read for others. Raises HubError."""
        task = self._streams.get(name)
        if task is None:
            task = self._streams[name] = asyncio.create_task(self._read(self._settings.streams[name], name))
        return await asyncio.shield(task)

    async def of_endpoint(self, data_type: DataType, endpoint: Endpoint) -> Sample:
        """The first page of an endpoint, or what is made of the first page of its source. Raises HubError."""
        if endpoint.source is None:
            return await self._read(endpoint, data_type)
        table = await self.of_stream(endpoint.source)
        rows = self._derived(endpoint, table.records)
        records = await self._shaped(endpoint, rows, parent=None)
        return Sample(records, f"Gives {len(records)} records, made of the first page of {endpoint.source}.")

    async def close(self) -> None:
        """End what is still being asked."""
        for task in self._streams.values():
            task.cancel()
        await asyncio.gather(*self._streams.values(), return_exceptions=True)

    async def _read(self, stream: Stream, usual_name: str) -> Sample:
        if stream.rows:
            rows = await self._shaped(stream, given_rows(stream), parent=None)
            return Sample(rows, f"Has {len(rows)} rows of its own.", was_asked=False)
        parent: Row | None = None
        if stream.parent is not None:
            parent = await self._first_row(stream.parent)
            if parent is None:
                return Sample([], f"Not asked: {stream.parent.stream} has no row to ask for.", was_asked=False)
        async with self._turn:
            return await self._first_page(stream, usual_name, parent)

    async def _first_page(self, stream: Stream, usual_name: str, parent: Row | None) -> Sample:
        source = self._sources.open(self._integration, stream, self._patience)
        window, params = self._window(stream, usual_name)
        plan = source.plan.fill({"parent": parent or {}, "window": window}, params)
        position = begin(stream.pagination).model_copy(update={"counting": False})
        request = request_at(plan, position)
        async with source.session():
            page = await source.read(request)
        if not page.has_content:
            return Sample([], "Answers, and holds no records at the moment.")
        path, found = find_records(page.body, usual_name, stream.records_path, stream, is_vouched=page.is_vouched)
        facts = PageFacts(
            url=request.url,
            body=page.body,
            records=len(found),
            headers=page.headers,
            next_link=page.next_link,
            total_header=page.total,
        )
        position = arrive(position, facts)
        if not found:
            return Sample([], "Answers, and holds no records at the moment.")
        of_all = f" of {position.total}" if position.total is not None else ""
        paging = position.pagination.type if position.pagination else "auto"
        words = f"Answers with {len(found)} records{of_all} at '{_named(path)}'; pagination: {paging}."
        words = " ".join([words, *sentences(position.remarks)])
        return Sample(await self._shaped(stream, found[:_MOST_RECORDS], parent=parent), words)

    def _window(self, stream: Stream, name: str) -> tuple[dict[str, str], dict[str, str]]:
        """The last window that a first sync asks for, where records are the likeliest; and its parameters."""
        spec, now, zone = stream.incremental, self._sources.transport.clock(), ZoneInfo(self._settings.time_zone)
        match spec:
            case DatetimeIncremental() if not is_looked_up(self._settings, name):
                plan = plan_times(spec, None, source_now=now, began_at=now, zone=zone)
            case TokenIncremental() if not is_looked_up(self._settings, name):
                plan = plan_token(spec, None, began_at=now)
            case _:
                return {}, {}
        window = bounds(spec, plan, len(plan.windows) - 1, zone) if plan.windows else {}
        return window, params(spec, window)

    async def _first_row(self, parent: Parent) -> Row | None:
        table = await self.of_stream(parent.stream)
        holds = compile_conditions(parent.when)
        return next((row for row in table.records if holds(row)), None)

    async def _shaped(self, stream: Stream, found: Sequence[Any], *, parent: Row | None) -> list[Row]:
        """The records as the mapping sees them. Those that join no row of a first page say nothing of the mapping."""
        include = stream.parent.include if stream.parent is not None else None
        tables = [(await self.of_stream(join.stream)).records for join in stream.joins]
        lookups = [lookup_of(rows, join.right) for rows, join in zip(tables, stream.joins, strict=True)]
        joiner = Joiner([join.model_copy(update={"required": True}) for join in stream.joins], lookups)
        shaper = Shaper(stream, joiner if stream.joins else None, zone=ZoneInfo(self._settings.time_zone))
        records = [record if isinstance(record, dict) else {"value": record} for record in found]
        shaped = shaper.shape(records, project(parent, include) if parent is not None and include else None)
        for fault in shaped.faults:
            if fault.code != NO_MATCH:
                raise InvalidInput(fault.message, code=fault.code)
        lonely = {fault.index for fault in shaped.faults}
        return [record for index, record in enumerate(shaped.records) if index not in lonely][:_MOST_RECORDS]

    def _derived(self, endpoint: Endpoint, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        match endpoint.derive:
            case None:
                return list(rows)
            case Punches() as punches:
                return list(punches_to_attendance(rows, punches, ZoneInfo(self._settings.time_zone)))
            case group:
                return list(group_rows(rows, group))


def _named(path: str) -> str:
    """Where records were found. A key that is no ordinary name may be that of a person."""
    return "the top" if not path else path if is_ordinary(path) else "a place that is not named here"
