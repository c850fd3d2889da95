"""A claimed row in the hands of a handler."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hub_model.errors import InvalidInput

from hub_messaging.adapters.sqlite.rows import Ack, Bury, ClaimedRow, Retry, Settlement
from hub_messaging.broker import Delivery


@dataclass(frozen=True, slots=True)
class Times:
    """The broker's two clocks: ``now`` runs steadily while the process lives, ``date`` says when a message died."""

    now: Callable[[], float]
    date: Callable[[], str]


class SqliteDelivery(Delivery):
    """Settled through the consumer that claimed it."""

    def __init__(
        self, row: ClaimedRow, settle: "Callable[[SqliteDelivery, Settlement], Awaitable[None]]", times: Times
    ) -> None:
        self.envelope = row.envelope
        self.attempt = row.attempt
        self.copy_id = row.copy_id
        self.delivery_count = row.delivery_count
        self.seq = row.seq
        self.is_settled = False
        self._settle = settle
        self._times = times

    async def ack(self) -> None:
        await self._settle(self, Ack(self.seq))

    async def retry(self, delay_s: float, *, counted: bool = True) -> None:
        if not (math.isfinite(delay_s) and delay_s >= 0):
            raise InvalidInput(f"a delay is a number of seconds, not {delay_s}")
        # The delay begins now, not when it is written.
        await self._settle(self, Retry(self.seq, delay_s, self._times.now() + delay_s, counted))

    async def dead_letter(self, reason: str) -> None:
        await self._settle(self, Bury(self.seq, reason, self._times.date()))
