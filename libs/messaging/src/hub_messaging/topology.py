"""Who gets which message: every durable queue, and what is bound to it. The one list.

A message that no queue is bound to is refused, and a queue exists from its first declaration on. So every process
declares all of them before it does anything: what it publishes is kept, whichever process starts first.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from hub_model.messages import (
    BatchFetched,
    BatchTransformed,
    BatchWritten,
    Message,
    PageRequested,
    ProbeRequested,
    StreamFinished,
    SyncFailed,
    SyncRequested,
)

from hub_messaging.broker import Broker, Subscription

QUEUES: Mapping[str, tuple[type[Message], ...]] = {
    "fetcher.syncs": (SyncRequested,),
    "fetcher.pages": (PageRequested,),
    "fetcher.probes": (ProbeRequested,),
    "transformer.batches": (BatchFetched,),
    "writer.batches": (BatchTransformed,),
    "writer.progress": (BatchWritten, StreamFinished, SyncFailed),
}


def subscription_of(queue: str, *, prefetch: int = 8) -> Subscription:
    """The subscription of the service that consumes this queue."""
    return Subscription(queue, [message_type.name for message_type in QUEUES[queue]], prefetch=prefetch)


async def declare_queues(broker: Broker) -> None:
    """Let every durable queue exist. Repeating it changes nothing."""
    for queue in QUEUES:
        await broker.declare(subscription_of(queue))


@asynccontextmanager
async def declared(opening: AbstractAsyncContextManager[Broker]) -> AsyncIterator[Broker]:
    """The broker that ``opening`` opens, with every durable queue."""
    async with opening as broker:
        await declare_queues(broker)
        yield broker
