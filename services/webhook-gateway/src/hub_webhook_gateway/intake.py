"""From a verified event to durable messages, once: a repeated event is recognised by its receipt.

The receipt is there before the messages, and 202 is said after both. So a receipt does not say whether its messages
are there: an event that comes again to a process that does not remember it is published again, with the time and
under the ids it had first. Its run's id derives from the event, and receivers recognise repeated messages.

A body without an id says what is true now, and may say so again: present, absent, present. So it is a repetition only
as long as its integration has sent nothing else since it was taken. Then it is the next occurrence of the same event:
its one receipt always is the last occurrence's, so that what is sent again after a failure is found by every process.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub_messaging.broker import Broker, Envelope
from hub_messaging.envelope import encode
from hub_model.errors import Conflict, InvalidInput, TransientError, Unavailable, Unroutable
from hub_model.ids import derived_id
from hub_model.logs import WEBHOOK_WRITTEN, WebhookReceipt
from hub_model.messages import BatchFetched
from hub_model.records import DataType, Origin
from hub_runtime.batching import Batcher
from hub_storage.repositories import Logs, Receipts

from hub_webhook_gateway.endpoints import Endpoint

SOURCE = "webhook-gateway"
SAME_BODY_WINDOW = timedelta(minutes=10)

MAX_REMEMBERED = 20_000
_MICROSECOND = timedelta(microseconds=1)


# Not frozen, though nobody changes one: there is one of each for every event, and freezing triples what it costs.
@dataclass(slots=True)
class Event:
    """A verified event. ``key`` is its sender's id for it; None: the body itself is, for ten minutes at most."""

    key: str | None
    body: bytes
    data_type: DataType
    batches: Sequence[list[object]]


@dataclass(slots=True)
class Taken:
    """What became of an event. ``run_id`` is under which its batches are found later."""

    run_id: str
    is_duplicate: bool


@dataclass(slots=True)
class _Seen:
    """An event this process has taken, or is taking. ``settled`` is there once a copy waits for the first."""

    receipt: WebhookReceipt
    is_durable: bool = False
    settled: asyncio.Event | None = None


@dataclass(slots=True)
class _Arrival:
    """``is_named``: its sender has an id for it."""

    receipt: WebhookReceipt
    envelopes: Sequence[Envelope]
    is_named: bool


