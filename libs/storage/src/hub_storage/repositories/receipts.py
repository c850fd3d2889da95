"""Which webhook events were seen, so that a repeated one is answered and not processed again."""

from hub_model.errors import NotFound
from hub_model.logs import ReceiptStatus, WebhookReceipt

from hub_storage.collection import CollectionSpec, Document
from hub_storage.store import Store

SPEC = CollectionSpec("receipts")


class Receipts:
    """One receipt per event. Its id derives from the integration and the event, so it belongs to one college."""

    def __init__(self, store: Store) -> None:
        self._collection = store.collection(SPEC)

    async def begin(self, receipt: WebhookReceipt) -> WebhookReceipt | None:
        """None: the event is new, and its receipt is PENDING now. Otherwise the receipt that is there already."""
        pending = receipt.model_copy(update={"status": ReceiptStatus.PENDING})
        if not await self._collection.insert({receipt.id: pending.model_dump(mode="json", by_alias=True)}):
            return None
        stored = await self._collection.get(receipt.id)
        return WebhookReceipt.model_validate(stored.document) if stored else None

    async def accept(self, receipt_id: str) -> None:
        """The broker has confirmed the event; repeating it changes nothing. Raises NotFound."""

        def accept(document: Document) -> Document | None:
            if document["status"] == ReceiptStatus.ACCEPTED:
                return None
            return {**document, "status": ReceiptStatus.ACCEPTED}

        if await self._collection.update(receipt_id, accept) is None:
            raise NotFound(f"there is no receipt {receipt_id!r}")
