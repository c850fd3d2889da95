"""What only a broker apart can do: die, fill up, refuse, forget its queues, fall silent.

Invariant of every test: confirmed minus received is empty.
"""

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hub_messaging.adapters.rabbitmq import RabbitBroker, Timing
from hub_messaging.adapters.rabbitmq.connection import Link
from hub_messaging.adapters.rabbitmq.consumer import RabbitConsumer
from hub_messaging.adapters.rabbitmq.dead_letters import RabbitDeadLetters
from hub_messaging.adapters.rabbitmq.publisher import RabbitPublisher
from hub_messaging.adapters.rabbitmq.topology import DELIVERY_LIMIT
from hub_messaging.adapters.rabbitmq.wire import Outgoing, outgoing
from hub_messaging.broker import Broker, Delivery, Subscription
from hub_messaging.clock import utc_now
from hub_messaging.testing import WORK, Hands, envelope, stays, wait_until
from hub_messaging.testing.rabbitmq_node import RabbitNode
from hub_model.errors import Conflict, InvalidInput, TransientError, Unavailable, Unroutable

pytestmark = pytest.mark.slow

QUICK = Timing(
    heartbeat_s=1, call_s=2, publish_s=3, start_s=20, probe_every_s=0.3, first_pause_s=0.05, longest_pause_s=0.5
)
DEADLINE_S = 40.0

