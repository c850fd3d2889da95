"""The section of ``make bench`` on a hub of separate processes, over a RabbitMQ node and SecantusDB started here.

SecantusDB stands in for MongoDB and is far slower, so the rates are those of this target only; what belongs to the hub
on any broker and store is how many messages and commands it needs. Both servers count those themselves. There is no
scheduler, whose ticks would be counted too. ``python bench/distributed.py [--quick]`` runs this section alone.
"""

import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hub_messaging.testing.rabbitmq_node import RabbitNode, running_node
from hub_process import FREE_OF_LIMITS, Hub
from hub_storage.testing.secantus import SecantusServer, require_secantus
from pymongo import MongoClient
from rich.table import Table
from run import PAGE_SIZE, console, is_quick, measured, server, show, students

sys.path.insert(0, str(Path(__file__).parents[1] / "tests-e2e"))

from separate import ONE_OF_EACH, Replica, SeparateHub, start_separate

# SecantusDB is too slow for the hundred thousand records and ten thousand webhooks of the other sections.
RECORDS, QUICK_RECORDS = 20_000, 5_000
WEBHOOKS, QUICK_WEBHOOKS, CONNECTIONS = 1_000, 500, 64
LOOKS = 10
SETTLE_S = 300.0
LIMIT_S = 1800
BUCKETS = ("query", "getmore", "insert", "update", "delete")
_PUBLISHED = "maps:get(messages_received_total, maps:get([{protocol,amqp091}], rabbit_global_counters:overview()))."


Commands = dict[str, int]


@dataclass(frozen=True)
class Counted:
    """Messages that clients have published to the broker, and the store's commands by MongoDB's buckets.

    A bulk of writes is one command. The bucket ``command`` is left out: it is heartbeats, readiness and the counting.
    """

    messages: int
    commands: Commands

    def since(self, before: "Counted") -> "Counted":
        return Counted(self.messages - before.messages, _less(self.commands, before.commands))


class Servers:
    """The broker and the store, as their own operator sees them."""

    def __init__(self, rabbit: RabbitNode, mongo: SecantusServer, client: MongoClient[dict[str, Any]]) -> None:
        self.rabbit = rabbit
        self.mongo = mongo
        self._client = client

    def commands(self) -> Commands:
        opcounters = self._client.admin.command("serverStatus")["opcounters"]
        return {bucket: opcounters[bucket] for bucket in BUCKETS}

    def settled(self) -> Counted:
        """The counts once they stand still: a run's last message outlives it, a receipt is marked after the 202."""
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            before = self.commands()
            time.sleep(1)
            messages = int(self.rabbit.ctl("eval", _PUBLISHED))
            if self.commands() == before:
                return Counted(messages, before)
        raise TimeoutError(f"the hub has not come to rest within {SETTLE_S:g} s")


@dataclass
class Figures:
    """What the rounds have found, by the name of what was done."""

    records: dict[str, list[float]]
    webhooks: dict[str, list[float]]
    counted: dict[str, list[Counted]]


def pipeline(hub: Hub, servers: Servers, port: int, count: int, figures: Figures) -> None:
    """A load and an unchanged reload; what looking at the run costs the store is taken off."""
    integration = students(hub, port)
    for name, fate in (("load", "inserted"), ("reload", "unchanged")):
        before, looked = servers.settled(), hub.looks
        seconds, counts = hub.sync(integration)
        assert counts[fate] == count, counts
        figures.records.setdefault(name, []).append(count / seconds)
        found, looks = servers.settled().since(before), hub.looks - looked
        cost = _cost_of_looks(hub, servers, integration)
        watching = {bucket: round(looks * number / LOOKS) for bucket, number in cost.items()}
        figures.counted.setdefault(name, []).append(Counted(found.messages, _less(found.commands, watching)))


def _cost_of_looks(hub: Hub, servers: Servers, integration: str) -> Commands:
    """The commands of LOOKS looks at a run, while nothing else is done."""
    place = f"/api/integrations/{integration}/runs"
    run_id = hub.http.get(place).raise_for_status().json()["items"][0]["id"]
    before = servers.commands()
    for _ in range(LOOKS):
        hub.http.get(f"{place}/{run_id}").raise_for_status()
    return _less(servers.commands(), before)


def _less(commands: Commands, others: Commands) -> Commands:
    return {bucket: number - others[bucket] for bucket, number in commands.items()}


