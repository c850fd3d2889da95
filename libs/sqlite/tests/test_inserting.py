"""Many rows in few statements: all of them, in order, each group whole or not at all."""

import apsw
import pytest
from hub_sqlite import in_statements, insert_group


@pytest.fixture
def connection() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t (seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, data BLOB)")
    return connection


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 300])
def test_every_row_is_in_one_group_and_in_order(count: int) -> None:
    groups = list(in_statements(range(count)))
    assert [number for group in groups for number in group] == list(range(count))
    assert all(1 <= len(group) <= 64 for group in groups)


@pytest.mark.parametrize("count", [1, 2, 64])
def test_rowids_follow_each_other_from_the_first(connection: apsw.Connection, count: int) -> None:
    insert_group(connection, "t (name, data)", [("before", b"")])
    connection.execute("DELETE FROM t")
    rows = [(f"n{number}", bytes([number])) for number in range(count)]
    first = insert_group(connection, "t (name, data)", rows)
    stored = list(connection.execute("SELECT seq, name, data FROM t ORDER BY seq"))
    assert stored == [(first + place, name, data) for place, (name, data) in enumerate(rows)]


def test_a_group_with_a_taken_value_leaves_nothing(connection: apsw.Connection) -> None:
    insert_group(connection, "t (name)", [("b",)])
    with pytest.raises(apsw.ConstraintError):
        insert_group(connection, "t (name)", [("a",), ("b",), ("c",)])
    assert list(connection.execute("SELECT name FROM t")) == [("b",)]