Open = Callable[..., Awaitable[RabbitBroker]]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Opens brokers, and closes them at the end."""
    async with AsyncExitStack() as stack:

        async def open_at(url: str, timing: Timing = QUICK) -> RabbitBroker:
            broker = RabbitBroker(url, timing=timing)
            await broker.open()
            stack.push_async_callback(broker.close)
            return broker

        yield open_at


async def ctl(node: RabbitNode, *args: str) -> str:
    return await asyncio.to_thread(node.ctl, *args)


async def restart(node: RabbitNode) -> None:
    await asyncio.to_thread(node.kill)
    await asyncio.to_thread(node.start)


class Load:
    """Publishes numbered messages, each until it is confirmed, and notes what a consumer acknowledges."""

    def __init__(self, broker: Broker) -> None:
        self.confirmed: set[int] = set()
        self.received: list[int] = []
        self.failures = 0
        self._broker = broker
        self._next = 0

    async def publish_forever(self) -> None:
        while True:
            number, self._next = self._next, self._next + 1
            while number not in self.confirmed:
                try:
                    await self._broker.publish([envelope(b"%d" % number)])
                    self.confirmed.add(number)
                except TransientError:
                    self.failures += 1
                    await asyncio.sleep(0.02)

    async def take(self, delivery: Delivery) -> None:
        await delivery.ack()
        self.received.append(int(delivery.envelope.body))

    @asynccontextmanager
    async def running(self, publishers: int = 20) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.publish_forever()) for _ in range(publishers)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_is_confirmed_outlives_a_broker_that_is_killed_under_load(
    rabbitmq: RabbitNode, opened: Open
) -> None:
    broker = await opened(rabbitmq.fresh_url())
    load = Load(broker)
    await broker.consume(Subscription("work", ("key",), prefetch=50), load.take)
    async with load.running():
        await wait_until(lambda: len(load.confirmed) > 500, DEADLINE_S)
        await restart(rabbitmq)
        before = len(load.confirmed)
        await wait_until(lambda: len(load.confirmed) > before + 500, DEADLINE_S)
    await wait_until(lambda: load.confirmed <= set(load.received), DEADLINE_S)
    assert load.failures > 0
    # Whatever was being written when the connection broke has ended as well.
    await wait_until(lambda: not calls_under_way(), DEADLINE_S)


async def test_under_a_memory_alarm_publishing_fails_in_time_and_acknowledging_goes_on(
    rabbitmq: RabbitNode, opened: Open
) -> None:
    broker = await opened(rabbitmq.fresh_url())
    hands = Hands()
    await broker.consume(WORK, hands)
    await broker.publish([envelope(b"before")])
    (delivery,) = await hands.hold(1)
    await ctl(rabbitmq, "set_vm_memory_high_watermark", "0.0001")
    try:
        with pytest.raises(Unavailable):
            await broker.publish([envelope(b"unknown")])
        with pytest.raises(Unavailable):
            await broker.ping()
        await delivery.ack()
        # The message whose confirmation did not come may be there or not; the acknowledged one is gone.
        await wait_until(lambda: delivery.copy_id not in [each.copy_id for each in hands.deliveries[1:]])
    finally:
        await ctl(rabbitmq, "set_vm_memory_high_watermark", "0.4")

    async def can_publish() -> bool:
        try:
            await broker.publish([envelope(b"after")])
        except Unavailable:
            return False
        return True

    await wait_until(can_publish, DEADLINE_S)
    await wait_until(lambda: b"after" in hands.bodies, DEADLINE_S)


async def test_one_unroutable_message_among_many_is_reported_and_the_others_are_stored(
    rabbitmq: RabbitNode, opened: Open
) -> None:
    broker = await opened(rabbitmq.fresh_url())
    await broker.declare(WORK)
    with pytest.raises(Unroutable, match="nobody"):
        await broker.publish([*(envelope() for _ in range(150)), envelope(key="nobody"), *(envelope() for _ in "xx")])
    assert await broker.depth("work") == 152


async def test_a_queue_that_is_deleted_is_declared_and_consumed_again(rabbitmq: RabbitNode, opened: Open) -> None:
    vhost = rabbitmq.fresh_vhost()
    # The broker says so at once; nobody has to ask.
    broker = await opened(rabbitmq.url(vhost), replace(QUICK, probe_every_s=600))
    hands = Hands(acks=True)
    await broker.consume(WORK, hands)
    await ctl(rabbitmq, "delete_queue", "work", "-p", vhost)

    async def is_routed() -> bool:
        try:
            await broker.publish([envelope(b"x")])
        except Unroutable:
            return False
        return True

    await wait_until(is_routed, DEADLINE_S)
    await hands.hold(1, DEADLINE_S)
    # One channel to publish on and one to consume from: the former one was not left open.
    connections = json.loads(await ctl(rabbitmq, "list_connections", "--formatter", "json", "vhost", "channels"))
    assert sum(each["channels"] for each in connections if each["vhost"] == vhost) == 2


async def test_a_message_nobody_can_handle_is_given_up_with_its_reason(rabbitmq: RabbitNode, opened: Open) -> None:
    broker = await opened(rabbitmq.fresh_url())
    counts: list[int] = []

    async def on_delivery(delivery: Delivery) -> None:
        if delivery.envelope.body == b"good":
            await delivery.ack()
        else:
            counts.append(delivery.delivery_count)

    await broker.consume(WORK, on_delivery)
    await broker.publish([envelope(b"poison"), envelope(b"good")])
    await wait_until(lambda: has_letters(broker, "work"), DEADLINE_S)
    (letter,) = await broker.dead_letters.newest("work")
    assert (letter.envelope, letter.reason, letter.attempt) == (envelope(b"poison"), "delivery_limit", 1)
    assert counts == list(range(1, DELIVERY_LIMIT + 2))
    assert letter.died_at
    assert await broker.dead_letters.replay(letter.id)
    await wait_until(lambda: len(counts) > DELIVERY_LIMIT + 1, DEADLINE_S)
    assert counts[DELIVERY_LIMIT + 1] == 1


async def test_a_live_view_that_cannot_handle_a_message_gives_it_up_too(rabbitmq: RabbitNode, opened: Open) -> None:
    broker = await opened(rabbitmq.fresh_url())
    counts: list[int] = []

    async def on_delivery(delivery: Delivery) -> None:
        counts.append(delivery.delivery_count)

    await broker.consume(Subscription("live", ("key",), durable=False), on_delivery)
    await broker.publish([envelope(b"poison")])

    async def is_dead() -> bool:
        return [letter.reason for letter in await broker.dead_letters.newest("live")] == ["delivery_limit"]

    await wait_until(is_dead, DEADLINE_S)
    assert counts == list(range(1, DELIVERY_LIMIT + 1))


CHILD = """
import asyncio, sys
from hub_messaging.opening import open_broker
from hub_messaging.testing import WORK

