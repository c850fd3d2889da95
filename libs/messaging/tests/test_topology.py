"""The one list of durable queues."""

from pathlib import Path

from hub_messaging.opening import open_broker
from hub_messaging.testing import envelope
from hub_messaging.topology import QUEUES, declared, subscription_of
from hub_model.messages import REGISTRY


def test_every_message_that_somebody_must_take_has_a_queue() -> None:
    bound = [message_type for message_types in QUEUES.values() for message_type in message_types]
    assert {message_type.name for message_type in bound} == {
        name for name, message_type in REGISTRY.items() if message_type.mandatory
    }
    assert len(bound) == len(set(bound))


async def test_what_is_published_before_its_consumer_ever_started_is_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/broker.db"
    async with declared(open_broker(url)) as broker:
        await broker.publish([envelope(key=key) for queue in QUEUES for key in subscription_of(queue).routing_keys])
        assert {queue: await broker.depth(queue) for queue in QUEUES} == {
            queue: len(message_types) for queue, message_types in QUEUES.items()
        }


async def test_declaring_what_exists_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/broker.db"
    async with declared(open_broker(url)) as broker:
        await broker.publish([envelope(key="sync.requested")])
    async with declared(open_broker(url)) as broker:
        assert await broker.depth("fetcher.syncs") == 1
