"""The floor: what a careful engineer would write by hand for one source, without mapping, retries, queue or runs.

Fetch a page, parse it, upsert the rows that differ, commit each page durably. Prints seconds and rows changed.
Run as ``hand_loop.py PORT TOTAL PAGE_SIZE DATABASE``.
"""

import http.client
import sys
import time

import apsw
import orjson

UPSERT = """
    INSERT INTO students (id, data) VALUES (?, ?)
    ON CONFLICT (id) DO UPDATE SET data = excluded.data WHERE students.data IS NOT excluded.data
"""


def main(port: int, total: int, size: int, path: str) -> None:
    database = apsw.Connection(path)
    database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE IF NOT EXISTS students (id TEXT PRIMARY KEY, data TEXT NOT NULL)")
    source = http.client.HTTPConnection("127.0.0.1", port)
    started, before = time.perf_counter(), database.total_changes()
    for page in range(1, -(-total // size) + 1):
        source.request("GET", f"/students?page={page}&limit={size}")
        rows = orjson.loads(source.getresponse().read())["data"]
        with database:
            database.executemany(UPSERT, [(row["studentId"], orjson.dumps(row).decode()) for row in rows])
    result = {"seconds": time.perf_counter() - started, "changed": database.total_changes() - before}
    print(orjson.dumps(result).decode())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
