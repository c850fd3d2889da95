"""``make bench``: every figure of the standalone system from one run, beside what it is compared with; then those of
what endpoints may ask for, and of separate processes.

Ratios are what counts; the absolute figures belong to the machine. ``--quick`` leaves out the million records and
repeats less.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hub_process import Hub, hub_environment, running_hub
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
RECORDS, PAGE_SIZE = 100_000, 500
LATENCIES_MS = (0, 100)
WEBHOOKS, CONNECTIONS = 10_000, 64
console = Console(width=110)


@contextmanager
def server(*command: str, env: dict[str, str] | None = None) -> Iterator[int]:
    """A program of this folder that prints its port; stopped at the end of the block."""
    program = [sys.executable, str(HERE / command[0]), *command[1:]]
    with subprocess.Popen(program, stdout=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def is_quick(section: str) -> bool:
    """Whether the caller asks for ``--quick``; with ``--help`` or a word too many the program ends here."""
    parser = argparse.ArgumentParser(description=section, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="repeat less, and leave out what takes longest")
    return bool(parser.parse_args().quick)


def measured(*command: str) -> dict[str, Any]:
    """The JSON that a program of this folder prints."""
    output = subprocess.run([sys.executable, str(HERE / command[0]), *command[1:]], stdout=subprocess.PIPE, check=True)
    result: dict[str, Any] = json.loads(output.stdout)
    return result


def students(hub: Hub, port: int) -> str:
    """The id of an integration that reads the source's students, with the default mapping and validation."""
    endpoint = {"path": "/students", "pagination": {"type": "page", "pageSize": PAGE_SIZE}}
    return str(hub.create(baseUrl=f"http://127.0.0.1:{port}", endpoints={"students": endpoint})["id"])


def pipeline(rounds: int) -> dict[str, list[float]]:
    """Records per second: the hand-written loops and the hub in turn, each on a fresh database."""
    names = [f"{who} {what}" for who in ("bare loop", "hand loop", "hub") for what in ("load", "reload")]
    rates: dict[str, list[float]] = {name: [] for name in names}
    with server("source_server.py", str(RECORDS), str(PAGE_SIZE)) as port:
        for number in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                for loop, kind in (("bare loop", "bare"), ("hand loop", "rows")):
                    arguments = (kind, str(port), str(RECORDS), str(PAGE_SIZE), f"{folder}/{kind}.db")
                    for what, changed in (("load", RECORDS), ("reload", 0)):
                        result = measured("hand_loop.py", *arguments)
                        assert result["changed"] == changed, result
                        rates[f"{loop} {what}"].append(RECORDS / result["seconds"])
                with running_hub(Path(folder)) as hub:
                    integration = students(hub, port)
                    for name, fate in (("hub load", "inserted"), ("hub reload", "unchanged")):
                        seconds, counts = hub.sync(integration)
                        assert counts[fate] == RECORDS, counts
                        rates[name].append(RECORDS / seconds)
            console.print(
                f"  round {number + 1} of {rounds}: " + ", ".join(f"{n} {r[-1]:,.0f}/s" for n, r in rates.items())
            )
    return rates


def parts(rounds: int) -> dict[str, float]:
    """Microseconds per record of each part of a sync by itself; medians."""
    seen: list[dict[str, float]] = []
    with server("source_server.py", str(RECORDS), str(PAGE_SIZE)) as port:
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                seen.append(measured("parts.py", str(port), str(RECORDS), str(PAGE_SIZE), folder))
    return {part: statistics.median(each[part] for each in seen) for part in seen[0]}


def memory(records: int, connect: Callable[[Hub, int], str] = students) -> tuple[float, float]:
    """Peak MiB of a fresh hub that loads this many records, and records per second."""
    with (
        server("source_server.py", str(records), str(PAGE_SIZE)) as port,
        tempfile.TemporaryDirectory() as folder,
        running_hub(Path(folder)) as hub,
    ):
        seconds, counts = hub.sync(connect(hub, port))
        assert counts["inserted"] == records, counts
        return hub.peak_mib, records / seconds


def latency(rounds: int) -> dict[int, list[float]]:
    """Seconds of a first load by the time that each of the source's answers takes, in ms; in turn, on fresh hubs."""
    seconds: dict[int, list[float]] = {milliseconds: [] for milliseconds in LATENCIES_MS}
    for _ in range(rounds):
        for milliseconds, values in seconds.items():
            with (
                server("source_server.py", str(RECORDS), str(PAGE_SIZE), str(milliseconds)) as port,
                tempfile.TemporaryDirectory() as folder,
                running_hub(Path(folder)) as hub,
            ):
                took, counts = hub.sync(students(hub, port))
                assert counts["inserted"] == RECORDS, counts
                values.append(took)
    return seconds


