"""Errors become problems, in one way."""

from collections.abc import AsyncIterator
from typing import Literal

import httpx2
import pytest
from fastapi import FastAPI, Query
from hub_model.base import Input
from hub_model.errors import (
    Conflict,
    ErrorClass,
    Forbidden,
    HubError,
    InvalidInput,
    Issue,
    NotFound,
    PermanentError,
    QueueFull,
    RateLimited,
    SecretUnreadable,
    SourceError,
    StaleVersion,
    TooLarge,
    TransientError,
    Unauthenticated,
    Unavailable,
    Unroutable,
)
from hub_model.pagination import Pagination
from hub_runtime.body_limit import BodyLimitMiddleware
from hub_runtime.http import install_problem_handlers
from hub_runtime.metrics import new_registry
from hub_runtime.services import Readiness
from hub_runtime.serving import process_app
from prometheus_client import CollectorRegistry
from pydantic import Field
from structlog.testing import capture_logs

ERRORS: dict[str, Exception] = {
    "invalid": InvalidInput("bad", [Issue("/name", "missing", "give a name")]),
    "malformed": InvalidInput("not JSON", code="malformed_json"),
    "not-found": NotFound("gone"),
    "conflict": Conflict("taken"),
    "in-progress": Conflict("wait", code="idempotency_in_progress"),
    "mismatch": InvalidInput("other body", code="idempotency_mismatch"),
    "stale": StaleVersion("older"),
    "unauthenticated": Unauthenticated("who"),
    "forbidden": Forbidden("no"),
    "too-large": TooLarge("big"),
    "rate-limited": RateLimited("slow down", retry_after_s=7.2),
    "unavailable": Unavailable("down"),
    "queue-full": QueueFull("full", retry_after_s=2),
    "transient": TransientError("later"),
    "unroutable": Unroutable("nobody takes it"),
    "source": SourceError("canary", error_class=ErrorClass.AUTH, code="refused"),
    "secret": SecretUnreadable("canary"),
    "permanent": PermanentError("canary"),
    "root": HubError("canary"),
    "bug": ValueError("canary"),
}


class Nested(Input):
    page_size: int


class Body(Input):
    name: str
    mode: Literal["a", "b"] = "a"
    sizes: list[Nested] = Field(default_factory=list)
    by_name: dict[Literal["x", "y"], Nested] = Field(default_factory=dict)
    pagination: Pagination | None = None
    origin: str | list[str] = ""


@pytest.fixture
def registry() -> CollectorRegistry:
    return new_registry()


@pytest.fixture
async def client(registry: CollectorRegistry) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    install_problem_handlers(app)
    app.add_middleware(BodyLimitMiddleware, max_bytes=1000)

    @app.get("/errors/{name}")
    async def fail(name: str) -> None:
        raise ERRORS[name]

    @app.post("/bodies")
    async def take(body: Body, limit: int = Query(default=1, le=200)) -> Body:
        return body

    @app.put("/bodies")
    async def replace(body: Body) -> Body:
        return body

    wrapped = process_app({"/bodies": app, "/errors": app}, readiness=Readiness([]), registry=registry)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(wrapped), base_url="http://hub") as client:
        yield client


@pytest.mark.parametrize(
    ("name", "status", "slug"),
    [
        ("invalid", 422, "validation"),
        ("malformed", 400, "malformed-json"),
        ("not-found", 404, "not-found"),
        ("conflict", 409, "conflict"),
        ("in-progress", 409, "idempotency-in-progress"),
        ("mismatch", 422, "idempotency-mismatch"),
        ("stale", 412, "version-conflict"),
        ("unauthenticated", 401, "unauthenticated"),
        ("forbidden", 403, "forbidden"),
        ("too-large", 413, "too-large"),
        ("rate-limited", 429, "rate-limited"),
        ("unavailable", 503, "not-ready"),
        ("queue-full", 503, "not-ready"),
        ("transient", 503, "not-ready"),
        ("unroutable", 503, "not-ready"),
    ],
)
async def test_an_error_has_its_status_and_type(client: httpx2.AsyncClient, name: str, status: int, slug: str) -> None:
    response = await client.get(f"/errors/{name}")
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["type"], problem["status"]) == (f"/problems/{slug}", status)
    assert problem["detail"] == str(ERRORS[name])
    assert problem["instance"] == response.headers["x-request-id"]


@pytest.mark.parametrize("name", ["source", "secret", "permanent", "root", "bug"])
async def test_an_error_that_is_ours_to_mend_says_nothing_of_itself_and_is_logged(
    client: httpx2.AsyncClient, name: str
) -> None:
    with capture_logs() as logs:
        response = await client.get(f"/errors/{name}")
    assert response.status_code == 500
    assert "canary" not in response.text
    assert response.json()["code"] == "internal_error"
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["http.failed"]


async def test_issues_are_listed_with_pointer_code_and_message(client: httpx2.AsyncClient) -> None:
    response = await client.get("/errors/invalid")
    assert response.json()["errors"] == [{"pointer": "/name", "code": "missing", "message": "give a name"}]


