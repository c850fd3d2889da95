"""Starting runs and testing connections."""

import asyncio
import json
from typing import Any

import pytest
from hub_config_api.probes import Probes
from hub_messaging.handling import Context
from hub_messaging.testing import wait_until
from hub_model.errors import Unavailable
from hub_model.integrations import Integration
from hub_model.messages import ProbeCheck, ProbeFinished, ProbeProgressed, ProbeRequested, SyncRequested, Trigger
from hub_model.records import DataType
from hub_model.stream_states import StreamState
from hub_storage.repositories import Runs, StreamStates
from hub_storage.repositories.handover import begin_run


async def test_a_sync_is_stored_then_requested(hub: Any) -> None:
    made = await hub.create()
    response = await hub.call("POST", f"/api/integrations/{made['id']}/sync")
    run_id = response.json()["runId"]
    assert (response.status_code, response.json()["coalesced"]) == (202, False)
    await wait_until(lambda: bool(hub.heard(SyncRequested)))
    [request] = hub.heard(SyncRequested)
    assert (request.run_id, request.trigger, request.college_id) == (run_id, Trigger.MANUAL, hub.college_id)
    assert set(request.data_types) == {"attendance", "students"}
    run = await hub.get(response.headers["location"])
    assert (run["status"], run["trigger"], run["counts"]["fetched"]) == ("queued", "manual", 0)
    assert run["streams"].keys() == {"attendance", "students"}
    assert (await hub.get(f"/api/integrations/{made['id']}"))["activeRunId"] == run_id


async def test_a_full_sync_forgets_what_was_read_and_any_other_does_not(hub: Any) -> None:
    made, other = await hub.create(), await hub.create(name="Other")
    states, state = StreamStates(hub.store), StreamState(identity="x", windows=((0, 9),))
    for integration in (made, other):
        await states.advance(hub.college_id, integration["id"], "students", state, began_at=hub.clock())
    path = f"/api/integrations/{made['id']}/sync"
    assert (await hub.call("POST", f"{path}?mode=everything")).status_code == 422
    await hub.call("POST", path)
    assert await states.find(hub.college_id, made["id"], "students") == state
    assert (await hub.call("POST", f"{path}?mode=full")).status_code == 202
    assert await states.find(hub.college_id, made["id"], "students") is None
    assert await states.find(hub.college_id, other["id"], "students") == state


async def test_a_sync_of_a_disabled_integration_runs_and_schedules_nothing(hub: Any) -> None:
    made = await hub.create(enabled=False)
    assert (await hub.call("POST", f"/api/integrations/{made['id']}/sync")).status_code == 202
    assert (await hub.get(f"/api/integrations/{made['id']}"))["nextSync"] is None


async def test_a_sync_joins_the_run_that_is_active(hub: Any) -> None:
    made = await hub.create()
    path = f"/api/integrations/{made['id']}/sync"
    first, *others = [response.json() for response in [await hub.call("POST", path) for _ in range(3)]]
    assert others == [{**first, "coalesced": True}] * 2
    await hub.integrations.change(hub.college_id, made["id"], lambda item: item.with_sync(active_run_id=None))
    assert (await hub.call("POST", path)).json()["coalesced"] is False
    await wait_until(lambda: len({request.run_id for request in hub.heard(SyncRequested)}) == 2)
    assert first["runId"] in {request.run_id for request in hub.heard(SyncRequested)}


async def test_a_sync_that_joins_a_run_for_some_data_types_is_followed_by_one_for_all(hub: Any) -> None:
    made = await hub.create(
        endpoints={"students": "/students", "marks": "/marks"}, webhook={"syncs": [{}], "pause": "PT0S"}, enabled=True
    )

    def is_early(item: Integration) -> Integration:
        now = hub.clock()
        return item.with_sync(next_due_at=now, early_due_at=now, early_data_types=(DataType.MARKS,))

    integration = await hub.integrations.change(hub.college_id, made["id"], is_early)
    given = {"college_id": hub.college_id, "integration_id": made["id"], "run_id": "r1", "now": hub.clock()}
    await begin_run(
        hub.integrations, Runs(hub.store), trigger=Trigger.WEBHOOK, slot=integration.sync.next_due_at, **given
    )
    joined = await hub.call("POST", f"/api/integrations/{made['id']}/sync")
    assert joined.json() == {"runId": "r1", "status": "queued", "coalesced": True}
    sync = (await hub.integrations.get(hub.college_id, made["id"])).sync
    assert sync.active_data_types == (DataType.MARKS,)
    assert (sync.next_due_at or hub.clock()) < hub.clock()


