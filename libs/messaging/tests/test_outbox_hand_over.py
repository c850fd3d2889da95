"""The order in which a handler's messages become durable, where that order matters."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hub_messaging.broker import Envelope
from hub_messaging.outbox import Outbox
from hub_messaging.publisher import Publisher
from hub_model.errors import Unavailable
from hub_model.messages import BatchFetched, Message, PageRequested
from hub_model.records import DataType, Origin

NOW = datetime(2026, 1, 15, tzinfo=UTC)
IDS = {"college_id": "c", "integration_id": "i", "run_id": "r", "data_type": DataType.STUDENTS, "observed_at": NOW}


def batch(sequence: int) -> BatchFetched:
    return BatchFetched(**IDS, sequence=sequence, origin=Origin.POLL, records=[])


class SlowBatches:
    """A broker that is slow to confirm batches, or refuses them, and quick with everything else."""

    def __init__(self, *, refuse: bool = False) -> None:
        self.confirmed: list[str] = []
        self._refuse = refuse

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            if envelope.routing_key == "batch.fetched":
                for _ in range(20):
                    await asyncio.sleep(0)
                if self._refuse:
                    raise Unavailable("gone")
            self.confirmed.append(envelope.routing_key)


async def stretch() -> AsyncIterator[Message]:
    yield batch(0)
    yield batch(1)
    yield PageRequested(**IDS, step=1, sequence=2)


def outbox(broker: Any) -> Outbox:
    return Outbox(Publisher(broker))


async def stretch_at_once() -> Sequence[Message]:
    return [PageRequested(**IDS, step=1, sequence=2), batch(0), batch(1)]


@pytest.mark.parametrize("handler", [stretch, stretch_at_once])
async def test_a_message_that_hands_the_work_over_is_published_after_everything_before_it_is_confirmed(
    handler: Any,
) -> None:
    broker = SlowBatches()
    await outbox(broker).publish_all(handler())
    assert broker.confirmed == ["batch.fetched", "batch.fetched", "page.requested"]


@pytest.mark.parametrize("handler", [stretch, stretch_at_once])
async def test_the_work_is_not_handed_over_when_something_before_it_could_not_be_published(handler: Any) -> None:
    broker = SlowBatches(refuse=True)
    with pytest.raises(Unavailable):
        await outbox(broker).publish_all(handler())
    assert broker.confirmed == []
