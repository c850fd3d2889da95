"""A run as people watch it: a bar per stream while it runs, on a terminal, and a line in words when it has ended."""

import asyncio
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from hub_standalone.client import HubClient, Json

FATES = ("inserted", "updated", "replaced", "unchanged", "deleted", "stale", "duplicate", "rejected", "skipped")
_FINAL = frozenset(["succeeded", "partial", "failed", "cancelled"])
_POLL_S = 0.2


class ProgressView:
    """Shows any number of runs while the block runs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._ended: set[tuple[str, str]] = set()
        self._said: dict[tuple[str, str], str] = {}

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:  # stopping prints a line, also where nothing was started
            self._bars.stop()

    async def follow(self, client: HubClient, title: str, integration_id: str, run_id: str) -> Json:
        """Show the run until it ends; return it as it ended."""
        while True:
            run = await client.run(integration_id, run_id)
            self._show_preparing(title, run_id, run)
            for data_type, stream in run["streams"].items():
                self._show(f"{title}: {data_type}", (run_id, data_type), stream)
            if run["status"] in _FINAL:
                return run
            await asyncio.sleep(_POLL_S)

    def _show_preparing(self, title: str, run_id: str, run: Json) -> None:
        """A stream that others need has a bar of its own while it is read."""
        key, preparing = (run_id, ""), run.get("preparing")
        if preparing and key not in self._tasks:
            self._tasks[key] = self._bars.add_task("", total=None)
        if preparing:
            label = f"{title}: reading {preparing['stream']}"
            self._bars.update(self._tasks[key], description=label, completed=preparing["rows"])
            self._say_once(f"  {label}", key, preparing["stream"])
        elif key in self._tasks:
            self._bars.remove_task(self._tasks.pop(key))

    def _show(self, label: str, key: tuple[str, str], stream: Json) -> None:
        if key in self._ended:
            return
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(label, total=None)
        if stream["status"] == "running":
            wait = describe_wait(stream["waiting"]) if stream.get("waiting") else ""
            self._bars.update(
                self._tasks[key],
                description=f"{label}, {wait}" if wait else label,
                completed=stream["counts"]["fetched"],
                total=stream["expectedRecords"],
            )
            self._say_once(f"  {label} is {wait}", key, wait)
            return
        self._ended.add(key)
        self._bars.remove_task(self._tasks[key])
        self._console.print(f"  {label} {stream['status']}: {describe_counts(stream)}", markup=False)

    def _say_once(self, line: str, key: tuple[str, str], what: str) -> None:
        """Where no bar says it, a line does, once for each ``what`` in a row."""
        if what and self._said.get(key) != what and not self._console.is_terminal:
            self._console.print(line, markup=False)
        self._said[key] = what


def describe_counts(stream: Json) -> str:
    """What became of the records, in words: "20,160 inserted, 1 rejected"; and why a stream failed."""
    counts, failure = stream["counts"], stream["failure"]
    # A hub of another version may not know each of them.
    words = ", ".join(f"{number:,} {fate}" for fate in FATES if (number := counts.get(fate))) or "nothing new"
    return f"{words}; {failure['message']}" if failure else words


def describe_wait(waiting: Json) -> str:
    """Why nothing moves, and until when on the clock of whoever reads it."""
    until = waiting["until"]
    at = f" until {datetime.fromisoformat(until).astimezone():%H:%M}" if until else ""
    why = " (asked us to slow down)" if waiting["code"] == "rate_limited" else f": {waiting['message']}"
    return f"waiting for the source{at}{why}"
