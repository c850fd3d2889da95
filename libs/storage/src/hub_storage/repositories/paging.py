"""Pages of a collection and the opaque cursors between them.

A cursor says after which document to go on. It carries a digest of what was asked, so that a cursor of another
list, college or filter is refused instead of silently answering something else. It is no secret and grants nothing:
the college is always part of the query.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
from hub_model.errors import InvalidInput, Issue

from hub_storage.collection import Collection, Document, Filter, Query

T = TypeVar("T")

MAX_PAGE_SIZE = 500


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and where the next ones begin; None after the last."""

    items: list[T]
    next_cursor: str | None


async def read_page(
    collection: Collection,
    load: Callable[[Document], T],
    *,
    name: str,
    filter: Filter,  # noqa: A002 - named as in Query
    sort: str,
    descending: bool = False,
    limit: int,
    cursor: str | None,
) -> Page[T]:
    """The page after ``cursor`` of the documents that match; ``filter`` holds the college, ``name`` says what of."""
    if not 1 <= limit <= MAX_PAGE_SIZE:
        raise _refusal("/limit", "out_of_range", f"a page holds between 1 and {MAX_PAGE_SIZE} items")
    asked = _digest(name, sort, descending, filter)
    after = _after(cursor, asked) if cursor is not None else None
    query = Query(filter=filter, sort=sort, descending=descending, limit=limit + 1, after=after)
    found = await collection.find(query)
    shown = found[:limit]
    next_cursor = None
    if len(found) > limit:
        last = shown[-1]
        next_cursor = _cursor(asked, value_at(last.document, sort), last.id)
    return Page([load(stored.document) for stored in shown], next_cursor)


def value_at(document: Document, path: str) -> Any:
    """What a document has at a dotted path, None if nothing."""
    value: Any = document
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _digest(name: str, sort: str, descending: bool, criteria: Filter) -> str:
    asked = orjson.dumps([name, sort, descending, dict(criteria)], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(asked).hexdigest()[:16]


def _cursor(asked: str, value: Any, document_id: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([asked, value, document_id])).decode().rstrip("=")


def _after(cursor: str, asked: str) -> tuple[Any, str]:
    try:
        parts = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise _bad_cursor() from error
    match parts:
        case [str(mine), str() | int() | float() | None as value, str(document_id)] if mine == asked:
            return value, document_id
    raise _bad_cursor()


def _bad_cursor() -> InvalidInput:
    return _refusal("/cursor", "bad_cursor", "not a cursor of this list; ask for the first page without one")


def _refusal(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput(message, [Issue(pointer, code, message)])
