"""The tables of runs: over the embedded store, and over MongoDB's where the contract differs in nothing."""

import pytest
from hub_model.errors import Unavailable
from hub_storage.repositories import Tables
from hub_storage.repositories.tables import Piece, TableEnd
from hub_storage.store import Store


@pytest.fixture
def tables(store: Store) -> Tables:
    return Tables(store)


def piece(number: int, *ids: int) -> Piece:
    return Piece(number, [{"id": row} for row in ids])


async def ids_of(tables: Tables, end: TableEnd, *, first: int = 0, run: str = "r1") -> list[int]:
    return [row["id"] async for found in tables.pieces("c1", run, "courses", end, first=first) for row in found.rows]


async def test_rows_are_read_in_the_order_of_their_pieces_and_from_any_piece_on(tables: Tables) -> None:
    for number in reversed(range(50)):
        await tables.write("c1", "r1", "courses", [piece(number, 2 * number, 2 * number + 1)])
    end = TableEnd(50, 100, complete=True)
    assert await ids_of(tables, end) == list(range(100))
    assert await ids_of(tables, end, first=33) == list(range(66, 100))


async def test_a_repeated_stretch_replaces_its_pieces_and_what_is_beyond_the_end_does_not_count(
    tables: Tables,
) -> None:
    await tables.write("c1", "r1", "courses", [piece(0, 1), piece(1, 2), piece(2, 3)])
    await tables.write("c1", "r1", "courses", [piece(1, 20)])
    assert await tables.find("c1", "r1", "courses") is None
    await tables.close("c1", "r1", "courses", TableEnd(2, 2, complete=False, warnings=("w",)))
    await tables.close("c1", "r1", "courses", TableEnd(2, 2, complete=False, warnings=("w",)))
    end = await tables.find("c1", "r1", "courses")
    assert end == TableEnd(2, 2, complete=False, warnings=("w",))
    assert await ids_of(tables, end) == [1, 20]
    assert await tables.find("c2", "r1", "courses") is None


async def test_the_pieces_of_a_table_that_nobody_closes_are_read_though_some_are_missing(tables: Tables) -> None:
    numbers = [0, 1, 5, *range(30, 70), 90]
    await tables.write("c1", "r1", "courses", [piece(number, number) for number in reversed(numbers)])
    await tables.write("c1", "r2", "courses", [piece(2, 2)])
    await tables.write("c1", "r1", "users", [piece(3, 3)])
    assert [found.number async for found in tables.all_pieces("c1", "r1", "courses")] == numbers
    assert [found.rows async for found in tables.all_pieces("c1", "r2", "courses")] == [[{"id": 2}]]
    assert [found async for found in tables.all_pieces("c2", "r1", "courses")] == []


async def test_dropping_a_runs_tables_leaves_those_of_others_and_is_noticed_by_a_reader(tables: Tables) -> None:
    end = TableEnd(3, 3, complete=True)
    for run in ("r1", "r2"):
        for stream in ("courses", "users"):
            await tables.write("c1", run, stream, [piece(0, 1), piece(1, 2), piece(2, 3)])
            await tables.close("c1", run, stream, end)
    assert await tables.drop("c2", "r1") == 0
    assert await tables.drop("c1", "r1") == 8
    assert await tables.find("c1", "r1", "courses") is None
    with pytest.raises(Unavailable):
        await ids_of(tables, end)
    assert await ids_of(tables, end, run="r2") == [1, 2, 3]


async def test_the_sweep_meets_every_run_once(tables: Tables) -> None:
    for run in ("r1", "r2", "r3"):
        await tables.write(f"c{run}", run, "courses", [piece(0, 1), piece(1, 2)])
    met, run = [], ""
    while found := await tables.next_run_anywhere(run):
        met.append(found)
        run = found[1]
    assert met == [("cr1", "r1"), ("cr2", "r2"), ("cr3", "r3")]
