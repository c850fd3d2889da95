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
from hub_model.endpoints import Endpoint, Request, Stream
from hub_model.errors import SourceError
from hub_model.incremental import ChangeVersionIncremental, DatetimeIncremental
from hub_model.integrations import Integration, IntegrationDraft
from hub_model.messages import PageRequested
from hub_model.pagination import NoPagination
from hub_model.stream_states import StreamState
from hub_model.streams import needed_by
from hub_storage.repositories import StreamStates

from hub_fetcher.paging.position import Position
from hub_fetcher.paging.signs import count_at
from hub_fetcher.requests.request import request_at
from hub_fetcher.responses.verdicts import Verdict
from hub_fetcher.sources import Sources
from hub_fetcher.walking.incremental import Plan, plan_times, plan_token, plan_versions, usable
from hub_fetcher.walking.place import Place

log = structlog.get_logger(__name__)

_NO_CLOCK = (
    "The source does not tell its time, so the hub's own clock was used; rows that it writes late may be missed."
)
_NO_VERSIONS = "The source does not tell its change versions, so everything was read."
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
        place = Place.of(message.position)
        name = str(message.data_type or message.table)
        if stream.incremental is None or place.plan is not None or not goes_by_windows(integration.settings, name):
            return None
        identity = identity_of(integration.settings, name, stream)
        known = await self.states.find(message.college_id, message.integration_id, name)
        state = usable(stream.incremental, known, identity=identity, now=self.clock())
        plan = await self._windows(message, integration, stream, state)
        log.info("walk.planned", stream=name, windows=len(plan.windows), full=plan.is_full)
        planned = place.model_copy(update={"plan": plan.model_copy(update={"identity": identity})})
        return message.model_copy(update={"step": message.step + 1, "position": planned.to_message()})

    async def _windows(
        self, message: PageRequested, integration: Integration, stream: Stream, state: StreamState | None
    ) -> Plan:
        spec, began_at = stream.incremental, message.observed_at
        match spec:
            case DatetimeIncremental():
                now = self.clock()
                told = await self.sources.transport.server_time(integration.settings.base_url)
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
            page = await source.read(request_at(source.plan, Position()))
        except SourceError as error:
            if error.code not in _NO_SUCH_THING:
                raise
            return Plan(began_at=message.observed_at, windows=((None, None),), warnings=(_NO_VERSIONS,))
        newest = count_at(page.body, spec.newest_path)
        if newest is None:
            return Plan(began_at=message.observed_at, windows=((None, None),), warnings=(_NO_VERSIONS,))
        oldest = count_at(page.body, spec.oldest_path) if spec.oldest_path else None
        return plan_versions(state, newest=newest, oldest=oldest, began_at=message.observed_at)


def goes_by_windows(settings: IntegrationDraft, name: str) -> bool:
    """Whether a stream is read by windows: a table that others look rows up in has to hold all of them."""
    stream = settings.streams.get(name)
    if stream is None:
        return True
    users = [user for user in (*settings.streams.values(), *settings.endpoints.values()) if name in needed_by(user)]
    return all(isinstance(user, Endpoint) and user.source == name and not _looks_up(user, name) for user in users)


def identity_of(settings: IntegrationDraft, name: str, stream: Stream) -> str:
    """Changes with everything that decides which records a walk gives, and what they become."""
    takers = [endpoint for endpoint in settings.endpoints.values() if endpoint.source == name]
    needed = [settings.streams[used] for user in (stream, *takers) for used in needed_by(user) if used != name]
    parts = [part.model_dump(mode="json") for part in (stream, *takers, *needed)]
    own = [settings.base_url, settings.headers, settings.time_zone]
    identity = orjson.dumps([*own, *parts], option=orjson.OPT_SORT_KEYS)
    return blake2b(identity, digest_size=12).hexdigest()


def _looks_up(user: Endpoint, name: str) -> bool:
    return any(join.stream == name for join in user.joins)


def _warned(plan: Plan, told: datetime | None, ahead: timedelta) -> Plan:
    if told is None:
        return plan.model_copy(update={"warnings": (*plan.warnings, _NO_CLOCK)})
    if abs(ahead) > _SKEW_TOLD:
        where = "ahead of" if ahead > timedelta(0) else "behind"
        words = f"The source's clock is {abs(ahead).total_seconds():.0f} seconds {where} ours."
        return plan.model_copy(update={"warnings": (*plan.warnings, words)})
    return plan
