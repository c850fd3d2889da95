"""The tables and indexes of the store. Everything is created at open, before the first write."""

import re
from collections.abc import Iterable

import apsw
from hub_model.errors import Conflict, InvalidInput

from hub_storage.adapters.sqlite import record_tables
from hub_storage.collection import CollectionSpec, Index

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*")


def table_of(spec: CollectionSpec) -> str:
    """The collection's table; the prefix keeps it apart from the broker's."""
    return f"collection_{spec.name}"


def expression_of(field: str) -> str:
    """What an index holds of a declared field. A query must say it letter for letter, or the index is not used."""
    path = ".".join(f'"{part}"' for part in field.split("."))
    return f"json_extract(document, '$.{path}')"


def prepare(connection: apsw.Connection, specs: Iterable[CollectionSpec]) -> None:
    """Make the file fit the specs."""
    for spec in specs:
        if not _NAME.fullmatch(spec.name) or not all(map(_FIELD.fullmatch, spec.fields)):
            raise InvalidInput(f"the collection {spec.name!r} or one of its fields has a name that cannot be indexed")
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {table_of(spec)} "
            "(id TEXT PRIMARY KEY, version INTEGER NOT NULL, document TEXT NOT NULL) STRICT"
        )
        _prepare_indexes(connection, spec)
    record_tables.prepare(connection)


def _prepare_indexes(connection: apsw.Connection, spec: CollectionSpec) -> None:
    table = table_of(spec)
    declared = dict(_index_statements(spec))
    existing = {
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", (table,)
        )
    }
    for name in existing - declared.keys():
        connection.execute(f'DROP INDEX "{name}"')
    for name in declared.keys() - existing:
        try:
            connection.execute(declared[name])
        except apsw.ConstraintError as error:
            raise Conflict(
                f"the documents in {spec.name!r} break its unique index {name!r}", code="index_broken"
            ) from error


def _index_statements(spec: CollectionSpec) -> Iterable[tuple[str, str]]:
    """Name and statement of every index; a declaration that changes changes the name."""
    for index in spec.indexes:
        name = "_".join([table_of(spec), *(field.replace(".", "__") for field in index.fields)])
        fields = ", ".join(map(expression_of, index.fields))
        # The id comes last, so that the index holds the order in which pages are read.
        yield name, f'CREATE INDEX "{name}" ON {table_of(spec)} ({fields}, id)'
        if index.unique:
            yield f"{name}_unique", _unique_statement(f"{name}_unique", table_of(spec), index)


def _unique_statement(name: str, table: str, index: Index) -> str:
    """SQLite takes NULLs for different; here a missing field equals another, unless all are missing."""
    expressions = [expression_of(field) for field in index.fields]
    fields = ", ".join(f"ifnull({expression}, x'')" for expression in expressions)
    present = " OR ".join(f"{expression} IS NOT NULL" for expression in expressions)
    return f'CREATE UNIQUE INDEX "{name}" ON {table} ({fields}) WHERE {present}'
