"""A collection as one table: id, version, and the document as JSON text."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import apsw
from hub_model.errors import Conflict, NotFound, StaleVersion
from hub_sqlite import SqliteDatabase, in_statements, insert_group

from hub_storage.adapters.sqlite.schema import table_of
from hub_storage.adapters.sqlite.selection import conditions, selections
from hub_storage.collection import VALUE_TAKEN, Collection, CollectionSpec, Document, Filter, Query, Stored
from hub_storage.json_text import document_text, to_value
from hub_storage.scalars import check_filter, check_indexed, check_query, check_text

_Row = tuple[str, int, str]
_DELETED_AT_ONCE = 500


class SqliteCollection(Collection):
    """``change`` of :meth:`update` runs in the database's writer thread, inside the transaction: it must be pure
    and quick, and it is called once."""

    def __init__(self, database: SqliteDatabase, spec: CollectionSpec) -> None:
        self._database = database
        self._spec = spec
        table = table_of(spec)
        self._select = f"SELECT id, version, document FROM {table} WHERE id = ?"
        self._columns = f"{table} (id, version, document)"
        self._insert = f"INSERT INTO {self._columns} VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        self._update = f"UPDATE {table} SET version = version + 1, document = ? WHERE id = ?"
        self._delete = f"DELETE FROM {table} WHERE id = ?"
        self._delete_some = f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table}"
        self._count = f"SELECT count(*) FROM {table}"

    async def get(self, document_id: str) -> Stored | None:
        row = await self._database.read(lambda connection: self._row(connection, document_id))
        return _stored(row) if row else None

    async def insert(self, documents: Mapping[str, Document]) -> frozenset[str]:
        rows = [(check_text(name, "an id"), 1, self._text(document)) for name, document in documents.items()]

        def insert(connection: apsw.Connection) -> frozenset[str]:
            return frozenset(chain.from_iterable(self._insert_group(connection, g) for g in in_statements(rows)))

        return await self._database.write(insert) if rows else frozenset()

    async def replace(self, document_id: str, document: Document, *, version: int) -> int:
        text = self._text(document)

        def replace(connection: apsw.Connection) -> int:
            self._check_version(self._row(connection, document_id), document_id, version)
            self._put(connection, document_id, text)
            return version + 1

        return await self._database.write(replace)

    async def update(self, document_id: str, change: Callable[[Document], Document | None]) -> Stored | None:
        def update(connection: apsw.Connection) -> _Row | None:
            row = self._row(connection, document_id)
            if row is None:
                return None
            changed = change(to_value(row[2]))
            if changed is None:
                return row
            text = self._text(changed)
            self._put(connection, document_id, text)
            return document_id, row[1] + 1, text

        row = await self._database.write(update)
        return _stored(row) if row else None

    async def delete(self, document_id: str, *, version: int | None = None) -> bool:
        def delete(connection: apsw.Connection) -> bool:
            if version is not None:
                row = self._row(connection, document_id)
                if row is None:
                    return False
                self._check_version(row, document_id, version)
            connection.execute(self._delete, (check_text(document_id, "an id"),))
            return connection.changes() > 0

        return await self._database.write(delete)

    async def delete_all(self, filter: Filter) -> int:  # noqa: A002 - the port's name
        check_filter(self._spec, filter)
        where, values = _where(filter)
        some = f"{self._delete_some}{where} LIMIT {_DELETED_AT_ONCE})"

        def delete_some(connection: apsw.Connection) -> int:
            connection.execute(some, values)
            return connection.changes()

        # In portions, so that other writers have their turn between them.
        total = 0
        while deleted := await self._database.write(delete_some):
            total += deleted
        return total

    async def find(self, query: Query) -> Sequence[Stored]:
        check_query(self._spec, query)
        statements = list(selections(self._spec, query))

        def find(connection: apsw.Connection) -> list[_Row]:
            rows: list[_Row] = []
            for statement in statements:
                if len(rows) < query.limit:
                    values = (*statement.values, query.limit - len(rows))
                    rows += connection.execute(f"{statement.sql} LIMIT ?", values)
            return rows

        return [_stored(row) for row in await self._database.read(find)]

    async def count(self, filter: Filter) -> int:  # noqa: A002 - the port's name
        check_filter(self._spec, filter)
        where, values = _where(filter)

        def count(connection: apsw.Connection) -> int:
            return sum(number for (number,) in connection.execute(self._count + where, values))

        return await self._database.read(count)

    def _insert_group(self, connection: apsw.Connection, rows: Sequence[tuple[str, int, str]]) -> Iterator[str]:
        """Insert what can be; the ids of what cannot."""
        try:
            insert_group(connection, self._columns, rows)
        except apsw.ConstraintError:
            # Some are taken, and the statement has left nothing behind.
            for row in rows:
                connection.execute(self._insert, row)
                if not connection.changes():
                    yield row[0]

    def _text(self, document: Document) -> str:
        check_indexed(self._spec, document)
        return document_text(document)

    def _row(self, connection: apsw.Connection, document_id: str) -> _Row | None:
        row: _Row | None = connection.execute(self._select, (check_text(document_id, "an id"),)).fetchone()
        return row

    def _put(self, connection: apsw.Connection, document_id: str, text: str) -> None:
        try:
            connection.execute(self._update, (text, document_id))
        except apsw.ConstraintError as error:
            raise Conflict(
                f"another document in {self._spec.name!r} has a value that must be unique", code=VALUE_TAKEN
            ) from error

    def _check_version(self, row: _Row | None, document_id: str, version: int) -> None:
        if row is None:
            raise NotFound(f"{self._spec.name!r} has no document {document_id!r}")
        if row[1] != version:
            raise StaleVersion(f"{document_id!r} in {self._spec.name!r} is at version {row[1]}, not {version}")


def _where(criteria: Filter) -> tuple[str, tuple[Any, ...]]:
    parts = list(conditions(criteria))
    where = f" WHERE {' AND '.join(part.sql for part in parts)}" if parts else ""
    return where, tuple(value for part in parts for value in part.values)


def _stored(row: _Row) -> Stored:
    return Stored(id=row[0], version=row[1], document=to_value(row[2]))
