"""A MongoDB for tests: SecantusDB, which speaks its wire protocol, as a process of its own in a folder of its own.

A development dependency under the GPL: it is started, never imported. It differs from MongoDB in what is seldom
noticed: it is slower by an order of magnitude; without ``--sync-on-commit`` what it acknowledged survives the death
of its process and not that of the machine, which is what the tests kill; it builds no query plans to be asserted on.

Set ``HUB_TEST_MONGODB_URL`` to run the tests of the store against a real server instead; those that kill or stop the
server need one that they may kill, and always use this one.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

_START_DEADLINE_S = 60.0


class SecantusServer:
    """One server on one folder and one port; both stay the same when it is started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Without a database; options may follow."""
        return f"mongodb://127.0.0.1:{self.port}/"

    def start(self, *arguments: str) -> None:
        """Return when it listens."""
        executable = _executable()
        if executable is None:
            raise RuntimeError("SecantusDB is not installed: make setup")
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - its own executable
                [
                    executable,
                    *("--host", "127.0.0.1", "--port", str(self.port)),
                    *("--storage-path", str(self._folder / "data"), "--cache-size", "128M"),
                    *arguments,
                ],
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _START_DEADLINE_S
        while not _listens(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"SecantusDB does not listen: {(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """As a crash does; calling it twice is fine."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As an operator does."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """It keeps its connections and answers nothing, until :meth:`resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None


def require_secantus() -> None:
    """Skip the test where the server is not installed; fail it if HUB_REQUIRE_SERVICES is 1."""
    if _executable() is None:
        reason = "SecantusDB is not installed (make setup)"
        if os.environ.get("HUB_REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


def _executable() -> str | None:
    beside = Path(sys.executable).parent / "secantusd-py"
    return str(beside) if beside.exists() else shutil.which("secantusd-py")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