async def main(url):
    async with open_broker(url) as broker:
        async def take(delivery):
            print(delivery.delivery_count, flush=True)
            await asyncio.Event().wait()
        await broker.consume(WORK, take)
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_what_a_killed_process_held_is_delivered_again_and_counted(rabbitmq: RabbitNode, opened: Open) -> None:
    url = rabbitmq.fresh_url()
    broker = await opened(url)
    await broker.declare(WORK)
    await broker.publish([envelope(b"x")])
    for count in (1, 2):
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, url, stdout=asyncio.subprocess.PIPE)
        assert child.stdout is not None
        try:
            async with asyncio.timeout(DEADLINE_S):
                while (line := await child.stdout.readline()) and not line.strip().isdigit():
                    pass
            assert int(line) == count
        finally:
            child.kill()
            await child.communicate()
    hands = Hands(acks=True)
    await broker.consume(WORK, hands)
    (delivery,) = await hands.hold(1, DEADLINE_S)
    assert delivery.delivery_count == 3


async def test_a_ladder_that_was_deleted_is_put_up_again_for_a_retry(rabbitmq: RabbitNode, opened: Open) -> None:
    vhost = rabbitmq.fresh_vhost()
    broker = await opened(rabbitmq.url(vhost))
    hands = Hands()
    await broker.consume(WORK, hands)
    await broker.publish([envelope(b"x"), envelope(b"y")])
    retried, given_up = await hands.hold(2)
    await ctl(rabbitmq, "delete_queue", "work.retry.1s", "-p", vhost)
    async with asyncio.timeout(DEADLINE_S):
        await retried.retry(1)
    await hands.hold(3, DEADLINE_S)
    assert (hands.deliveries[2].copy_id, hands.deliveries[2].attempt) == (retried.copy_id, 2)
    await ctl(rabbitmq, "delete_queue", "hub.dead", "-p", vhost)
    async with asyncio.timeout(DEADLINE_S):
        await given_up.dead_letter("no use")
    assert [letter.reason for letter in await broker.dead_letters.newest()] == ["no use"]


async def test_a_delay_between_two_rungs_is_kept_over_several_hops(rabbitmq: RabbitNode, opened: Open) -> None:
    broker = await opened(rabbitmq.fresh_url())
    loop = asyncio.get_running_loop()
    seen: list[tuple[int, int, float]] = []

    async def on_delivery(delivery: Delivery) -> None:
        seen.append((delivery.attempt, delivery.delivery_count, loop.time()))
        await (delivery.retry(2.2) if len(seen) == 1 else delivery.ack())

    await broker.consume(WORK, on_delivery)
    await broker.publish([envelope(b"x")])
    await wait_until(lambda: len(seen) == 2, DEADLINE_S)
    assert [each[:2] for each in seen] == [(1, 1), (2, 1)]
    assert seen[1][2] - seen[0][2] >= 2.2
    await wait_until(lambda: is_empty(broker), DEADLINE_S)


async def test_a_retry_that_finds_its_queue_full_waits_and_comes_back(rabbitmq: RabbitNode, opened: Open) -> None:
    # How often RabbitMQ tries again to move on what was refused: three minutes otherwise.
    await ctl(rabbitmq, "eval", "application:set_env(rabbit, dead_letter_worker_publisher_confirm_timeout, 1000).")
    broker = await opened(rabbitmq.fresh_url())
    hands = Hands()
    await broker.consume(Subscription("work", ("key",), prefetch=1, max_length=1), hands)
    await broker.publish([envelope(b"x")])
    (delivery,) = await hands.hold(1)
    await broker.publish([envelope(b"y")])
    async with asyncio.timeout(DEADLINE_S):
        await delivery.retry(0)
    (_, second) = await hands.hold(2, DEADLINE_S)
    await second.ack()
    hands.let_go()
    await wait_until(lambda: [each.envelope.body for each in hands.deliveries][2:3] == [b"x"], DEADLINE_S)
    assert (hands.deliveries[2].copy_id, hands.deliveries[2].attempt) == (delivery.copy_id, 2)


