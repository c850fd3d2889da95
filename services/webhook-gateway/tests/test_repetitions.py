"""Repeated, conflicting and interrupted events: each is stored once, and none that was answered 202 is lost."""

import asyncio
from typing import Any

import pytest
from hub_mapping.pushes import compile_pushes
from hub_model.errors import Conflict, InvalidInput, QueueFull, Unavailable, Unroutable
from hub_model.records import DataType
from hub_model.webhooks import WebhookSettings
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.repositories import SPECS, Logs, Receipts
from hub_webhook_gateway.endpoints import Endpoint
from hub_webhook_gateway.intake import Event, Intake

ROW = {"studentId": "CS2101", "date": "2026-07-20", "attendance": "present"}
TYPED = {"dataType": "attendance", "records": [ROW]}
OTHER = {"dataType": "attendance", "records": [{**ROW, "attendance": "absent"}]}
NAMED = {**TYPED, "eventId": "evt-1"}


async def statuses(*pushes: Any) -> list[int]:
    return sorted(response.status_code for response in await asyncio.gather(*pushes))


@pytest.mark.parametrize("scheme", ["legacy", "standard"])
async def test_fifty_copies_at_once_are_one_event(gateway: Any, scheme: str) -> None:
    if scheme == "legacy":
        integration = await gateway.integration()
        pushes = [gateway.push(integration, TYPED) for _ in range(50)]
    else:
        integration = await gateway.standard()
        pushes = [gateway.push_standard(integration, TYPED, "msg_1") for _ in range(50)]
    assert await statuses(*pushes) == [200] * 49 + [202]
    assert len(gateway.batches()) == 1


async def test_a_copy_through_another_process_is_a_duplicate_and_the_same_message(gateway: Any) -> None:
    integration = await gateway.integration()
    first = await gateway.push(integration, TYPED)
    await gateway.restart()
    gateway.clock.advance(minutes=5)
    for _ in range(2):
        again = await gateway.push(integration, TYPED)
        assert (first.status_code, again.status_code) == (202, 200)
        assert again.json() == {"status": "duplicate", "eventId": first.json()["eventId"]}
    batch, repeated = gateway.batches()
    assert (repeated, repeated.message_id) == (batch, batch.message_id)


async def test_copies_through_two_processes_at_once_are_one_event(gateway: Any) -> None:
    integration = await gateway.integration()
    other = await gateway.another()
    assert await statuses(*(each.push(integration, TYPED) for each in (gateway, other) * 10)) == [200] * 19 + [202]
    assert len({batch.message_id for batch in gateway.batches()}) == 1


async def test_the_same_events_of_two_integrations_are_two(gateway: Any) -> None:
    for integration in (await gateway.integration(), await gateway.integration()):
        assert (await gateway.push(integration, NAMED)).status_code == 202
    assert len({batch.run_id for batch in gateway.batches()}) == 2


async def test_a_legacy_body_is_a_duplicate_for_ten_minutes(gateway: Any) -> None:
    integration = await gateway.integration()
    assert (await gateway.push(integration, TYPED)).status_code == 202
    gateway.clock.advance(minutes=9, seconds=59)
    assert (await gateway.push(integration, TYPED)).status_code == 200
    gateway.clock.advance(seconds=1)
    again = await gateway.push(integration, TYPED)
    assert again.status_code == 202
    assert (await gateway.push(integration, TYPED)).json() == {
        "status": "duplicate",
        **{"eventId": again.json()["eventId"]},
    }
    gateway.clock.advance(days=1)
    assert (await gateway.push(integration, TYPED)).status_code == 202
    assert len({batch.run_id for batch in gateway.batches()}) == 3


async def test_the_ten_minutes_hold_over_a_restart(gateway: Any) -> None:
    integration = await gateway.integration()
    seen = []
    for minutes in (0, 9, 2, 1, 60):
        gateway.clock.advance(minutes=minutes)
        seen.append((await gateway.push(integration, TYPED)).status_code)
        await gateway.restart()
    assert seen == [202, 200, 202, 200, 202]


async def test_the_ten_minutes_count_from_the_first_copy_whoever_took_it(gateway: Any) -> None:
    integration = await gateway.integration()
    assert (await gateway.push(integration, TYPED)).status_code == 202
    await gateway.restart()
    gateway.clock.advance(minutes=9)
    assert (await gateway.push(integration, TYPED)).status_code == 200
    gateway.clock.advance(minutes=1)
    assert (await gateway.push(integration, TYPED)).status_code == 202


