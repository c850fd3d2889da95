"""kill -9 at every step of a sync and of a burst of webhooks: nothing lost, nothing stored twice, counts exact."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from crash.source import serve, students
from crash.victim import KILLED, Life, Victim
from hub_security.roles import Role
from hub_security.tokens import mint_token
from hub_standalone.keys import create_keys, read_token_secret

STUDENTS, PAGE_SIZE, INVALID = 2000, 50, 1234
SETTLE_S = 60.0

# Each list is one run that is killed at each of its steps in turn. The counts are small, so that enough of the run
# is left for the next step.
SYNC_PLANS = {
    "start": [
        "receive:fetcher.syncs:1",
        "write:runs:1",
        "publish:page.requested:1",
        "ack:fetcher.syncs:1",
        "acked:fetcher.syncs:1",
    ],
    "fetch": [
        "receive:fetcher.pages:2",
        "write:chains:2",
        "publish:batch.fetched:4",
        "publish:page.requested:2",
        "ack:fetcher.pages:2",
        "acked:fetcher.pages:2",
    ],
    "tables": [
        "write:runs:2",
        "write:tables:1",
        "publish:page.requested:2",
        "write:tables:3",
        "ack:fetcher.pages:2",
    ],
    "transform": [
        "receive:transformer.batches:3",
        "publish:batch.transformed:3",
        "ack:transformer.batches:3",
        "acked:transformer.batches:3",
    ],
    "write": [
        "receive:writer.batches:3",
        "merge:3",
        "publish:batch.written:3",
        "ack:writer.batches:3",
        "acked:writer.batches:3",
        "write:rejects:1",
    ],
    "progress": [
        "receive:writer.progress:3",
        "ack:writer.progress:3",
        "acked:writer.progress:3",
        "publish:stream.finished:1",
    ],
    "finish": [
        "write:integrations:2",  # the first is the claim of the run
        "write:logs:1",
        "publish:sync.finished:1",
    ],
}
WEBHOOK_PLANS = [
    "write:receipts:5",
    "publish:batch.fetched:5",
    "receive:transformer.batches:5",
    "publish:batch.transformed:5",
    "merge:5",
    "write:logs:5",
    "publish:batch.written:5",
    "ack:writer.batches:5",
]
pytestmark = pytest.mark.slow


@pytest.fixture
def victim(tmp_path: Path) -> Victim:
    keys = tmp_path / "keys"
    create_keys(keys)
    token = mint_token(
        read_token_secret(keys) or "",
        subject="principal",
        role=Role.PRINCIPAL,
        college_id="college-1",
        now=datetime.now(UTC),
    )
    return Victim(tmp_path, token, HUB_STRETCH_PAGES="4")


@pytest.fixture
async def source_url() -> AsyncIterator[str]:
    async with serve(students(STUDENTS, INVALID), PAGE_SIZE) as url:
        yield url


# Each student is joined with itself: first the table is read, then the students.
JOINED = {
    "streams": {"people": {"path": "/students"}},
    "endpoints": {
        "students": {
            "path": "/students",
            "joins": [{"stream": "people", "left": "studentId", "right": "studentId", "as": "person"}],
        }
    },
}


def draft(source_url: str) -> dict[str, Any]:
    return {
        "name": "ERP",
        "type": "student-management",
        "baseUrl": source_url,
        "authType": "bearer",
        "apiKey": "canary-bearer-token-of-the-erp",
        "endpoints": {"students": "/students"},
        "syncInterval": 1440,
        "enabled": True,
    }


@pytest.mark.parametrize("stage", SYNC_PLANS)
async def test_a_sync_killed_at_every_step_loses_nothing_and_stores_nothing_twice(
    stage: str, victim: Victim, source_url: str
) -> None:
    async with victim.alive() as life:
        wanted = {**draft(source_url), **(JOINED if stage == "tables" else {})}
        integration = (await life.http.post("/api/integrations", json=wanted)).raise_for_status().json()
    place = f"/api/integrations/{integration['id']}"
    run_id = None
    for plan in SYNC_PLANS[stage]:
        async with victim.alive(plan) as life:
            if run_id is None:
                run_id = (await life.http.post(f"{place}/sync")).raise_for_status().json()["runId"]
            assert await life.death(SETTLE_S) == KILLED, f"{plan} was never reached"
    async with victim.alive() as life:
        run = await finished(life, f"{place}/runs/{run_id}")
        await check_sync(life, place, run)
    assert "canary-bearer-token" not in victim.log()


async def check_sync(life: Life, place: str, run: dict[str, Any]) -> None:
    expected = {row["studentId"]: row for row in students(STUDENTS, INVALID) if "studentId" in row}
    stored = [item["data"] for item in await life.all_of("/api/records/students")]
    assert len(stored) == len(expected)
    assert {row["studentId"]: row for row in stored} == expected
    counts = {name: count for name, count in run["counts"].items() if count}
    assert run["status"] == "succeeded"
    assert counts == {"fetched": STUDENTS, "inserted": STUDENTS - 1, "rejected": 1}
    rejects = await life.all_of(f"{place}/rejects")
    assert [reject["raw"]["name"] for reject in rejects] == [f"Student {INVALID}"]
    assert [item["id"] for item in await life.all_of(f"{place}/runs")] == [run["id"]]
    # The run ends first; its integration and log follow in the same breath.
    await eventually(lambda: logged(life, place, "sync.finished"), count=1)
    integration = await life.get(place)
    assert (integration["status"], integration["activeRunId"]) == ("active", None)


async def finished(life: Life, path: str) -> dict[str, Any]:
    async with asyncio.timeout(SETTLE_S):
        while True:
            run: dict[str, Any] = await life.get(path)
            if run["status"] not in ("queued", "running"):
                return run
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("plan", ["write:integrations:1", "write:runs:1", "publish:sync.requested:1"])
async def test_a_hand_over_killed_half_way_is_completed_by_the_next_sync_request(
    plan: str, victim: Victim, source_url: str
) -> None:
    async with victim.alive() as life:
        integration = (await life.http.post("/api/integrations", json=draft(source_url))).raise_for_status().json()
    place = f"/api/integrations/{integration['id']}"
    async with victim.alive(plan) as life:
        with pytest.raises(httpx2.TransportError):
            await life.http.post(f"{place}/sync")
        assert await life.death(SETTLE_S) == KILLED
    async with victim.alive() as life:
        begun = (await life.http.post(f"{place}/sync")).raise_for_status().json()
        await check_sync(life, place, await finished(life, f"{place}/runs/{begun['runId']}"))


async def test_a_burst_of_webhooks_killed_at_every_step_stores_each_event_exactly_once(
    victim: Victim, source_url: str
) -> None:
    async with victim.alive() as life:
        integration = (await life.http.post("/api/integrations", json=draft(source_url))).raise_for_status().json()
    place, secret = f"/api/integrations/{integration['id']}", integration["webhookSecret"]
    address = f"/api/webhooks/integrations/{integration['id']}"
    waiting, accepted = [f"CS9{number:04d}" for number in range(400)], set[str]()
    for plan in [*WEBHOOK_PLANS, ""]:
        async with victim.alive(plan) as life:
            await asyncio.gather(*(push_all(life, address, secret, waiting, accepted) for _ in range(8)))
            if plan:
                assert await life.death(SETTLE_S) == KILLED, f"{plan} was never reached"
            else:
                await check_events(life, place, accepted)
                # This process remembers the last of them only: to it the others are events of other processes.
                repeated = await asyncio.gather(*(push(life, address, secret, pushed) for pushed in sorted(accepted)))
                assert {(answer.status_code, answer.json()["status"]) for answer in repeated} == {(200, "duplicate")}
                assert (await push(life, address, secret, "CS99999")).status_code == 202
                await check_events(life, place, accepted | {"CS99999"})
    assert len(accepted) == 400


async def push_all(life: Life, address: str, secret: str, waiting: list[str], accepted: set[str]) -> None:
    """Push what waits, one event at a time; an event whose answer was lost is sent again, as a vendor would."""
    while waiting and not life.is_over:
        student_id = waiting.pop()
        try:
            response = await push(life, address, secret, student_id)
        except httpx2.TransportError:
            waiting.append(student_id)
            return
        if response.is_success:
            accepted.add(student_id)
        else:
            waiting.append(student_id)


async def push(life: Life, address: str, secret: str, student_id: str) -> httpx2.Response:
    records = [{"studentId": student_id, "name": "Pushed"}]
    # Named: a body without an id is another event once another body came, and here eight senders go on meanwhile.
    body = orjson.dumps({"dataType": "students", "eventId": student_id, "records": records})
    headers = {
        "content-type": "application/json",
        "x-webhook-signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }
    return await life.http.post(address, content=body, headers=headers)


async def check_events(life: Life, place: str, accepted: set[str]) -> None:
    """Every accepted event is stored, and the log tells of each exactly once."""
    stored = await eventually(lambda: life.all_of("/api/records/students"), count=len(accepted))
    assert {item["data"]["studentId"] for item in stored} == accepted
    entries = await eventually(lambda: logged(life, place, "webhook.written"), count=len(accepted))
    assert sum(entry["counts"]["inserted"] for entry in entries) == len(accepted)


async def eventually(look: Callable[[], Awaitable[list[Any]]], *, count: int) -> list[Any]:
    """What ``look`` finds, once there are at least ``count``; there must not be more."""
    async with asyncio.timeout(SETTLE_S):
        while len(found := await look()) < count:
            await asyncio.sleep(0.05)
    assert len(found) == count
    return found


async def logged(life: Life, place: str, event: str) -> list[Any]:
    return [entry for entry in await life.all_of(f"{place}/logs") if entry["event"] == event]
