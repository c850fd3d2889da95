"""A RabbitMQ node of one's own for tests, made of the Debian package: nothing is shared with a node of the system.

It has its own name, ports, epmd, cookie and directories, listens on 127.0.0.1 only, and ends with the tests.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

# Not the wrappers in /usr/sbin: those insist on the package's own user and directories.
_BIN = Path("/usr/lib/rabbitmq/bin")
_START_S = 90.0
_VHOSTS_AT_ONCE = 10


class RabbitNode:
    """One node, not yet running. Every ``vhost`` is an empty broker to a test."""

    def __init__(self, directory: Path, binaries: Path) -> None:
        self._directory = directory
        self._binaries = binaries
        self.port, self._dist_port, self._epmd_port = _free_ports(3)
        self._name = f"hub{self.port}@localhost"
        self._vhosts: list[str] = []
        self._made = 0
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._env = self._prepare()

    def url(self, vhost: str = "%2F", *, user: str = "guest", password: str = "guest", port: int = 0) -> str:  # noqa: S107 - RabbitMQ's own
        """As the administrator, unless told otherwise; ``port`` is that of a proxy in between."""
        return f"amqp://{user}:{password}@127.0.0.1:{port or self.port}/{vhost}"

    def fresh_url(self) -> str:
        """A broker that nobody has used yet."""
        return self.url(self.fresh_vhost())

    def fresh_vhost(self) -> str:
        """Made a few at a time, since each call of the command line costs a second or two."""
        if not self._vhosts:
            names = [f"test{self._made + number}" for number in range(_VHOSTS_AT_ONCE)]
            self._made += _VHOSTS_AT_ONCE
            quoted = ",".join(f'<<"{name}">>' for name in names)
            self.ctl(
                "eval",
                f'[begin rabbit_vhost:add(V, <<"test">>), rabbit_auth_backend_internal:set_permissions('
                f'<<"guest">>, V, <<".*">>, <<".*">>, <<".*">>, <<"test">>) end || V <- [{quoted}]].',
            )
            self._vhosts = names
        return self._vhosts.pop(0)

    def start(self) -> None:
        """Return when the node accepts connections."""
        with (self._directory / "stdout").open("ab") as output:
            self._server = subprocess.Popen(  # noqa: S603 - RabbitMQ's own programs
                [self._binaries / "rabbitmq-server"],
                env=self._env,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_S
        while not self._accepts():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"RabbitMQ did not start:\n{(self._directory / 'stdout').read_text()[-3000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """kill -9: nothing is written or said any more."""
        if self._server is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
            self._server = None

    def pause(self) -> None:
        """It keeps its connections and answers nothing, until :meth:`resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._server is not None:
            os.killpg(self._server.pid, number)

    def ctl(self, *args: str) -> str:
        """What ``rabbitmqctl`` answers."""
        command = [str(self._binaries / "rabbitmqctl"), "--quiet", "--node", self._name, *args]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - RabbitMQ's own programs
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {args[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    def open_epmd(self) -> None:
        """The node's own name server, in the foreground, so that it ends with the tests."""
        epmd = shutil.which("epmd") or "epmd"
        self._epmd = subprocess.Popen([epmd, "-address", "127.0.0.1"], env=self._env)  # noqa: S603 - RabbitMQ's own programs

    def close(self) -> None:
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()

    def _accepts(self) -> bool:
        """A listener that answers with AMQP; the port alone may open before the node can serve."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(connection.recv(1))
        except OSError:
            return False

    def _prepare(self) -> dict[str, str]:
        home = self._directory
        home.mkdir(parents=True, exist_ok=True)
        cookie = home / ".erlang.cookie"
        cookie.write_text(re.sub(r"\W", "", os.urandom(20).hex()))
        cookie.chmod(0o400)
        (home / "plugins").write_text("[].\n")
        (home / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\ndisk_free_limit.absolute = 50MB\nlog.file.level = info\n"
        )
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            # Two schedulers are plenty, and busy waiting would take the processor from the tests.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        }


@contextmanager
def running_node(directory: Path, *, binaries: Path = _BIN) -> Iterator[RabbitNode]:
    """A running node. Where there is no server the test is skipped; HUB_REQUIRE_SERVICES=1 makes that a failure."""
    if not (binaries / "rabbitmq-server").exists():
        reason = "no RabbitMQ server here; on Debian: apt-get install rabbitmq-server"
        if os.environ.get("HUB_REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    node = RabbitNode(directory, binaries)
    try:
        node.open_epmd()
        node.start()
        yield node
    finally:
        node.close()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