def webhooks(hub: Hub, separate: SeparateHub, servers: Servers, count: int, figures: Figures) -> None:
    """Accepted per second, first while nobody takes what was accepted, then while it is mapped and stored."""
    workers = [replica for name in ("transformer", "writer") for replica in separate.of(name)]
    # The fetcher stays away: enabling asks for a first sync, and there is no source.
    for replica in (*separate.of("fetcher"), *workers):
        _stop(replica)
    draft = {"name": "Bench webhooks", "baseUrl": "http://127.0.0.1:59999", "endpoints": {"attendance": "/attendance"}}
    made = hub.create(**draft, enabled=True)
    url = f"{separate.webhooks_url}/api/webhooks/integrations/{made['id']}"

    def load(name: str) -> None:
        result = measured("webhook_load.py", url, made["webhookSecret"], str(count), str(CONNECTIONS))
        figures.webhooks.setdefault(name, []).append(count / result["seconds"])

    before = servers.settled()
    load("gateway, workers stopped")
    figures.counted.setdefault("webhooks", []).append(servers.settled().since(before))
    for replica in workers:
        replica.start()
    for replica in workers:
        replica.wait_until_ready()
    load("gateway, workers storing")


def _stop(replica: Replica) -> None:
    replica.signal(signal.SIGTERM)
    if replica.process is not None:
        replica.process.wait(60)


def measure(servers: Servers, port: int, *, rounds: int, records: int, pushes: int) -> Figures:
    """Each round on a hub, a virtual host and a database of its own."""
    figures = Figures({}, {}, {})
    counts = {service: number for service, number in ONE_OF_EACH.items() if service != "scheduler"}
    for number in range(rounds):
        with (
            tempfile.TemporaryDirectory() as folder,
            start_separate(
                Path(folder),
                broker_url=servers.rabbit.fresh_url(),
                store_url=f"{servers.mongo.url}bench{number}",
                counts=counts,
                **FREE_OF_LIMITS,
            ) as separate,
        ):
            [api] = separate.of("config-api")
            assert api.process is not None
            hub = Hub(api.process, separate.url, separate.token("bench"))
            pipeline(hub, servers, port, records, figures)
            webhooks(hub, separate, servers, pushes, figures)
        rates = (figures.records | figures.webhooks).items()
        console.print(f"  round {number + 1} of {rounds}: " + ", ".join(f"{n} {r[-1]:,.0f}/s" for n, r in rates))
    return figures


def show_counts(counted: Mapping[str, list[Counted]], divisors: Mapping[str, int]) -> None:
    """Per 1,000 records or webhooks: the range over the rounds."""
    table = Table(title="Counted per 1,000", title_justify="left")
    for column in ("", "broker messages", "store commands", *BUCKETS):
        table.add_column(column, justify="left" if not column else "right")
    for name, rounds in counted.items():
        numbers = [[each.messages, sum(each.commands.values()), *each.commands.values()] for each in rounds]
        table.add_row(name, *(_per_thousand(column, divisors[name]) for column in zip(*numbers, strict=True)))
    console.print(table)


def _per_thousand(numbers: Sequence[int], divisor: int) -> str:
    low, high = (f"{number * 1000 / divisor:,.1f}" for number in (min(numbers), max(numbers)))
    return low if low == high else f"{low} - {high}"


def main(*, quick: bool) -> None:
    rounds, records, pushes = (1, QUICK_RECORDS, QUICK_WEBHOOKS) if quick else (3, RECORDS, WEBHOOKS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            require_secantus()
            rabbit = stack.enter_context(running_node(folder / "rabbitmq"))
        except pytest.skip.Exception as reason:
            console.print(f"\nSeparate processes: left out, {reason.msg}")
            return
        mongo = SecantusServer(folder / "mongodb")
        stack.callback(mongo.kill)
        mongo.start()
        version = ".".join(rabbit.ctl("eval", "rabbit_misc:version().").strip('"\n').split(".")[:2])
        console.print(
            f"\nSeparate processes over RabbitMQ {version} and SecantusDB, not MongoDB: its figures say nothing of "
            f"MongoDB's. {records:,} records, pages of {PAGE_SIZE}; {pushes:,} webhooks over {CONNECTIONS} connections"
        )
        client: MongoClient[dict[str, Any]] = stack.enter_context(MongoClient(mongo.url))
        port = stack.enter_context(server("source_server.py", str(records), str(PAGE_SIZE)))
        figures = measure(Servers(rabbit, mongo, client), port, rounds=rounds, records=records, pushes=pushes)
    show("Records per second", figures.records, {})
    show("Webhooks accepted per second", figures.webhooks, {})
    show_counts(figures.counted, {"load": records, "reload": records, "webhooks": pushes})


def _leave(number: int, _: object) -> None:
    raise SystemExit(f"it took more than {LIMIT_S} s" if number == signal.SIGALRM else "ended")


if __name__ == "__main__":
    # Whatever hangs, and whoever ends it, all that was started here ends too.
    signal.signal(signal.SIGALRM, _leave)
    signal.signal(signal.SIGTERM, _leave)
    signal.alarm(LIMIT_S)
    main(quick=is_quick(__doc__))
