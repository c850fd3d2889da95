"""The floors: what a careful engineer would write by hand for one source, without mapping, retries, queue or runs.

Fetch a page, parse it, upsert the rows that differ, commit each page durably. Prints seconds and rows changed.
Run as ``hand_loop.py KIND PORT TOTAL PAGE_SIZE DATABASE``; the kinds are

    rows    the client that the hub uses, and rows that answer what the hub's API is asked: a record by its key, a
            student's records, a day's records, what has changed since, and where each record came from
    bare    the least that moves bytes: the standard library's client, and two columns without an index
"""

import asyncio
import http.client
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import apsw
import httpx2
import orjson

Rows = list[dict[str, Any]]

TABLES = {
    "bare": "CREATE TABLE IF NOT EXISTS students (id TEXT PRIMARY KEY, data TEXT NOT NULL)",
    "rows": """
        CREATE TABLE IF NOT EXISTS records (
            college TEXT NOT NULL, type TEXT NOT NULL, key TEXT NOT NULL, data TEXT NOT NULL, source TEXT NOT NULL,
            student TEXT, date TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
            PRIMARY KEY (college, type, key)
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS by_change ON records (college, type, updated_at);
        CREATE INDEX IF NOT EXISTS by_student ON records (college, type, student) WHERE student IS NOT NULL;
        CREATE INDEX IF NOT EXISTS by_date ON records (college, type, date) WHERE date IS NOT NULL;
    """,
}
UPSERTS = {
    "bare": """
        INSERT INTO students VALUES (?, ?)
        ON CONFLICT DO UPDATE SET data = excluded.data WHERE data IS NOT excluded.data
    """,
    "rows": """
        INSERT INTO records VALUES ('college', 'students', ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at, source = excluded.source
        WHERE data IS NOT excluded.data
    """,
}


def bare_values(rows: Rows) -> list[tuple[Any, ...]]:
    return [(row["studentId"], orjson.dumps(row).decode()) for row in rows]


def row_values(rows: Rows) -> list[tuple[Any, ...]]:
    now = time.time_ns() // 1000
    return [
        (row["studentId"], orjson.dumps(row).decode(), "erp", row["studentId"], row.get("date"), now, now)
        for row in rows
    ]


async def bare_pages(port: int, total: int, size: int) -> AsyncIterator[Rows]:
    source = http.client.HTTPConnection("127.0.0.1", port)
    for page in range(1, -(-total // size) + 1):
        source.request("GET", f"/students?page={page}&limit={size}")
        yield orjson.loads(source.getresponse().read())["data"]


async def pages(port: int, total: int, size: int) -> AsyncIterator[Rows]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as source:
        for page in range(1, -(-total // size) + 1):
            response = await source.get("/students", params={"page": page, "limit": size})
            yield orjson.loads(response.raise_for_status().content)["data"]


async def main(kind: str, port: int, total: int, size: int, path: str) -> None:
    database = apsw.Connection(path)
    database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536")
    database.execute(TABLES[kind])
    values: Callable[[Rows], list[tuple[Any, ...]]] = bare_values if kind == "bare" else row_values
    started, before = time.perf_counter(), database.total_changes()
    async for rows in (bare_pages if kind == "bare" else pages)(port, total, size):
        with database:
            database.executemany(UPSERTS[kind], values(rows))
    result = {"seconds": time.perf_counter() - started, "changed": database.total_changes() - before}
    print(orjson.dumps(result).decode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]))
