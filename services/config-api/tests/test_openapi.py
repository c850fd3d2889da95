"""The document says what the service does: it is committed, complete, and holds against generated requests."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hub_config_api.openapi import document
from hub_connectors.drafting import complete
from hub_model.integrations import IntegrationDraft
from hub_runtime.serving import HttpServer
from hypothesis import HealthCheck, Phase, settings

COMMITTED = Path(__file__).parents[1] / "openapi.json"


def test_the_committed_document_is_the_one_the_service_has() -> None:
    assert COMMITTED.read_text() == document(), "run: make docs"


OPERATIONS = [
    (path, operation)
    for path, operations in json.loads(document())["paths"].items()
    for operation in operations.values()
]


@pytest.mark.parametrize(("path", "operation"), OPERATIONS, ids=[made["operationId"] for _, made in OPERATIONS])
def test_every_error_of_an_operation_is_declared_as_a_problem(path: str, operation: dict[str, Any]) -> None:
    errors = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
    assert {"401", "403", "422", "500", "503"} <= errors.keys()
    if "{integrationId}" in path:
        assert "404" in errors
    if "requestBody" in operation:
        assert {"400", "413", "415"} <= errors.keys()
    for answer in errors.values():
        assert answer["content"].keys() == {"application/problem+json"}
    assert operation["security"]
    assert operation["description"]
    assert operation["operationId"].isidentifier()


def test_the_examples_of_the_document_are_valid_bodies() -> None:
    content = json.loads(document())["paths"]["/api/integrations"]["post"]["requestBody"]["content"]
    examples = content["application/json"]["examples"]
    assert len(examples) == 6
    for example in examples.values():
        IntegrationDraft.model_validate(complete(example["value"]))


SECRETS = {"apiKey", "password", "clientSecret", "refreshToken", "consumerSecret", "token", "tokenSecret"}


def test_no_answer_can_hold_a_credential() -> None:
    schemas = json.loads(document())["components"]["schemas"]
    for name, schema in schemas.items():
        if name.endswith(("View", "Page")):
            assert not SECRETS & schema.get("properties", {}).keys(), name


def test_an_extra_key_is_shown_without_its_value() -> None:
    schemas = json.loads(document())["components"]["schemas"]
    assert schemas["ExtraKeyView"]["properties"].keys() == {"placement", "name", "prefix", "suffix"}


class ServedHub:
    """The service on a port of its own, in a thread with its own event loop: what generates requests is not async."""

    def __init__(self, open_hub: Any, folder: Path) -> None:
        self._open_hub = open_hub
        self._folder = folder
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="served-hub")
        self.base_url = ""
        self.token = ""

    def __enter__(self) -> "ServedHub":
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self._open_hub(self._folder, probe_timeout_s=0.01) as hub:
            server = HttpServer(hub.app, host="127.0.0.1", port=0)
            await server.start()
            self.base_url, self.token = f"http://127.0.0.1:{server.port}", hub.token()
            self._up.set()
            await self._stop.wait()
            await server.stop(1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, open_hub: Any) -> Iterator[ServedHub]:
    with ServedHub(open_hub, tmp_path_factory.mktemp("hub")) as hub:
        yield hub


EXCLUDED_CHECKS = (
    "positive_data_acceptance",  # what mappings, names and addresses must fulfil is more than a schema can say
    "ignored_auth",  # sees the token that is given here; test_access.py has every route without one
)
schema = schemathesis.openapi.from_dict(json.loads(document())).exclude(operation_id="streamEvents")


@pytest.mark.slow
@schema.parametrize()
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_generated_requests_are_answered_as_declared(case: schemathesis.Case, served: ServedHub) -> None:
    case.call_and_validate(
        base_url=served.base_url,
        headers={"authorization": f"Bearer {served.token}"},
        excluded_checks=[schemathesis.checks.CHECKS.get_one(name) for name in EXCLUDED_CHECKS],
    )