async def test_what_is_true_again_after_something_else_is_another_event(gateway: Any) -> None:
    """A teacher marks present, then absent, then present: the third body is no repetition of the first."""
    integration = await gateway.integration()
    for body in (TYPED, OTHER, TYPED, OTHER):
        assert (await gateway.push(integration, body)).status_code == 202
        gateway.clock.advance(seconds=5)
        assert (await gateway.push(integration, body)).status_code == 200
    assert [batch.records[0]["attendance"] for batch in gateway.batches()] == ["present", "absent"] * 2
    times = [batch.observed_at for batch in gateway.batches()]
    assert times == sorted(set(times))
    assert len({batch.run_id for batch in gateway.batches()}) == 4


async def test_copies_at_once_of_what_is_true_again_are_one_event(gateway: Any) -> None:
    integration = await gateway.integration()
    for body in (TYPED, OTHER):
        await gateway.push(integration, body)
        gateway.clock.advance(seconds=5)
    assert await statuses(*(gateway.push(integration, TYPED) for _ in range(20))) == [200] * 19 + [202]
    assert len(gateway.batches()) == 3


async def test_what_is_true_again_is_seen_by_a_process_that_finds_the_first_copy_written(gateway: Any) -> None:
    integration = await gateway.integration()
    first = await gateway.push(integration, TYPED)
    gateway.clock.advance(seconds=5)
    await gateway.push(integration, OTHER)
    gateway.clock.advance(seconds=5)
    await gateway.written(integration, first.json()["eventId"])
    await gateway.restart()
    for status in (202, 200):
        assert (await gateway.push(integration, TYPED)).status_code == status
    assert [batch.records[0]["attendance"] for batch in gateway.batches()] == ["present", "absent", "present"]


async def test_what_may_never_have_been_answered_does_not_overtake_what_came_since(gateway: Any) -> None:
    integration = await gateway.integration()
    gateway.broker.fails_before = Unavailable("down")
    assert (await gateway.push(integration, TYPED)).status_code == 503
    gateway.broker.fails_before = None
    gateway.clock.advance(seconds=5)
    assert (await gateway.push(integration, OTHER)).status_code == 202
    gateway.clock.advance(seconds=5)
    assert (await gateway.push(integration, TYPED)).status_code == 200
    newer, older = gateway.batches()
    assert (older.records, newer.records) == ([ROW], OTHER["records"])
    assert older.observed_at < newer.observed_at


async def test_what_was_sent_back_although_it_was_stored_does_not_overtake_what_came_since(gateway: Any) -> None:
    integration = await gateway.integration()
    gateway.broker.fails_after = Unavailable("the connection broke before the confirm")
    assert (await gateway.push(integration, TYPED)).status_code == 503
    gateway.broker.fails_after = None
    (batch,) = gateway.batches()
    await gateway.written(integration, batch.run_id)
    gateway.clock.advance(seconds=5)
    assert (await gateway.push(integration, OTHER)).status_code == 202
    gateway.clock.advance(seconds=5)
    await gateway.restart()
    assert (await gateway.push(integration, TYPED)).status_code == 200
    assert gateway.batches()[-1] == batch
    # It was answered now: what it says is true again.
    await gateway.restart()
    assert (await gateway.push(integration, TYPED)).status_code == 202


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("since", [False, True], ids=["nothing since", "another since"])
async def test_what_is_true_again_and_was_sent_back_keeps_its_place(gateway: Any, restart: bool, since: bool) -> None:
    integration = await gateway.integration()

    async def push(body: Any) -> int:
        status: int = (await gateway.push(integration, body)).status_code
        for batch in gateway.batches():
            await gateway.written(integration, batch.run_id)
        gateway.clock.advance(seconds=5)
        if restart:
            await gateway.restart()
        return status

    assert [await push(body) for body in (TYPED, OTHER)] == [202, 202]
    gateway.broker.fails_before = Unavailable("down")
    assert await push(TYPED) == 503
    gateway.broker.fails_before = None
    if since:
        assert await push(OTHER) == 202
    assert await push(TYPED) == 200
    batches = sorted(gateway.batches(), key=lambda batch: batch.observed_at)
    said = [batch.records[0]["attendance"] for batch in batches]
    assert said == ["present", "absent", "present"] + ["absent"] * since


