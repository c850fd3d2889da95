"""kill -9 at the moments that matter; the file is opened again by another process."""

import asyncio
import sys
from pathlib import Path

import pytest
from hub_messaging.broker import Broker
from hub_messaging.opening import open_broker
from hub_messaging.testing import WORK, Hands, wait_until

# Publishes numbered messages and says which are confirmed; then takes them and settles every third.
CHILD = """
import asyncio, sys
from hub_messaging.broker import Envelope
from hub_messaging.opening import open_broker
from hub_messaging.testing import WORK

def say(*words):
    print(*words, flush=True)

async def main(url, moment):
    async with open_broker(url) as broker:
        await broker.declare(WORK)
        async def take(delivery):
            say("taken", delivery.envelope.body.decode())
            if int(delivery.envelope.body) % 3 == 0:
                await delivery.ack()
                say("acked", delivery.envelope.body.decode())
            else:
                await asyncio.Event().wait()
        if moment != "publishing":
            await broker.consume(WORK, take)
        for number in range(10_000 if moment == "publishing" else 5):
            await broker.publish([Envelope("key", b"%d" % number, {"ce-id": str(number)})])
            say("confirmed", number)
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


async def run_until_killed(url: str, moment: str, *, lines: int) -> dict[str, set[int]]:
    """What the child said before it was killed, as soon as it has said enough."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, url, moment, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    said: dict[str, set[int]] = {"confirmed": set(), "taken": set(), "acked": set()}
    try:
        async with asyncio.timeout(20):
            for _ in range(lines):
                word, number = (await child.stdout.readline()).split()
                said[word.decode()].add(int(number))
    finally:
        child.kill()
        rest = await child.stdout.read()
        await child.wait()
    for line in rest.decode().splitlines(keepends=True):
        if line.endswith("\n"):
            word, number = line.split()
            said[word].add(int(number))
    return said


@pytest.mark.parametrize("lines", [1, 7, 50])
async def test_what_was_confirmed_before_a_kill_is_there_after_it(tmp_path: Path, lines: int) -> None:
    url = f"sqlite:///{tmp_path}/hub.db"
    said = await run_until_killed(url, "publishing", lines=lines)
    hands = Hands(acks=True)
    async with open_broker(url) as broker:
        count = await broker.depth("work")
        await broker.consume(WORK, hands)
        await hands.hold(count)
        await wait_until(lambda: is_empty(broker))
    received = [int(delivery.envelope.body) for delivery in hands.deliveries]
    # At most the one message whose confirmation was on its way is there beyond those confirmed.
    assert said["confirmed"] <= set(received) <= said["confirmed"] | {max(said["confirmed"]) + 1}
    assert len(received) == len(set(received))


async def test_what_a_killed_process_held_is_delivered_again_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/hub.db"
    # Five confirmed, five taken, two acknowledged (0 and 3).
    said = await run_until_killed(url, "handling", lines=12)
    assert said == {"confirmed": {0, 1, 2, 3, 4}, "taken": {0, 1, 2, 3, 4}, "acked": {0, 3}}
    hands = Hands(acks=True)
    async with open_broker(url) as broker:
        await broker.consume(WORK, hands)
        await hands.hold(3, deadline_s=2)
        await wait_until(lambda: is_empty(broker))
    assert hands.bodies == [b"1", b"2", b"4"]
    assert {(item.attempt, item.delivery_count) for item in hands.deliveries} == {(1, 2)}


async def is_empty(broker: Broker) -> bool:
    return await broker.depth("work") == 0