async def test_a_sync_that_joins_a_run_for_what_is_no_longer_collected_is_followed_by_one_for_all(hub: Any) -> None:
    made = await hub.create(endpoints={"marks": "/marks"}, webhook={"syncs": [{}]}, enabled=True)
    given = {"college_id": hub.college_id, "integration_id": made["id"], "run_id": made["id"], "now": hub.clock()}
    await begin_run(hub.integrations, Runs(hub.store), trigger=Trigger.WEBHOOK, **given)
    path = f"/api/integrations/{made['id']}"
    await hub.call("PUT", path, {**hub.draft, "endpoints": {"students": "/students"}, "enabled": True})
    assert (await hub.call("POST", f"{path}/sync")).json()["coalesced"] is True
    due = (await hub.integrations.get(hub.college_id, made["id"])).sync.next_due_at
    assert (due or hub.clock()) < hub.clock()


async def test_syncs_asked_for_at_once_are_one_run(hub: Any) -> None:
    made = await hub.create()
    path = f"/api/integrations/{made['id']}/sync"
    answers = await asyncio.gather(*(hub.call("POST", path) for _ in range(5)))
    assert len({answer.json()["runId"] for answer in answers}) == 1
    assert sorted(answer.json()["coalesced"] for answer in answers) == [False, True, True, True, True]


async def test_a_sync_by_hand_ends_a_pause(hub: Any) -> None:
    made = await hub.create(enabled=True)
    await hub.integrations.change(hub.college_id, made["id"], lambda item: item.with_sync(paused=True))
    await hub.call("POST", f"/api/integrations/{made['id']}/sync")
    assert (await hub.get(f"/api/integrations/{made['id']}"))["paused"] is False


async def test_a_sync_while_the_broker_is_down_is_kept_for_the_scheduler(hub: Any) -> None:
    made = await hub.create()
    hub.broker.down = True
    response = await hub.call("POST", f"/api/integrations/{made['id']}/sync")
    assert (response.status_code, response.json()["status"]) == (202, "queued")
    integration = await hub.integrations.get(hub.college_id, made["id"])
    assert integration.sync.active_run_id == response.json()["runId"]
    assert (await Runs(hub.store).get(hub.college_id, response.json()["runId"])).status == "queued"
    hub.broker.down = False
    again = await hub.call("POST", f"/api/integrations/{made['id']}/sync")
    assert again.json() == {**response.json(), "coalesced": True}
    await wait_until(lambda: [request.run_id for request in hub.heard(SyncRequested)] == [again.json()["runId"]])


async def answer(hub: Any, *checks: ProbeCheck, ok: bool, number: int = 0) -> None:
    """Play the fetcher for the test of this number."""
    await wait_until(lambda: len(hub.heard(ProbeRequested)) > number)
    request = hub.heard(ProbeRequested)[number]
    await hub.publisher.publish(
        ProbeFinished(
            college_id=request.college_id,
            integration_id=request.integration_id,
            probe_id=request.probe_id,
            ok=ok,
            checks=checks,
            finished_at=hub.clock(),
        )
    )


async def test_a_connection_the_source_refuses_is_an_answer_with_the_fix(hub: Any) -> None:
    made = await hub.create()
    test = asyncio.create_task(hub.call("POST", f"/api/integrations/{made['id']}/test"))
    reached = ProbeCheck(name="address", ok=True, detail="It answers.")
    refused = ProbeCheck(name="credentials", ok=False, detail="The key was refused", fix="Enter a new key.")
    await answer(hub, reached, refused, ok=False)
    response = await test
    assert response.status_code == 200
    assert response.json() == {
        "success": False,
        "message": "The key was refused. Enter a new key.",
        "checks": [
            {"name": "address", "ok": True, "detail": "It answers.", "fix": ""},
            {"name": "credentials", "ok": False, "detail": "The key was refused", "fix": "Enter a new key."},
        ],
    }


async def step(hub: Any, sequence: int, check: ProbeCheck, *, number: int = 0) -> None:
    """Play the fetcher that is done with one step."""
    await wait_until(lambda: len(hub.heard(ProbeRequested)) > number)
    request = hub.heard(ProbeRequested)[number]
    await hub.publisher.publish(
        ProbeProgressed(
            college_id=request.college_id,
            integration_id=request.integration_id,
            probe_id=request.probe_id,
            sequence=sequence,
            check=check,
        )
    )


