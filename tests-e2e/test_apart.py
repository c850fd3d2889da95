"""Each service as a process of its own, over SQLite files that it has to itself."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
from hub_messaging.opening import SCHEMES
from running import environment, free_port, run_hub

pytestmark = pytest.mark.slow

SERVICES = ("config-api", "scheduler", "fetcher", "transformer", "writer", "webhook-gateway")
PASSWORD = "canary-of-a-password"
DEADLINE_S = 120


@dataclass
class Apart:
    """A running ``hub-SERVICE``; ``log`` is its stderr."""

    process: subprocess.Popen[bytes]
    http: httpx2.Client
    log: Path

    def status(self, path: str) -> int | None:
        """Of the answer; None while nobody answers."""
        try:
            return self.http.get(path).status_code
        except httpx2.TransportError:
            return None

    def wait_for(self, path: str, status: int) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while (seen := self.status(path)) != status:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, f"{path} answers {seen}; {self.log.read_text()[-3000:]}"
            time.sleep(0.05)

    def wait_for_line(self, *parts: str) -> None:
        """Wait for a line of the log that has all of these in it."""
        deadline = time.monotonic() + DEADLINE_S
        while not any(all(part in line for part in parts) for line in self.log.read_text().splitlines()):
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.05)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


@contextmanager
def apart(service: str, folder: Path, **settings: str) -> Iterator[Apart]:
    port = free_port()
    log = folder / f"{service}.log"
    env = environment(folder) | {"HUB_HTTP_PORT": str(port)} | settings
    with log.open("wb") as stderr:
        process = subprocess.Popen([command(service)], cwd=folder, env=env, stderr=stderr)
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        try:
            yield Apart(process, http, log)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(DEADLINE_S)


def command(name: str) -> Path:
    return Path(sys.executable).with_name(f"hub-{name}")


def principal_token(folder: Path) -> str:
    done = run_hub(folder, "token", "--role", "Principal", "--college", "c")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def refused(service: str, folder: Path, **settings: str) -> str:
    """What it says when it does not start."""
    env = environment(folder) | {"HUB_HTTP_PORT": "0"} | settings
    done = subprocess.run(
        [command(service)], cwd=folder, env=env, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert run_hub(tmp_path, "keys").returncode == 0
    return tmp_path


@pytest.mark.parametrize("service", SERVICES)
def test_it_starts_answers_for_its_health_and_drains(service: str, folder: Path) -> None:
    secret = folder / "token-secret"
    secret.write_text("a secret of at least thirty-two bytes")
    with apart(service, folder, HUB_TOKEN_SECRET="", HUB_TOKEN_SECRET_FILE=str(secret)) as running:
        running.wait_for("/health/ready", 200)
        assert running.status("/health/live") == 200
        assert "process_cpu_seconds_total" in running.http.get("/metrics").text
        assert running.status("/no/such/path") == 404
        health = subprocess.run(
            [command("health")], env={"HUB_HTTP_PORT": str(running.http.base_url.port)}, check=False
        )
        assert health.returncode == 0
        assert running.end() == 0
    assert '"process.stopped"' in running.log.read_text()


def test_the_api_of_a_service_is_on_its_port(folder: Path) -> None:
    with apart("config-api", folder) as api:
        api.wait_for("/health/ready", 200)
        assert api.status("/api/integrations") == 401
        assert api.status("/api/openapi.json") == 200
        assert api.end() == 0
    with apart("webhook-gateway", folder) as gateway:
        gateway.wait_for("/health/ready", 200)
        assert gateway.http.post("/api/webhooks/integrations/nobody", json={}).status_code in (401, 404)
        assert gateway.end() == 0


def test_without_a_process_the_health_check_fails() -> None:
    done = subprocess.run(
        [command("health")], env={"HUB_HTTP_PORT": str(free_port())}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "no answer" in done.stderr


@pytest.mark.parametrize(
    ("service", "settings", "said"),
    [
        ("scheduler", {"HUB_TICK_S": "-1"}, "HUB_TICK_S: "),
        ("scheduler", {"HUB_BROKER_URL": f"carrier-pigeon://hub:{PASSWORD}@coop"}, "there is no broker for"),
        ("scheduler", {"HUB_STORE_URL": f"shoebox://hub:{PASSWORD}@attic"}, "there is no store for"),
        ("scheduler", {"HUB_STORE_URL_FILE": "/no/such/file"}, "HUB_STORE_URL_FILE names /no/such/file"),
        ("scheduler", {"HUB_STORE_URL": "sqlite:///.hub/broker.db"}, "Give the broker and the store a file each"),
        ("fetcher", {"HUB_FETCHER_KEYS_FILE": "elsewhere.json"}, "elsewhere.json"),
        ("webhook-gateway", {"HUB_GATEWAY_KEYS_FILE": "elsewhere.json"}, "elsewhere.json"),
        ("config-api", {"HUB_TOKEN_SECRET": ""}, "HUB_TOKEN_SECRET and HUB_JWKS_URL"),
    ],
)
def test_what_cannot_work_is_refused_at_once(service: str, settings: dict[str, str], said: str, folder: Path) -> None:
    reason = refused(service, folder, **settings)
    assert said in reason
    assert PASSWORD not in reason


def test_a_file_that_another_process_has_is_refused_with_a_way_out(folder: Path) -> None:
    with apart("scheduler", folder) as first:
        first.wait_for("/health/ready", 200)
        reason = refused("writer", folder)
        assert re.search(rf"broker.db is in use by process {first.process.pid}.*amqp://.*hub run", reason)
        assert first.status("/health/ready") == 200


def test_a_port_that_is_taken_is_refused(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        assert f"cannot listen on 127.0.0.1:{port}" in refused("writer", folder, HUB_HTTP_PORT=port)


def test_a_second_signal_ends_a_drain_at_once(folder: Path) -> None:
    with apart("config-api", folder, HUB_SHUTDOWN_GRACE_S="50") as running:
        running.wait_for("/health/ready", 200)
        token = principal_token(folder)
        port = running.http.base_url.port
        with socket.create_connection(("127.0.0.1", port or 0)) as slow:
            # A request whose body never comes: the server waits for it, as long as it is let.
            slow.sendall(
                f"POST /api/integrations HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {token}\r\n"
                "content-type: application/json\r\ncontent-length: 10\r\n\r\n{".encode()
            )
            running.wait_for("/health/live", 200)
            os.kill(running.process.pid, signal.SIGTERM)
            running.wait_for_line('"process.stopping"')
            assert running.end(signal.SIGINT) == 128 + signal.SIGINT


class Source(ThreadingHTTPServer):
    """A college with one student, which does not answer before it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), SourceHandler)
        self.asked = threading.Event()
        self.go = threading.Event()


