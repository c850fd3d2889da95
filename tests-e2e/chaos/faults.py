"""What goes wrong, and how it is mended. Every fault ends by itself."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from chaos.history import History
from chaos.proxy import Proxy
from hub_messaging.testing.rabbitmq_node import RabbitNode
from hub_storage.testing.secantus import SecantusServer
from separate import Replica, SeparateHub

PAUSE_S = 20.0
_RESTARTS_AFTER_S = 0.5

Fault = Callable[[], Awaitable[None]]


@dataclass
class Machines:
    """Everything that can be broken."""

    hub: SeparateHub
    rabbit: RabbitNode
    mongo: SecantusServer
    proxies: Mapping[str, Proxy]


class Supervisor:
    """Starts a replica again that has ended, whoever ended it, as an orchestrator does."""

    def __init__(self, hub: SeparateHub, history: History) -> None:
        self._hub = hub
        self._history = history
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            for replica in self._hub.replicas:
                if replica.process is not None and (code := replica.process.poll()) is not None:
                    self._history.note("replica.ended", name=replica.name, code=code)
                    await asyncio.sleep(_RESTARTS_AFTER_S)
                    replica.start()
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def faults(machines: Machines, history: History, rng: random.Random) -> dict[str, Fault]:
    """By name; each returns when it is over and mended, as far as mending is not the hub's own business."""
    rabbit, mongo = machines.rabbit, machines.mongo

    async def kill_a_service() -> None:
        replica: Replica = rng.choice(machines.hub.replicas)
        history.note("fault", kind="kill", name=replica.name)
        await asyncio.to_thread(replica.kill)

    async def kill_one_of_each_service() -> None:
        for replica in one_of_each(machines.hub.replicas, rng):
            history.note("fault", kind="kill", name=replica.name)
            await asyncio.to_thread(replica.kill)

    async def restart_the_broker() -> None:
        history.note("fault", kind="restart", name="broker")
        await asyncio.to_thread(rabbit.kill)
        await asyncio.to_thread(rabbit.start)

    async def restart_the_store() -> None:
        history.note("fault", kind="restart", name="store")
        await asyncio.to_thread(mongo.kill)
        await asyncio.to_thread(mongo.start)

    async def pause_the_broker() -> None:
        history.note("fault", kind="pause", name="broker")
        rabbit.pause()
        try:
            await asyncio.sleep(PAUSE_S)
        finally:
            rabbit.resume()

    async def pause_the_store() -> None:
        history.note("fault", kind="pause", name="store")
        mongo.pause()
        try:
            await asyncio.sleep(PAUSE_S)
        finally:
            mongo.resume()

    async def cut_connections() -> None:
        name = rng.choice(sorted(machines.proxies))
        history.note("fault", kind="cut", name=name, connections=machines.proxies[name].cut())

    return {
        fault.__name__: fault
        for fault in (
            kill_a_service,
            kill_one_of_each_service,
            restart_the_broker,
            restart_the_store,
            pause_the_broker,
            pause_the_store,
            cut_connections,
        )
    }


def one_of_each(replicas: Sequence[Replica], rng: random.Random) -> list[Replica]:
    """A replica of every service, in any order. Chosen by lot alone, a short run would spare most services."""
    services = sorted({replica.service for replica in replicas})
    chosen = [rng.choice([replica for replica in replicas if replica.service == service]) for service in services]
    return rng.sample(chosen, len(chosen))


def sequence(names: list[str], rng: random.Random) -> "list[str]":
    """Endless in effect: every kind once in some order, then mostly kills and cuts, which are over at once."""
    first = rng.sample(names, len(names))
    quick = ["kill_a_service", "cut_connections", "kill_one_of_each_service"]
    return first + [rng.choice(quick if rng.random() < 0.8 else names) for _ in range(10_000)]
