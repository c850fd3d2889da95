"""Breaks a hub of separate processes again and again while colleges use it, then decides what was lost.

Two replicas of every service over a RabbitMQ node and a server that speaks MongoDB's protocol, everything on loopback
and started here. ``python tests-e2e/chaos/run.py --seconds 120 --seed 7`` prints the history's place and the findings;
the exit code is 0 when there are none.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos.caller import Caller
from chaos.college import PAGE_SIZE, College
from chaos.faults import Machines, Supervisor, faults, sequence
from chaos.history import History
from chaos.proxy import Proxy
from chaos.verdict import findings
from crash.source import serve
from hub_messaging.opening import open_broker
from hub_messaging.testing.rabbitmq_node import RabbitNode, running_node
from hub_storage.testing.secantus import SecantusServer, require_secantus
from separate import ONE_OF_EACH, SeparateHub, start_separate

SETTLE_S = 30.0
COLLEGES = 2
PUSHES_PER_S = 20.0
_PAUSES_S = (1.0, 4.0)


async def chaos(folder: Path, *, seconds: float, seed: int, rabbit: RabbitNode, mongo: SecantusServer) -> list[str]:
    """Break things for so long and let them settle; what is wrong then."""
    if task := asyncio.current_task():
        # As with Ctrl-C: whatever was started here ends with it.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    rng = random.Random(seed)
    history = History(folder / "history.jsonl")
    history.note("begin", seconds=seconds, seed=seed)
    async with AsyncExitStack() as stack:
        stack.callback(history.close)
        proxies = {"broker": Proxy(rabbit.port), "store": Proxy(mongo.port)}
        for proxy in proxies.values():
            await proxy.start()
            stack.push_async_callback(proxy.close)
        vhost = rabbit.fresh_vhost()
        starting = start_separate(
            folder,
            broker_url=rabbit.url(vhost, port=proxies["broker"].port),
            # Directly: the server tells its own address, and the driver would go there past the proxy.
            store_url=f"mongodb://127.0.0.1:{proxies['store'].port}/hub?directConnection=true",
            counts=dict.fromkeys(ONE_OF_EACH, 2),
            HUB_LOG_LEVEL="info",
        )
        # The proxies must serve while the processes start.
        hub = await asyncio.to_thread(starting.__enter__)
        stack.callback(starting.__exit__, None, None, None)
        colleges = [await _college(stack, hub, history, rng, number) for number in range(COLLEGES)]
        supervisor = Supervisor(hub, history)
        stack.push_async_callback(supervisor.close)
        machines = Machines(hub, rabbit, mongo, proxies)
        found = await _break(machines, colleges, history, rng, seconds=seconds)
        found += await _sync_once_more(colleges)
        for college in colleges:
            found += await findings(college)
        async with open_broker(rabbit.url(vhost)) as broker:
            found += [
                f"dead letter in {letter.queue}: {letter.reason}" for letter in await broker.dead_letters.newest()
            ]
        history.note("end", findings=found, pushes=sum(len(college.accepted) for college in colleges))
    return found


async def _break(
    machines: Machines, colleges: Sequence[College], history: History, rng: random.Random, *, seconds: float
) -> list[str]:
    """Use and break the hub; what has not settled in time."""
    stopped = asyncio.Event()
    using = [asyncio.create_task(college.sync_until(stopped)) for college in colleges]
    using += [asyncio.create_task(college.push_until(stopped, PUSHES_PER_S)) for college in colleges]
    known = faults(machines, history, rng)
    ends_at = time.monotonic() + seconds
    for name in sequence(list(known), rng):
        await asyncio.sleep(rng.uniform(*_PAUSES_S))
        if time.monotonic() >= ends_at:
            break
        await known[name]()
    history.note("faults.over")
    over_at = time.monotonic()
    stopped.set()
    try:
        async with asyncio.timeout(10 * SETTLE_S):
            await asyncio.gather(*using)
            for college in colleges:
                await _until_stored(college)
    except TimeoutError:
        return [f"it has not settled {10 * SETTLE_S:g} s after the last fault"]
    settled_s = time.monotonic() - over_at
    history.note("settled", after_s=round(settled_s, 1))
    return [f"it took {settled_s:.0f} s to settle after the last fault"] if settled_s > SETTLE_S else []


async def _sync_once_more(colleges: Sequence[College]) -> list[str]:
    """One more run of each, undisturbed; what has not ended in time."""
    try:
        async with asyncio.timeout(4 * SETTLE_S), asyncio.TaskGroup() as last:
            for college in colleges:
                college.change()
                last.create_task(college.sync())
    except TimeoutError:
        return [f"a sync without any fault has not ended within {4 * SETTLE_S:g} s"]
    return []


async def _until_stored(college: College) -> None:
    """Wait for the accepted pushes; what else is wrong with them is for the verdict."""
    while True:
        stored = {item["data"]["studentId"] for item in await college.api.all_of("/api/records/attendance")}
        if college.accepted.keys() <= stored:
            return
        await asyncio.sleep(0.5)


async def _college(
    stack: AsyncExitStack, hub: SeparateHub, history: History, rng: random.Random, number: int
) -> College:
    name = f"college-{number}"
    authorization = {"authorization": f"Bearer {hub.token(name)}"}
    callers = []
    for service, headers in (("config-api", authorization), ("webhook-gateway", None)):
        caller = Caller([replica.url for replica in hub.of(service)], headers)
        stack.push_async_callback(caller.close)
        callers.append(caller)
    college = College(name, *callers, history, random.Random(rng.random()))
    erp_url = await stack.enter_async_context(serve(college.rows, PAGE_SIZE))
    await college.connect(erp_url, gate_url=await stack.enter_async_context(serve([], PAGE_SIZE)))
    return college


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument("--folder", type=Path, default=None, help="where the history and the logs go")
    options = parser.parse_args(arguments)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="hub-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"seed {options.seed}, {options.seconds:g} s; history and logs in {folder}", flush=True)
    require_secantus()
    mongo = SecantusServer(folder / "mongodb")
    with running_node(folder / "rabbitmq") as rabbit:
        mongo.start()
        try:
            found = asyncio.run(chaos(folder, seconds=options.seconds, seed=options.seed, rabbit=rabbit, mongo=mongo))
        finally:
            mongo.kill()
    for finding in found:
        print(f"WRONG  {finding}")
    print("nothing lost, nothing twice, counts exact" if not found else f"{len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
