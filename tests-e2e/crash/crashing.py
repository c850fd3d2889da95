"""Ports that kill their own process with SIGKILL when a named step is reached for the nth time.

Steps: ``receive:QUEUE`` (a delivery, before its handler), ``write:COLLECTION`` and ``merge`` (durable, not yet reported
to the handler), ``publish:ROUTING_KEY`` (confirmed, not yet reported), ``ack:QUEUE`` (the results are published, the
delivery is not yet acknowledged), ``acked:QUEUE`` (just acknowledged).
"""

import os
import signal
from collections.abc import Callable, Mapping, Sequence

from hub_messaging.broker import Broker, Consumer, DeadLetters, Delivery, Envelope, OnDelivery, Subscription
from hub_model.records import DataType, Outcome, StoredRecord
from hub_storage.collection import Collection, CollectionSpec, Document, Filter, Query, Stored
from hub_storage.records import MergeBatch, RecordQuery, RecordStore
from hub_storage.store import Store


class CrashPlan:
    """``"merge:3"`` or ``"ack:writer.batches:1"``: the step, and at which occurrence it kills. Empty: never."""

    def __init__(self, text: str) -> None:
        self._step, _, count = text.rpartition(":")
        self._left = int(count) if text else 0

    def reached(self, step: str) -> None:
        """Die here if the plan says so."""
        if step == self._step:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class CrashingDelivery(Delivery):
    def __init__(self, delivery: Delivery, queue: str, plan: CrashPlan) -> None:
        self._delivery, self._queue, self._plan = delivery, queue, plan
        self.envelope, self.attempt = delivery.envelope, delivery.attempt
        self.copy_id, self.delivery_count = delivery.copy_id, delivery.delivery_count

    async def ack(self) -> None:
        self._plan.reached(f"ack:{self._queue}")
        await self._delivery.ack()
        self._plan.reached(f"acked:{self._queue}")

    async def retry(self, delay_s: float, *, counted: bool = True) -> None:
        await self._delivery.retry(delay_s, counted=counted)

    async def dead_letter(self, reason: str) -> None:
        await self._delivery.dead_letter(reason)


class CrashingBroker(Broker):
    def __init__(self, broker: Broker, plan: CrashPlan) -> None:
        self._broker, self._plan = broker, plan

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        await self._broker.publish(envelopes)
        for envelope in envelopes:
            self._plan.reached(f"publish:{envelope.routing_key}")

    async def declare(self, subscription: Subscription) -> None:
        await self._broker.declare(subscription)

    async def consume(self, subscription: Subscription, on_delivery: OnDelivery) -> Consumer:
        async def receive(delivery: Delivery) -> None:
            self._plan.reached(f"receive:{subscription.queue}")
            await on_delivery(CrashingDelivery(delivery, subscription.queue, self._plan))

        return await self._broker.consume(subscription, receive)

    @property
    def dead_letters(self) -> DeadLetters:
        return self._broker.dead_letters

    async def depth(self, queue: str) -> int:
        return await self._broker.depth(queue)

    async def close(self) -> None:
        await self._broker.close()


class CrashingCollection(Collection):
    def __init__(self, collection: Collection, name: str, plan: CrashPlan) -> None:
        self._collection, self._step, self._plan = collection, f"write:{name}", plan

    async def get(self, document_id: str) -> Stored | None:
        return await self._collection.get(document_id)

    async def insert(self, documents: Mapping[str, Document]) -> frozenset[str]:
        taken = await self._collection.insert(documents)
        self._plan.reached(self._step)
        return taken

    async def replace(self, document_id: str, document: Document, *, version: int) -> int:
        new_version = await self._collection.replace(document_id, document, version=version)
        self._plan.reached(self._step)
        return new_version

    async def update(self, document_id: str, change: Callable[[Document], Document | None]) -> Stored | None:
        stored = await self._collection.update(document_id, change)
        self._plan.reached(self._step)
        return stored

    async def delete(self, document_id: str, *, version: int | None = None) -> bool:
        deleted = await self._collection.delete(document_id, version=version)
        self._plan.reached(self._step)
        return deleted

    async def delete_all(self, filter: Filter) -> int:  # noqa: A002 - the port's name
        deleted = await self._collection.delete_all(filter)
        self._plan.reached(self._step)
        return deleted

    async def find(self, query: Query) -> Sequence[Stored]:
        return await self._collection.find(query)

    async def count(self, filter: Filter) -> int:  # noqa: A002 - the port's name
        return await self._collection.count(filter)


class CrashingRecords(RecordStore):
    def __init__(self, records: RecordStore, plan: CrashPlan) -> None:
        self._records, self._plan = records, plan

    async def merge(self, batch: MergeBatch) -> Sequence[Outcome]:
        outcomes = await self._records.merge(batch)
        self._plan.reached("merge")
        return outcomes

    async def get(self, college_id: str, data_type: DataType, key: str) -> StoredRecord | None:
        return await self._records.get(college_id, data_type, key)

    async def find(self, college_id: str, data_type: DataType, query: RecordQuery) -> Sequence[StoredRecord]:
        return await self._records.find(college_id, data_type, query)

    async def keys_of_rows(
        self, college_id: str, data_type: DataType, integration_id: str, source_ids: Sequence[str]
    ) -> Mapping[str, str]:
        return await self._records.keys_of_rows(college_id, data_type, integration_id, source_ids)

    async def count(self, college_id: str, data_type: DataType) -> int:
        return await self._records.count(college_id, data_type)


class CrashingStore(Store):
    def __init__(self, store: Store, plan: CrashPlan) -> None:
        self._store, self._plan = store, plan

    def collection(self, spec: CollectionSpec) -> Collection:
        return CrashingCollection(self._store.collection(spec), spec.name, self._plan)

    @property
    def records(self) -> RecordStore:
        return CrashingRecords(self._store.records, self._plan)

    async def ping(self) -> None:
        await self._store.ping()

    async def close(self) -> None:
        await self._store.close()