class SourceHandler(BaseHTTPRequestHandler):
    server: Source

    def do_GET(self) -> None:
        self.server.asked.set()
        self.server.go.wait(DEADLINE_S)
        body = (
            b'{"data": [{"studentId": "S1", "name": "A Student"}], "pagination": {"page": 1, "limit": 100, "total": 1}}'
        )
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with suppress(OSError):  # whoever asked may be gone
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def source() -> Iterator[Source]:
    with Source() as source:
        thread = threading.Thread(target=source.serve_forever)
        thread.start()
        yield source
        source.go.set()
        source.shutdown()
        thread.join()


def test_one_after_the_other_they_do_what_waits_for_them_and_nothing_is_lost(folder: Path, source: Source) -> None:
    headers = {"authorization": f"Bearer {principal_token(folder)}"}
    draft = {
        "name": "ERP",
        "type": "student-management",
        "baseUrl": f"http://127.0.0.1:{source.server_port}",
        "authType": "bearer",
        "apiKey": "key-of-the-erp",
        "endpoints": {"students": "/students"},
        "syncInterval": 60,
        "enabled": False,
    }
    with apart("config-api", folder) as api:
        api.wait_for("/health/ready", 200)
        made = api.http.post("/api/integrations", json=draft, headers=headers).raise_for_status().json()
        # There never was a fetcher.
        api.http.post(f"/api/integrations/{made['id']}/sync", headers=headers).raise_for_status()
        assert api.end() == 0
    with apart("fetcher", folder, HUB_SHUTDOWN_GRACE_S="0.5") as fetcher:
        assert source.asked.wait(DEADLINE_S)
        assert fetcher.end() == 1  # what it had in hand was given back
    source.go.set()
    with apart("fetcher", folder) as fetcher:
        fetcher.wait_for_line('"delivery.done"', '"fetcher.pages"')
        assert fetcher.end() == 0
    with apart("transformer", folder) as transformer:
        transformer.wait_for_line('"delivery.done"', '"transformer.batches"')
        assert transformer.end() == 0
    with apart("writer", folder) as writer:
        writer.wait_for_line('"run.finished"', '"succeeded"')
        assert writer.end() == 0
    with apart("config-api", folder) as api:
        api.wait_for("/health/ready", 200)
        records = api.http.get("/api/records/students", headers=headers).raise_for_status().json()["items"]
        assert [record["data"]["studentId"] for record in records] == ["S1"]
        assert api.end() == 0


@pytest.mark.skipif("amqp" not in SCHEMES, reason="there is no broker that runs apart")
def test_a_broker_that_is_not_there_yet_is_waited_for(folder: Path) -> None:
    url = f"amqp://hub:{PASSWORD}@127.0.0.1:{free_port()}/"
    with apart("writer", folder, HUB_BROKER_URL=url) as running:
        running.wait_for("/health/live", 200)
        running.wait_for("/health/ready", 503)
        assert running.http.get("/health/ready").json()["failed"] == ["broker", "store", "writer"]
        assert running.http.get("/api/anything").status_code == 503
        running.wait_for_line('"process.waiting"', '"broker"')
        assert running.end() == 0
    assert PASSWORD not in running.log.read_text()


@pytest.mark.skipif("amqp" not in SCHEMES, reason="there is no broker that runs apart")
def test_a_broker_that_does_not_come_is_waited_for_no_longer_than_it_is_said(folder: Path) -> None:
    url = f"amqp://hub:{PASSWORD}@127.0.0.1:{free_port()}/"
    reason = refused("writer", folder, HUB_BROKER_URL=url, HUB_START_PATIENCE_S="0.5")
    assert "the broker could not be reached within 0.5 s (HUB_START_PATIENCE_S)" in reason
    assert PASSWORD not in reason
