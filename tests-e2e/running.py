"""A hub as a process of its own: started as an operator would, stopped by a signal, read through HTTP and its log.

``separate`` has the same in several processes.
"""

import os
import secrets
import socket
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hub_security.roles import Role
from hub_security.tokens import mint_token

HUB = Path(sys.executable).with_name("hub")
_GIVEN: set[int] = set()
TOKEN_SECRET = secrets.token_urlsafe(48)
STOP_DEADLINE_S = 30
COMMAND_DEADLINE_S = 900  # a demo over servers in other processes, on a machine that other tests keep busy


@dataclass(kw_only=True)
class RunningHub:
    """A hub whose files are in a folder of its own, however many processes it is."""

    url: str
    webhooks_url: str
    folder: Path
    token_secret: str = TOKEN_SECRET

    @property
    def log(self) -> str:
        """What its processes have written to stderr."""
        return "".join(file.read_text() for file in sorted(self.folder.glob("*.log")))

    def token(self, college_id: str, role: Role = Role.PRINCIPAL) -> str:
        return mint_token(
            self.token_secret, subject="someone@example.edu", role=role, college_id=college_id, now=datetime.now(UTC)
        )


@dataclass(kw_only=True)
class Standalone(RunningHub):
    """A ``hub run``."""

    process: subprocess.Popen[str]

    def stop(self) -> int:
        """End it as an orchestrator does; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return self.process.wait(STOP_DEADLINE_S)


def start_hub(folder: Path) -> Standalone:
    """A hub with fresh development keys; its files are in the folder."""
    env = environment(folder)
    assert run_hub(folder, "keys").returncode == 0
    log = folder / "hub.log"
    with log.open("ab") as stderr:
        process = subprocess.Popen([HUB, "run"], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=stderr, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()  # "" as soon as the process ends
    assert "http://" in line, log.read_text()[-4000:]
    url = "http://" + line.partition("http://")[2].split()[0]
    return Standalone(url=url, webhooks_url=url, folder=folder, process=process)


def run_hub(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """One command to its end, in the folder; its output as text."""
    return subprocess.run(
        [HUB, *arguments],
        cwd=folder,
        env=environment(folder) | settings,
        capture_output=True,
        text=True,
        timeout=COMMAND_DEADLINE_S,
        check=False,
    )


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the caller's environment but where programs are."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "HUB_TOKEN_SECRET": TOKEN_SECRET,
        "HUB_HTTP_PORT": "0",
        "HUB_ALLOWED_NETWORKS": "127.0.0.0/8",
        "HUB_LOG_LEVEL": "debug",
        "HUB_SHUTDOWN_GRACE_S": "5",
        "HUB_WEBHOOK_SYNC_DELAY_S": "0.2",
    }


def free_port() -> int:
    """A port of loopback that nothing listens on, and that is not given out again.

    Below those that the system gives to whoever asks for any: one of these could be taken while a process that is
    killed and started again does not hold it.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        if port not in _GIVEN:
            _GIVEN.add(port)
            return port
