"""The indexes: what is declared, what is there, and the difference. All are there before the first write.

Ours are named ``hub_...``; an index of any other name is the operator's and left alone. None is ever dropped here:
while versions are exchanged, one that this version does not declare is one that another version works with.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub_model.errors import Conflict, HubError, InvalidInput
from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from hub_storage.adapters.mongodb.documents import BsonDocument
from hub_storage.adapters.mongodb.errors import REFUSED_CODES, translation
from hub_storage.collection import CollectionSpec, Index

RESERVED = frozenset({"records", "record_batches"})

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*")
_PREFIX = "hub_"
# IndexOptionsConflict, IndexKeySpecsConflict
_DIFFERS_CODES = frozenset({85, 86})
# What the server adds to a description.
_INCIDENTAL = frozenset({"v", "key", "ns", "background"})


@dataclass(frozen=True, slots=True)
class Declared:
    """One index as the server describes it."""

    name: str
    keys: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    def model(self) -> IndexModel:
        return IndexModel([(key, ASCENDING) for key in self.keys], name=self.name, **self.options)

    def is_described_by(self, found: Mapping[str, Any]) -> bool:
        options = {name: value for name, value in found.items() if name not in _INCIDENTAL}
        return found["key"] == [(key, ASCENDING) for key in self.keys] and options == self.options


def declared_indexes(spec: CollectionSpec) -> Iterable[Declared]:
    """The indexes of a collection; a declaration that changes changes the name."""
    if not _NAME.fullmatch(spec.name) or not all(map(_FIELD.fullmatch, spec.fields)) or spec.name in RESERVED:
        raise InvalidInput(f"the collection {spec.name!r} or one of its fields has a name that cannot be indexed")
    for index in spec.indexes:
        name = _PREFIX + "_".join(path.replace(".", "__") for path in index.fields)
        # The id comes last, so that the index holds the order in which pages are read.
        yield Declared(name, (*index.fields, "_id"))
        if index.unique:
            yield Declared(f"{name}_unique", index.fields, {"unique": True, "partialFilterExpression": _present(index)})


def _present(index: Index) -> dict[str, Any]:
    """That a document has a value in one of the fields. Null is none, which ``$exists`` would take for one."""
    present = [{path: {"$type": ["string", "number", "bool"]}} for path in index.fields]
    return present[0] if len(present) == 1 else {"$or": present}


async def ensure_indexes(collection: AsyncCollection[BsonDocument], declared: Iterable[Declared]) -> None:
    """Build what is missing.

    Raises Conflict, naming the index and what to do, if one is there in another form or cannot be built.
    """
    wanted = {index.name: index for index in declared}
    found = await _found(collection)
    for name, index in wanted.items():
        if name not in found:
            await _build(collection, index)
        elif not index.is_described_by(found[name]):
            raise _differs(collection.name, name)


async def undeclared_indexes(collection: AsyncCollection[BsonDocument], declared: Iterable[Declared]) -> Sequence[str]:
    """The commands that drop what is ours and not declared."""
    wanted = {index.name for index in declared}
    found = await _found(collection)
    return [_drop_command(collection.name, name) for name in sorted(found.keys() - wanted) if name.startswith(_PREFIX)]


async def _found(collection: AsyncCollection[BsonDocument]) -> Mapping[str, Mapping[str, Any]]:
    doing = f"listing the indexes of {collection.name}"
    try:
        return await collection.index_information()
    except OperationFailure as error:
        raise _not_permitted(error, doing) or translation(error, doing) from error
    except PyMongoError as error:
        raise translation(error, doing) from error


async def _build(collection: AsyncCollection[BsonDocument], index: Declared) -> None:
    name = collection.name
    try:
        await collection.create_indexes([index.model()])
    except DuplicateKeyError as error:
        raise Conflict(
            f"the documents in {name!r} break its unique index {index.name!r}: several have the same "
            f"{', '.join(index.keys)}; change or remove all but one of each, then start again",
            code="index_broken",
        ) from error
    except OperationFailure as error:
        if error.code in _DIFFERS_CODES:
            raise _differs(name, index.name) from error
        doing = f"building the index {index.name} of {name}"
        raise _not_permitted(error, doing) or translation(error, doing) from error
    except PyMongoError as error:
        raise translation(error, f"building the index {index.name} of {name}") from error


def _not_permitted(error: OperationFailure, doing: str) -> HubError | None:
    if error.code not in REFUSED_CODES:
        return None
    return InvalidInput(
        f"MongoDB, {doing}: the user of the store's URL, if it names one, may not do this; it needs the role readWrite "
        "on the database",
        code="store_refused",
    )


def _differs(collection: str, name: str) -> Conflict:
    return Conflict(
        f"the index {name!r} of {collection!r}, or one on the same fields, is there in another form than the hub "
        f"needs: drop it ({_drop_command(collection, name)}), then start again, which builds it",
        code="index_differs",
    )


def _drop_command(collection: str, name: str) -> str:
    return f'db.getCollection("{collection}").dropIndex("{name}")'
