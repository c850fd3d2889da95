"""Vendors' own webhooks, sent as they send them: what they speak of is synced, soon and alone."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from hub_connectors.loader import find_preset
from hub_model.records import DataType
from hub_standalone.client import HubClient, Json
from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.moodle import Moodle
from hub_standalone.demo.simulated.simulator import Simulator
from running import RunningHub
from simulators.changes import change
from simulators.comparison import differences
from simulators.frappe import Frappe
from simulators.hikvision import Hikvision
from simulators.oracle import ENDED, synced
from simulators.serving import serve

# A regular sync in the middle of a test would find the news by itself.
ONCE_A_MONTH = 43_200
DEADLINE_S = 120
POLL_S = 0.1


@pytest.fixture
async def sender(hub: RunningHub) -> AsyncIterator[httpx2.AsyncClient]:
    """A vendor's system, which has no token of the hub."""
    async with httpx2.AsyncClient(base_url=hub.webhooks_url, timeout=60, trust_env=False) as http:
        yield http


def small_campus() -> Campus:
    return Campus(lesson_days=2, department="CS")


async def connected(client: HubClient, simulator: Simulator, **settings: Any) -> Json:
    """An integration that has read everything once."""
    asked = {setting.name for setting in find_preset(simulator.name).settings}
    integration = await client.create(
        {
            "name": "The college's own",
            "type": simulator.name,
            "baseUrl": simulator.base_url,
            "settings": {name: value for name, value in simulator.connection().items() if name in asked} | settings,
            "webhook": {"pause": "PT0S"},
            "syncInterval": ONCE_A_MONTH,
            "enabled": True,
        }
    )
    assert (await synced(client, integration["id"]))["status"] == "succeeded"
    for data_type in simulator.expresses & {DataType.MARKS, DataType.ATTENDANCE}:
        assert await wrong(client, simulator, data_type) == []
    return integration


def correct(campus: Campus) -> None:
    """One mark and one entry of the register are corrected."""
    mark = next(row for row in campus.marks.rows if row["marksObtained"])
    points = mark["marksObtained"] - 1
    changed = {"marksObtained": points, "percentage": points * 100 / mark["maxMarks"]}
    campus.marks.change(mark["studentId"], mark["subjectId"], mark["examId"], **changed)
    entry = campus.attendance.rows[0]
    other = "absent" if entry["attendance"] == "present" else "present"
    campus.attendance.change(entry["studentId"], entry["date"], entry["period"], attendance=other)


async def wrong(client: HubClient, simulator: Simulator, data_type: DataType) -> list[str]:
    """How the hub's records differ from the vendor's."""
    stored = await client.all_of(f"/api/records/{data_type.value}")
    return differences(data_type, simulator.truth(data_type), [row["data"] for row in stored if not row["deleted"]])


async def run_after_push(client: HubClient, integration_id: str) -> Json:
    """The one run that a push has started, as it ended."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        runs = await client.all_of(f"/api/integrations/{integration_id}/runs")
        started = [run for run in runs if run["trigger"] == "webhook"]
        if started and started[0]["status"] in ENDED:
            assert len(started) == 1
            return await client.run(integration_id, started[0]["id"])
        assert time.monotonic() < deadline, f"no run of a push has ended: {runs}"
        await asyncio.sleep(POLL_S)


def address(integration: Json) -> str:
    return f"/api/webhooks/integrations/{integration['id']}"


def as_frappe_sends(document: dict[str, Any], secret: str) -> dict[str, Any]:
    """The body with Python's own separators, its HMAC in base64, and no Content-Type."""
    body = json.dumps(document).encode()
    signature = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    return {"content": body, "headers": {"X-Frappe-Webhook-Signature": signature}}


