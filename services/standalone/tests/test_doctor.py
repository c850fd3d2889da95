"""What `hub doctor` finds, over the file of a hub in one process, over AMQP, and over HTTP."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hub_messaging.broker import Delivery, Subscription
from hub_messaging.envelope import encode
from hub_messaging.opening import open_broker
from hub_messaging.testing import wait_until
from hub_messaging.testing.rabbitmq_node import RabbitNode, running_node
from hub_messaging.topology import declare_queues, subscription_of
from hub_model.messages import PageRequested
from hub_model.records import DataType
from hub_runtime.settings import load_settings
from hub_security.keys import add_key, generate_keys, make_current
from hub_standalone.backend import open_file
from hub_standalone.doctor.examination import Examination
from hub_standalone.doctor.files import look_at_disk
from hub_standalone.doctor.services import least_skew_s
from hub_standalone.local import OperatorSettings
from hub_storage.collection import Index
from hub_storage.opening import open_store
from hub_storage.repositories import SPECS
from hub_storage.repositories.integrations import SPEC as INTEGRATIONS
from hub_storage.testing.secantus import SecantusServer, require_secantus

Hub = Callable[..., Any]

DATABASE = Path(".hub/hub.db")
KEYS = Path(".hub/keys")
SECRET = "canary-9151"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def at_home(hub: Hub) -> None:
    """A folder in which a hub has run."""

    async def run() -> None:
        async with open_file(DATABASE) as (broker, _):
            await declare_queues(broker)

    hub("keys")
    asyncio.run(run())


def found(hub: Hub, *options: str) -> dict[str, tuple[str, str]]:
    """Check -> its status and its text; of several findings of one check, the worst."""
    outcome = hub("doctor", "--json", *options)
    report = json.loads(outcome.out)
    worst = sorted(report["checks"], key=lambda item: ["ok", "warning", "FAILED"].index(item["status"]))
    assert report["ok"] is (outcome.code == 0) is all(item["status"] != "FAILED" for item in worst)
    return {item["check"]: (item["status"], f"{item['detail']} {item['fix']}") for item in worst}


class _Answers(BaseHTTPRequestHandler):
    """What one service says; the server carries it."""

    def do_GET(self) -> None:
        status, body, at = self.server.says
        self.send_response_only(status)
        self.send_header("date", format_datetime(at or datetime.now(UTC), usegmt=True))
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def service(status: int, body: object, *, at: datetime | None = None) -> Iterator[str]:
    """A process that answers so; yields its address."""
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    server.says = status, body, at
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.usefixtures("at_home")
def test_a_hub_in_order_is_found_in_order(hub: Hub) -> None:
    with service(200, {"status": "ready"}) as url:
        outcome = hub("doctor", "--url", url)
    assert outcome.code == 0
    assert outcome.out.endswith("All is well.\n")
    lines = outcome.out.splitlines()[:-1]
    assert all(line.startswith("ok       ") for line in lines)
    checks = [line[9:].split(": ")[0] for line in lines]
    assert checks == [
        *("settings", "tokens", "public keys", "fetcher keys", "gateway keys", "disk"),
        *("database", "broker", "topology", "dead letters", "queues", "store"),
        *(f"service {url}", "clock"),
    ]


@pytest.mark.usefixtures("at_home")
def test_dead_letters_are_a_warning_that_names_the_next_command(hub: Hub) -> None:
    async def bury() -> None:
        async def give_up(delivery: Delivery) -> None:
            await delivery.dead_letter("no use")

        async def is_dead() -> bool:
            return await broker.dead_letters.count() == 1

        async with open_file(DATABASE) as (broker, _):
            await broker.consume(subscription_of("fetcher.pages"), give_up)
            await broker.publish([PAGE])
            await wait_until(is_dead, 5.0)

    page = PageRequested(college_id="c", integration_id="i", run_id="r", data_type=DataType.MARKS, observed_at=NOW)
    PAGE = encode(page, now=NOW)
    asyncio.run(bury())
    status, text = found(hub)["dead letters"]
    assert (status, "1 waiting" in text, "hub dlq list" in text) == ("warning", True, True)


@pytest.mark.usefixtures("at_home")
def test_an_integration_that_this_version_cannot_read_is_named_without_its_values(hub: Hub) -> None:
    async def store() -> None:
        async with open_file(DATABASE) as (_, store):
            stored = {"id": "i7", "collegeId": "c1", "settings": {"apiKey": SECRET}, SECRET: 1}
            await store.collection(INTEGRATIONS).insert({"i7": stored})

    asyncio.run(store())
    status, text = found(hub)["integrations"]
    assert (status, "integration i7 of the college c1" in text) == ("FAILED", True)
    assert SECRET not in text


@pytest.mark.usefixtures("at_home")
def test_a_running_hub_is_no_fault(hub: Hub) -> None:
    async def while_it_runs() -> Any:
        async with open_file(DATABASE):
            return await asyncio.to_thread(found, hub)

    status, text = asyncio.run(while_it_runs())["database"]
    assert (status, "in use by process" in text) == ("warning", True)


def test_where_there_is_no_hub_none_is_made(hub: Hub) -> None:
    assert found(hub)["database"][0] == "warning"
    assert not DATABASE.exists()
    assert found(hub)["tokens"][0] == "FAILED"


def test_a_wrong_setting_keeps_no_other_check_back(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub("keys")
    monkeypatch.setenv("HUB_TICK_S", "often")
    monkeypatch.setenv("HUB_PAGES_AHED", "3")
    report = found(hub)
    assert (report["settings"][0], report["fetcher keys"][0]) == ("FAILED", "ok")
    assert "HUB_TICK_S" in report["settings"][1]
    assert "Was HUB_PAGES_AHEAD meant?" in hub("doctor").out


def test_settings_that_cannot_be_read_at_all_are_said_to_be_so(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_BROKER_URL_FILE", "/nowhere/broker-url")
    with service(200, {"status": "ready"}) as url:
        report = found(hub, "--url", url)
    assert report["settings"][0] == "FAILED"
    assert "HUB_BROKER_URL_FILE names /nowhere/broker-url" in report["settings"][1]
    assert report[f"service {url}"][0] == "ok"


def test_keys_that_do_not_belong_together_are_found(hub: Hub) -> None:
    hub("keys")
    generate_keys(Path("other"))
    (KEYS / "fetcher.json").write_bytes(Path("other/fetcher.json").read_bytes())
    (KEYS / "gateway.json").chmod(0o644)
    report = found(hub)
    assert report["fetcher keys"][0] == report["gateway keys"][0] == "FAILED"
    assert "does not hold" in report["fetcher keys"][1]
    assert "chmod 600" in report["gateway keys"][1]
    (KEYS / "gateway.json").unlink()
    (KEYS / "public.json").write_text("{")
    report = found(hub)
    assert (report["gateway keys"][0], report["public keys"][0]) == ("FAILED", "FAILED")
    assert report["fetcher keys"] == ("ok", "can be read; there are no public keys here to compare them with. ")


def test_a_key_that_only_older_secrets_need_is_missed(hub: Hub) -> None:
    hub("keys")
    key_id = add_key(KEYS, "fetcher")
    make_current(KEYS, "fetcher", key_id)
    private = json.loads((KEYS / "fetcher.json").read_text())
    [old] = set(private["keys"]) - {key_id}
    del private["keys"][old]
    (KEYS / "fetcher.json").write_text(json.dumps(private))
    status, text = found(hub)["fetcher keys"]
    assert (status, old in text) == ("warning", True)


@pytest.mark.parametrize(("free_mib", "status"), [(5, "FAILED"), (100, "warning"), (5000, "ok")])
def test_a_disk_is_found_full_before_and_when_it_is(free_mib: int, status: str) -> None:
    DATABASE.parent.mkdir()
    exam = Examination()
    look_at_disk(exam, load_settings(OperatorSettings), free_bytes=lambda _: free_mib * 2**20)
    assert [item.status for item in exam.findings] == [status]


@pytest.mark.parametrize(
    ("variables", "status", "said"),
    [
        ({"HUB_TOKEN_SECRET": "short"}, "FAILED", "32"),
        ({"HUB_JWKS_URL": "https://id.example.edu/jwks"}, "ok", "HUB_JWKS_URL"),
        ({"HUB_JWKS_URL": "https://id.example.edu/jwks", "HUB_TOKEN_SECRET": "s" * 40}, "FAILED", "both"),
    ],
)
def test_what_tokens_are_checked_with_is_looked_at(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], status: str, said: str
) -> None:
    hub("keys")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    report = found(hub)["tokens"]
    assert (report[0], said in report[1]) == (status, True)


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ((503, {"status": "not_ready", "failed": ["broker"]}), "FAILED", "not ready: broker."),
        ((503, {"status": "stopping"}), "warning", "stopping"),
        ((404, []), "FAILED", "404, but not like a hub"),
    ],
)
def test_a_service_that_is_not_ready_is_named_with_what_it_waits_for(
    hub: Hub, answer: tuple[int, object], status: str, said: str
) -> None:
    with service(*answer) as url:
        report = found(hub, "--url", url)[f"service {url}"]
    assert (report[0], said in report[1]) == (status, True)


def test_a_service_that_was_asked_for_and_is_not_there_failed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(hub, "--url", "http://127.0.0.1:9")["service http://127.0.0.1:9"][0] == "FAILED"
    monkeypatch.setenv("HUB_URL", "http://127.0.0.1:9")
    assert found(hub)["service http://127.0.0.1:9"][0] == "warning"
    secret = found(hub, "--url", f"http://u:{SECRET}@127.0.0.1:9")
    assert SECRET not in str(secret)


@pytest.mark.parametrize(("ahead_s", "status"), [(0, "ok"), (10, "warning"), (-10, "warning"), (90, "FAILED")])
def test_a_clock_that_is_wrong_is_found(hub: Hub, ahead_s: int, status: str) -> None:
    at = datetime.now(UTC) - timedelta(seconds=ahead_s)
    with service(200, {"status": "ready"}, at=at) as url:
        report = found(hub, "--url", url)["clock"]
    assert report[0] == status
    assert ("ahead" in report[1], "behind" in report[1]) == (ahead_s > 0, ahead_s < 0)


@pytest.mark.parametrize(
    ("told_s", "sent_s", "received_s", "skew_s"),
    [(0, 0.9, 1.0, 0), (0, 0.0, 5.0, 0), (0, 3.5, 4.0, 2.5), (9, 3.0, 4.0, -5.0), (5, 3.0, 5.5, 0)],
)
def test_a_date_header_proves_no_more_skew_than_it_can(
    told_s: float, sent_s: float, received_s: float, skew_s: float
) -> None:
    told, sent, received = (NOW + timedelta(seconds=s) for s in (told_s, sent_s, received_s))
    assert least_skew_s(told, sent=sent, received=received) == skew_s


def test_what_is_not_on_this_machine_is_no_fault_of_services_that_run_apart(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_BROKER_URL", f"amqp://u:{SECRET}@127.0.0.1:9/v")
    monkeypatch.setenv("HUB_STORE_URL", f"nosuch://u:{SECRET}@127.0.0.1/v")
    report = found(hub)
    statuses = {check: status for check, (status, _) in report.items()}
    assert [statuses[check] for check in ("tokens", "public keys", "fetcher keys")] == ["warning"] * 3
    assert [statuses[check] for check in ("broker", "queues", "store")] == ["FAILED", "warning", "FAILED"]
    assert "connecting to RabbitMQ at 127.0.0.1:9" in report["broker"][1]
    assert SECRET not in str(report)
    assert SECRET not in hub("doctor").out


def test_an_address_that_is_quoted_is_quoted_without_its_password(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_BROKER_URL", f"sqlite://u:{SECRET}@host/file.db")
    assert "is not sqlite:///FILE" in found(hub)["broker"][1]
    outcome = hub("dlq", "list")
    assert "is not sqlite:///FILE" in outcome.err
    assert SECRET not in str(found(hub)) + outcome.err


async def test_a_check_that_does_not_end_is_ended_and_one_that_breaks_says_no_more_than_that() -> None:
    async def breaks() -> None:
        raise ValueError(SECRET)

    exam = Examination(deadline_s=0.01)
    async with asyncio.timeout(5):
        assert await exam.check("slow", asyncio.Event().wait, fix="Wake it.") is None
    assert await exam.check("broken", breaks) is None
    assert [(item.check, item.status, item.detail) for item in exam.findings] == [
        ("slow", "FAILED", "no answer within 0.01 s."),
        ("broken", "FAILED", "the check itself broke: ValueError."),
    ]
    assert exam.unfinished


@pytest.mark.slow
def test_a_broker_that_says_nothing_ends_its_check_and_no_other() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"amqp://u:{SECRET}@127.0.0.1:{silent.getsockname()[1]}/v"
        done = subprocess.run(
            [sys.executable, "-c", "from hub_standalone.cli import main; main()", "doctor", "--json"],
            env={"HUB_BROKER_URL": url, "HUB_STORE_URL": "sqlite:///none.db"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    checks = {item["check"]: item for item in json.loads(done.stdout)["checks"]}
    assert checks["broker"]["status"] == "FAILED"
    assert "no answer" in checks["broker"]["detail"] or "did not answer" in checks["broker"]["detail"]
    assert checks["store"]["status"] == "warning"
    assert SECRET not in done.stdout + done.stderr


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    with running_node(tmp_path_factory.mktemp("rabbitmq")) as node:
        yield node


@pytest.mark.slow
def test_a_queue_that_was_declared_otherwise_is_shown_with_the_difference(
    hub: Hub, rabbitmq: RabbitNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def declare_otherwise() -> None:
        async with open_broker(url) as broker:
            await broker.declare(Subscription("fetcher.pages", ["page.requested"], max_length=7))

    url = rabbitmq.fresh_url()
    monkeypatch.setenv("HUB_BROKER_URL", url)
    asyncio.run(declare_otherwise())
    capsys.readouterr()  # what the log of the test itself says
    report = found(hub)
    assert report["broker"][0] == "ok"
    assert report["topology"][0] == "FAILED"
    assert "x-max-length" in report["topology"][1]
    assert "fetcher.pages" in report["topology"][1]
    assert "writer.progress 0" in report["queues"][1]


@pytest.mark.slow
def test_refused_credentials_are_said_to_be_refused(
    hub: Hub, rabbitmq: RabbitNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_BROKER_URL", rabbitmq.url(user="guest", password=SECRET))
    status, text = found(hub)["broker"]
    assert (status, "RabbitMQ refuses" in text) == ("FAILED", True)
    assert "Is it running" not in text
    assert SECRET not in text


@pytest.fixture
def mongodb(tmp_path: Path) -> Iterator[SecantusServer]:
    require_secantus()
    server = SecantusServer(tmp_path / "mongodb")
    server.start()
    yield server
    server.kill()


@pytest.mark.slow
def test_indexes_of_another_version_are_told_with_how_to_drop_them(
    hub: Hub, mongodb: SecantusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{mongodb.url}hub"
    monkeypatch.setenv("HUB_STORE_URL", url)
    assert "indexes" not in found(hub)
    newer = [replace(spec, indexes=(*spec.indexes, Index(("grade",)))) for spec in SPECS if spec.name == "runs"]

    async def run_another_version() -> None:
        async with open_store(url, newer):
            pass

    asyncio.run(run_another_version())
    status, text = found(hub)["indexes"]
    assert status == "warning"
    assert "no process of another version" in text
    assert 'db.getCollection("runs").dropIndex("hub_grade")' in text
