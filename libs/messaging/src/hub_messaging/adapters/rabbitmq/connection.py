"""One connection to RabbitMQ, made when it is needed and made anew after it was lost."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog
from aio_pika import Connection
from aio_pika.abc import AbstractChannel, AbstractConnection
from hub_model.errors import BackendUnavailable, HubError
from yarl import URL

from hub_messaging.adapters.rabbitmq.errors import DRIVER_ERRORS, translated
from hub_messaging.adapters.rabbitmq.timing import Timing

log = structlog.get_logger(__name__)

T = TypeVar("T")

_REST_S = 0.5


class Link:
    """Channels on one connection.

    Not the driver's "robust" connection: what has to be done again after a loss, and when to give up, is known
    here, and many of its reported faults are about a connection that comes back without its consumers.
    """

    def __init__(self, url: str, *, purpose: str, timing: Timing) -> None:
        parsed = URL(url)
        self.place = f"{parsed.host}:{parsed.port or (5671 if parsed.scheme == 'amqps' else 5672)}"
        self.timing = timing
        self._url = parsed.update_query(
            {"heartbeat": parsed.query.get("heartbeat", str(timing.heartbeat_s)), "name": f"hub {purpose}"}
        )
        self._purpose = purpose
        self._connection: AbstractConnection | None = None
        self._connecting = asyncio.Lock()
        self._calls: set[asyncio.Task[Any]] = set()
        self._failure: HubError | None = None
        self._rests_until = 0.0
        self._is_closed = False

    async def channel(self, *, confirms: bool = False) -> AbstractChannel:
        """A fresh channel; connects first where there is no connection."""
        return await self.call(self._channel(confirms), f"connecting to RabbitMQ at {self.place}")

    async def call(self, work: Coroutine[Any, Any, T], doing: str) -> T:
        """The result of ``work``, which calls the driver; its errors as the port's.

        It runs to its end even if the caller is cancelled: the driver closes a channel when it is cancelled within
        a call, and everything on the channel with it.
        """
        task = asyncio.create_task(self._translated(work, doing))
        self._calls.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End the connection; whatever was under way on it fails."""
        self._is_closed = True
        await self.drop()
        if self._calls:
            await asyncio.wait(self._calls, timeout=self.timing.close_s)

    async def drop(self) -> None:
        """The connection is of no use any more: end it, and let the next call make another."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            async with asyncio.timeout(self.timing.close_s):
                await connection.close()
        except DRIVER_ERRORS as error:
            log.debug("broker.close_failed", purpose=self._purpose, error=type(error).__name__)

    async def _channel(self, confirms: bool) -> AbstractChannel:
        connection = await self._connected()
        channel = connection.channel(publisher_confirms=confirms, on_return_raises=confirms)
        async with asyncio.timeout(self.timing.call_s):
            await channel.initialize()
        return channel

    async def _connected(self) -> AbstractConnection:
        async with self._connecting:
            if self._is_closed:
                raise BackendUnavailable("the broker is closed")
            if self._connection is None:
                # Whoever waited for this attempt need not wait for another, one after the other.
                if self._failure is not None and asyncio.get_running_loop().time() < self._rests_until:
                    raise self._failure
                connection = Connection(self._url)
                try:
                    await connection.connect(timeout=self.timing.connect_s)
                except DRIVER_ERRORS as error:
                    self._rests_until = asyncio.get_running_loop().time() + _REST_S
                    self._failure = translated(error, f"connecting to RabbitMQ at {self.place}")
                    raise self._failure from error
                if self._is_closed:  # meanwhile
                    await connection.close()
                    raise BackendUnavailable("the broker is closed")
                connection.close_callbacks.add(self._on_lost)
                self._connection = connection
                log.info("broker.connected", purpose=self._purpose, place=self.place)
            return self._connection

    def _on_lost(self, connection: AbstractConnection | None, error: BaseException | None) -> None:
        if connection is not None and connection is self._connection:
            self._connection = None
            log.warning("broker.connection_lost", purpose=self._purpose, place=self.place, error=type(error).__name__)

    async def _translated(self, work: Coroutine[Any, Any, T], doing: str) -> T:
        try:
            return await work
        except DRIVER_ERRORS as error:
            raise translated(error, doing) from error
        except asyncio.CancelledError as error:
            # The driver cancels what waits on a channel that it closes; nobody else cancels this task.
            raise BackendUnavailable(f"{doing}: the connection was lost") from error

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may have gone; then nobody else asks