class Intake:
    """Takes events; remembers the recent ones, so that a burst of copies costs one."""

    def __init__(self, receipts: Receipts, logs: Logs, broker: Broker, *, max_remembered: int = MAX_REMEMBERED) -> None:
        self._max_remembered = max_remembered
        self._receipts = receipts
        self._logs = logs
        self._broker = broker
        self._arrivals = Batcher(self._store_round)
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    async def take(self, endpoint: Endpoint, event: Event, now: datetime) -> Taken:
        """Return when the event is durable.

        Raises Conflict if its id was used for another body; TransientError if it could not be stored, and then
        sending it again is right.
        """
        receipt = _receipt(endpoint, event, now)
        before = self._seen.get(receipt.id)
        if before is not None and (event.key is not None or now - before.receipt.received_at < SAME_BODY_WINDOW):
            repeated = await self._repeated(before, receipt.fingerprint)
            # Nothing else has come since, nor another occurrence of it to another process.
            if event.key is not None or await self._latest(receipt) == before.receipt:
                return repeated
            if self._seen.get(receipt.id) is not before:
                return await self.take(endpoint, event, now)  # another copy was quicker
        seen = self._remember(_Seen(receipt))
        try:
            taken = await self._store(event, seen, answered=before.receipt if before else None)
            seen.is_durable = True
        finally:
            if seen.settled is not None:
                seen.settled.set()
            if not seen.is_durable:
                self._seen.pop(receipt.id, None)
        return taken

    async def _repeated(self, seen: _Seen, fingerprint: str) -> Taken:
        """The answer to a copy of an event that this process has taken, or is taking."""
        if seen.receipt.fingerprint != fingerprint:
            raise _used_for_another_body()
        if not seen.is_durable:
            seen.settled = seen.settled or asyncio.Event()
            await seen.settled.wait()
        if not seen.is_durable:
            raise Unavailable("the event's first copy could not be stored")
        return Taken(seen.receipt.run_id, is_duplicate=True)

    async def _store(self, event: Event, seen: _Seen, *, answered: WebhookReceipt | None) -> Taken:
        """Make the event durable. ``answered``: the occurrence of it that this process knows to be so already."""
        now = seen.receipt.received_at
        is_named = event.key is not None
        stored = await self._arrivals.do(_Arrival(seen.receipt, _envelopes(event, seen.receipt, now), is_named))
        if stored is None:
            return Taken(seen.receipt.run_id, is_duplicate=False)
        if stored.fingerprint != seen.receipt.fingerprint:
            raise _used_for_another_body()
        is_new = False
        while not is_named and not is_new and (at := await self._begins_again(stored, now, answered)):
            stored, is_new = await self._receipts.begin_next(stored, at)
        # With the time at which this occurrence was first seen, it cannot overtake what came since.
        seen.receipt = stored
        await self._publish_all([_Arrival(stored, _envelopes(event, stored, now), is_named)])
        if stored.is_sent_back:
            await self._receipts.send_back(stored, is_sent_back=False)
            stored.is_sent_back = False
        return Taken(stored.run_id, is_duplicate=not is_new)

    async def _begins_again(
        self, stored: WebhookReceipt, now: datetime, answered: WebhookReceipt | None
    ) -> datetime | None:
        """When the same body begins as another event; None if it is a repetition of the stored one."""
        if now - stored.received_at >= SAME_BODY_WINDOW:
            return now  # what it says was true twice
        if stored.is_sent_back:
            return None
        # If nobody here remembers whether the first copy was answered, its records tell. If they are not stored, the
        # sender may be repeating what it had no answer to, and that must not overtake what it has sent since.
        is_answered = answered is not None and answered.occurrence == stored.occurrence
        if not is_answered and not await self._is_written(stored):
            return None
        latest = await self._latest(stored)
        if latest is None or latest.fingerprint == stored.fingerprint or latest.received_at <= stored.received_at:
            return None
        return max(now, latest.received_at + _MICROSECOND)  # it may be another process's, by its own clock

    async def _latest(self, receipt: WebhookReceipt) -> WebhookReceipt | None:
        return await self._receipts.latest(receipt.college_id, receipt.integration_id)

    async def _is_written(self, stored: WebhookReceipt) -> bool:
        lines = await self._logs.page(stored.college_id, stored.integration_id, run_id=stored.run_id, limit=1)
        return any(line.event == WEBHOOK_WRITTEN for line in lines.items)

    async def _store_round(self, arrivals: Sequence[_Arrival]) -> Sequence[WebhookReceipt | None]:
        """Begin the receipts and publish what is new; return the receipts that were there already."""
        stored = await self._receipts.begin_all([arrival.receipt for arrival in arrivals])
        await self._publish_all([arrival for arrival in arrivals if arrival.receipt.id not in stored])
        return [stored.get(arrival.receipt.id) for arrival in arrivals]

    async def _publish_all(self, arrivals: Sequence[_Arrival]) -> None:
        try:
            await self._publish([envelope for arrival in arrivals for envelope in arrival.envelopes])
        except TransientError:
            # Some may have been stored all the same, and look as if they had been answered. A sender's own id needs
            # no such note.
            notes = [
                self._receipts.send_back(arrival.receipt, is_sent_back=True)
                for arrival in arrivals
                if not arrival.is_named
            ]
            await asyncio.gather(*notes, return_exceptions=True)  # the error that counts is raised
            raise

    async def _publish(self, envelopes: Sequence[Envelope]) -> None:
        if not envelopes:
            return
        try:
            await self._broker.publish(envelopes)
        except Unroutable as error:
            raise Unavailable("nobody takes webhook events yet: no queue is bound to batch.fetched") from error
        except (Conflict, InvalidInput) as error:
            # What is wrong with the hub's own broker is not the sender's fault, who would never send it again.
            raise Unavailable(f"the broker does not take webhook events: {error}") from error

    def _remember(self, seen: _Seen) -> _Seen:
        self._seen[seen.receipt.id] = seen
        self._seen.move_to_end(seen.receipt.id)
        # What is under way is not forgotten: a copy of it would be another event to this process.
        if len(self._seen) > self._max_remembered and next(iter(self._seen.values())).is_durable:
            self._seen.popitem(last=False)
        return seen


def _receipt(endpoint: Endpoint, event: Event, now: datetime) -> WebhookReceipt:
    fingerprint = hashlib.sha256(event.body).hexdigest()
    name = f"id:{event.key}" if event.key is not None else f"body:{fingerprint}"
    return WebhookReceipt(
        id=derived_id(endpoint.integration_id, "webhook", name),
        college_id=endpoint.college_id,
        integration_id=endpoint.integration_id,
        fingerprint=fingerprint,
        received_at=now,
    )


def _envelopes(event: Event, receipt: WebhookReceipt, now: datetime) -> Sequence[Envelope]:
    run_id, received_at = receipt.run_id, receipt.received_at
    # The event's own id makes the trace, so that a message sent twice is seen as one.
    trace_id = run_id.replace("-", "")
    traceparent = f"00-{trace_id}-{trace_id[:16]}-01"
    return [
        encode(
            BatchFetched(
                college_id=receipt.college_id,
                integration_id=receipt.integration_id,
                run_id=run_id,
                data_type=event.data_type,
                sequence=sequence,
                origin=Origin.WEBHOOK,
                # A record may be in two batches, which are written in any order: what the body has later is newer.
                observed_at=received_at + sequence * _MICROSECOND if sequence else received_at,
                records=batch,
            ),
            source=SOURCE,
            now=now,
            traceparent=traceparent,
        )
        for sequence, batch in enumerate(event.batches)
    ]


def _used_for_another_body() -> Conflict:
    return Conflict("this event id was used before, for another body", code="event_id_reused")
