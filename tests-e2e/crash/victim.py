"""A hub that is made to crash: its files, its process, and what a principal sees of it over HTTP."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2

IMPORT_ROOT = Path(__file__).parents[1]
START_S = 30.0
KILLED = -signal.SIGKILL


class Victim:
    """One database and its keys, served by one process after another."""

    def __init__(self, folder: Path, token: str, **settings: str) -> None:
        self._folder = folder
        self._headers = {"authorization": f"Bearer {token}"}
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HUB_")},
            "PYTHONPATH": str(IMPORT_ROOT),
            "HUB_KEYS_FOLDER": str(folder / "keys"),
            "HUB_FETCHER_KEYS_FILE": str(folder / "keys" / "fetcher.json"),
            "HUB_GATEWAY_KEYS_FILE": str(folder / "keys" / "gateway.json"),
            "HUB_DATABASE": str(folder / "hub.db"),
            "HUB_HTTP_PORT": "0",
            "HUB_ALLOWED_NETWORKS": "127.0.0.0/8",
            "HUB_LOG_LEVEL": "warning",
            **settings,
        }

    @asynccontextmanager
    async def alive(self, plan: str = "") -> AsyncIterator["Life"]:
        """A process that dies when the plan says so, or at the end of the block."""
        with (self._folder / "log.jsonl").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "crash.child",
                plan,
                cwd=self._folder,
                env=self._environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        try:
            url = await asyncio.wait_for(_announced_url(process), START_S)
            async with httpx2.AsyncClient(
                base_url=url or "http://127.0.0.1:1", headers=self._headers, timeout=10, trust_env=False
            ) as http:
                yield Life(process, http)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def log(self) -> str:
        """What the processes logged, for a failing test's message and for looking for secrets."""
        return (self._folder / "log.jsonl").read_text()


class Life:
    """One process of the victim."""

    def __init__(self, process: asyncio.subprocess.Process, http: httpx2.AsyncClient) -> None:
        self._process = process
        self.http = http

    @property
    def is_over(self) -> bool:
        return self._process.returncode is not None

    async def death(self, deadline_s: float) -> int | None:
        """The exit code; None if the process still lives at the deadline."""
        try:
            return await asyncio.wait_for(self._process.wait(), deadline_s)
        except TimeoutError:
            return None

    async def get(self, path: str, **params: Any) -> Any:
        response = await self.http.get(path, params=params)
        response.raise_for_status()
        return response.json()

    async def all_of(self, path: str, **params: Any) -> list[Any]:
        """Every item of a list."""
        items, cursor = [], {}
        while True:
            page = await self.get(path, limit=200, **params, **cursor)
            items += page["items"]
            if not page.get("nextCursor"):
                return items
            cursor = {"cursor": page["nextCursor"]}


async def _announced_url(process: asyncio.subprocess.Process) -> str:
    """The address the process prints when it listens; empty if it died before."""
    assert process.stdout is not None
    while line := await process.stdout.readline():
        if match := re.search(rb"http://[0-9.]+:[0-9]+", line):
            return match[0].decode()
    return ""
