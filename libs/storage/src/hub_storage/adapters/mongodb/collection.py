"""A collection of the port as one of MongoDB's: ``_id``, the document's fields, and two fields of the store's own.

``_version`` counts the writes. ``_write`` is the id of the last one: with it a document that was removed and added
again is told from the one that was there, whose version may be the same, and a write that arrived although its
answer did not is recognised as one's own.
"""

from collections.abc import Callable, Mapping, Sequence

from bson import ObjectId
from hub_model.errors import Conflict, NotFound, StaleVersion
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError, DuplicateKeyError

from hub_storage.adapters.mongodb.contention import rounds
from hub_storage.adapters.mongodb.documents import BsonDocument, encode, escape_top_name, from_bson, to_bson
from hub_storage.adapters.mongodb.errors import translated, unexpected
from hub_storage.adapters.mongodb.selection import matching, selections
from hub_storage.collection import VALUE_TAKEN, Collection, CollectionSpec, Document, Filter, Query, Stored
from hub_storage.json_text import document_text, to_value
from hub_storage.scalars import check_filter, check_indexed, check_query, check_text


class MongoCollection(Collection):
    """``update`` reads, changes and replaces what is still as it was read, until it is."""

    def __init__(self, collection: AsyncCollection[BsonDocument], spec: CollectionSpec) -> None:
        self._collection = collection
        self._spec = spec

    async def get(self, document_id: str) -> Stored | None:
        found = await self._find_one(document_id)
        return _stored(found) if found else None

    async def insert(self, documents: Mapping[str, Document]) -> frozenset[str]:
        write = ObjectId()
        rows = [self._encoded(document_id, document, 1, write) for document_id, document in documents.items()]
        if not rows:
            return frozenset()
        with translated(self._doing("adding to")):
            try:
                await self._collection.insert_many(rows, ordered=False)
            except BulkWriteError as error:
                if problem := unexpected(error, self._doing("adding to")):
                    raise problem from error
                ids = list(documents)
                return frozenset(ids[problem["index"]] for problem in error.details["writeErrors"])
        return frozenset()

    async def replace(self, document_id: str, document: Document, *, version: int) -> int:
        write = ObjectId()
        row = self._encoded(document_id, document, version + 1, write)
        if not await self._replace({"_id": {"$eq": document_id}, "_version": {"$eq": version}}, row):
            found = await self._find_one(document_id)
            if found is None or found["_write"] != write:
                self._check_version(found, document_id, version)
                raise self._stale(document_id, version)
        return version + 1

    async def update(self, document_id: str, change: Callable[[Document], Document | None]) -> Stored | None:
        write = ObjectId()
        async for _ in rounds(self._doing("changing a document of")):
            found = await self._find_one(document_id)
            if found is None:
                return None
            stored = _stored(found)
            if found["_write"] == write:
                return stored
            changed = change(_stored(found).document)
            if changed is None:
                return stored
            text = self._text(changed)
            as_read = {"_id": {"$eq": document_id}, **{own: {"$eq": found[own]} for own in ("_version", "_write")}}
            if await self._replace(as_read, _row(document_id, text, stored.version + 1, write)):
                return Stored(document_id, stored.version + 1, to_value(text))
        return None

    async def delete(self, document_id: str, *, version: int | None = None) -> bool:
        wanted: BsonDocument = {"_id": {"$eq": check_text(document_id, "an id")}}
        if version is not None:
            wanted["_version"] = {"$eq": version}
        with translated(self._doing("removing from")):
            result = await self._collection.delete_one(wanted)
        if not result.deleted_count and version is not None:
            found = await self._find_one(document_id)
            if found is not None:
                raise self._stale(document_id, version)
        return result.deleted_count > 0

    async def delete_all(self, filter: Filter) -> int:  # noqa: A002 - the port's name
        check_filter(self._spec, filter)
        with translated(self._doing("removing from")):
            result = await self._collection.delete_many(matching(filter))
        return result.deleted_count

    async def find(self, query: Query) -> Sequence[Stored]:
        check_query(self._spec, query)
        found: list[BsonDocument] = []
        with translated(self._doing("finding in")):
            for selection in selections(query):
                wanted = query.limit - len(found)
                if wanted > 0:
                    cursor = self._collection.find(
                        selection.filter, sort=selection.sort, limit=wanted, batch_size=wanted
                    )
                    found += await cursor.to_list()
        return [_stored(document) for document in found]

    async def count(self, filter: Filter) -> int:  # noqa: A002 - the port's name
        check_filter(self._spec, filter)
        with translated(self._doing("counting")):
            return await self._collection.count_documents(matching(filter))

    async def _find_one(self, document_id: str) -> BsonDocument | None:
        with translated(self._doing("reading")):
            return await self._collection.find_one({"_id": {"$eq": check_text(document_id, "an id")}})

    async def _replace(self, wanted: BsonDocument, row: BsonDocument) -> bool:
        with translated(self._doing("changing a document of")):
            try:
                result = await self._collection.replace_one(wanted, row)
            except DuplicateKeyError as error:
                raise Conflict(
                    f"another document in {self._spec.name!r} has a value that must be unique", code=VALUE_TAKEN
                ) from error
        return result.matched_count > 0

    def _encoded(self, document_id: str, document: Document, version: int, write: ObjectId) -> BsonDocument:
        return _row(check_text(document_id, "an id"), self._text(document), version, write)

    def _text(self, document: Document) -> str:
        check_indexed(self._spec, document)
        return document_text(document)

    def _check_version(self, found: BsonDocument | None, document_id: str, version: int) -> None:
        if found is None:
            raise NotFound(f"{self._spec.name!r} has no document {document_id!r}")
        if found["_version"] != version:
            raise StaleVersion(
                f"{document_id!r} in {self._spec.name!r} is at version {found['_version']}, not {version}"
            )

    def _stale(self, document_id: str, version: int) -> StaleVersion:
        return StaleVersion(f"{document_id!r} in {self._spec.name!r} is no longer what was at version {version}")

    def _doing(self, what: str) -> str:
        return f"{what} {self._spec.name!r}"


def _row(document_id: str, text: str, version: int, write: ObjectId) -> BsonDocument:
    fields = to_bson(to_value(text), escape_top_name)
    return encode({"_id": document_id, "_version": version, "_write": write, **fields})


def _stored(found: BsonDocument) -> Stored:
    fields = {name: value for name, value in found.items() if not name.startswith("_")}
    return Stored(id=found["_id"], version=found["_version"], document=from_bson(fields))
