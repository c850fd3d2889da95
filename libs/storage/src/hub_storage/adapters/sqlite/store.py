"""The store port on a SQLite file that may be shared with the broker; one process at a time."""

from collections.abc import Iterable

from hub_model.errors import InvalidInput
from hub_sqlite import SqliteDatabase

from hub_storage.adapters.sqlite.collection import SqliteCollection
from hub_storage.adapters.sqlite.records import SqliteRecordStore
from hub_storage.adapters.sqlite.schema import prepare
from hub_storage.collection import Collection, CollectionSpec
from hub_storage.records import RecordStore
from hub_storage.store import Store


class SqliteStore(Store):
    """One store per database, opened with ``open``. The database is closed by whoever opened it."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._collections: dict[str, SqliteCollection] = {}
        self._records = SqliteRecordStore(database)

    async def open(self, specs: Iterable[CollectionSpec]) -> None:
        """Create what tables and indexes are missing, and drop indexes that are no longer declared."""
        declared = tuple(specs)
        await self._database.write(lambda connection: prepare(connection, declared))
        self._collections = {spec.name: SqliteCollection(self._database, spec) for spec in declared}

    def collection(self, spec: CollectionSpec) -> Collection:
        try:
            return self._collections[spec.name]
        except KeyError:
            raise InvalidInput(f"the store was not opened with the collection {spec.name!r}") from None

    @property
    def records(self) -> RecordStore:
        return self._records

    async def ping(self) -> None:
        await self._database.read(lambda connection: connection.execute("SELECT 1").fetchone())

    async def close(self) -> None:
        """Nothing to close: the database belongs to whoever opened it."""