async def test_deliveries_of_a_former_connection_are_refused_and_delivered_again(
    rabbitmq: RabbitNode, opened: Open
) -> None:
    vhost = rabbitmq.fresh_vhost()
    broker = await opened(rabbitmq.url(vhost))
    hands, news = Hands(), Hands(acks=True)
    await broker.consume(WORK, hands)
    await broker.consume(Subscription("live", ("news",), durable=False), news)
    await broker.publish([envelope(b"x"), envelope(b"y"), envelope(b"z")])
    former = list(await hands.hold(3))
    await ctl(rabbitmq, "close_all_connections", "--vhost", vhost, "test")
    await hands.hold(6, DEADLINE_S)
    for settle in (former[0].ack, lambda: former[1].retry(1), lambda: former[2].dead_letter("late")):
        with pytest.raises(Unavailable):
            await settle()
    again = hands.deliveries[3:]
    assert {each.copy_id for each in again} == {each.copy_id for each in former}
    assert {each.delivery_count for each in again} == {2}
    for each in again:
        await each.ack()
    await wait_until(lambda: is_published(broker, "news"), DEADLINE_S)
    await news.hold(1, DEADLINE_S)
    assert await broker.depth("work") == 0


async def test_what_was_in_hand_when_the_connection_broke_is_stopped(rabbitmq: RabbitNode, opened: Open) -> None:
    """Somebody else has it by then, or this consumer itself once more."""
    vhost = rabbitmq.fresh_vhost()
    broker = await opened(rabbitmq.url(vhost))
    events: list[str] = []

    async def on_delivery(delivery: Delivery) -> None:
        events.append("began")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            events.append("stopped")
            raise

    await broker.consume(WORK, on_delivery)
    await broker.publish([envelope()])
    await wait_until(lambda: events == ["began"])
    await ctl(rabbitmq, "close_all_connections", "--vhost", vhost, "test")
    await wait_until(lambda: events == ["began", "stopped", "began"], DEADLINE_S)


class Troubled(RabbitPublisher):
    """Fails with ``error`` before a publish, or after it."""

    def __init__(self, link: Link, error: Exception, *, publishes: bool = False) -> None:
        super().__init__(link, prepare=declared)
        self.tries = 0
        self._error = error
        self._publishes = publishes

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        self.tries += 1
        if self._publishes:
            await super().publish(messages)
        raise self._error


@asynccontextmanager
async def link_to(url: str) -> AsyncIterator[Link]:
    link = Link(url, purpose="test", timing=QUICK)
    try:
        yield link
    finally:
        await link.close()


async def test_what_cannot_be_put_away_is_kept_in_hand_and_never_lost(rabbitmq: RabbitNode, opened: Open) -> None:
    url = rabbitmq.fresh_url()
    broker = await opened(url)
    seen: list[Delivery] = []

    async def on_delivery(delivery: Delivery) -> None:
        seen.append(delivery)
        await (delivery.retry(1) if delivery.envelope.body == b"x" else delivery.dead_letter("no use"))

    async with link_to(url) as link:
        publisher = Troubled(link, Unavailable("died"))
        consumer = RabbitConsumer(
            WORK, on_delivery, link=link, publisher=publisher, clock=utc_now, on_closed=lambda _: None
        )
        await consumer.open()
        await broker.publish([envelope(b"x"), envelope(b"y")])
        await wait_until(lambda: publisher.tries >= 6, DEADLINE_S)
        assert len(seen) == 2
        assert not await consumer.close(0)
    hands = Hands(acks=True)
    await broker.consume(WORK, hands)
    await hands.hold(2, DEADLINE_S)
    assert (hands.bodies, await broker.dead_letters.newest()) == ([b"x", b"y"], [])


async def test_what_can_never_be_put_away_is_given_back(rabbitmq: RabbitNode) -> None:
    """As when the user may not write: kept in hand it would take up a place for ever."""
    counts: list[int] = []

    async def on_delivery(delivery: Delivery) -> None:
        counts.append(delivery.delivery_count)
        await (delivery.retry(1) if len(counts) < 3 else delivery.ack())

    async with link_to(rabbitmq.fresh_url()) as link:
        publisher = Troubled(link, InvalidInput("no permission"))
        consumer = RabbitConsumer(
            WORK, on_delivery, link=link, publisher=publisher, clock=utc_now, on_closed=lambda _: None
        )
        await consumer.open()
        await RabbitPublisher(link, prepare=declared).publish([outgoing("hub", envelope())])
        await wait_until(lambda: counts == [1, 2, 3], DEADLINE_S)
        assert await consumer.close()


async def declared() -> None: ...


