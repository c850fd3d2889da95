"""What the handlers work with, and what those of streams and of tables do alike."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from hub_messaging.middleware import RetryPolicy
from hub_model.endpoints import Stream
from hub_model.errors import RateLimited
from hub_model.integrations import Integration
from hub_model.messages import PageRequested
from hub_storage.repositories import Chains, Integrations, Runs, Tables

from hub_fetcher.opening import Opener, Stretch
from hub_fetcher.planning import Planner
from hub_fetcher.responses.verdicts import ASKED_TO_WAIT
from hub_fetcher.walking.reading import Limits


@dataclass(frozen=True, kw_only=True)
class Fetching:
    """What the handlers work with."""

    integrations: Integrations
    runs: Runs
    chains: Chains
    tables: Tables
    opener: Opener
    planner: Planner
    limits: Limits
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    probe_deadline_s: float = 18.0


async def open_stretch(message: PageRequested, integration: Integration, stream: Stream, hub: Fetching) -> Stretch:
    """The stretch; RateLimited while the source still wants to be left alone."""
    stretch = await hub.opener.open(message, integration, stream, hub.limits, clock=hub.clock, monotonic=hub.monotonic)
    if wait_s := stretch.walk.wait_s(hub.clock()):
        raise RateLimited("the source asked us to wait", retry_after_s=wait_s, public=ASKED_TO_WAIT)
    return stretch


def what_of(message: PageRequested) -> dict[str, str | None]:
    """What is read, for the log."""
    return {"table": message.table} if message.data_type is None else {"data_type": message.data_type}
