"""Which broker: chosen by the scheme of its URL, and by nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub_model.errors import InvalidInput

from hub_messaging.broker import Broker

SCHEMES = ("sqlite", "amqp", "amqps")
_PATIENCE_S = 30.0


@asynccontextmanager
async def open_broker(url: str, *, patience_s: float = _PATIENCE_S) -> AsyncIterator[Broker]:
    """The broker at ``url``, such as ``sqlite:///hub.db`` or ``amqps://user:password@host/vhost``; closed at the end.

    A process that keeps its store in the same file opens the database once and builds both adapters on it. An AMQP
    URL may name a certificate authority (``?cafile=/path``) and a heartbeat (``?heartbeat=10``). A broker that is not
    there yet is tried again for ``patience_s``.
    """
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        async with _sqlite(url) as broker:
            yield broker
    elif scheme in ("amqp", "amqps"):
        async with _rabbitmq(url, patience_s) as broker:
            yield broker
    else:
        # Not the URL: it may hold a password.
        raise InvalidInput(
            f"there is no broker for {scheme[:20]!r}, with which HUB_BROKER_URL begins; supported: {', '.join(SCHEMES)}"
        )


@asynccontextmanager
async def _sqlite(url: str) -> AsyncIterator[Broker]:
    from hub_sqlite import SqliteDatabase, sqlite_path

    from hub_messaging.adapters.sqlite import SqliteBroker

    async with SqliteDatabase(sqlite_path(url)) as database:
        broker = SqliteBroker(database)
        await broker.open()
        try:
            yield broker
        finally:
            await broker.close()


@asynccontextmanager
async def _rabbitmq(url: str, patience_s: float) -> AsyncIterator[Broker]:
    from hub_messaging.adapters.rabbitmq import RabbitBroker
    from hub_messaging.adapters.rabbitmq.timing import Timing

    try:
        broker = RabbitBroker(url, timing=Timing(start_s=patience_s))
    except ValueError:  # without a cause: its text quotes the URL, which may hold a password
        raise InvalidInput(
            "HUB_BROKER_URL is not amqp://USER:PASSWORD@HOST:PORT/VHOST: check its port, and that special characters "
            "in the user and the password are percent-encoded"
        ) from None
    await broker.open()
    try:
        yield broker
    finally:
        await broker.close()
