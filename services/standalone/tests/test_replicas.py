"""Two of each service over one broker and one store, as an orchestrator runs them: it matters to nobody which it meets.

The embedded adapters serve one process at a time, so both are in this one; they share nothing but broker and store.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hub_messaging.clock import utc_now
from hub_messaging.testing import wait_until
from hub_runtime.serving import HttpServer
from hub_security.roles import Role
from hub_security.tokens import mint_token
from hub_standalone.client import ApiError, HubClient, open_client
from hub_standalone.demo.check import differences
from hub_standalone.demo.college import College, Credentials, serve_college
from hub_standalone.demo.drafts import biometric_draft, erp_draft
from hub_standalone.demo.truth import truth
from hub_standalone.demo.webhook import push_signed
from hub_standalone.demo.world import build_world
from hub_standalone.keys import create_keys, read_token_secret
from hub_standalone.main import build_system, open_adapters
from hub_standalone.progress import ProgressView
from hub_standalone.settings import StandaloneSettings
from rich.console import Console

DEADLINE_S = 60


@dataclass(frozen=True)
class Replica:
    """One of each service. ``client`` is the principal's, who asks this one."""

    url: str
    token: str
    client: HubClient


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[tuple[Replica, Replica]]:
    folder = tmp_path / "keys"
    create_keys(folder)
    settings = StandaloneSettings(
        keys_folder=folder, database=tmp_path / "hub.db", allowed_networks=("127.0.0.0/8",), http_port=0, tick_s=0.2
    )
    token = mint_token(read_token_secret(folder) or "", subject="p", role=Role.PRINCIPAL, college_id="c", now=utc_now())
    found: list[Replica] = []
    async with open_adapters(settings) as (broker, store), AsyncExitStack() as stack:
        for _ in range(2):
            system = build_system(settings, broker=broker, store=store)
            for service in system.services:
                await service.start()
                stack.push_async_callback(service.stop, 5)
            server = HttpServer(system.app, host="127.0.0.1", port=0)
            await server.start()
            stack.push_async_callback(server.stop, 1)
            for service in system.services:
                if service.on_stopping is not None:
                    stack.callback(service.on_stopping)
            url = f"http://127.0.0.1:{server.port}"
            found.append(Replica(url, token, await stack.enter_async_context(open_client(url, token))))
        yield found[0], found[1]


@pytest.fixture
def credentials() -> Credentials:
    return Credentials(erp_token=secrets.token_hex(16), biometric_key=secrets.token_hex(16), college_code="4711")


@pytest.fixture
async def college(credentials: Credentials) -> AsyncIterator[College]:
    world = build_world(11, date(2026, 3, 17))
    # A tenth of it is as good here: what matters is that several batches are under way at once.
    attendance = [*world.attendance[:1000], *world.invalid, *world.attendance[1000:2000]]
    small = replace(world, attendance=attendance, marks=world.marks[:500])
    async with serve_college(College(small, credentials)) as college:
        yield college


async def follow(client: HubClient, integration: dict[str, Any], run_id: str) -> dict[str, Any]:
    async with asyncio.timeout(DEADLINE_S):
        with ProgressView(Console(quiet=True)) as view:
            return await view.follow(client, "sync", integration["id"], run_id)


async def test_what_two_of_each_sync_together_is_stored_once_and_counted_once(
    replicas: tuple[Replica, Replica], college: College, credentials: Credentials
) -> None:
    one, other = replicas
    drafts = (erp_draft(college, credentials), biometric_draft(college, credentials))
    made = [await one.client.create(draft) for draft in drafts]
    begun = [await other.client.sync(integration["id"]) for integration in made]
    runs = [await follow(one.client, integration, run["runId"]) for integration, run in zip(made, begun, strict=True)]
    expected = truth(college.world)
    assert await differences(other.client, expected, runs=runs) == []
    stored = sum(len(records) for records in expected.records.values())
    counts = [run["counts"] for run in runs]
    assert sum(count["inserted"] for count in counts) == stored
    assert sum(count["rejected"] for count in counts) == len(expected.rejects)


