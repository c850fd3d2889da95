"""A push that brings no records: the next sync comes sooner, once for however many pushes, and nothing is published."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hub_model.errors import Unavailable
from hub_model.records import DataType
from hub_security.signatures import sign_legacy
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.repositories import SPECS, Integrations

SECRET = "a legacy secret of this college"
ATTENDANCE = {"when": [{"path": "doctype", "equals": "Student Attendance"}], "dataTypes": ["attendance"]}
GRADES = {"when": [{"path": "doctype", "equals": "Assessment Result"}], "dataTypes": ["marks"]}
BOTH = {"attendance": "/a", "marks": "/m"}
SOON = "2026-07-20T09:00:17.000000Z"


async def pushed(gateway: Any, integration: Any, doctype: str = "Student Attendance", **fields: Any) -> tuple[int, Any]:
    response = await gateway.push(integration, {"doctype": doctype, **fields})
    return response.status_code, response.json()


def webhook(*rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"webhook": {"syncs": list(rules) or [ATTENDANCE, GRADES], **changes}, "endpoints": BOTH}


def early(sync: Any) -> tuple[datetime | None, datetime | None, Sequence[DataType]]:
    return sync.next_due_at, sync.early_due_at, sync.early_data_types


async def test_a_push_brings_the_sync_of_its_data_forward_and_publishes_nothing(gateway: Any) -> None:
    integration = await gateway.news(**webhook())
    assert await pushed(gateway, integration) == (202, {"status": "accepted", "syncAt": SOON})
    soon = gateway.clock() + timedelta(seconds=10)
    assert early(await gateway.sync_of(integration)) == (soon, soon, (DataType.ATTENDANCE,))
    assert gateway.broker.published == []
    [message] = await gateway.log_messages(integration)
    assert message == "A webhook says that there is news: attendance will be synced in 10 s."


async def test_pushes_that_follow_join_the_sync_that_is_planned(gateway: Any) -> None:
    integration = await gateway.news(**webhook())
    await pushed(gateway, integration)
    gateway.clock.advance(seconds=1)
    for doctype in ("Assessment Result", "Student Attendance", "Assessment Result"):
        assert await pushed(gateway, integration, doctype) == (202, {"status": "accepted", "syncAt": SOON})
    gateway.clock.advance(seconds=8)
    later = "2026-07-20T09:05:17.000000Z"  # what it tells of may come too late for that sync
    assert await pushed(gateway, integration) == (202, {"status": "accepted", "syncAt": later})
    both = (DataType.MARKS, DataType.ATTENDANCE)
    assert set((await gateway.sync_of(integration)).early_data_types) == set(both)


async def test_fifty_pushes_at_once_to_two_processes_are_one_early_sync(gateway: Any) -> None:
    integration, another = await gateway.news(**webhook()), await gateway.another()
    pushes = [
        pushed(
            (gateway, another)[number % 2],
            integration,
            "Assessment Result" if number % 5 else "Student Attendance",
            n=number,
        )
        for number in range(50)
    ]
    assert await asyncio.gather(*pushes) == [(202, {"status": "accepted", "syncAt": SOON})] * 50
    sync = await gateway.sync_of(integration)
    assert (sync.next_due_at, sync.early_due_at) == (gateway.clock() + timedelta(seconds=10),) * 2
    assert set(sync.early_data_types) == {DataType.MARKS, DataType.ATTENDANCE}
    assert gateway.broker.published == []


async def test_the_same_push_again_is_no_error_and_nothing_new(gateway: Any) -> None:
    integration = await gateway.news(**webhook())
    before = None
    for _ in range(3):
        assert (await pushed(gateway, integration))[0] == 202
        stored = await Integrations(gateway.store).get("college-a", integration.id)
        assert before is None or stored == before
        before = stored


async def test_a_push_comes_five_minutes_after_the_last_sync_at_the_earliest(gateway: Any) -> None:
    integration = await gateway.news(**webhook())
    now = gateway.clock()
    await Integrations(gateway.store).change(
        "college-a", integration.id, lambda stored: stored.with_sync(last_sync_at=now - timedelta(minutes=2))
    )
    assert await pushed(gateway, integration) == (202, {"status": "accepted", "syncAt": "2026-07-20T09:03:07.000000Z"})


async def test_a_slot_that_comes_before_the_news_is_readable_is_not_moved(gateway: Any) -> None:
    due, readable = (gateway.clock() + timedelta(seconds=seconds) for seconds in (5, 10))
    integration = await gateway.news(**webhook(), next_due_at=due)
    assert await pushed(gateway, integration) == (202, {"status": "accepted", "syncAt": "2026-07-20T09:05:12.000000Z"})
    assert early(await gateway.sync_of(integration)) == (due, readable, (DataType.ATTENDANCE,))


async def test_a_push_to_a_paused_integration_is_kept_and_promises_no_time(gateway: Any) -> None:
    integration = await gateway.news(**webhook(), next_due_at=gateway.clock() + timedelta(hours=1))
    await Integrations(gateway.store).change("college-a", integration.id, lambda item: item.with_sync(paused=True))
    assert await pushed(gateway, integration) == (202, {"status": "accepted", "syncAt": None})
    assert (await gateway.sync_of(integration)).early_data_types == (DataType.ATTENDANCE,)
    assert await gateway.log_messages(integration) == [
        "A webhook says that there is news: attendance will be synced when the pause of this integration ends."
    ]


async def test_where_nothing_is_ever_due_a_push_is_taken_without_a_time(gateway: Any) -> None:
    integration = await gateway.news(**webhook(), next_due_at=None)
    assert await pushed(gateway, integration) == (202, {"status": "accepted", "syncAt": None})


@pytest.mark.parametrize(
    "rules",
    [[GRADES], [{**ATTENDANCE, "dataTypes": ["timetable"]}]],
    ids=["no rule is about it", "its data is not collected"],
)
async def test_a_push_that_asks_for_nothing_is_ignored_and_told_once_a_minute(gateway: Any, rules: list[Any]) -> None:
    integration = await gateway.news(**webhook(*rules))
    for number in range(5):
        assert await pushed(gateway, integration, n=number) == (200, {"status": "ignored"})
    assert (await gateway.sync_of(integration)).early_due_at is None
    [message] = await gateway.log_messages(integration)
    assert "no rule of 'syncs' is about it" in message
    gateway.clock.advance(minutes=1)
    await pushed(gateway, integration)
    assert len(await gateway.log_messages(integration)) == 2


async def test_ignored_is_said_only_to_whoever_is_proven(gateway: Any) -> None:
    integration = await gateway.news(**webhook(GRADES))
    response = await gateway.push(integration, {"doctype": "x"}, secret="another secret altogether")
    assert response.status_code == 401


async def test_standard_webhooks_may_bring_news_too(gateway: Any) -> None:
    secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    integration = await gateway.news(**webhook({}, scheme="standard"), secrets={"webhookSecret": secret})
    body = {"type": "attendance.updated", "data": [{"studentId": "1"}]}
    for _ in range(2):
        response = await gateway.push_standard(integration, body)
        assert (response.status_code, response.json()) == (202, {"status": "accepted", "syncAt": SOON})
    assert gateway.broker.published == [], "what a push of news holds is never stored"
    assert (await gateway.push_standard(integration, body, webhook_id="msg_2")).status_code == 401


@pytest.mark.parametrize("body", [b"", b"x", b'{"a":1,"a":2}', b"[" * 1000, b'{"n":NaN}'])
async def test_signed_news_that_is_no_strict_json_is_refused_with_its_reason(gateway: Any, body: bytes) -> None:
    integration = await gateway.news(**webhook({}))
    response = await gateway.push(integration, body)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_json")
    assert (await gateway.sync_of(integration)).early_due_at is None


@pytest.mark.parametrize("body", [b"null", b"7", b'"text"', b"[]", b"{}"])
async def test_any_json_is_news_where_no_condition_is_made(gateway: Any, body: bytes) -> None:
    assert (await gateway.push(await gateway.news(**webhook({})), body)).status_code == 202


async def test_a_disabled_integration_is_answered_like_an_unknown_one(gateway: Any) -> None:
    integration = await gateway.news(**webhook(), enabled=False)
    disabled, unknown = await gateway.push(integration, {}), await gateway.push("0" * 32, {})
    assert (disabled.status_code, disabled.content) == (401, unknown.content)


async def test_an_integration_that_is_removed_meanwhile_is_answered_like_an_unknown_one(gateway: Any) -> None:
    integration = await gateway.news(**webhook())
    async with gateway.front(webhook_cache_s=60) as client:
        body = json.dumps({"doctype": "Student Attendance"}).encode()
        headers = [("content-type", "application/json"), ("x-webhook-signature", sign_legacy(SECRET, body))]
        assert (await gateway.send(integration, body, *headers, client=client)).status_code == 202
        await Integrations(gateway.store).remove("college-a", integration.id)
        response = await gateway.send(integration, body, *headers, client=client)
        unknown = await gateway.send("0" * 32, body, *headers, client=client)
    assert (response.status_code, response.content) == (401, unknown.content)


class ReadOnlyStore(SqliteStore):
    """A store that answers, and takes no change."""

    def collection(self, spec: Any) -> Any:
        return Unwritable(super().collection(spec))


class Unwritable:
    def __init__(self, collection: Any) -> None:
        self._collection = collection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    async def update(self, *_: Any) -> None:
        raise Unavailable("no primary")


async def test_while_the_store_takes_nothing_the_sender_is_to_try_again(gateway: Any) -> None:
    integration = await gateway.news(**webhook())
    gateway.store = ReadOnlyStore(gateway.database)
    await gateway.store.open(SPECS)
    body = json.dumps({"doctype": "Student Attendance"}).encode()
    headers = [("content-type", "application/json"), ("x-webhook-signature", sign_legacy(SECRET, body))]
    async with gateway.front() as client:
        response = await gateway.send(integration, body, *headers, client=client)
    assert (response.status_code, response.json()["detail"]) == (503, "The event could not be stored; send it again.")
    assert response.headers["retry-after"]


async def test_word_that_there_is_news_is_taken_while_the_broker_is_down(gateway: Any) -> None:
    integration = await gateway.news(**webhook())
    gateway.broker.fails_before = Unavailable("no broker")
    assert (await pushed(gateway, integration))[0] == 202
