"""A hub in several processes over a broker and a store that run elsewhere, each process as an operator starts it."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from running import RunningHub, environment, free_port, run_hub

READY_DEADLINE_S = 90.0
STOP_DEADLINE_S = 60.0
ONE_OF_EACH: Mapping[str, int] = dict.fromkeys(
    ("config-api", "webhook-gateway", "scheduler", "fetcher", "transformer", "writer"), 1
)


@dataclass
class Replica:
    """One process of a service. Started again it keeps its port and goes on with its log."""

    service: str
    folder: Path
    log: Path
    settings: Mapping[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def name(self) -> str:
        return self.log.stem

    def start(self) -> None:
        command = Path(sys.executable).with_name(f"hub-{self.service}")
        env = environment(self.folder) | {"HUB_HTTP_PORT": str(self.port)} | self.settings
        with self.log.open("ab") as stderr:
            self.process = subprocess.Popen([command], cwd=self.folder, env=env, stderr=stderr)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_DEADLINE_S
        while not self.is_ready():
            assert self.process is not None
            assert self.process.poll() is None, f"{self.name} has ended: {self.log.read_text()[-3000:]}"
            assert time.monotonic() < deadline, f"{self.name} is not ready: {self.log.read_text()[-3000:]}"
            time.sleep(0.05)

    def is_ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/health/ready", trust_env=False, timeout=10).status_code == 200
        except httpx2.TransportError:
            return False

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """As the kernel does when memory runs out; calling it twice is fine."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(STOP_DEADLINE_S)


@dataclass(kw_only=True)
class SeparateHub(RunningHub):
    """Every replica of every service. ``url`` and ``webhooks_url`` are those of the first of each."""

    replicas: list[Replica]

    def of(self, service: str) -> list[Replica]:
        return [replica for replica in self.replicas if replica.service == service]

    def stop(self) -> dict[str, int]:
        """End all of them as an orchestrator does; their exit codes by name."""
        for replica in self.replicas:
            replica.signal(signal.SIGTERM)
        return {
            replica.name: replica.process.wait(STOP_DEADLINE_S)
            for replica in self.replicas
            if replica.process is not None
        }


@contextmanager
def start_separate(
    folder: Path, *, broker_url: str, store_url: str, counts: Mapping[str, int] = ONE_OF_EACH, **settings: str
) -> Iterator[SeparateHub]:
    """The hub with fresh development keys, all of it ready; killed at the end of the block if it still runs."""
    assert run_hub(folder, "keys").returncode == 0
    common = {"HUB_BROKER_URL": broker_url, "HUB_STORE_URL": store_url, **settings}
    replicas = [
        Replica(service, folder, folder / f"{service}-{number}.log", common)
        for service, count in counts.items()
        for number in range(1, count + 1)
    ]
    first = {replica.service: replica for replica in reversed(replicas)}
    webhooks_url = first["webhook-gateway"].url
    for replica in (each for each in replicas if each.service == "config-api"):
        replica.settings = {**common, "HUB_PUBLIC_URL": webhooks_url}
    try:
        for replica in replicas:
            replica.start()
        for replica in replicas:
            replica.wait_until_ready()
        yield SeparateHub(url=first["config-api"].url, webhooks_url=webhooks_url, folder=folder, replicas=replicas)
    finally:
        for replica in replicas:
            replica.kill()
