"""Every line of the API as colleges were promised it, in their order, with their examples as bodies."""

import asyncio
from typing import Any

import pytest
from hub_config_api.api.examples import ATTENDANCE, ERP, LMS
from hub_messaging.testing import wait_until
from hub_model.messages import ProbeCheck, ProbeFinished, ProbeRequested, SyncRequested, Trigger

# A function of Moodle's that gives less than another one is replaced by it, which a warning tells.
BETTER = {
    f"/server.php?wsfunction={given}": f"/server.php?wsfunction={used}"
    for given, used in [("core_grades_get_grades", "gradereport_user_get_grade_items")]
}


@pytest.mark.parametrize("example", [ERP, ATTENDANCE, LMS], ids=["erp", "attendance", "lms"])
async def test_every_line_of_the_api_does_what_it_says(hub: Any, example: dict[str, Any]) -> None:
    # GET /api/integrations
    assert await hub.get("/api/integrations") == {"items": [], "nextCursor": None}

    # POST /api/integrations
    created = await hub.call("POST", "/api/integrations", example)
    assert created.status_code == 201
    integration = created.json()
    path = f"/api/integrations/{integration['id']}"
    assert created.headers["location"] == path
    for name in ("name", "type", "baseUrl", "authType", "syncInterval", "enabled"):
        assert integration[name] == example[name]
    asked = {name: endpoint["path"] for name, endpoint in integration["endpoints"].items()}
    assert asked == {name: BETTER.get(path, path) for name, path in example["endpoints"].items()}
    assert len(integration["warnings"]) == (len(asked) if example is LMS else 0)
    assert integration["headers"] == example.get("headers", {})
    assert (integration["status"], integration["lastSync"]) == ("active", None)
    assert integration["nextSync"] is not None
    assert example["apiKey"] not in created.text
    assert [item["id"] for item in (await hub.get("/api/integrations"))["items"]] == [integration["id"]]

    # GET /api/integrations/:id
    read = await hub.get(path)
    assert read == {name: value for name, value in integration.items() if name not in ("webhookSecret", "warnings")}
    assert read["secrets"]["apiKey"]["set"] is True

    # PUT /api/integrations/:id
    changed = await hub.call("PUT", path, {**example, "name": "Renamed", "syncInterval": 45})
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["syncInterval"]) == ("Renamed", 45)

    # PATCH /api/integrations/:id/toggle
    off = await hub.call("PATCH", f"{path}/toggle", {"enabled": False})
    assert (off.status_code, off.json()["status"], off.json()["nextSync"]) == (200, "inactive", None)
    on = await hub.call("PATCH", f"{path}/toggle", {"enabled": True})
    assert (on.status_code, on.json()["enabled"]) == (200, True)
    await wait_until(lambda: len(hub.heard(SyncRequested)) == 1)
    enabling = hub.heard(SyncRequested)[0]
    assert enabling.trigger is Trigger.ENABLE
    assert {str(data_type) for data_type in enabling.data_types} == set(example["endpoints"])

    # POST /api/integrations/:id/test
    test = hub.call("POST", f"{path}/test")
    assert (await answered(hub, test)).json() == {
        "success": True,
        "message": "The connection works.",
        "checks": [{"name": "address", "ok": True, "detail": "It answers.", "fix": ""}],
    }

    # POST /api/integrations/:id/sync
    sync = await hub.call("POST", f"{path}/sync")
    assert sync.status_code == 202
    assert sync.json() == {"runId": enabling.run_id, "status": "queued", "coalesced": True}
    assert sync.headers["location"] == f"{path}/runs/{enabling.run_id}"
    assert (await hub.get(sync.headers["location"]))["trigger"] == "enable"

    # GET /api/integrations/:id/logs
    assert await hub.get(f"{path}/logs") == {"items": [], "nextCursor": None}

    # DELETE /api/integrations/:id
    assert (await hub.call("DELETE", path)).status_code == 204
    assert (await hub.call("GET", path)).status_code == 404


async def answered(hub: Any, call: Any) -> Any:
    """The response to a connection test, which this plays the fetcher for."""

    response = asyncio.create_task(call)
    await wait_until(lambda: bool(hub.heard(ProbeRequested)))
    request = hub.heard(ProbeRequested)[0]
    check = ProbeCheck(name="address", ok=True, detail="It answers.")
    await hub.publisher.publish(
        ProbeFinished(
            college_id=request.college_id,
            integration_id=request.integration_id,
            probe_id=request.probe_id,
            ok=True,
            checks=(check,),
            finished_at=hub.clock(),
        )
    )
    return await response
