"""A delivered message in the hands of a handler."""

import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from aio_pika.abc import AbstractIncomingMessage
from hub_model.errors import BackendUnavailable, Conflict, InvalidInput

from hub_messaging.adapters.rabbitmq import wire
from hub_messaging.adapters.rabbitmq.session import Session
from hub_messaging.adapters.rabbitmq.topology import DEAD_QUEUE, next_hop
from hub_messaging.broker import Delivery
from hub_messaging.clock import Clock

# Acknowledges.
Ack = Callable[["RabbitDelivery"], Awaitable[None]]
# Stores the message where it goes next, confirmed, and then acknowledges.
PutAway = Callable[["RabbitDelivery", wire.Outgoing], Awaitable[None]]


class RabbitDelivery(Delivery):
    """Whatever settles it otherwise than by an ack is published first, confirmed, and acknowledged after.

    A crash in between leaves two copies of the message, with one ``copy_id``; the other order would lose it.
    """

    def __init__(
        self,
        message: AbstractIncomingMessage,
        session: Session,
        *,
        incoming: wire.Incoming,
        queue: str,
        redeliveries: int,
        ack: Ack,
        put_away: PutAway,
        clock: Clock,
    ) -> None:
        self.envelope = incoming.envelope
        self.attempt = incoming.attempt
        self.copy_id = wire.copy_id(incoming, queue)
        self.delivery_count = redeliveries + 1
        self.message = message
        self.session = session
        self.incoming = incoming
        self.is_settled = False
        self._queue = queue
        self._ack = ack
        self._put_away = put_away
        self._clock = clock

    async def ack(self) -> None:
        with self._settling():
            await self._ack(self)

    async def retry(self, delay_s: float, *, counted: bool = True) -> None:
        if not (math.isfinite(delay_s) and delay_s >= 0):
            raise InvalidInput(f"a delay is a number of seconds, not {delay_s}")
        await self._wait_in_ladder(delay_s, attempt=self.attempt + counted)

    async def dead_letter(self, reason: str) -> None:
        with self._settling():
            letter = wire.dead(DEAD_QUEUE, self.incoming, queue=self._queue, reason=reason, died_at=self._clock())
            await self._put_away(self, letter)

    async def wait_on(self) -> None:
        """The rest of a delay that no single rung is long enough for."""
        await self._wait_in_ladder(self.incoming.left_s, attempt=self.attempt)

    async def _wait_in_ladder(self, delay_s: float, *, attempt: int) -> None:
        with self._settling():
            hop = next_hop(self._queue, delay_s)
            await self._put_away(self, wire.again(hop.queue, self.incoming, attempt=attempt, left_s=hop.left_s))

    @contextmanager
    def _settling(self) -> Iterator[None]:
        if self.session.lost.is_set():
            raise BackendUnavailable("the consumer or its connection has ended; its messages were given back")
        if self.is_settled:
            raise Conflict("a delivery is settled once", code="already_settled")
        self.is_settled = True
        try:
            yield
        except Exception:
            self.is_settled = False
            raise
