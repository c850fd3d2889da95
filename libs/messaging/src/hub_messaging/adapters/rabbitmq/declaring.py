"""Brings the topology to the broker. Declaring what is there already, with the same arguments, changes nothing."""

from collections.abc import Iterable

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel

from hub_messaging.adapters.rabbitmq.topology import DEAD, EXCHANGE, Queue


async def declare_base(channel: AbstractChannel, *, timeout_s: float) -> None:
    """What every publisher and every queue relies on."""
    await channel.declare_exchange(EXCHANGE, ExchangeType.DIRECT, durable=True, timeout=timeout_s)
    await declare_queues(channel, [DEAD], timeout_s=timeout_s)


async def declare_queues(channel: AbstractChannel, queues: Iterable[Queue], *, timeout_s: float) -> None:
    """The queues and their bindings; bindings that are there already stay."""
    for queue in queues:
        declared = await channel.declare_queue(
            queue.name,
            durable=queue.durable,
            exclusive=not queue.durable,
            auto_delete=queue.auto_delete,
            arguments=dict(queue.arguments),
            timeout=timeout_s,
        )
        for key in queue.routing_keys:
            await declared.bind(EXCHANGE, key, timeout=timeout_s)
