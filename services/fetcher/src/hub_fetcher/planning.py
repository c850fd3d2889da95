"""Deciding which windows a walk asks for, before its first page, once: the plan then travels with the chain.

Invariant: a plan is stored in a message before anything is read by it, so that a repeated handling reads the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from zoneinfo import ZoneInfo

import orjson
import structlog
from hub_model.combining import GroupBy, Punches
from hub_model.endpoints import Endpoint, Request, Stream
from hub_model.errors import SourceError
from hub_model.incremental import ChangeVersionIncremental, DatetimeIncremental, Incremental
from hub_model.integrations import Integration, IntegrationDraft
from hub_model.messages import PageRequested
from hub_model.pagination import NoPagination
from hub_model.records import DataType
from hub_model.stream_states import StreamState
from hub_model.streams import needed_by, reading_order
from hub_storage.repositories import StreamStates

from hub_fetcher.limits.pace import source_of
from hub_fetcher.paging.position import Position
from hub_fetcher.paging.signs import count_at
from hub_fetcher.requests.request import request_at
from hub_fetcher.responses.verdicts import Verdict
from hub_fetcher.sources import Sources
from hub_fetcher.walking.ending import taken_as
from hub_fetcher.walking.incremental import Plan, plan_times, plan_token, plan_versions, usable
from hub_fetcher.walking.place import Place, to_message

log = structlog.get_logger(__name__)

_NO_CLOCK = (
    "The source does not tell its time, so the hub's own clock was used; rows that it writes late may be missed."
)
_PARTS_OF_DAYS = (
    "'{name}' is read whole each time, since attendance comes from all punches of a day: set 'wholeDays' and "
    "'dayStart' of its 'incremental' to go by days as 'derive' does."
)
_PARTS_OF_GROUPS = (
    "'{name}' is read whole each time, since what is collected from its rows needs all of them: remove its "
    "'incremental', or the 'collect' of 'derive'."
)
_NO_VERSIONS = "The source does not tell its change versions, so everything was read, and no deletes were."
_NO_SUCH_THING = frozenset([Verdict.NOT_THERE, Verdict.SWITCHED_OFF])
_SKEW_TOLD = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans the walks that go by windows."""

    sources: Sources
    states: StreamStates
    clock: Callable[[], datetime]

    async def plan(self, message: PageRequested, integration: Integration, stream: Stream) -> PageRequested | None:
        """The chain's next message, with the plan in it; None where none is needed, or the message has one."""
        name, settings = str(message.data_type or message.table), integration.settings
        # A walk that has begun goes on as it began, though the endpoint goes by windows since.
        if stream.incremental is None or message.position or is_looked_up(settings, name):
            return None
        if spoiled := spoiled_by_parts(settings, name, stream.incremental):
            plan = await self._windows(message, integration, stream, None)
            plan = plan.model_copy(update={"warnings": (*plan.warnings, spoiled)})
        else:
            identity = identity_of(integration, name, stream)
            known = await self._known(message, settings, name)
            state = usable(stream.incremental, known, identity=identity, now=self.clock())
            plan = await self._windows(message, integration, stream, state)
            plan = plan.model_copy(update={"identity": identity})
        log.info("walk.planned", stream=name, windows=len(plan.windows), full=plan.is_full)
        return message.model_copy(update={"step": message.step + 1, "position": to_message(Place(plan=plan))})

    async def _known(self, message: PageRequested, settings: IntegrationDraft, name: str) -> StreamState | None:
        """How far the stream was read; of a table, what has become records of every endpoint that takes its rows."""
        takers = () if message.data_type is not None else takers_of(settings, name)
        names = [taken_as(name, taker) for taker in takers] or [name]
        common: StreamState | None = None
        for number, remembered in enumerate(names):
            state = await self.states.find(message.college_id, message.integration_id, remembered)
            if state is None:
                return None
            common = state if number == 0 else common and common.common(state)
        return common

    async def _windows(
        self, message: PageRequested, integration: Integration, stream: Stream, state: StreamState | None
    ) -> Plan:
        spec, began_at = stream.incremental, message.observed_at
        match spec:
            case DatetimeIncremental():
                source = self.sources.open(integration, stream, run_id=message.run_id)
                async with source.session():
                    now = self.clock()
                    told = await source.time(integration.settings.base_url)
                ahead = timedelta(0) if told is None else told - now
                zone = ZoneInfo(integration.settings.time_zone)
                plan = plan_times(spec, state, source_now=now + ahead, began_at=began_at + ahead, zone=zone)
                return _warned(plan, told, ahead)
            case ChangeVersionIncremental():
                return await self._versions(spec, message, integration, state)
            case None:
                raise AssertionError("there is a plan only for what is read by windows")
            case _:
                return plan_token(spec, state, began_at=began_at)

    async def _versions(
        self,
        spec: ChangeVersionIncremental,
        message: PageRequested,
        integration: Integration,
        state: StreamState | None,
    ) -> Plan:
        """The source's newest version, asked for before the first page so that the window cannot move."""
        request = Request(path=spec.versions_path, records_from="single", pagination=NoPagination())
        source = self.sources.open(integration, request, run_id=message.run_id)
        try:
            async with source.session():
                page = await source.read(request_at(source.plan, Position()))
        except SourceError as error:
            if error.code not in _NO_SUCH_THING:
                raise
            return _without_versions(message)
        newest = count_at(page.body, spec.newest_path)
        if newest is None:
            return _without_versions(message)
        oldest = count_at(page.body, spec.oldest_path) if spec.oldest_path else None
        return plan_versions(state, newest=newest, oldest=oldest, began_at=message.observed_at)


