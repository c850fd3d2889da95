"""Choosing a connector, and creating an integration from one."""

from typing import Any

import pytest


async def test_connectors_are_listed_with_what_they_bring_and_shown_with_a_draft_that_creates_one(hub: Any) -> None:
    listed = (await hub.call("GET", "/api/connectors")).json()["items"]
    assert {"name", "title", "capabilities"} <= listed[0].keys()
    for connector in listed:
        shown = (await hub.call("GET", f"/api/connectors/{connector['name']}")).json()
        assert shown["example"]["type"] == connector["name"]
    missing = await hub.call("GET", "/api/connectors/none-such")
    assert missing.status_code == 404
    assert "generic-rest" in missing.json()["detail"]


async def test_a_draft_that_names_a_connector_gets_its_endpoints_and_remembers_which_it_was(hub: Any) -> None:
    draft = {"name": "Any", "type": "generic-rest", "baseUrl": "https://erp.college.edu/api", "apiKey": "secret-0042"}
    made = (await hub.call("POST", "/api/integrations", {**draft, "endpoints": {"marks": True}})).json()
    assert made["endpoints"]["marks"]["path"] == "/marks"
    assert list(made["endpoints"]) == ["marks"]
    assert made["connector"]["name"] == "generic-rest"
    assert "secret-0042" not in str(made)


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_wrong_answers_are_told_by_pointer_and_change_nothing(hub: Any, method: str) -> None:
    made = await hub.create()
    path = "/api/integrations" if method == "POST" else f"/api/integrations/{made['id']}"
    draft = {"name": "Any", "type": "generic-rest", "baseUrl": "https://e.college.edu", "settings": {"colour": "red"}}
    refused = await hub.call(method, path, draft)
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/settings/colour"]
    assert len((await hub.call("GET", "/api/integrations")).json()["items"]) == 1


async def test_a_stored_draft_from_a_connector_can_be_sent_back_as_it_is(hub: Any) -> None:
    draft = {"name": "Any", "type": "generic-rest", "baseUrl": "https://erp.college.edu/api", "apiKey": "secret-0042"}
    made = (await hub.call("POST", "/api/integrations", draft)).json()
    fields = ("name", "type", "baseUrl", "authType", "endpoints", "connector", "syncInterval")
    body = {name: made[name] for name in fields}
    again = await hub.call("PUT", f"/api/integrations/{made['id']}", {**body, "name": "Renamed"})
    assert again.status_code == 200, again.text
    assert again.json()["connector"] == made["connector"]
    assert again.json()["endpoints"] == made["endpoints"]