def webhooks(rounds: int) -> dict[str, list[float]]:
    """Accepted webhooks per second: the floors, the gateway, and a hub that also stores what it accepts."""
    floors = {"bare + publish": (), "bare + message": ("message",), "bare + receipt + message": ("message", "receipts")}
    names = ("bare", *floors, "gateway", "hub, storing")
    rates: dict[str, list[float]] = {name: [] for name in names}

    def load(name: str, url: str, secret: str) -> None:
        result = measured("webhook_load.py", url, secret, str(WEBHOOKS), str(CONNECTIONS))
        rates[name].append(WEBHOOKS / result["seconds"])

    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            with server("bare_webhook.py", "secret") as port:
                load("bare", f"http://127.0.0.1:{port}/hook", "secret")
            for name, wanted in floors.items():
                with server("bare_webhook.py", "secret", f"{folder}/{name}.db", *wanted) as port:
                    load(name, f"http://127.0.0.1:{port}/hook", "secret")
            with running_hub(Path(folder)) as hub:
                made = hub.create(
                    baseUrl="http://127.0.0.1:59999", endpoints={"attendance": "/attendance"}, enabled=True
                )
                path, secret = f"/api/webhooks/integrations/{made['id']}", made["webhookSecret"]
                load("hub, storing", f"http://{hub.http.base_url.netloc.decode()}{path}", secret)
            with server("gateway_alone.py", env=hub_environment(Path(folder))) as port:
                load("gateway", f"http://127.0.0.1:{port}{path}", secret)
        console.print(
            f"  round {number + 1} of {rounds}: " + ", ".join(f"{n} {r[-1]:,.0f}/s" for n, r in rates.items())
        )
    return rates


def show(title: str, rates: dict[str, list[float]], floors: dict[str, str]) -> None:
    """A table of medians and ranges, each beside its floor."""
    table = Table(title=title, title_justify="left")
    for column in ("", "median per s", "range", "of its floor"):
        table.add_column(column, justify="left" if not column else "right")
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, values in rates.items():
        floor = floors.get(name)
        ratio = f"{medians[name] / medians[floor]:.0%} of {floor}" if floor else ""
        table.add_row(name, f"{medians[name]:,.0f}", f"{min(values):,.0f} - {max(values):,.0f}", ratio)
    console.print(table)


def main(*, quick: bool) -> None:
    rounds = 1 if quick else 3
    console.print(
        f"{platform.processor() or platform.machine()}, CPython {platform.python_version()}, {rounds} round(s)"
    )
    console.print(
        f"\nPipeline: {RECORDS:,} records of about 400 bytes, pages of {PAGE_SIZE}, mapping and validation on"
    )
    rates = pipeline(rounds)
    floors = {
        "hand loop load": "bare loop load",
        "hand loop reload": "bare loop reload",
        "hub load": "hand loop load",
        "hub reload": "hand loop reload",
    }
    show("Records per second", rates, floors)
    console.print("\nThe parts of a first load by themselves, one after the other: microseconds per record")
    costs = parts(rounds)
    for part, microseconds in costs.items():
        console.print(f"  {part:<20} {microseconds:6.1f}")
    whole, alone = 1e6 / statistics.median(rates["hub load"]), sum(costs.values())
    console.print(f"  {'together':<20} {alone:6.1f}; the hub takes {whole:.1f}, which is {whole / alone:.2f} of it")
    console.print("\nMemory: peak of the whole process")
    for records in (RECORDS,) if quick else (RECORDS, 10 * RECORDS):
        peak, rate = memory(records)
        console.print(f"  {records:>9,} records: {peak:,.0f} MiB, {rate:,.0f} records/s")
    console.print(f"\nLatency: seconds of a first load of {RECORDS:,} records, by the time each page takes")
    medians = {milliseconds: statistics.median(values) for milliseconds, values in latency(rounds).items()}
    for milliseconds, median in medians.items():
        console.print(f"  {milliseconds:>3} ms: {median:.1f} s, {median / medians[0]:.2f} of that without latency")
    console.print(f"\nWebhooks: {WEBHOOKS:,} signed events of one record over {CONNECTIONS} connections")
    show(
        "Accepted per second",
        webhooks(rounds),
        {
            "bare + publish": "bare",
            "bare + message": "bare + publish",
            "bare + receipt + message": "bare + message",
            "gateway": "bare + message",
            "hub, storing": "bare + message",
        },
    )
    for section in ("engine.py", "distributed.py"):
        subprocess.run([sys.executable, str(HERE / section), *(["--quick"] if quick else [])], check=True)


if __name__ == "__main__":
    main(quick=is_quick(__doc__))
