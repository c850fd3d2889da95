"""The store port on one database of MongoDB, for any number of processes at a time."""

from collections.abc import Iterable, Mapping, Sequence

from hub_model.errors import InvalidInput

from hub_storage.adapters.mongodb.collection import MongoCollection
from hub_storage.adapters.mongodb.connection import Database, ping
from hub_storage.adapters.mongodb.indexes import Declared, declared_indexes, ensure_indexes, undeclared_indexes
from hub_storage.adapters.mongodb.records import MongoRecordStore
from hub_storage.collection import Collection, CollectionSpec
from hub_storage.records import RecordStore
from hub_storage.store import Store


class MongoStore(Store):
    """One store per database, opened with ``open``. The connection is closed by whoever opened it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._collections: dict[str, MongoCollection] = {}
        self._declared: Mapping[str, Sequence[Declared]] = {}
        self._records = MongoRecordStore(database)

    async def open(self, specs: Iterable[CollectionSpec]) -> None:
        """Build what indexes are missing. Raises Conflict."""
        declared = {spec: list(declared_indexes(spec)) for spec in specs}
        for spec, indexes in declared.items():
            await ensure_indexes(self._database[spec.name], indexes)
        await self._records.open()
        self._declared = {spec.name: indexes for spec, indexes in declared.items()}
        self._collections = {spec.name: MongoCollection(self._database[spec.name], spec) for spec in declared}

    def collection(self, spec: CollectionSpec) -> Collection:
        try:
            return self._collections[spec.name]
        except KeyError:
            raise InvalidInput(f"the store was not opened with the collection {spec.name!r}") from None

    @property
    def records(self) -> RecordStore:
        return self._records

    async def undeclared_indexes(self) -> Sequence[str]:
        found = [
            command
            for name, indexes in self._declared.items()
            for command in await undeclared_indexes(self._database[name], indexes)
        ]
        return [*found, *await self._records.undeclared_indexes()]

    async def ping(self) -> None:
        await ping(self._database)

    async def close(self) -> None:
        """Nothing to close: the connection belongs to whoever opened it."""