def passed(name: str) -> ProbeCheck:
    return ProbeCheck(name=name, ok=True, detail="Fine.")


def events(text: str) -> list[tuple[str, Any]]:
    parts = [dict(line.split(": ", 1) for line in part.splitlines()) for part in text.strip().split("\n\n")]
    return [(part["event"], json.loads(part["data"])) for part in parts]


EVENTS = {"accept": "text/event-stream"}


async def test_who_accepts_events_is_told_each_step_once_and_in_order_whatever_order_they_come_in(hub: Any) -> None:
    made = await hub.create()
    test = asyncio.create_task(hub.call("POST", f"/api/integrations/{made['id']}/test", headers=EVENTS))
    checks = [passed(name) for name in ("name", "address", "tls", "reachable")]
    for sequence in (1, 0, 1, 2):
        await step(hub, sequence, checks[sequence])
    await answer(hub, *checks, ok=True)  # the last step is told by the answer alone
    response = await test
    assert response.headers["content-type"].startswith("text/event-stream")
    *steps, (last, result) = events(response.text)
    assert [(name, data["name"]) for name, data in steps] == [("check", check.name) for check in checks]
    assert last == "result"
    assert result == {
        "success": True,
        "message": "The connection works.",
        "checks": [data for _, data in steps],
    }


async def test_a_step_is_told_while_the_test_goes_on(hub: Any) -> None:
    made = await hub.create()
    integration = await hub.integrations.get(hub.college_id, made["id"])
    probes = Probes(hub.publisher, timeout_s=5)
    following = probes.follow(integration, hub.clock())
    first = asyncio.create_task(anext(following))
    await wait_until(lambda: len(hub.heard(ProbeRequested)) == 1)
    request = hub.heard(ProbeRequested)[0]
    about = {key: getattr(request, key) for key in ("college_id", "integration_id", "probe_id")}
    context = Context("m", "c", 1, hub.clock())
    await probes.record_progress(ProbeProgressed(**about, sequence=0, check=passed("name")), context)
    assert await first == passed("name")
    late = probes.follow(integration, hub.clock())
    assert await anext(late) == passed("name"), "who comes later hears it too"
    probes.close()
    for generator in (following, late):
        with pytest.raises(Unavailable):
            await anext(generator)
    await probes.record_progress(ProbeProgressed(**about, sequence=1, check=passed("late")), context)


async def test_events_of_a_test_that_nobody_answers_end_in_a_problem(hub: Any) -> None:
    made = await hub.create()
    response = await hub.call("POST", f"/api/integrations/{made['id']}/test", headers=EVENTS)
    assert response.status_code == 200
    [(name, problem)] = events(response.text)
    assert (name, problem["status"], problem["code"]) == ("problem", 504, "probe_timeout")
    missing = await hub.call("POST", "/api/integrations/unknown/test", headers=EVENTS)
    assert missing.status_code == 404


async def test_no_answer_in_time_is_a_gateway_timeout(hub: Any) -> None:
    made = await hub.create()
    response = await hub.call("POST", f"/api/integrations/{made['id']}/test")
    assert (response.status_code, response.json()["type"]) == (504, "/problems/no-answer")
    assert "no worker" in response.json()["detail"]
    again = asyncio.create_task(hub.call("POST", f"/api/integrations/{made['id']}/test"))
    await answer(hub, ok=True, number=0)  # too late, and for another test
    await answer(hub, ok=True, number=1)
    assert (await again).json()["success"] is True


async def test_two_tests_of_one_integration_share_the_answer(hub: Any) -> None:
    made = await hub.create()
    tests = [asyncio.create_task(hub.call("POST", f"/api/integrations/{made['id']}/test")) for _ in range(3)]
    await answer(hub, ok=True)
    assert [response.json()["success"] for response in await asyncio.gather(*tests)] == [True, True, True]
    assert len(hub.heard(ProbeRequested)) == 1


async def test_a_test_ends_when_the_service_stops(own_hub: Any) -> None:
    hub = own_hub
    made = await hub.create()
    test = asyncio.create_task(hub.call("POST", f"/api/integrations/{made['id']}/test"))
    await wait_until(lambda: bool(hub.heard(ProbeRequested)))
    hub.service.on_stopping()
    async with asyncio.timeout(0.4):
        assert (await test).status_code == 504
