"""The section of ``make bench`` on what an endpoint may ask for beyond pages of records: what comes in lists within
them, rows of other streams joined to them, one request for each row of another stream.

``python bench/engine.py [--quick]`` runs this section alone.
"""

import statistics
import tempfile
from pathlib import Path
from typing import Any

from hub_process import Hub, running_hub
from run import LATENCIES_MS, PAGE_SIZE, RECORDS, console, is_quick, measured, memory, server
from shapes import ENTRIES_MAPPING, EXPLODE, JOINS

SHAPED_RECORDS, SHAPED_ROUNDS = 20_000, 5


def entries(hub: Hub, port: int) -> str:
    """The id of an integration whose records are the entries of sessions, each joined to its person's row."""
    pages = {"type": "page", "pageSize": PAGE_SIZE // 10}
    people = {"path": "/people", "pagination": {**pages, "pageSize": PAGE_SIZE}, "fields": _same("id", "idnumber")}
    registers: dict[str, Any] = {"path": "/registers", "pagination": pages, "explode": EXPLODE, "joins": JOINS}
    endpoints = {"attendance": {**registers, "mapping": ENTRIES_MAPPING}}
    return str(hub.create(baseUrl=f"http://127.0.0.1:{port}", streams={"people": people}, endpoints=endpoints)["id"])


def classes(hub: Hub, port: int) -> str:
    """The id of an integration that asks for the students of each class, one page of them each."""
    students = {
        "path": "/members?page={{ parent.id }}",
        "pagination": {"type": "none"},
        "parent": {"stream": "classes"},
    }
    streams = {"classes": {"path": "/classes", "pagination": {"type": "none"}, "fields": _same("id")}}
    made = hub.create(baseUrl=f"http://127.0.0.1:{port}", streams=streams, endpoints={"students": students})
    return str(made["id"])


def latency(rounds: int) -> dict[int, list[float]]:
    """Seconds of a first load with a request for each class, by the time that each of them takes; in turn."""
    seconds: dict[int, list[float]] = {milliseconds: [] for milliseconds in LATENCIES_MS}
    for _ in range(rounds):
        for milliseconds, values in seconds.items():
            with (
                server("source_server.py", str(RECORDS), str(PAGE_SIZE), str(milliseconds)) as port,
                tempfile.TemporaryDirectory() as folder,
                running_hub(Path(folder)) as hub,
            ):
                took, counts = hub.sync(classes(hub, port))
                assert counts["inserted"] == RECORDS, counts
                values.append(took)
    return seconds


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def main(*, quick: bool) -> None:
    console.print(
        "\nMemory: peak of the whole process, where each record is an entry of a list, joined to one of 10,000"
    )
    for records in (RECORDS,) if quick else (RECORDS, 10 * RECORDS):
        peak, rate = memory(records, entries)
        console.print(f"  {records:>9,} records: {peak:,.0f} MiB, {rate:,.0f} records/s")
    parents = RECORDS // PAGE_SIZE
    console.print(
        f"\nLatency: seconds of a first load from {parents} rows with one page each, by the time each page takes"
    )
    medians = {milliseconds: statistics.median(values) for milliseconds, values in latency(1 if quick else 3).items()}
    for milliseconds, median in medians.items():
        console.print(f"  {milliseconds:>3} ms: {median:.1f} s, {median / medians[0]:.2f} of that without latency")
    console.print("\nShaping and mapping: processor microseconds per record that comes out")
    costs = measured("shapes.py", str(SHAPED_RECORDS), str(PAGE_SIZE), str(1 if quick else SHAPED_ROUNDS))
    plain: dict[str, float] = {}
    for name, (shaping, mapping) in costs.items():
        both = shaping + mapping
        base = plain.setdefault(name.partition(",")[0], both)
        console.print(f"  {name:<30} {shaping:5.1f} + {mapping:5.1f}; {both / base:.2f} of plain")


if __name__ == "__main__":
    main(quick=is_quick(__doc__))
