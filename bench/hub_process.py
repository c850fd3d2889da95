"""A hub of its own for one measurement: temporary files, one process, and the calls of a principal."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from hub_security.roles import Role
from hub_security.tokens import mint_token
from hub_standalone.keys import create_keys, read_token_secret

# An operator's limits are not what is measured, nor is writing logs.
FREE_OF_LIMITS = {
    "HUB_LOG_LEVEL": "warning",
    "HUB_WEBHOOK_RATE_PER_S": "1000000",
    "HUB_WEBHOOK_BURST": "1000000",
    "HUB_WEBHOOK_CLIENT_RATE_PER_S": "1000000",
    "HUB_WEBHOOK_CLIENT_BURST": "1000000",
}


class Hub:
    """The running process and an authorised client. ``looks`` counts how often a run was asked for."""

    def __init__(self, process: subprocess.Popen[Any], url: str, token: str) -> None:
        self.looks = 0
        self._process = process
        self.http = httpx2.Client(
            base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=60, trust_env=False
        )

    @property
    def peak_mib(self) -> float:
        """The process's largest resident size so far (VmHWM)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        match = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(match[1]) / 1024 if match else 0.0

    def create(self, **draft: Any) -> dict[str, Any]:
        body = {"name": "Bench", "type": "erp", "authType": "bearer", "apiKey": "bench", "syncInterval": 1440, **draft}
        created: dict[str, Any] = self.http.post("/api/integrations", json=body).raise_for_status().json()
        return created

    def sync(self, integration_id: str) -> tuple[float, dict[str, int]]:
        """Seconds from the request to the end of the run, and its counts."""
        started = time.perf_counter()
        place = f"/api/integrations/{integration_id}"
        run_id = self.http.post(f"{place}/sync").raise_for_status().json()["runId"]
        while True:
            self.looks += 1
            run = self.http.get(f"{place}/runs/{run_id}").raise_for_status().json()
            if run["status"] == "succeeded":
                return time.perf_counter() - started, run["counts"]
            if run["status"] not in ("queued", "running"):
                raise RuntimeError(f"the run {run['status']}: {run}")
            time.sleep(0.1)


def hub_environment(folder: Path) -> dict[str, str]:
    """The settings of the hub in ``folder``."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("HUB_")},
        "HUB_KEYS_FOLDER": str(folder / "keys"),
        "HUB_FETCHER_KEYS_FILE": str(folder / "keys" / "fetcher.json"),
        "HUB_GATEWAY_KEYS_FILE": str(folder / "keys" / "gateway.json"),
        "HUB_DATABASE": str(folder / "hub.db"),
        "HUB_HTTP_PORT": "0",
        "HUB_ALLOWED_NETWORKS": "127.0.0.0/8",
        **FREE_OF_LIMITS,
    }


@contextmanager
def running_hub(folder: Path) -> Iterator[Hub]:
    """A fresh hub in ``folder``; stopped at the end of the block."""
    create_keys(folder / "keys")
    secret = read_token_secret(folder / "keys") or ""
    token = mint_token(secret, subject="bench", role=Role.PRINCIPAL, college_id="bench", now=datetime.now(UTC))
    hub = Path(sys.executable).with_name("hub")
    with subprocess.Popen(
        [str(hub), "run"], cwd=folder, env=hub_environment(folder), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Hub(process, _announced_url(process), token)
        finally:
            process.terminate()


def _announced_url(process: subprocess.Popen[str]) -> str:
    for line in process.stdout or ():
        if match := re.search(r"http://[0-9.]+:[0-9]+", line):
            return match[0]
    raise RuntimeError("the hub did not start")
