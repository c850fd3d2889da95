"""The collection port: JSON documents with an id and a version, found by declared fields.

Documents are plain JSON (str, int, float, bool, None, list, dict), keys in camelCase; instants are text in the
form of ``hub_model.base.format_datetime``, whose order is time order. A document of 1 MiB of JSON, nested 64 levels
deep, always fits; TooLarge and InvalidInput say when more does not. An indexed field holds one text, number, truth
value or null, never a list or an object. The contract suite in ``hub_storage.testing`` holds each adapter to each
sentence below.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

Document = dict[str, Any]

# The code of the Conflict that a unique index raises, so that a repository can say what was taken.
VALUE_TAKEN = "value_taken"


@dataclass(frozen=True, slots=True)
class Index:
    """Fields (dotted paths) that are searched together. A unique index ignores documents that lack all its fields."""

    fields: tuple[str, ...]
    unique: bool = False


@dataclass(frozen=True)
class CollectionSpec:
    """A collection's name and indexes. Only indexed fields may be filtered or sorted by."""

    name: str
    indexes: tuple[Index, ...] = ()

    @cached_property
    def fields(self) -> frozenset[str]:
        return frozenset(field for index in self.indexes for field in index.fields)


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a field: values of the bounds' kind, text or number, that lie within. A document that lacks the field,
    or holds null, is outside."""

    gt: Any = None
    gte: Any = None
    lt: Any = None
    lte: Any = None


@dataclass(frozen=True, slots=True)
class OneOf:
    """Any of these values."""

    values: tuple[Any, ...]


# field -> the value it equals (None: null or missing), or a Range, or a OneOf; all must hold.
Filter = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """Which documents, in which order, and where to go on.

    ``sort`` is one indexed field, the id breaks ties; ``descending`` turns both round. Null and missing are one and
    come first, then numbers, then texts; where truth values come is the store's, and whether true is 1. ``after`` is
    the (sort value, id) of the last document of the page before.
    """

    filter: Filter = field(default_factory=dict)
    sort: str | None = None
    descending: bool = False
    limit: int = 100
    after: tuple[Any, str] | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A document with its id and version. The document is the caller's own copy."""

    id: str
    version: int
    document: Document


class Collection(ABC):
    """Documents by id, which are texts. Every write of a document is atomic and durable before it returns.

    A write that raises Unavailable may have happened. What is no id, or no plain JSON, raises InvalidInput.

    Invariant: an index exists before the first write; without it the store does not open.
    """

    @abstractmethod
    async def get(self, document_id: str) -> Stored | None:
        """The document, or None."""

    @abstractmethod
    async def insert(self, documents: Mapping[str, Document]) -> frozenset[str]:
        """Add new documents by id; return the ids that were not added because the id or a unique value is taken.

        Never overwrites. The others are added.
        """

    @abstractmethod
    async def replace(self, document_id: str, document: Document, *, version: int) -> int:
        """Replace the document if it still has this version; return the new one.

        Raises StaleVersion, NotFound, and Conflict (VALUE_TAKEN) for a unique value that another document has.
        """

    @abstractmethod
    async def update(self, document_id: str, change: Callable[[Document], Document | None]) -> Stored | None:
        """Apply ``change`` atomically and return what is stored then; None if there is no such document.

        ``change`` is pure and may be called several times, each time with a fresh copy; returning None leaves the
        document as it is. What it raises is passed on, and nothing is written. Raises Conflict
        (VALUE_TAKEN) for a unique value that another document has.
        """

    @abstractmethod
    async def delete(self, document_id: str, *, version: int | None = None) -> bool:
        """Remove the document; False if there was none. Raises StaleVersion if a version is given and differs."""

    @abstractmethod
    async def delete_all(self, filter: Filter) -> int:  # noqa: A002 - the word that stores use
        """Remove every matching document; how many there were.

        Each is removed atomically, all of them are not: a call that is cut off has removed some, and what is added
        meanwhile may stay. Raises InvalidInput as ``find`` does.
        """

    @abstractmethod
    async def find(self, query: Query) -> Sequence[Stored]:
        """The matching documents in order.

        Raises InvalidInput for a field that no index declares, and for a value that is no scalar: none is ever read
        as an operator.
        """

    @abstractmethod
    async def count(self, filter: Filter) -> int:  # noqa: A002 - the word that stores use
        """How many documents match."""
