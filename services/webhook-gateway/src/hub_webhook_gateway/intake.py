"""From a verified event to durable messages, once: a repeated event is recognised by its receipt.

The receipt is there before the messages, and 202 is said after both. So a receipt does not say whether its messages
are there: an event that comes again to a process that does not remember it is published again, with the time and
under the ids it had first. Its run's id derives from the event, and receivers recognise repeated messages.

A body without an id says what is true now, and may say so again: present, absent, present. So it is a repetition only
as long as its integration has sent nothing else since it was taken.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub_messaging.broker import Broker, Envelope
from hub_messaging.envelope import encode
from hub_model.errors import Conflict, Unavailable, Unroutable
from hub_model.ids import derived_id
from hub_model.logs import WEBHOOK_WRITTEN, WebhookReceipt
from hub_model.messages import BatchFetched
from hub_model.records import DataType, Origin
from hub_runtime.batching import Batcher
from hub_storage.repositories import Logs, Receipts

from hub_webhook_gateway.endpoints import Endpoint

SOURCE = "webhook-gateway"
SAME_BODY_WINDOW = timedelta(minutes=10)

_MAX_REMEMBERED = 20_000


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

    run_id: str
    fingerprint: str
    received_at: datetime
    is_durable: bool = False
    settled: asyncio.Event | None = None


@dataclass(slots=True)
class _Arrival:
    receipt: WebhookReceipt
    envelopes: Sequence[Envelope]


class Intake:
    """Takes events; remembers the recent ones, so that a burst of copies costs one."""

    def __init__(self, receipts: Receipts, logs: Logs, broker: Broker) -> None:
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
        fingerprint = hashlib.sha256(event.body).hexdigest()
        name = f"id:{event.key}" if event.key is not None else f"body:{fingerprint}"
        run_id = first_id = derived_id(endpoint.integration_id, "webhook", name)
        seen = self._seen.get(first_id)
        if seen is not None and (event.key is not None or now - seen.received_at < SAME_BODY_WINDOW):
            repeated = await self._repeated(seen, fingerprint)
            newer = await self._newer_body(endpoint, seen) if event.key is None else None
            if newer is None:
                return repeated
            if self._seen.get(first_id) is not seen:
                return await self.take(endpoint, event, now)  # another copy was quicker
            run_id = derived_id(first_id, newer)
        seen = self._remember(first_id, _Seen(run_id, fingerprint, now))
        try:
            taken = await self._store(endpoint, event, run_id, seen)
            seen.run_id, seen.is_durable = taken.run_id, True
        finally:
            if seen.settled is not None:
                seen.settled.set()
            if not seen.is_durable:
                self._seen.pop(first_id, None)
        return taken

    async def _repeated(self, seen: _Seen, fingerprint: str) -> Taken:
        """The answer to a copy of an event that this process has taken, or is taking."""
        if seen.fingerprint != fingerprint:
            raise _used_for_another_body()
        if not seen.is_durable:
            seen.settled = seen.settled or asyncio.Event()
            await seen.settled.wait()
        if not seen.is_durable:
            raise Unavailable("the event's first copy could not be stored")
        return Taken(seen.run_id, is_duplicate=True)

    async def _store(self, endpoint: Endpoint, event: Event, run_id: str, seen: _Seen) -> Taken:
        arrival = _arrival(endpoint, event, run_id, seen)
        stored = await self._arrivals.do(arrival)
        if stored is None:
            return Taken(run_id, is_duplicate=False)
        if stored.fingerprint != seen.fingerprint:
            raise _used_for_another_body()
        age = seen.received_at - stored.received_at
        if event.key is None and age >= SAME_BODY_WINDOW:
            # The same body again after a while is another event: what it says was true twice.
            return await self._store(endpoint, event, derived_id(run_id, int(age / SAME_BODY_WINDOW)), seen)
        # Nobody here remembers whether the first copy was answered; its records tell. If they are not stored, the
        # sender may be repeating what it had no answer to, and that must not overtake what it has sent since.
        if event.key is None and await self._is_written(endpoint, run_id):
            newer = await self._newer_body(endpoint, stored)
            if newer is not None:
                return await self._store(endpoint, event, derived_id(run_id, newer), seen)
        # With the time of the first copy, it cannot overtake what came since.
        await self._publish(_envelopes(endpoint, event, run_id, stored.received_at, now=seen.received_at))
        seen.received_at = stored.received_at
        return Taken(run_id, is_duplicate=True)

    async def _newer_body(self, endpoint: Endpoint, first: _Seen | WebhookReceipt) -> str | None:
        """The id of what the integration has sent last, if that is another body and came later."""
        latest = await self._receipts.latest(endpoint.college_id, endpoint.integration_id)
        if latest is None or latest.fingerprint == first.fingerprint or latest.received_at <= first.received_at:
            return None
        return latest.id

    async def _is_written(self, endpoint: Endpoint, run_id: str) -> bool:
        lines = await self._logs.page(endpoint.college_id, endpoint.integration_id, run_id=run_id, limit=1)
        return any(line.event == WEBHOOK_WRITTEN for line in lines.items)

    async def _store_round(self, arrivals: Sequence[_Arrival]) -> Sequence[WebhookReceipt | None]:
        """Begin the receipts and publish what is new; return the receipts that were there already."""
        stored = await self._receipts.begin_all([arrival.receipt for arrival in arrivals])
        fresh = [envelope for item in arrivals if item.receipt.id not in stored for envelope in item.envelopes]
        await self._publish(fresh)
        return [stored.get(arrival.receipt.id) for arrival in arrivals]

    async def _publish(self, envelopes: Sequence[Envelope]) -> None:
        if not envelopes:
            return
        try:
            await self._broker.publish(envelopes)
        except Unroutable as error:
            raise Unavailable("nobody takes webhook events yet: no queue is bound to batch.fetched") from error

    def _remember(self, first_id: str, seen: _Seen) -> _Seen:
        self._seen[first_id] = seen
        self._seen.move_to_end(first_id)
        if len(self._seen) > _MAX_REMEMBERED:
            self._seen.popitem(last=False)
        return seen


def _arrival(endpoint: Endpoint, event: Event, run_id: str, seen: _Seen) -> _Arrival:
    receipt = WebhookReceipt(
        id=run_id,
        college_id=endpoint.college_id,
        integration_id=endpoint.integration_id,
        fingerprint=seen.fingerprint,
        received_at=seen.received_at,
    )
    return _Arrival(receipt, _envelopes(endpoint, event, run_id, seen.received_at, now=seen.received_at))


def _envelopes(
    endpoint: Endpoint, event: Event, run_id: str, received_at: datetime, *, now: datetime
) -> Sequence[Envelope]:
    # The event's own id makes the trace, so that a message sent twice is seen as one.
    trace_id = run_id.replace("-", "")
    traceparent = f"00-{trace_id}-{trace_id[:16]}-01"
    return [
        encode(
            BatchFetched(
                college_id=endpoint.college_id,
                integration_id=endpoint.integration_id,
                run_id=run_id,
                data_type=event.data_type,
                sequence=sequence,
                origin=Origin.WEBHOOK,
                # A record may be in two batches, which are written in any order: what the body has later is newer.
                observed_at=received_at + timedelta(microseconds=sequence) if sequence else received_at,
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
