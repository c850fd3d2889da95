"""What the parts of a sync cost by themselves, one after the other, with the hub's own code and nothing between them.

Prints JSON: microseconds per record of each part. Run as ``parts.py PORT TOTAL PAGE_SIZE FOLDER``. Their sum is the
least that one interpreter spends on a record; a budget below it asks for another design, and what the hub takes beyond
it is what running the parts together costs.
"""

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from hub_mapping import compile_mapping
from hub_messaging.adapters.sqlite import SqliteBroker
from hub_messaging.broker import Delivery, Subscription
from hub_messaging.envelope import encode, message_of
from hub_model.mappings import Mapping
from hub_model.messages import BatchFetched, BatchTransformed, Message
from hub_model.records import DataType, Origin
from hub_security.bodies import read_bounded
from hub_security.egress import open_client
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_writer.batches import merge_of

NOW = datetime.now(UTC)
COMMON: dict[str, Any] = {"college_id": "c", "integration_id": "i", "run_id": "r", "data_type": DataType.STUDENTS}


class Clock:
    """Seconds by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - started


async def measure(port: int, total: int, size: int, folder: Path) -> dict[str, float]:
    clock, mapping = Clock(), compile_mapping(Mapping(), DataType.STUDENTS, time_zone="Asia/Kolkata")
    client = open_client(allowed_networks=["127.0.0.0/8"], timeout_s=60)
    async with SqliteDatabase(folder / "parts.db") as database, client:
        store, broker = SqliteStore(database), SqliteBroker(database)
        await store.open([])
        await broker.open()
        for sequence in range(-(-total // size)):
            with clock.on("fetch"):
                url = f"http://127.0.0.1:{port}/students?page={sequence + 1}&limit={size}"
                response = await client.send(client.build_request("GET", url), stream=True)
                body = await read_bounded(response, 2**25, deadline_s=60)
            with clock.on("parse"):
                records = orjson.loads(body)["data"]
            fetched = BatchFetched.model_construct(
                **COMMON,
                sequence=sequence,
                origin=Origin.POLL,
                observed_at=NOW,
                records=records,
                expected_records=total,
            )
            await hand_over(broker, fetched, clock)
            with clock.on("map, validate, hash"):
                mapped = mapping.map_batch(records, observed_at=NOW)
            transformed = BatchTransformed.model_construct(
                **COMMON, sequence=sequence, origin=Origin.POLL, observed_at=NOW, records=mapped.records, rejects=[],
                duplicates=0, skipped=0, mapping_version=1, expected_records=total,
            )  # fmt: skip
            await hand_over(broker, transformed, clock)
            with clock.on("merge"):
                outcomes = await store.records.merge(merge_of(transformed, NOW))
            assert len(outcomes) == len(records)
        await broker.close()
        await store.close()
    return {part: seconds / total * 1e6 for part, seconds in clock.seconds.items()}


async def hand_over(broker: SqliteBroker, message: Message, clock: Clock) -> None:
    """Through a durable queue: written, confirmed, delivered, acknowledged."""
    taken: asyncio.Queue[Delivery] = asyncio.Queue()
    settled = asyncio.Event()

    async def take(delivery: Delivery) -> None:
        await taken.put(delivery)
        await settled.wait()

    subscription = Subscription(f"parts.{message.name}", [message.name], prefetch=1)
    consumer = await broker.consume(subscription, take)
    with clock.on("hand over, twice"):
        await broker.publish([encode(message, now=NOW)])
        delivery = await taken.get()
        message_of(delivery.envelope)
        await delivery.ack()
    settled.set()
    await consumer.close()


def main(arguments: Sequence[str]) -> None:
    port, total, size = map(int, arguments[:3])
    print(orjson.dumps(asyncio.run(measure(port, total, size, Path(arguments[3])))).decode())


if __name__ == "__main__":
    main(sys.argv[1:])