async def test_a_process_that_remembers_the_first_takes_up_what_another_had_begun_again(gateway: Any) -> None:
    integration, other = await gateway.integration(), await gateway.another()
    for body in (TYPED, OTHER):
        answer = await gateway.push(integration, body)
        await gateway.written(integration, answer.json()["eventId"])
        gateway.clock.advance(seconds=5)
    gateway.broker.fails_before = Unavailable("down")
    assert (await other.push(integration, TYPED)).status_code == 503
    gateway.broker.fails_before = None
    assert (await gateway.push(integration, TYPED)).status_code == 200
    assert [batch.records[0]["attendance"] for batch in gateway.batches()] == ["present", "absent", "present"]
    times = [batch.observed_at for batch in gateway.batches()]
    assert times == sorted(set(times))


async def test_what_one_process_sent_back_and_another_answered_from_memory_may_be_true_again(gateway: Any) -> None:
    integration, other = await gateway.integration(), await gateway.another()
    assert (await gateway.push(integration, TYPED)).status_code == 202
    gateway.broker.fails_before = Unavailable("down")
    assert (await other.push(integration, TYPED)).status_code == 503
    gateway.broker.fails_before = None
    for body, status in ((TYPED, 200), (OTHER, 202), (TYPED, 202)):
        gateway.clock.advance(seconds=5)
        assert (await gateway.push(integration, body)).status_code == status


async def test_the_ten_minutes_count_from_the_last_event_of_the_body(gateway: Any) -> None:
    integration = await gateway.integration()
    seen = []
    for minutes in (0, 19, 2, 7, 2):
        gateway.clock.advance(minutes=minutes)
        seen.append((await gateway.push(integration, TYPED)).status_code)
        await gateway.restart()
    assert seen == [202, 202, 200, 200, 202]


async def test_what_is_true_again_comes_after_what_a_process_with_a_fast_clock_took(gateway: Any) -> None:
    integration, other = await gateway.integration(), await gateway.another()
    assert (await gateway.push(integration, TYPED)).status_code == 202
    gateway.clock.advance(seconds=5)
    assert (await other.push(integration, OTHER)).status_code == 202
    gateway.clock.advance(seconds=-3)
    assert (await gateway.push(integration, TYPED)).status_code == 202
    times = [batch.observed_at for batch in gateway.batches()]
    assert times == sorted(set(times))


async def test_what_is_true_again_through_two_processes_at_once_is_one_event(gateway: Any) -> None:
    integration, other = await gateway.integration(), await gateway.another()
    for body in (TYPED, OTHER):
        for each in (gateway, other):
            await each.push(integration, body)
        gateway.clock.advance(seconds=5)
    pushes = [each.push(integration, TYPED) for each in (gateway, other) * 10]
    assert await statuses(*pushes) == [200] * 19 + [202]
    assert len({batch.message_id for batch in gateway.batches()}) == 3


async def test_another_integrations_events_change_nothing_for_this_one(gateway: Any) -> None:
    integration, another = await gateway.integration(), await gateway.integration()
    for sender, body, status in ((integration, TYPED, 202), (another, OTHER, 202), (integration, TYPED, 200)):
        assert (await gateway.push(sender, body)).status_code == status
        gateway.clock.advance(seconds=5)


async def test_a_sender_that_names_its_events_may_repeat_a_body_at_once(gateway: Any) -> None:
    integration = await gateway.integration()
    for number in range(3):
        assert (await gateway.push(integration, {**TYPED, "eventId": f"evt-{number}"})).status_code == 202
    assert len({batch.run_id for batch in gateway.batches()}) == 3


async def test_one_id_for_two_bodies_is_a_conflict_and_the_first_wins(gateway: Any) -> None:
    legacy, standard = await gateway.integration(), await gateway.standard()
    for restart in (False, True):
        assert (await gateway.push(legacy, NAMED)).status_code == (200 if restart else 202)
        assert (await gateway.push_standard(standard, TYPED)).status_code == (200 if restart else 202)
        for response in (
            await gateway.push(legacy, {**OTHER, "eventId": "evt-1"}),
            await gateway.push_standard(standard, OTHER),
        ):
            assert (response.status_code, response.json()["code"]) == (409, "event_id_reused")
        await gateway.restart()
    assert [batch.records for batch in gateway.batches()] == [[ROW]] * 4
    assert len({batch.message_id for batch in gateway.batches()}) == 2


async def test_two_bodies_under_one_id_at_once_store_one(gateway: Any) -> None:
    integration = await gateway.standard()
    pushes = [gateway.push_standard(integration, body) for body in (TYPED, OTHER) * 10]
    assert set(await statuses(*pushes)) == {200, 202, 409}
    assert len(gateway.batches()) == 1


