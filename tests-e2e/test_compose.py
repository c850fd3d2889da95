"""docker-compose.yml as text: what each container may see and do. Whether it runs is for `make demo-compose`."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub_runtime.settings import RuntimeSettings

ROOT = Path(__file__).parents[1]
SERVICES = {"config-api", "scheduler", "fetcher", "transformer", "writer", "webhook-gateway"}
FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = FILE["services"]


def test_every_service_has_a_container() -> None:
    assert set(CONTAINERS) == SERVICES | {"rabbitmq", "mongodb"}


def test_each_service_gets_the_secrets_it_reads_and_no_others() -> None:
    own = {
        "config-api": {"public-keys", "token-secret"},
        "fetcher": {"fetcher-keys"},
        "webhook-gateway": {"gateway-keys"},
    }
    both = {"broker-url", "store-url"}
    assert {name: set(CONTAINERS[name]["secrets"]) for name in SERVICES} == {
        name: both | own.get(name, set()) for name in SERVICES
    }
    named = [value for name in SERVICES for value in CONTAINERS[name]["environment"].values() if "secrets" in value]
    assert {value.removeprefix("/run/secrets/") for value in named} == both.union(*own.values())


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_whatever_a_service_can_be_told_is_handed_to_it(name: str) -> None:
    """Except what this file decides: where it listens, where its secrets lie, how long it has to stop."""
    module = import_module(f"hub_{name.replace('-', '_')}.settings")
    [settings] = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, RuntimeSettings) and value.__module__ == module.__name__
    ]
    decided = {"broker_url", "store_url", "http_host", "http_port", "shutdown_grace_s", "token_secret"}
    expected = {
        f"HUB_{field.upper()}"
        for field in settings.model_fields.keys() - decided
        if not re.search("_keys(_file)?$", field)
    }
    assert expected <= CONTAINERS[name]["environment"].keys()


@pytest.mark.parametrize("name", CONTAINERS)
def test_no_container_may_do_more_than_it_must(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert not container["user"].startswith(("0", "root"))
    assert {"mem_limit", "cpus"} <= container.keys()
    assert all(port.startswith("127.0.0.1:") for port in container.get("ports", []))


def test_only_the_fetcher_reaches_the_outside_and_the_store_nobody_but_the_hub() -> None:
    assert [name for name in CONTAINERS if "outside" in CONTAINERS[name]["networks"]] == ["fetcher"]
    assert CONTAINERS["mongodb"]["networks"] == ["backend"]
    assert FILE["networks"]["backend"] == {"internal": True}


def test_work_in_flight_has_time_to_finish_before_a_container_is_killed() -> None:
    grace_s = RuntimeSettings.model_fields["shutdown_grace_s"].default
    assert all(int(CONTAINERS[name]["stop_grace_period"].rstrip("s")) > grace_s for name in SERVICES)


def test_what_it_reads_from_the_env_file_is_told_in_the_example() -> None:
    files = [ROOT / "docker-compose.yml", *(ROOT / "deploy" / "compose").glob("*.yml")]
    read = {name for file in files for name in re.findall(r"(?<!\$)\$\{(\w+)", file.read_text())}
    told = set(re.findall(r"^# (HUB_\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert read <= told


def test_an_image_holds_a_service_and_the_libraries_it_names_and_no_more() -> None:
    def members(service: str) -> set[str]:
        script = ROOT / "deploy" / "docker" / "members.py"
        done = subprocess.run([sys.executable, script, service], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return set(done.stdout.split())

    scheduler = members("scheduler")
    assert {"./services/scheduler", "./libs/storage", "./libs/sqlite", "./libs/model"} <= scheduler
    assert "./libs/mapping" not in scheduler
    assert {f"./services/{name}" for name in SERVICES} < members("standalone")
