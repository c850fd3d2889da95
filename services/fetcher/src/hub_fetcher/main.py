"""The fetcher as a service: queues, handlers, and the guarded way out."""

import time
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from hub_messaging.broker import Broker
from hub_messaging.clock import Clock, utc_now
from hub_messaging.opening import open_broker
from hub_messaging.router import Router
from hub_messaging.topology import declared, subscription_of
from hub_model.ids import new_id
from hub_model.messages import PageRequested, ProbeRequested, SyncRequested
from hub_runtime.apart import run_apart
from hub_runtime.services import Service
from hub_security.egress import open_client
from hub_security.hosts import PortPolicy
from hub_security.keys import PrivateKeys, load_private_keys, parse_private_keys
from hub_security.redaction import Redactor
from hub_security.vault import SecretOpener
from hub_storage.opening import open_store
from hub_storage.repositories import SPECS, Chains, Integrations, Runs, SourceLimits, StreamStates, Tables, Tokens
from hub_storage.store import Store

from hub_fetcher.auth.tokens import TokenCache
from hub_fetcher.fetching import Fetching
from hub_fetcher.handlers import fetch_pages, run_probe, start_sync
from hub_fetcher.limits.pace import Paces, Pacing
from hub_fetcher.opening import Opener
from hub_fetcher.planning import Planner
from hub_fetcher.settings import FetcherSettings
from hub_fetcher.sources import Sources
from hub_fetcher.transport import Patience, Transport
from hub_fetcher.walking.joins import Lookups
from hub_fetcher.walking.reading import Limits

NAME = "fetcher"


def main() -> NoReturn:
    """The command ``hub-fetcher``: this service as a process of its own."""
    redactor = Redactor()

    def build(settings: FetcherSettings, broker: Broker, store: Store) -> Service:
        return build_service(settings, broker=broker, store=store, clock=utc_now, on_secret=redactor.add)

    run_apart(
        NAME,
        FetcherSettings,
        redactor=redactor,
        broker=lambda settings: declared(open_broker(settings.broker_url)),
        store=lambda settings: open_store(settings.store_url, SPECS),
        build=build,
        check=load_keys,
    )


def build_service(
    settings: FetcherSettings,
    *,
    broker: Broker,
    store: Store,
    clock: Clock = utc_now,
    on_secret: Callable[[str], None] | None = None,
) -> Service:
    """The service; nothing is started. ``on_secret`` hears every secret and token in use, for the log redactor."""
    opener = SecretOpener(load_keys(settings), on_open=on_secret)
    client = open_client(
        allowed_networks=settings.allowed_networks,
        refused_networks=settings.refused_networks,
        allowed_ports=settings.allowed_ports,
        timeout_s=settings.request_deadline_s,
    )
    transport = Transport(
        client,
        clock=clock,
        ports=PortPolicy(frozenset(settings.allowed_ports)),
        per_origin=settings.requests_per_origin,
    )
    tokens = TokenCache(Tokens(store), opener, clock=clock, monotonic=time.monotonic)
    patience = Patience(deadline_s=settings.request_deadline_s, max_body_bytes=settings.max_response_bytes)
    pacing = Pacing(limits=SourceLimits(store), worker_id=new_id(), clock=clock, request_s=settings.request_deadline_s)
    tables = Tables(store)
    sources = Sources(transport, opener, tokens, patience, Paces(pacing))
    hub = Fetching(
        integrations=Integrations(store),
        runs=Runs(store),
        chains=Chains(store),
        tables=tables,
        opener=Opener(sources, tables, Lookups(max_bytes=settings.lookup_bytes)),
        planner=Planner(sources, StreamStates(store), clock),
        limits=Limits(
            pages=settings.stretch_pages,
            seconds=settings.stretch_s,
            ahead=settings.pages_ahead,
            table_rows=settings.table_rows,
            table_bytes=settings.table_bytes,
        ),
        clock=clock,
        monotonic=time.monotonic,
        probe_deadline_s=settings.probe_deadline_s,
    )
    router = build_router(hub, broker, stretches=settings.stretches)

    async def stop(grace_s: float) -> bool:
        drained = await router.stop(grace_s)
        await tokens.finish()
        await client.aclose()
        return drained

    return Service(name=NAME, start=router.start, stop=stop, ready=store.ping, counts=router.counts)


def build_router(hub: Fetching, broker: Broker, *, stretches: int) -> Router:
    """The three queues of the fetcher."""
    router = Router(broker, service=NAME, clock=hub.clock, policy=hub.policy)
    router.add(
        subscription_of("fetcher.syncs"),
        {SyncRequested: partial(start_sync, hub=hub)},
    )
    router.add(
        subscription_of("fetcher.pages", prefetch=stretches),
        {PageRequested: partial(fetch_pages, hub=hub)},
    )
    router.add(
        subscription_of("fetcher.probes"),
        {ProbeRequested: partial(run_probe, hub=hub)},
    )
    return router


def load_keys(settings: FetcherSettings) -> PrivateKeys:
    """The private keys; InvalidInput if there are none. No key, no start."""
    if settings.fetcher_keys is not None:
        return parse_private_keys(settings.fetcher_keys.get_secret_value(), name="HUB_FETCHER_KEYS")
    return load_private_keys(settings.fetcher_keys_file)
