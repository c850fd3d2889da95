"""One consumer: a pump that settles and claims in one write, and a task for each delivery in the handler's hands."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import structlog
from hub_model.errors import BackendUnavailable, Conflict
from hub_sqlite import SqliteDatabase

from hub_messaging.adapters.sqlite import tables
from hub_messaging.adapters.sqlite.carried import Carried
from hub_messaging.adapters.sqlite.delivery import SqliteDelivery, Times
from hub_messaging.adapters.sqlite.queues import Queue
from hub_messaging.adapters.sqlite.rows import Claim, GiveBack, Retry, Settlement
from hub_messaging.broker import Consumer, OnDelivery
from hub_messaging.failures import log_failure

log = structlog.get_logger(__name__)

_PAUSE_AFTER_FAILURE_S = 1.0
_CANCELLING_S = 2.0


@dataclass(slots=True)
class _Pending:
    delivery: SqliteDelivery
    settlement: Settlement
    # None: nobody waits for it; it is tried until it succeeds.
    done: asyncio.Future[None] | None = None


class SqliteConsumer(Consumer):
    """Claims up to ``prefetch`` messages and runs the handler on each at once.

    Settlements gather while a write is under way and go into the next one together with the claim that fills their
    places. An idle consumer sleeps until it is woken or the next delayed message is due.
    """

    def __init__(
        self,
        database: SqliteDatabase,
        *,
        queue: Queue,
        prefetch: int,
        carried: Carried,
        on_delivery: OnDelivery,
        times: Times,
        on_closed: "Callable[[Queue, SqliteConsumer], Awaitable[None]]",
    ) -> None:
        self._database = database
        self._queue = queue
        self._prefetch = prefetch
        self._carried = carried
        self._on_delivery = on_delivery
        self._times = times
        self._on_closed = on_closed
        self._unsettled: dict[int, SqliteDelivery] = {}
        self._pending: list[_Pending] = []
        self._handling: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._may_have_more = True
        self._next_at: float | None = None
        self._is_taking = True
        self._is_over = False
        self._is_clean = True
        self._closing: asyncio.Task[bool] | None = None
        self._pump = asyncio.create_task(self._pump_until_closed(), name=f"consumer-{queue.name}")
        self._woken.set()

    def look(self) -> None:
        """Try to claim: something was published, given back or delayed."""
        self._may_have_more = True
        self._woken.set()

    async def close(self, grace_s: float = 25.0) -> bool:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(grace_s))
        return await asyncio.shield(self._closing)

    async def settle(self, delivery: SqliteDelivery, settlement: Settlement) -> None:
        """Return when the settlement is on the disk."""
        if self._is_over:
            raise BackendUnavailable("the consumer has closed; its messages were given back")
        if delivery.is_settled:
            raise Conflict("a delivery is settled once", code="already_settled")
        delivery.is_settled = True
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append(_Pending(delivery, settlement, done))
        self._woken.set()
        await done

    async def _close(self, grace_s: float) -> bool:
        self._is_taking = False
        if self._handling:
            _, late = await asyncio.wait(self._handling, timeout=grace_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=_CANCELLING_S)
        # A handler that ignores being cancelled loses its message, and hears so when it settles.
        for delivery in self._unsettled.values():
            self._give_back(delivery, counts=False)
        self._is_over = True
        self._woken.set()
        await self._pump
        await self._on_closed(self._queue, self)
        return self._is_clean

    async def _pump_until_closed(self) -> None:
        while not self._is_over or self._pending:
            await self._wait_until_woken()
            pending, self._pending = self._pending, []
            room = self._prefetch - len(self._unsettled) + len(pending)
            limit = room if self._is_taking and self._may_have_more else 0
            if not pending and not limit:
                continue
            self._may_have_more = self._may_have_more and not limit
            try:
                claim = await self._database.write(
                    partial(
                        tables.settle_and_claim,
                        settlements=[item.settlement for item in pending],
                        queue=self._queue.name,
                        limit=limit,
                        carried=self._carried,
                        now=self._times.now(),
                        died_at=self._times.date(),
                    )
                )
            except Exception as error:  # noqa: BLE001 - the pump outlives every error; whoever waits is told of it
                await self._after_failure(pending, error)
            else:
                self._after_settling(pending)
                self._after_claiming(claim, limit)

    async def _wait_until_woken(self) -> None:
        timeout_s = None if self._next_at is None else max(0.0, self._next_at - self._times.now())
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            self._next_at = None
            self._may_have_more = True
        self._woken.clear()

    def _after_settling(self, pending: list[_Pending]) -> None:
        came_back = 0
        for item in pending:
            self._unsettled.pop(item.delivery.seq, None)
            came_back += isinstance(item.settlement, Retry | GiveBack)
            if item.done is not None and not item.done.done():
                item.done.set_result(None)
        if came_back:
            self._queue.waiting += came_back
            self._queue.wake()

    def _after_claiming(self, claim: Claim, limit: int) -> None:
        if not limit:
            return
        taken = len(claim.rows) + claim.buried
        self._queue.waiting -= taken
        self._may_have_more = self._may_have_more or taken == limit
        self._next_at = claim.next_at
        if claim.buried:
            log.error("delivery.limit_reached", queue=self._queue.name, count=claim.buried)
        for row in claim.rows:
            delivery = self._unsettled[row.seq] = SqliteDelivery(row, self.settle, self._times)
            if self._is_taking:
                task = asyncio.create_task(self._handle(delivery))
                self._handling.add(task)
                task.add_done_callback(self._handling.discard)
            else:
                self._return(delivery, counts=False)
        if self._may_have_more and len(self._unsettled) < self._prefetch:
            self._woken.set()

    async def _after_failure(self, pending: list[_Pending], error: Exception) -> None:
        log_failure(log, "broker.write_failed", error, queue=self._queue.name)
        for item in pending:
            if item.done is None:
                self._pending.append(item)
            elif item.done.done():  # its handler was cancelled meanwhile
                item.delivery.is_settled = False
                self._give_back(item.delivery, counts=True)
            else:
                item.delivery.is_settled = False
                item.done.set_exception(error)
        self._may_have_more = True
        if self._is_over:
            # Nothing can be written any more. The claims end with the process.
            self._pending.clear()
            return
        await asyncio.sleep(_PAUSE_AFTER_FAILURE_S)
        self._woken.set()

    async def _handle(self, delivery: SqliteDelivery) -> None:
        try:
            await self._on_delivery(delivery)
        except asyncio.CancelledError:
            self._give_back(delivery, counts=False)
            raise
        except Exception as error:  # noqa: BLE001 - any failure of a handler gives its message back
            log_failure(log, "delivery.handler_failed", error, queue=self._queue.name)
        self._give_back(delivery, counts=True)

    def _give_back(self, delivery: SqliteDelivery, *, counts: bool) -> None:
        """After the handler: whatever it has not settled goes back."""
        if not delivery.is_settled:
            self._is_clean = self._is_clean and self._is_taking
            self._return(delivery, counts=counts)

    def _return(self, delivery: SqliteDelivery, *, counts: bool) -> None:
        delivery.is_settled = True
        self._pending.append(_Pending(delivery, GiveBack(delivery.seq, counts)))
        self._woken.set()