def _without_versions(message: PageRequested) -> Plan:
    """Everything; and of deletes a source that knows no versions can tell nothing."""
    everything = ((None, None),)
    return Plan(began_at=message.observed_at, windows=everything, deletes_known=False, warnings=(_NO_VERSIONS,))


def takers_of(settings: IntegrationDraft, name: str) -> dict[DataType, Endpoint]:
    """The endpoints that take a table's rows for their records."""
    return {data_type: endpoint for data_type, endpoint in settings.endpoints.items() if endpoint.source == name}


def is_looked_up(settings: IntegrationDraft, name: str) -> bool:
    """Whether others look for rows in this table, which has to hold all of them then."""
    if name not in settings.streams:
        return False
    users = [user for user in (*settings.streams.values(), *settings.endpoints.values()) if name in needed_by(user)]
    return any(getattr(user, "source", None) != name or _looks_up(user, name) for user in users)


def spoiled_by_parts(settings: IntegrationDraft, name: str, spec: Incremental) -> str | None:
    """Why a table cannot be read by windows, where what is derived from its rows needs rows that were read before.

    A day's attendance comes from all punches of that day, and a list from all rows that have something for it.
    """
    for taker in takers_of(settings, name).values() if name in settings.streams else ():
        if isinstance(taker.derive, GroupBy) and taker.derive.collect:
            return _PARTS_OF_GROUPS.format(name=name)
        if isinstance(taker.derive, Punches) and not _gives_whole_days(spec, taker.derive, settings.time_zone):
            return _PARTS_OF_DAYS.format(name=name)
    return None


def identity_of(integration: Integration, name: str, stream: Stream) -> str:
    """Changes with everything that decides which records a walk gives, and what they become."""
    settings = integration.settings
    takers = takers_of(settings, name).values() if name in settings.streams else ()
    needed = {used: None for user in (stream, *takers) for used in reading_order(settings.streams, user)}
    parts = [part.model_dump(mode="json") for part in (stream, *takers, *(settings.streams[used] for used in needed))]
    own = [settings.base_url, settings.headers, settings.time_zone, source_of(integration)]
    identity = orjson.dumps([*own, *parts], option=orjson.OPT_SORT_KEYS)
    return blake2b(identity, digest_size=12).hexdigest()


def _looks_up(user: Stream, name: str) -> bool:
    return any(join.stream == name for join in user.joins)


def _gives_whole_days(spec: Incremental, punches: Punches, time_zone: str) -> bool:
    if not isinstance(spec, DatetimeIncremental):
        return False
    return spec.whole_days and spec.day_start == punches.day_start and (spec.time_zone or time_zone) == time_zone


def _warned(plan: Plan, told: datetime | None, ahead: timedelta) -> Plan:
    if told is None:
        return plan.model_copy(update={"warnings": (*plan.warnings, _NO_CLOCK)})
    if abs(ahead) > _SKEW_TOLD:
        where = "ahead of" if ahead > timedelta(0) else "behind"
        words = f"The source's clock is {abs(ahead).total_seconds():.0f} seconds {where} ours."
        return plan.model_copy(update={"warnings": (*plan.warnings, words)})
    return plan