async def test_an_operator_who_dies_while_replaying_leaves_letter_and_message(
    rabbitmq: RabbitNode, opened: Open
) -> None:
    url = rabbitmq.fresh_url()
    broker = await opened(url)

    async def give_up(delivery: Delivery) -> None:
        await delivery.dead_letter("no use")

    consumer = await broker.consume(WORK, give_up)
    await broker.publish([envelope(b"x")])
    await wait_until(lambda: has_letters(broker, "work"), DEADLINE_S)
    await consumer.close()
    (letter,) = await broker.dead_letters.newest()
    async with link_to(url) as link:
        letters = RabbitDeadLetters(
            lambda: Link(url, purpose="test", timing=QUICK), Troubled(link, Unavailable("died"), publishes=True)
        )
        with pytest.raises(Unavailable):
            await letters.replay(letter.id)
    assert await broker.dead_letters.newest() == [letter]
    assert await broker.depth("work") == 1


async def test_a_publish_goes_on_when_its_caller_is_cancelled(rabbitmq: RabbitNode, opened: Open) -> None:
    broker = await opened(rabbitmq.fresh_url())
    await broker.declare(WORK)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await broker.publish([envelope() for _ in range(300)])

    async def is_stored() -> bool:
        return await broker.depth("work") == 300

    await wait_until(is_stored, DEADLINE_S)