async def test_nobody_is_answered_before_the_broker_has_confirmed(gateway: Any) -> None:
    integration = await gateway.integration()
    gateway.broker.confirms.clear()
    pushes = [asyncio.create_task(gateway.push(integration, TYPED)) for _ in range(3)]
    answered, _ = await asyncio.wait(pushes, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
    assert not answered
    assert gateway.broker.published
    gateway.broker.confirms.set()
    assert await statuses(*pushes) == [200, 200, 202]


BROKER_ERRORS = [
    Unavailable("down"),
    QueueFull("full"),
    Unroutable("no queue"),
    Conflict("another version declared it", code="topology_differs"),
    InvalidInput("the broker's user may not write there", code="broker_refused"),
]


@pytest.mark.parametrize("error", BROKER_ERRORS, ids=lambda error: error.code)
@pytest.mark.parametrize("restart", [False, True])
async def test_an_event_the_broker_did_not_take_is_taken_when_it_is_sent_again(
    gateway: Any, error: Any, restart: bool
) -> None:
    integration = await gateway.standard()
    gateway.broker.fails_before = error
    response = await gateway.push_standard(integration, TYPED)
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert "The event could not be stored" in response.json()["detail"]
    if restart:
        await gateway.restart()
    gateway.broker.fails_before = None
    for _ in range(2):
        # Nobody knows whether the first copy was stored, so it counts as a repetition; it is durable now.
        assert (await gateway.push_standard(integration, TYPED)).status_code == 200
    assert len(gateway.batches()) == 1


async def test_an_event_whose_confirm_was_lost_is_published_again_with_the_same_ids_and_times(gateway: Any) -> None:
    integration = await gateway.integration()
    gateway.broker.fails_after = Unavailable("the connection broke before the confirm")
    assert (await gateway.push(integration, TYPED)).status_code == 503
    await gateway.restart()
    gateway.broker.fails_after = None
    gateway.clock.advance(minutes=5)
    assert (await gateway.push(integration, TYPED)).status_code == 200
    first, second = gateway.batches()
    assert first == second
    assert first.message_id == second.message_id


async def test_copies_that_wait_for_a_failing_one_fail_with_it(gateway: Any) -> None:
    integration = await gateway.integration()
    gateway.broker.fails_before = Unavailable("down")
    assert await statuses(*(gateway.push(integration, TYPED) for _ in range(10))) == [503] * 10
    gateway.broker.fails_before = None
    assert await statuses(*(gateway.push(integration, TYPED) for _ in range(10))) == [200] * 10
    assert len(gateway.batches()) == 1


async def test_a_store_that_is_gone_is_a_reason_to_send_again(gateway: Any) -> None:
    integration = await gateway.integration()
    async with SqliteDatabase(gateway.folder / "other.db") as other:
        gateway.store = SqliteStore(other)
        await gateway.store.open(SPECS)
        await gateway.restart()
    response = await gateway.push(integration, TYPED)
    assert response.status_code == 503
    assert "other.db" not in response.text


async def test_a_burst_of_different_events_is_stored_whole(gateway: Any) -> None:
    integration = await gateway.integration()
    bodies = [{"dataType": "attendance", "records": [{"n": number}]} for number in range(200)]
    assert await statuses(*(gateway.push(integration, body) for body in bodies)) == [202] * 200
    assert sorted(batch.records[0]["n"] for batch in gateway.batches()) == list(range(200))


async def test_an_event_under_way_is_remembered_however_many_come_meanwhile(gateway: Any) -> None:
    intake = Intake(Receipts(gateway.store), Logs(gateway.store), gateway.broker, max_remembered=2)
    now, attendance = gateway.clock(), DataType.ATTENDANCE
    collected, webhook = frozenset([attendance]), WebhookSettings()
    pushes = compile_pushes(webhook, collected)
    endpoint = Endpoint("i1", "c1", webhook, "s", None, now, collected, attendance, pushes, [])
    events = [Event(f"evt-{number % 6}", b"%d" % number, attendance, [[ROW]]) for number in (0, 1, 2, 3, 4, 5, 0, 6)]
    *taken, refused = await asyncio.gather(
        *(intake.take(endpoint, event, now) for event in events), return_exceptions=True
    )
    assert [each.is_duplicate for each in taken] == [False] * 6 + [True]
    assert isinstance(refused, Conflict)
    assert len(gateway.batches()) == 6