@pytest.mark.slow
async def test_frappe_tells_of_a_result_and_the_marks_are_synced(
    hub: RunningHub, client: HubClient, sender: httpx2.AsyncClient
) -> None:
    async with serve(Frappe(small_campus())) as simulator:
        integration = await connected(client, simulator)
        secret, to = integration["webhookSecret"], address(integration)
        correct(simulator.campus)
        document = {"doctype": "Assessment Result", "name": "EDU-RES-2026-00001-1", "student_name": "Zoë"}

        forged = await sender.post(to, **as_frappe_sends(document, "another-secret-0123456789"))
        assert forged.status_code == 401, forged.text
        taken = await sender.post(to, **as_frappe_sends(document, secret))
        assert taken.status_code == 202, taken.text
        assert taken.json()["syncAt"] is not None
        assert "content-type" not in taken.request.headers

        run = await run_after_push(client, integration["id"])
        assert (run["status"], list(run["streams"])) == ("succeeded", ["marks"]), run
        assert await wrong(client, simulator, DataType.MARKS) == []
        assert await wrong(client, simulator, DataType.ATTENDANCE) != []
    assert secret not in hub.log


@pytest.mark.slow
async def test_moodle_tells_of_a_register_that_was_taken_and_the_attendance_is_synced(
    hub: RunningHub, client: HubClient, sender: httpx2.AsyncClient
) -> None:
    async with serve(Moodle(small_campus())) as simulator:
        integration = await connected(client, simulator)
        secret, to = integration["webhookSecret"], address(integration)
        correct(simulator.campus)
        # JSON, whatever the plugin is told to call it.
        labelled = {"content-type": "application/x-www-form-urlencoded"}

        def event(name: str, token: str) -> bytes:
            fields = {
                "eventname": name,
                "courseid": 2,
                "userid": 3,
                "other": {},
                "host": "lms.college.edu",
                "extra": "",
            }
            return json.dumps({**fields, "token": token}).encode()

        viewed, taken_name = r"\mod_attendance\event\report_viewed", r"\mod_attendance\event\attendance_taken"
        forged = await sender.post(to, content=event(taken_name, "another-token-0123456789"), headers=labelled)
        assert forged.status_code == 401, forged.text
        looked = await sender.post(to, content=event(viewed, secret), headers=labelled)
        assert (looked.status_code, looked.json()) == (200, {"status": "ignored"})
        taken = await sender.post(to, content=event(taken_name, secret), headers=labelled)
        assert taken.status_code == 202, taken.text

        run = await run_after_push(client, integration["id"])
        assert (run["status"], list(run["streams"])) == ("succeeded", ["attendance"]), run
        assert await wrong(client, simulator, DataType.ATTENDANCE) == []
        assert await wrong(client, simulator, DataType.MARKS) != []
    assert secret not in hub.log


@pytest.mark.slow
async def test_a_terminal_tells_of_a_punch_by_its_address_alone_which_is_written_nowhere(
    hub: RunningHub, client: HubClient, sender: httpx2.AsyncClient
) -> None:
    async with serve(Hikvision(small_campus())) as simulator:
        integration = await connected(client, simulator, deviceNetworks=["127.0.0.0/8"])
        secret, to = integration["webhookSecret"], address(integration)
        change(simulator)

        for somewhere_else in ("", "/another-in-the-address-0123456789", f"/{secret}/more"):
            forged = await sender.post(f"{to}{somewhere_else}", json={"eventType": "AccessControllerEvent"})
            assert forged.status_code in (401, 404), forged.text
        alive = await sender.post(f"{to}/{secret}", json={"eventType": "heartBeat"})
        assert (alive.status_code, alive.json()) == (200, {"status": "ignored"})
        photographed = {"event": json.dumps({"eventType": "AccessControllerEvent"}), "Picture": b"\xff\xd8\xff"}
        taken = await sender.post(f"{to}/{secret}", files=photographed)
        assert taken.status_code == 202, taken.text

        run = await run_after_push(client, integration["id"])
        assert (run["status"], list(run["streams"])) == ("succeeded", ["attendance"]), run
        assert await wrong(client, simulator, DataType.ATTENDANCE) == []
        told = await client.all_of(f"/api/integrations/{integration['id']}/logs")
    assert integration["id"] in hub.log
    for written in (secret, "another-in-the-address-0123456789"):
        assert written not in hub.log + json.dumps(told)