async def test_waiting_is_told_in_whole_seconds(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/errors/rate-limited")).headers["retry-after"] == "8"
    assert (await client.get("/errors/unavailable")).headers["retry-after"] == "5"
    assert (await client.get("/errors/queue-full")).headers["retry-after"] == "2"


async def test_a_missing_token_is_asked_for(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/errors/unauthenticated")).headers["www-authenticate"] == "Bearer"


async def test_unknown_paths_and_methods_are_problems_too(client: httpx2.AsyncClient) -> None:
    missing = await client.get("/bodies/nowhere")
    assert (missing.status_code, missing.json()["type"]) == (404, "/problems/not-found")
    outside = await client.get("/elsewhere")
    assert (outside.status_code, outside.json()["type"]) == (404, "/problems/not-found")
    method = await client.delete("/bodies")
    assert (method.status_code, method.json()["type"]) == (405, "/problems/method-not-allowed")
    assert method.headers.get_list("allow") == ["POST, PUT"]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/name", "missing"),
        ({"name": "n", "bogus": 1}, "/bogus", "extra_forbidden"),
        ({"name": "n", "mode": "c"}, "/mode", "literal_error"),
        ({"name": "n", "sizes": [{"pageSize": 1}, {"pageSize": "x"}]}, "/sizes/1/pageSize", "int_parsing"),
        ({"name": "n", "byName": {"a/b~": {"pageSize": 1}}}, "/byName/a~1b~0", "literal_error"),
        ({"name": "n", "pagination": {"type": "page", "pageSize": 0}}, "/pagination/pageSize", "greater_than_equal"),
        ({"name": "n", "pagination": {"type": "nope"}}, "/pagination", "union_tag_invalid"),
        ({"name": "n", "origin": 5}, "/origin", "string_type"),
        ([], "", "model_attributes_type"),
    ],
)
async def test_a_pointer_leads_to_the_offending_field(
    client: httpx2.AsyncClient, body: object, pointer: str, code: str
) -> None:
    response = await client.post("/bodies", json=body)
    assert response.status_code == 422
    errors = response.json()["errors"]
    assert (errors[0]["pointer"], errors[0]["code"]) == (pointer, code)
    assert (pointer or "the body") in response.json()["detail"]


async def test_an_unknown_field_is_told_what_to_do(client: httpx2.AsyncClient) -> None:
    response = await client.post("/bodies", json={"name": "n", "nmae": "x"})
    assert response.json()["errors"][0]["message"].startswith("This field is not known here")


async def test_a_query_parameter_is_named(client: httpx2.AsyncClient) -> None:
    response = await client.post("/bodies?limit=201", json={"name": "n"})
    [error] = response.json()["errors"]
    assert error["pointer"] == "/limit"
    assert error["message"].startswith("query parameter limit")


@pytest.mark.parametrize("body", [b"{", b'{"name": }', b"", b"\xff\xfe"])
async def test_a_body_that_is_not_json_is_a_bad_request(client: httpx2.AsyncClient, body: bytes) -> None:
    response = await client.post("/bodies", content=body, headers={"content-type": "application/json"})
    assert response.status_code in ((422,) if not body else (400,))
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_body_of_the_limit_is_taken_and_one_byte_more_is_not(client: httpx2.AsyncClient) -> None:
    fits = b'{"name":"%s"}' % (b"x" * (1000 - 11))
    headers = {"content-type": "application/json"}
    assert (await client.post("/bodies", content=fits, headers=headers)).status_code == 200
    response = await client.post("/bodies", content=fits + b" ", headers=headers)
    assert (response.status_code, response.json()["type"]) == (413, "/problems/too-large")


async def test_a_chunked_body_is_counted_as_it_arrives(client: httpx2.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 100

    response = await client.post("/bodies", content=chunks(), headers={"content-type": "application/json"})
    assert (response.status_code, response.headers["connection"]) == (413, "close")


async def test_an_endless_body_is_not_read_to_its_end(client: httpx2.AsyncClient) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 65_536
            yield b"x" * 65_536

    response = await client.post("/bodies", content=chunks(), headers={"content-type": "application/json"})
    assert response.status_code == 413
    assert sent < 20 * 1024 * 1024


async def test_the_access_log_has_no_query_string(client: httpx2.AsyncClient) -> None:
    with capture_logs() as logs:
        await client.post("/bodies?limit=1&studentId=canary", json={"name": "n"})
    [line] = [entry for entry in logs if entry["event"] == "http.answered"]
    assert (line["method"], line["path"], line["status"]) == ("POST", "/bodies", 200)
    assert "canary" not in str(logs)


async def test_the_access_log_has_no_more_than_the_beginning_of_a_path_that_leads_nowhere(
    client: httpx2.AsyncClient,
) -> None:
    with capture_logs() as logs:
        for path in ("/errors/x/canary", "/elsewhere/x/canary/y", "http://hub//errors/x/canary", "/errors/not-found"):
            assert (await client.get(path)).status_code == 404
    paths = [entry["path"] for entry in logs if entry["event"] == "http.answered"]
    assert paths == ["/errors/x/...", "/elsewhere/x/...", "//errors/...", "/errors/not-found"]
    assert "canary" not in str(logs)


async def test_a_plain_request_id_is_kept_and_any_other_replaced(client: httpx2.AsyncClient) -> None:
    kept = await client.get("/health/live", headers={"x-request-id": "abc-1.2_3"})
    assert kept.headers["x-request-id"] == "abc-1.2_3"
    replaced = await client.get("/health/live", headers={"x-request-id": "a b\tc"})
    assert len(replaced.headers["x-request-id"]) == 32


async def test_metrics_count_by_route_and_not_by_path(client: httpx2.AsyncClient) -> None:
    await client.get("/errors/not-found")
    await client.get("/elsewhere/123")
    text = (await client.get("/metrics")).text
    assert 'http_server_request_duration_seconds_count{method="GET",route="/errors/{name}",status="404"} 1.0' in text
    assert 'route="unmatched"' in text
    assert "123" not in text.split("http_server_request")[1]
    assert "process_resident_memory_bytes" in text
