"""Which webhook events were seen, so that a repeated one is recognised, and keeps the time at which it first came."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

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

    async def begin_next(self, known: WebhookReceipt, received_at: datetime) -> tuple[WebhookReceipt, bool]:
        """Begin the occurrence after the known one; return what is stored then, and whether it was begun here.

        Of many who begin it at once, one does.
        """
        following = replace(known, occurrence=known.occurrence + 1, received_at=received_at, is_sent_back=False)
        is_begun = False

        def begin(document: Document) -> Document | None:
            nonlocal is_begun
            is_begun = _occurrence(document) == known.occurrence
            return _document(following) if is_begun else None

        stored = await self._collection.update(known.id, begin)
        if stored is not None:
            return _receipt(stored), is_begun
        found = await self.begin(following)  # removed since it was looked at
        return found or following, found is None

    async def send_back(self, receipt: WebhookReceipt, *, is_sent_back: bool) -> None:
        """Note whether the sender was told to send it again; not if it is another occurrence by now."""

        def note(document: Document) -> Document | None:
            is_noted = document.get("isSentBack", False) == is_sent_back
            if is_noted or _occurrence(document) != receipt.occurrence:
                return None
            return {**document, "isSentBack": is_sent_back}

        await self._collection.update(receipt.id, note)

    async def latest(self, college_id: str, integration_id: str) -> WebhookReceipt | None:
        """The receipt of what came from this integration last."""
        theirs = {"collegeId": college_id, "integrationId": integration_id}
        found = await self._collection.find(Query(theirs, sort="receivedAt", descending=True, limit=1))
        return _receipt(found[0]) if found else None


def _document(receipt: WebhookReceipt) -> Document:
    document: Document = {
        "id": receipt.id,
        "collegeId": receipt.college_id,
        "integrationId": receipt.integration_id,
        "fingerprint": receipt.fingerprint,
        "receivedAt": format_datetime(receipt.received_at),
    }
    # Most events occur once, and there is one receipt for each.
    return document | {"occurrence": receipt.occurrence} if receipt.occurrence else document


def _receipt(stored: Stored) -> WebhookReceipt:
    document = stored.document
    return WebhookReceipt(
        id=stored.id,
        college_id=document["collegeId"],
        integration_id=document["integrationId"],
        fingerprint=document["fingerprint"],
        received_at=parse_datetime(document["receivedAt"]),
        occurrence=_occurrence(document),
        is_sent_back=document.get("isSentBack", False),
    )


def _occurrence(document: Document) -> int:
    occurrence: int = document.get("occurrence", 0)
    return occurrence
