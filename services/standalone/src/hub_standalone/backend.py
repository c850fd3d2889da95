"""Opens the broker and the store that an operator's command looks at, whatever form the hub has.

A command waits for nothing that is not there: who looks wants to be told. And it creates no file: an empty one in the
wrong folder would look like a hub in which nothing happened.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from hub_messaging.adapters.sqlite import SqliteBroker
from hub_messaging.broker import Broker
from hub_messaging.opening import open_broker
from hub_model.errors import Conflict, InvalidInput
from hub_sqlite import SqliteDatabase, sqlite_path
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.opening import open_store
from hub_storage.repositories import SPECS
from hub_storage.store import Store

from hub_standalone.local import OperatorSettings


@asynccontextmanager
async def open_file(database: Path) -> AsyncIterator[tuple[Broker, Store]]:
    """The broker and the store in one file; they are closed before the file is."""
    async with SqliteDatabase(database) as file, AsyncExitStack() as stack:
        store = SqliteStore(file)
        stack.push_async_callback(store.close)
        await store.open(SPECS)
        broker = SqliteBroker(file)
        stack.push_async_callback(broker.close)
        await broker.open()
        yield broker, store


@asynccontextmanager
async def open_backend(settings: OperatorSettings) -> AsyncIterator[tuple[Broker, Store]]:
    """Both: those that HUB_BROKER_URL and HUB_STORE_URL name, or where neither is set the embedded hub's file."""
    if settings.is_embedded:
        _must_exist(settings.database)
        with _explained(settings.database):
            async with open_file(settings.database) as both:
                yield both
        return
    settings.check_both_urls()
    async with open_the_broker(settings) as broker, open_the_store(settings) as store:
        yield broker, store


@asynccontextmanager
async def open_the_broker(settings: OperatorSettings) -> AsyncIterator[Broker]:
    """The broker alone, so that letters can be read while the store is down."""
    if settings.is_embedded:
        async with open_backend(settings) as (broker, _):
            yield broker
        return
    settings.check_broker_url()
    with _explained(_existing_file(settings.broker_url)):
        async with open_broker(settings.broker_url, patience_s=0) as broker:
            yield broker


@asynccontextmanager
async def open_the_store(settings: OperatorSettings) -> AsyncIterator[Store]:
    """The store alone, of services that run apart."""
    settings.check_store_url()
    with _explained(_existing_file(settings.store_url)):
        async with open_store(settings.store_url, SPECS) as store:
            yield store


def _existing_file(url: str) -> Path | None:
    if not url.startswith("sqlite:"):
        return None
    path = sqlite_path(url)
    _must_exist(path)
    return path


def _must_exist(path: Path) -> None:
    if not path.exists():
        raise InvalidInput(
            f"There is no hub's file at {path}. Run this in the folder the hub runs in, or name the file with "
            "HUB_DATABASE; for services that run apart set HUB_BROKER_URL and HUB_STORE_URL as they have them.",
            code="no_database",
        )


@contextmanager
def _explained(path: Path | None) -> Iterator[None]:
    """A file that a hub has open is said to be that, with what to do."""
    try:
        yield
    except Conflict as error:
        if error.code != "database_in_use":
            raise
        holder = str(error).partition(";")[0]
        raise Conflict(
            f"{holder}: a hub that runs has its file {path} to itself. Stop it (Ctrl-C, or SIGTERM to that process), "
            "run this command, and start it again; nothing is lost meanwhile.",
            code=error.code,
        ) from error
