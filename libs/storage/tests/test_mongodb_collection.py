"""What the collection on MongoDB does beyond the port: documents that took another's place, answers that were lost."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from hub_model.errors import StaleVersion
from hub_storage.adapters.mongodb.collection import MongoCollection
from hub_storage.adapters.mongodb.connection import Database, connect
from hub_storage.collection import CollectionSpec, Document, Stored
from pymongo import MongoClient

NOTES = CollectionSpec("notes")


@pytest.fixture
async def database(mongodb_url: str) -> AsyncIterator[Database]:
    async with connect(mongodb_url) as database:
        yield database


class Deaf:
    """A collection whose writes arrive; what is heard is the answer to their repetition, which finds nothing."""

    def __init__(self, collection: Any) -> None:
        self._collection = collection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    async def replace_one(self, *arguments: Any) -> Any:
        await self._collection.replace_one(*arguments)
        return SimpleNamespace(matched_count=0)


async def test_an_update_knows_a_document_from_another_that_took_its_place(
    database: Database, mongodb_url: str
) -> None:
    notes = MongoCollection(database["notes"], NOTES)
    await notes.insert({"a": {"n": 1}})
    seen: list[int] = []

    def change(note: Document) -> Document:
        seen.append(note["n"])
        if len(seen) == 1:
            with MongoClient[dict[str, Any]](mongodb_url) as client:
                raw = client.get_default_database()["notes"]
                raw.delete_one({"_id": "a"})
                raw.insert_one({"_id": "a", "_version": 1, "_write": "another", "n": 100})
        return {"n": note["n"] + 1}

    assert await notes.update("a", change) == Stored("a", 2, {"n": 101})
    assert seen == [1, 100]


async def test_a_write_that_arrived_is_known_for_ones_own_though_its_answer_was_lost(database: Database) -> None:
    deaf: Any = Deaf(database["notes"])
    notes = MongoCollection(deaf, NOTES)
    await notes.insert({"a": {"n": 1}})
    assert await notes.replace("a", {"n": 2}, version=1) == 2
    calls: list[int] = []

    def change(note: Document) -> Document:
        calls.append(note["n"])
        return {"n": note["n"] + 1}

    assert await notes.update("a", change) == Stored("a", 3, {"n": 3})
    assert calls == [2]
    with pytest.raises(StaleVersion):
        await notes.replace("a", {"n": 9}, version=1)


async def test_a_document_is_there_as_the_package_describes_it(database: Database) -> None:
    notes = MongoCollection(database["notes"], NOTES)
    await notes.insert({"a": {"collegeId": "c1", "_id": 7, "raw": {"a.b": 1, "$x": [{"": 2**63}]}}})
    document = await database["notes"].find_one({"collegeId": "c1"})
    assert document is not None
    document.pop("_write")
    big = 2**63
    assert document == {
        "_id": "a",
        "_version": 1,
        "collegeId": "c1",
        "%5Fid": 7,
        "raw": {"a%2Eb": 1, "%24x": [{"%": big}]},
    }
