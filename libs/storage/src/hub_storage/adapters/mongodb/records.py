"""The record store on MongoDB: reading. Merging has a module of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from hub_model.base import format_datetime
from hub_model.records import DataType, Outcome, StoredRecord

from hub_storage.adapters.mongodb.connection import Database
from hub_storage.adapters.mongodb.documents import BsonDocument, escape_name
from hub_storage.adapters.mongodb.errors import translated
from hub_storage.adapters.mongodb.indexes import Declared, ensure_indexes, undeclared_indexes
from hub_storage.adapters.mongodb.merging import BatchMerge
from hub_storage.adapters.mongodb.record_documents import set_end, set_prefix, to_record
from hub_storage.adapters.mongodb.selection import all_of
from hub_storage.merged_batches import REMEMBERED_FOR
from hub_storage.records import MergeBatch, RecordQuery, RecordStore
from hub_storage.scalars import check_record_field, check_text

_SET = ("collegeId", "dataType")
# Fields that have an index of their own. A record that lacks one costs nothing in its index.
_INDEXED = ("studentId", "date")

RECORD_INDEXES = (
    # Serves the count of what is live, and what has changed since, in an order that can be paged.
    Declared("hub_deleted_updatedAt", (*_SET, "deleted", "updatedAt", "_id")),
    *(
        Declared(
            f"hub_{field}",
            (*_SET, f"data.{field}", "_id"),
            {"partialFilterExpression": {f"data.{field}": {"$exists": True}}},
        )
        for field in _INDEXED
    ),
)
BATCH_INDEXES = (Declared("hub_mergedAt", ("mergedAt",), {"expireAfterSeconds": int(REMEMBERED_FOR.total_seconds())}),)


class MongoRecordStore(RecordStore):
    """``count`` counts the entries of an index, which is exact at any moment: its time grows with the records, about a
    tenth of a second for a hundred thousand on a server of today."""

    def __init__(self, database: Database) -> None:
        self._records = database["records"]
        self._batches = database["record_batches"]

    async def open(self) -> None:
        """Build the indexes."""
        await ensure_indexes(self._records, RECORD_INDEXES)
        await ensure_indexes(self._batches, BATCH_INDEXES)

    async def undeclared_indexes(self) -> Sequence[str]:
        """As of ``Store.undeclared_indexes``."""
        records = await undeclared_indexes(self._records, RECORD_INDEXES)
        return [*records, *await undeclared_indexes(self._batches, BATCH_INDEXES)]

    async def merge(self, batch: MergeBatch) -> Sequence[Outcome]:
        return await BatchMerge(self._records, self._batches, batch).run() if batch.writes else []

    async def get(self, college_id: str, data_type: DataType, key: str) -> StoredRecord | None:
        record_id = set_prefix(college_id, data_type) + check_text(key, "a record's key")
        with translated("reading a record"):
            document = await self._records.find_one({"_id": {"$eq": record_id}})
        return to_record(document) if document else None

    async def find(self, college_id: str, data_type: DataType, query: RecordQuery) -> Sequence[StoredRecord]:
        wanted = record_filter(college_id, data_type, query)
        with translated("finding records"):
            cursor = self._records.find(wanted, sort=[("_id", 1)], limit=query.limit, batch_size=query.limit)
            documents = await cursor.to_list()
        return [to_record(document) for document in documents]

    async def keys_of_rows(
        self, college_id: str, data_type: DataType, integration_id: str, source_ids: Sequence[str]
    ) -> Mapping[str, str]:
        prefix = set_prefix(college_id, data_type)
        name = escape_name(integration_id)
        wanted: BsonDocument = {
            "_id": {"$gte": prefix, "$lt": set_end(prefix)},
            f"sources.{name}.sourceId": {"$in": [check_text(source_id, "a row's id") for source_id in source_ids]},
        }
        with translated("finding the records of rows"):
            cursor = self._records.find(wanted, projection={f"sources.{name}.sourceId": 1})
            documents = await cursor.to_list()
        return {found["_id"].removeprefix(prefix): found["sources"][name]["sourceId"] for found in documents}

    async def count(self, college_id: str, data_type: DataType) -> int:
        with translated("counting records"):
            return await self._records.count_documents({**_in_set(college_id, data_type), "deleted": {"$eq": False}})


def record_filter(college_id: str, data_type: DataType, query: RecordQuery) -> BsonDocument:
    """What to find. Values never become operators: each is one scalar and stands behind ``$eq`` or ``$gte``."""
    prefix = set_prefix(college_id, data_type)
    begin = (
        {"$gte": prefix} if query.after is None else {"$gt": prefix + check_text(query.after, "the key to go on after")}
    )
    conditions: list[BsonDocument] = [{"_id": {**begin, "$lt": set_end(prefix)}}]
    if not query.include_deleted:
        conditions.append({"deleted": {"$eq": False}})
    if query.updated_since is not None:
        conditions.append({"updatedAt": {"$gte": format_datetime(query.updated_since)}})
    for field, value in query.fields.items():
        check_record_field(field, value)
        conditions.append(_equals(f"data.{field}", value))
    # An index of these begins with the set; without need, its name would only lure the planner away from the ids.
    if query.updated_since is not None or any(query.fields.get(field) is not None for field in _INDEXED):
        conditions.append(_in_set(college_id, data_type))
    return all_of(conditions)


def _in_set(college_id: str, data_type: DataType) -> BsonDocument:
    return {"collegeId": {"$eq": check_text(college_id, "a college's id")}, "dataType": {"$eq": data_type.value}}


def _equals(path: str, value: Any) -> BsonDocument:
    """That the field itself has the value: MongoDB would also look into lists, on the way to it and in it."""
    lists = [{step: {"$type": "array"}} for step in _steps(path)]
    if value is None:
        # A list on the way leads nowhere, which is as good as missing; a list in the field's place is a value.
        missing: BsonDocument = {path: {"$eq": None, "$not": {"$type": "array"}}}
        return {"$or": [missing, *lists[:-1]]}
    return {path: {"$eq": value}, "$nor": lists}


def _steps(path: str) -> list[str]:
    """``data.a`` and ``data.a.b`` of ``data.a.b``."""
    parts = path.split(".")
    return [".".join(parts[:length]) for length in range(2, len(parts) + 1)]