class Proxy:
    """Between a broker and its clients; ``freeze`` makes every connection that it has fall silent, half-open."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._port = port
        self._tls = tls
        self._writers: list[asyncio.StreamWriter] = []
        self._pumps: list[asyncio.Task[None]] = []

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return int(self._server.sockets[0].getsockname()[1])

    def freeze(self) -> None:
        """From now on only new connections are served."""
        for pump in self._pumps:
            pump.cancel()

    async def close(self) -> None:
        self.freeze()
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._pumps, *(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, far_writer]
        self._pumps += [
            asyncio.create_task(self._pump(reader, far_writer)),
            asyncio.create_task(self._pump(far_reader, writer)),
        ]

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()


async def test_a_connection_that_falls_silent_is_replaced(rabbitmq: RabbitNode, opened: Open) -> None:
    proxy = Proxy(rabbitmq.port)
    vhost = rabbitmq.fresh_vhost()
    url = rabbitmq.url(vhost, port=await proxy.start())
    # A consumer notices by asking, however rare its heartbeats are; a publisher only by missing heartbeats. The broker,
    # too, notices by heartbeats alone: until then, what it has sent into the silence stays there.
    consumer, publisher = await opened(url, replace(QUICK, heartbeat_s=600)), await opened(url)
    near = await opened(rabbitmq.url(vhost))
    try:
        hands = Hands(acks=True)
        await consumer.consume(Subscription("work", ("key",), prefetch=1), hands)
        await publisher.publish([envelope(b"1")])
        await hands.hold(1)
        proxy.freeze()
        await near.publish([envelope(b"2") for _ in range(3)])
        await wait_until(lambda: hands.bodies.count(b"2") >= 2, DEADLINE_S)
        with pytest.raises(Unavailable):
            await publisher.publish([envelope(b"3")])
        await wait_until(lambda: is_published(publisher, "key"), DEADLINE_S)
    finally:
        await consumer.close()
        await publisher.close()
        await proxy.close()


async def test_a_process_ends_in_time_though_the_broker_is_silent(rabbitmq: RabbitNode, opened: Open) -> None:
    proxy = Proxy(rabbitmq.port)
    vhost = rabbitmq.fresh_vhost()
    broker = await opened(rabbitmq.url(vhost, port=await proxy.start()), Timing(close_s=0.2))
    hands = Hands()
    consumer = await broker.consume(WORK, hands)
    await broker.publish([envelope()])
    await hands.hold(1)
    proxy.freeze()
    # Far less than one heartbeat, let alone an answer that is waited for.
    async with asyncio.timeout(Timing().heartbeat_s / 2):
        assert not await consumer.close(0.1)
        await broker.close()
    await proxy.close()


async def test_a_process_that_is_deaf_for_too_long_says_so(rabbitmq: RabbitNode, opened: Open) -> None:
    broker = await opened(rabbitmq.fresh_url(), Timing(probe_every_s=0.1, deaf_after_s=0.5, longest_pause_s=0.5))
    await broker.consume(WORK, Hands())
    failed = asyncio.create_task(broker.failed())
    try:
        await stays(lambda: not failed.done(), 1.0)
        await asyncio.to_thread(rabbitmq.kill)
        async with asyncio.timeout(DEADLINE_S):
            await failed
        with pytest.raises(Unavailable):
            await broker.ping()
    finally:
        failed.cancel()
        await asyncio.to_thread(rabbitmq.start)


async def test_a_broker_that_is_still_starting_is_waited_for(rabbitmq: RabbitNode, opened: Open) -> None:
    url = rabbitmq.fresh_url()
    await asyncio.to_thread(rabbitmq.kill)
    starting = asyncio.create_task(asyncio.to_thread(rabbitmq.start))
    broker = await opened(url, Timing(start_s=DEADLINE_S))
    await broker.ping()
    await starting


async def test_a_broker_that_does_not_come_is_reported(unused_port: int) -> None:
    with pytest.raises(Unavailable, match=f"127.0.0.1:{unused_port}.*Connect call failed"):
        await RabbitBroker(f"amqp://127.0.0.1:{unused_port}/", timing=Timing(start_s=0.5)).open()


@pytest.fixture
async def unused_port() -> int:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    return port


async def test_wrong_credentials_refuse_to_start_and_are_shown_nowhere(
    rabbitmq: RabbitNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    url = rabbitmq.url(rabbitmq.fresh_vhost(), password="canary")
    with structlog.testing.capture_logs() as logs, pytest.raises(InvalidInput, match="HUB_BROKER_URL") as refusal:
        await RabbitBroker(url).open()
    assert "canary" not in f"{refusal.value} {refusal.value.__cause__} {logs} {caplog.text}"
    with pytest.raises(Unavailable, match="virtual host"):
        await RabbitBroker(rabbitmq.url("nowhere"), timing=Timing(start_s=0.5)).open()


async def test_an_encrypted_connection_is_made_only_to_whom_the_certificate_names(
    rabbitmq: RabbitNode, opened: Open, tmp_path: Path
) -> None:
    proxy = Proxy(rabbitmq.port, tls=certified(tmp_path, "127.0.0.1"))
    ours = f"?cafile={tmp_path}/certificate.pem"
    url = rabbitmq.url(rabbitmq.fresh_vhost(), port=await proxy.start()).replace("amqp:", "amqps:")
    broker = await opened(url + ours)
    hands = Hands(acks=True)
    await broker.consume(WORK, hands)
    await broker.publish([envelope(b"x")])
    await hands.hold(1)
    await broker.close()
    for refused in (url, url.replace("127.0.0.1", "localhost") + ours):
        with pytest.raises(Unavailable, match="certificate"):
            await RabbitBroker(refused, timing=Timing(start_s=0.1)).open()
    await proxy.close()


def certified(directory: Path, address: str) -> ssl.SSLContext:
    """A server with a certificate that it has signed itself, left in ``certificate.pem``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(utc_now() - timedelta(days=1))
        .not_valid_after(utc_now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (directory / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "certificate.pem", directory / "key.pem")
    return context


async def test_arguments_that_differ_refuse_to_start_and_are_shown(rabbitmq: RabbitNode, opened: Open) -> None:
    url = rabbitmq.fresh_url()
    broker, other = await opened(url), await opened(url)
    await broker.declare(Subscription("work", ("key",), max_length=5))
    for refused in (other.declare, lambda subscription: other.consume(subscription, Hands())):
        with pytest.raises(Conflict, match=r"x-max-length.*'work'.*'6'.*'4'.*delete_queue") as refusal:
            await refused(Subscription("work", ("key",), max_length=7))
        assert refusal.value.code == "topology_differs"
    with pytest.raises(Conflict):
        await other.consume(Subscription("work", ("key",), durable=False), Hands())


def calls_under_way() -> list[str]:
    return [
        name for task in asyncio.all_tasks() if (name := repr(task.get_coro())).startswith("<coroutine object Link")
    ]


async def has_letters(broker: Broker, queue: str) -> bool:
    return bool(await broker.dead_letters.newest(queue))


async def is_empty(broker: Broker) -> bool:
    return await broker.depth("work") == 0


async def is_published(broker: Broker, key: str) -> bool:
    try:
        await broker.publish([envelope(b"more", key)])
    except (TransientError, Unroutable):
        return False
    return True
