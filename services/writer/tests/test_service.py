"""The writer as it runs: queues, handlers, and a process that dies while it publishes."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from hub_messaging.adapters.sqlite import SqliteBroker
from hub_messaging.broker import Envelope, Subscription
from hub_messaging.envelope import decode
from hub_messaging.publisher import Publisher
from hub_messaging.testing import wait_until
from hub_model.messages import BatchTransformed, BatchWritten, Message, StreamFinished
from hub_model.records import DataType
from hub_model.runs import RunStatus
from hub_writer.main import build_service
from hub_writer.settings import WriterSettings

STUDENTS, MARKS = DataType.STUDENTS, DataType.MARKS
NEWS = ("sync.finished", "records.changed")


class MortalBroker(SqliteBroker):
    """Publishes for ever from the nth message on: to whoever looks on, the process died there."""

    lives = 10**9

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        self.lives -= len(envelopes)
        if self.lives < 0:
            await asyncio.Event().wait()
        await super().publish(envelopes)


class News:
    """Collects what the writer tells the world."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def __call__(self, delivery) -> None:
        self.messages.append(decode(delivery.envelope))
        await delivery.ack()

    def named(self, name: str) -> list[Message]:
        return [message for message in self.messages if message.name == name]


@pytest.fixture
async def broker(world) -> AsyncIterator[MortalBroker]:
    broker = MortalBroker(world.database)
    await broker.open()
    yield broker
    await broker.close()


def messages_of(world) -> list[BatchTransformed | StreamFinished]:
    """Two streams of three batches."""
    batches = [
        world.batch(data_type, number, keys=[f"S{number}-{index}" for index in range(5)])
        for data_type in (STUDENTS, MARKS)
        for number in range(3)
    ]
    return [*batches, world.finished(STUDENTS, batches=3), world.finished(MARKS, batches=3)]


async def is_idle(broker: SqliteBroker) -> bool:
    return not await broker.depth("writer.batches") and not await broker.depth("writer.progress")


async def test_a_run_goes_through_the_writer_to_its_end(world, broker: MortalBroker) -> None:
    await world.begin(STUDENTS, MARKS)
    news = News()
    await broker.consume(Subscription("news", NEWS), news)
    service = build_service(WriterSettings(), broker=broker, store=world.store, clock=world.clock)
    await service.start()
    await Publisher(broker).publish(*messages_of(world))
    await wait_until(lambda: news.named("sync.finished"))
    await wait_until(lambda: is_idle(broker))
    assert await service.stop(5)
    run = await world.run()
    assert (run.status, run.counts.fetched, run.counts.inserted) == (RunStatus.SUCCEEDED, 30, 30)
    assert len(news.named("records.changed")) == 6
    assert len(news.named("sync.finished")) == 1


@pytest.mark.parametrize("lives", range(0, 14, 2))
async def test_a_writer_that_dies_while_it_publishes_is_replaced_without_loss(
    world, broker: MortalBroker, lives: int
) -> None:
    await world.begin(STUDENTS, MARKS)
    service = build_service(WriterSettings(), broker=broker, store=world.store, clock=world.clock)
    await service.start()
    await Publisher(broker).publish(*messages_of(world))
    broker.lives = lives
    await wait_until(lambda: broker.lives < 0)
    assert not await service.stop(0)
    broker.lives = 10**9
    news = News()
    await broker.consume(Subscription("news", NEWS), news)
    heir = build_service(WriterSettings(), broker=broker, store=world.store, clock=world.clock)
    await heir.start()
    await wait_until(lambda: is_idle(broker))
    await wait_until(lambda: news.named("sync.finished"))
    assert await heir.stop(5)
    run = await world.run()
    assert (run.status, run.counts.fetched, run.counts.inserted) == (RunStatus.SUCCEEDED, 30, 30)
    assert (await world.integration()).sync.last_run_status == "succeeded"
    assert len(await world.log_lines()) == 3
    assert not await broker.dead_letters.newest()


async def test_the_queues_of_the_writer_are_named_and_bound(world, broker: MortalBroker) -> None:
    service = build_service(WriterSettings(), broker=broker, store=world.store, clock=world.clock)
    await service.start()
    await service.ready()
    await service.stop(5)
    await Publisher(broker).publish(world.batch(STUDENTS), world.written(STUDENTS), world.failed(STUDENTS))
    assert await broker.depth("writer.batches") == 1
    assert await broker.depth("writer.progress") == 2
    assert BatchWritten.mandatory
