"""Opening a stream for one stretch: its requests, the tables it needs, what its records become."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from hub_model.combining import Join
from hub_model.endpoints import Endpoint, Stream
from hub_model.errors import Unavailable
from hub_model.integrations import Integration
from hub_model.messages import PageRequested
from hub_model.streams import given_rows, needed_by
from hub_storage.repositories import Tables
from hub_storage.repositories.tables import Piece, TableEnd

from hub_fetcher.auth.credentials import secret_params
from hub_fetcher.requests.plan import plan_requests
from hub_fetcher.requests.request import SourceRequest
from hub_fetcher.source import Page, Source, Tries
from hub_fetcher.sources import Sources
from hub_fetcher.walking.joins import Joiner, Lookups
from hub_fetcher.walking.outputs import Output
from hub_fetcher.walking.parents import Parents
from hub_fetcher.walking.place import Place
from hub_fetcher.walking.reading import Limits, Reading
from hub_fetcher.walking.shaping import Shaper
from hub_fetcher.walking.stretch import fetch_stretch
from hub_fetcher.walking.tables import derived, take_rows
from hub_fetcher.walking.walk import Walk


@dataclass(frozen=True, slots=True)
class Stretch:
    """One stretch of a walk, ready to be gone. ``session`` is held while it is."""

    walk: Walk
    outputs: AsyncGenerator[Output, None]
    session: AbstractAsyncContextManager[None]


class Opener:
    """What all stretches of a worker share."""

    def __init__(self, sources: Sources, tables: Tables, lookups: Lookups) -> None:
        self.sources = sources
        self._tables = tables
        self._lookups = lookups

    async def open(
        self,
        message: PageRequested,
        integration: Integration,
        stream: Stream,
        limits: Limits,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> Stretch:
        """The stretch that a message asks for. Raises PermanentError if the integration does not allow it as it is."""
        place = Place.of(message.position)
        ends = await self._ends(message, stream)
        read = {name: partial(self._pieces, message, name, end) for name, end in ends.items()}
        parents = None
        if stream.parent is not None:
            pieces = read[stream.parent.stream]
            parents = Parents(stream.parent, pieces, piece=place.piece, offset=place.offset)
        source, deletes = self._sources_of(message, integration, stream)
        zone = ZoneInfo(integration.settings.time_zone)
        reading = Reading(
            stream=stream,
            name=str(message.data_type or message.table),
            zone=zone,
            plan=source.plan if source else plan_requests(integration.settings, stream),
            deletes=deletes.plan if deletes else None,
            parents=parents,
            shaper=Shaper(stream, await self._joiner(message, stream.joins, ends), zone=zone),
            tables=ends,
            most_rows=limits.table_rows,
            most_bytes=limits.table_bytes,
        )
        walk = Walk(message, reading, clock=clock, secret_params=secret_params(integration))
        if source is None:
            chunks = _chunks(stream, read, place.piece, zone)
            return Stretch(walk, take_rows(walk, chunks, limits, monotonic=monotonic), nullcontext())

        async def ask(request: SourceRequest, tries: Tries) -> Page:
            asked = deletes if deletes is not None and walk.phase == "deletes" else source
            return await asked.read(request, tries)

        return Stretch(walk, fetch_stretch(walk, ask, limits, monotonic=monotonic), source.session())

    def _sources_of(
        self, message: PageRequested, integration: Integration, stream: Stream
    ) -> tuple[Source | None, Source | None]:
        if not stream.path:
            return None, None
        if not isinstance(stream, Endpoint):
            return self.sources.open(integration, stream, run_id=message.run_id), None
        deletes = self.sources.open(integration, stream.deletes, run_id=message.run_id) if stream.deletes else None
        return self.sources.open(integration, stream, run_id=message.run_id), deletes

    async def _ends(self, message: PageRequested, stream: Stream) -> dict[str, TableEnd]:
        ends = {}
        for name in needed_by(stream):
            end = await self._tables.find(message.college_id, message.run_id, name)
            if end is None:
                raise Unavailable(f"the table {name} of this run is not there", code="table_gone")
            ends[name] = end
        return ends

    def _pieces(self, message: PageRequested, name: str, end: TableEnd, first: int = 0) -> AsyncIterator[Piece]:
        return self._tables.pieces(message.college_id, message.run_id, name, end, first=first)

    async def _joiner(self, message: PageRequested, joins: list[Join], ends: dict[str, TableEnd]) -> Joiner | None:
        if not joins:
            return None
        lookups = []
        for join in joins:
            key = (message.college_id, message.run_id, join.stream)
            pieces = partial(self._pieces, message, join.stream, ends[join.stream])
            lookups.append(await self._lookups.get(key, join.right, pieces))
        return Joiner(joins, lookups)


def _chunks(
    stream: Stream, read: dict[str, partial[AsyncIterator[Piece]]], first: int, zone: ZoneInfo
) -> AsyncIterator[Piece]:
    if not isinstance(stream, Endpoint):
        return _written_down(stream)
    if stream.source is None:
        raise AssertionError("only an endpoint with a source has rows in place of requests")
    pieces = read[stream.source]
    return pieces(first) if stream.derive is None else derived(pieces(), stream.derive, zone, first=first)


async def _written_down(stream: Stream) -> AsyncIterator[Piece]:
    yield Piece(0, given_rows(stream))
