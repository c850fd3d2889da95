"""Many rows in few statements.

Every statement gives the interpreter away while SQLite works. Beside a busy event loop, getting it back takes longer
than inserting a row.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, TypeVar

import apsw

_MAX_ROWS = 64

Row = TypeVar("Row")


def in_statements(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """The rows in groups of what one statement inserts."""
    return (rows[start : start + _MAX_ROWS] for start in range(0, len(rows), _MAX_ROWS))


def insert_group(connection: apsw.Connection, into: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert one group, all or nothing, into ``table (column, ...)``; return the rowid of its first row.

    Rowids that SQLite chooses are consecutive within a group.
    """
    placeholders = f"({', '.join('?' * len(rows[0]))})"
    connection.execute(
        f"INSERT INTO {into} VALUES {', '.join([placeholders] * len(rows))}",  # noqa: S608 - placeholders only
        tuple(chain.from_iterable(rows)),
    )
    return connection.last_insert_rowid() - len(rows) + 1
