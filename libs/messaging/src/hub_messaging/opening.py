"""Which broker: chosen by the scheme of its URL, and by nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub_model.errors import InvalidInput

from hub_messaging.broker import Broker

SCHEMES = ("sqlite",)


@asynccontextmanager
async def open_broker(url: str) -> AsyncIterator[Broker]:
    """The broker at ``url``, such as ``sqlite:///hub.db``; closed at the end.

    A process that keeps its store in the same file opens the database once and builds both adapters on it.
    """
    scheme = url.partition(":")[0]
    if scheme not in SCHEMES:
        # Not the URL: it may hold a password.
        raise InvalidInput(f"there is no broker for {scheme!r}; supported: {', '.join(SCHEMES)}")
    from hub_sqlite import SqliteDatabase, sqlite_path

    from hub_messaging.adapters.sqlite import SqliteBroker

    async with SqliteDatabase(sqlite_path(url)) as database:
        broker = SqliteBroker(database)
        await broker.open()
        try:
            yield broker
        finally:
            await broker.close()