async def test_a_connection_test_is_answered_where_it_was_asked(
    replicas: tuple[Replica, Replica], college: College, credentials: Credentials
) -> None:
    made = await replicas[0].client.create(biometric_draft(college, credentials) | {"enabled": False})
    async with asyncio.timeout(DEADLINE_S):
        for _ in range(3):  # whichever fetcher takes it
            answers = await asyncio.gather(*(replica.client.test(made["id"]) for replica in replicas))
            assert [answer["success"] for answer in answers] == [True, True]


async def test_every_service_that_takes_messages_counts_those_it_cannot_decode(
    replicas: tuple[Replica, Replica],
) -> None:
    async with httpx2.AsyncClient(base_url=replicas[0].url, trust_env=False) as client:
        lines = (await client.get("/metrics")).text.splitlines()
    counted = {line.partition("{")[2] for line in lines if line.startswith("hub_messages_undecodable_total")}
    assert counted == {f'service="{name}"}} 0.0' for name in ("writer", "transformer", "fetcher", "config-api")}


async def test_one_idempotency_key_at_two_replicas_acts_once(
    replicas: tuple[Replica, Replica], college: College, credentials: Credentials
) -> None:
    draft = biometric_draft(college, credentials) | {"enabled": False}
    made = await asyncio.gather(
        *(
            replica.client.request("POST", "/api/integrations", body=draft, headers={"idempotency-key": "k-1"})
            for replica in replicas
        ),
        return_exceptions=True,
    )
    refused = [answer for answer in made if isinstance(answer, ApiError)]
    assert {error.code for error in refused} <= {"idempotency_in_progress"}
    again = await replicas[1].client.request(
        "POST", "/api/integrations", body=draft, headers={"idempotency-key": "k-1"}
    )
    assert [item["id"] for item in await replicas[0].client.integrations()] == [again["id"]]
    assert {answer["id"] for answer in made if isinstance(answer, dict)} == {again["id"]}


async def test_one_integration_asked_to_sync_at_two_replicas_runs_once(
    replicas: tuple[Replica, Replica], college: College, credentials: Credentials
) -> None:
    made = await replicas[0].client.create(biometric_draft(college, credentials) | {"enabled": False})
    begun = await asyncio.gather(*(replica.client.sync(made["id"]) for replica in replicas))
    assert begun[0]["runId"] == begun[1]["runId"]
    run = await follow(replicas[1].client, made, begun[0]["runId"])
    assert run["counts"]["inserted"] == len(college.world.biometric)


async def test_one_event_pushed_to_two_gateways_is_one_event(
    replicas: tuple[Replica, Replica], college: College, credentials: Credentials
) -> None:
    made = await replicas[0].client.create(biometric_draft(college, credentials))
    row = college.world.biometric[0]
    paths = [f"{replica.url}/api/webhooks/integrations/{made['id']}" for replica in replicas]
    statuses = await asyncio.gather(*(push_signed(path, made["webhookSecret"], row) for path in paths * 3))
    assert set(statuses) <= {200, 202}
    client = replicas[1].client

    async def stored() -> list[dict[str, Any]]:
        return await client.all_of("/api/records/attendance", studentId=row["studentId"])

    async def is_stored() -> bool:
        return bool(await stored())

    await wait_until(is_stored, DEADLINE_S)
    items = await stored()
    assert [item["data"]["studentId"] for item in items] == [row["studentId"]]


async def test_who_listens_at_one_replica_hears_what_happens_at_the_other(
    replicas: tuple[Replica, Replica], college: College, credentials: Credentials
) -> None:
    made = await replicas[0].client.create(biometric_draft(college, credentials) | {"enabled": False})
    headers = {"authorization": f"Bearer {replicas[1].token}"}
    async with (
        asyncio.timeout(DEADLINE_S),
        httpx2.AsyncClient(base_url=replicas[1].url, headers=headers, trust_env=False) as http,
        http.stream("GET", "/api/events") as events,
    ):
        lines = events.aiter_lines()
        assert (await anext(lines)).startswith("retry:")
        await replicas[0].client.sync(made["id"])
        while await anext(lines) != "event: sync.finished":
            pass
