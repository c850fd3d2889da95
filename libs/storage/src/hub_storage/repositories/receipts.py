"""Which webhook events were seen, so that a repeated one is recognised, and keeps the time at which it first came."""

from collections.abc import Mapping, Sequence

from hub_model.base import format_datetime, parse_datetime
from hub_model.logs import WebhookReceipt

from hub_storage.collection import CollectionSpec, Document, Index, Query, Stored
from hub_storage.store import Store

SPEC = CollectionSpec("receipts", (Index(("collegeId", "integrationId", "receivedAt")),))


class Receipts:
    """One receipt per event. Its id derives from the integration and the event, so it belongs to one college."""

    def __init__(self, store: Store) -> None:
        self._collection = store.collection(SPEC)

    async def begin(self, receipt: WebhookReceipt) -> WebhookReceipt | None:
        """None: the event is new, and its receipt is stored now. Otherwise the receipt that is there already."""
        return (await self.begin_all([receipt])).get(receipt.id)

    async def begin_all(self, receipts: Sequence[WebhookReceipt]) -> Mapping[str, WebhookReceipt]:
        """Begin several in one write, no two of one id; return those that were there already, by id."""
        documents = {receipt.id: _document(receipt) for receipt in receipts}
        known: dict[str, WebhookReceipt] = {}
        while taken := await self._collection.insert(documents):
            found = [await self._collection.get(receipt_id) for receipt_id in taken]
            known |= {stored.id: _receipt(stored) for stored in found if stored}
            # One that was removed between the two calls is nobody's: try again to be the first.
            documents = {receipt_id: documents[receipt_id] for receipt_id in taken - known.keys()}
        return known

    async def latest(self, college_id: str, integration_id: str) -> WebhookReceipt | None:
        """The receipt of what came from this integration last."""
        theirs = {"collegeId": college_id, "integrationId": integration_id}
        found = await self._collection.find(Query(theirs, sort="receivedAt", descending=True, limit=1))
        return _receipt(found[0]) if found else None


def _document(receipt: WebhookReceipt) -> Document:
    return {
        "id": receipt.id,
        "collegeId": receipt.college_id,
        "integrationId": receipt.integration_id,
        "fingerprint": receipt.fingerprint,
        "receivedAt": format_datetime(receipt.received_at),
    }


def _receipt(stored: Stored) -> WebhookReceipt:
    document = stored.document
    return WebhookReceipt(
        id=stored.id,
        college_id=document["collegeId"],
        integration_id=document["integrationId"],
        fingerprint=document["fingerprint"],
        received_at=parse_datetime(document["receivedAt"]),
    )
