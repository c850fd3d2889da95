"""Which store: chosen by the scheme of its URL, and by nothing else."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from hub_model.errors import InvalidInput

from hub_storage.collection import CollectionSpec
from hub_storage.store import Store

SCHEMES = ("sqlite", "mongodb", "mongodb+srv")


@asynccontextmanager
async def open_store(url: str, specs: Iterable[CollectionSpec]) -> AsyncIterator[Store]:
    """The store at ``url``, such as ``sqlite:///hub.db`` or ``mongodb://host/hub``, with these collections; closed at
    the end.

    A process that keeps its broker in the same file opens the database once and builds both adapters on it.
    """
    scheme = url.partition(":")[0]
    if scheme not in SCHEMES:
        # Not the URL: it may hold a password.
        raise InvalidInput(
            f"there is no store for {scheme[:20]!r}, with which HUB_STORE_URL begins; supported: {', '.join(SCHEMES)}"
        )
    opened = _sqlite(url, specs) if scheme == "sqlite" else _mongodb(url, specs)
    async with opened as store:
        try:
            yield store
        finally:
            await store.close()


@asynccontextmanager
async def _sqlite(url: str, specs: Iterable[CollectionSpec]) -> AsyncIterator[Store]:
    from hub_sqlite import SqliteDatabase, sqlite_path

    from hub_storage.adapters.sqlite import SqliteStore

    async with SqliteDatabase(sqlite_path(url)) as database:
        store = SqliteStore(database)
        await store.open(specs)
        yield store


@asynccontextmanager
async def _mongodb(url: str, specs: Iterable[CollectionSpec]) -> AsyncIterator[Store]:
    from hub_storage.adapters.mongodb import MongoStore
    from hub_storage.adapters.mongodb.connection import connect

    async with connect(url) as database:
        store = MongoStore(database)
        await store.open(specs)
        yield store
