"""Roles and colleges: who is let in, what is not shown, and what the audit trail keeps of it."""

import io
from typing import Any

import jwt
import pytest
from hub_model.errors import Unavailable
from hub_model.logs import AuditEntry
from hub_security.roles import Role
from hub_storage.repositories import Audit

JSON = {"content-type": "application/json"}

ID = "0123456789abcdef0123456789abcdef"
OPERATIONS = [
    ("GET", "/api/integrations", "listIntegrations"),
    ("POST", "/api/integrations", "createIntegration"),
    ("GET", f"/api/integrations/{ID}", "getIntegration"),
    ("PUT", f"/api/integrations/{ID}", "updateIntegration"),
    ("DELETE", f"/api/integrations/{ID}", "deleteIntegration"),
    ("PATCH", f"/api/integrations/{ID}/toggle", "toggleIntegration"),
    ("POST", f"/api/integrations/{ID}/test", "testIntegration"),
    ("POST", f"/api/integrations/{ID}/sync", "syncIntegration"),
    ("GET", f"/api/integrations/{ID}/logs", "listLogs"),
    ("GET", f"/api/integrations/{ID}/runs", "listRuns"),
    ("GET", f"/api/integrations/{ID}/runs/{ID}", "getRun"),
    ("GET", f"/api/integrations/{ID}/rejects", "listRejects"),
    ("GET", "/api/records/students", "listRecords"),
    ("GET", "/api/connectors", "listConnectors"),
    ("GET", "/api/connectors/generic-rest", "getConnector"),
    ("GET", "/api/audit", "listAudit"),
    ("GET", "/api/events", "streamEvents"),
]


def body_of(hub: Any, method: str, path: str) -> object:
    if path.endswith("/toggle"):
        return {"enabled": True}
    return hub.draft if method in ("PUT",) or (method, path) == ("POST", "/api/integrations") else None


def test_every_route_is_listed_here(hub: Any) -> None:
    paths = hub.service.app.openapi()["paths"]
    declared = {operation["operationId"] for operations in paths.values() for operation in operations.values()}
    assert declared == {name for _, _, name in OPERATIONS}


@pytest.mark.parametrize(("method", "path", "action"), OPERATIONS)
async def test_without_a_valid_token_nothing_is_looked_at(hub: Any, method: str, path: str, action: str) -> None:
    expired = hub.token()
    hub.clock.advance(hours=2)
    for authorization in (None, "Bearer ", "Bearer nonsense", f"Basic {expired}", f"Bearer {expired}"):
        headers = {"authorization": authorization} if authorization else {}
        response = await hub.client.request(method, path, headers=headers, content=b"{")
        assert response.status_code == 401, authorization
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.json()["type"] == "/problems/unauthenticated"
    assert await hub.audit() == []


@pytest.mark.parametrize("role", [Role.TEACHER, Role.STUDENT])
@pytest.mark.parametrize(("method", "path", "action"), OPERATIONS)
async def test_other_roles_are_refused_and_audited(hub: Any, method: str, path: str, action: str, role: Role) -> None:
    response = await hub.call(method, path, body_of(hub, method, path), role=role)
    assert (response.status_code, response.json()["type"]) == (403, "/problems/forbidden")
    [entry] = await hub.audit()
    assert (entry["action"], entry["allowed"], entry["role"]) == (action, False, role.value)
    assert entry["target"] == (ID if ID in path else None)
    assert await hub.audit(college_id=hub.other_college) == []
    assert (await hub.get("/api/integrations"))["items"] == []


@pytest.mark.parametrize("role", [None, "principal", "admin ", ["Admin"], {"Admin": True}, 1, "Principal\x00"])
async def test_a_role_is_one_of_a_closed_list(hub: Any, role: object) -> None:
    now = int(hub.clock().timestamp())
    claims = {"sub": "p1", "role": role, "collegeId": hub.college_id, "iat": now, "exp": now + 600}
    token = jwt.encode(claims, hub.token_secret, algorithm="HS256")
    response = await hub.client.get("/api/integrations", headers={"authorization": f"Bearer {token}"})
    assert response.status_code == 403


@pytest.mark.parametrize("role", [Role.PRINCIPAL, Role.ADMIN])
async def test_principals_and_admins_are_let_in(hub: Any, role: Role) -> None:
    assert (await hub.call("GET", "/api/integrations", role=role)).status_code == 200


OF_ONE = [operation for operation in OPERATIONS if ID in operation[1]]


@pytest.mark.parametrize(("method", "path", "action"), OF_ONE)
async def test_another_colleges_id_is_not_found_and_audited_in_the_callers_college(
    hub: Any, method: str, path: str, action: str
) -> None:
    theirs = await hub.create(college_id=hub.other_college)
    run = await hub.call("POST", f"/api/integrations/{theirs['id']}/sync", college_id=hub.other_college)
    before = await hub.audit(college_id=hub.other_college)
    target = path.replace(f"runs/{ID}", f"runs/{run.json()['runId']}").replace(ID, theirs["id"])
    missing = await hub.call(method, path, body_of(hub, method, path))
    foreign = await hub.call(method, target, body_of(hub, method, target))
    assert (foreign.status_code, foreign.json()["type"]) == (404, "/problems/not-found")
    assert foreign.json().keys() == missing.json().keys()
    newest, _ = await hub.audit()
    assert (newest["action"], newest["target"], newest["allowed"]) == (action, theirs["id"], False)
    assert await hub.audit(college_id=hub.other_college) == before
    assert (await hub.get(f"/api/integrations/{theirs['id']}", college_id=hub.other_college))["revision"] == 1


async def test_a_run_of_another_integration_is_not_found(hub: Any) -> None:
    first, second = await hub.create(), await hub.create(name="Second")
    run = (await hub.call("POST", f"/api/integrations/{first['id']}/sync")).json()["runId"]
    assert (await hub.call("GET", f"/api/integrations/{first['id']}/runs/{run}")).status_code == 200
    assert (await hub.call("GET", f"/api/integrations/{second['id']}/runs/{run}")).status_code == 404


async def test_lists_show_the_own_college_only(hub: Any) -> None:
    await hub.create(college_id=hub.other_college)
    assert (await hub.get("/api/integrations"))["items"] == []
    assert await hub.audit() == []


async def test_the_college_comes_from_the_token_alone(hub: Any) -> None:
    headers = {"x-college-id": hub.other_college, "x-tenant": hub.other_college}
    made = await hub.call("POST", "/api/integrations", hub.draft, headers=headers)
    assert (await hub.integrations.find(hub.college_id, made.json()["id"])) is not None
    body = await hub.call("POST", "/api/integrations", {**hub.draft, "name": "Second", "collegeId": hub.other_college})
    assert body.status_code == 422
    query = await hub.call("GET", f"/api/integrations?collegeId={hub.other_college}")
    assert query.status_code == 422


async def test_a_token_without_a_college_is_not_let_in(hub: Any) -> None:
    now = int(hub.clock().timestamp())
    for college in ({}, {"collegeId": ""}, {"collegeId": None}, {"collegeId": [hub.college_id]}):
        claims = {"sub": "p1", "role": "Principal", "iat": now, "exp": now + 600, **college}
        token = jwt.encode(claims, hub.token_secret, algorithm="HS256")
        response = await hub.client.get("/api/integrations", headers={"authorization": f"Bearer {token}"})
        assert response.status_code == 401


async def test_every_change_is_audited_with_before_and_after_and_without_secrets(hub: Any) -> None:
    made = await hub.create()
    path = f"/api/integrations/{made['id']}"
    edit = {**hub.draft, "name": "Renamed", "apiKey": "another-canary-key"}
    changed = await hub.call("PUT", path, edit, headers={"x-request-id": "req-1"})
    assert changed.status_code == 200
    for method, target in (
        ("PATCH", f"{path}/toggle"),
        ("POST", f"{path}/sync"),
        ("POST", f"{path}/test"),
        ("DELETE", path),
    ):
        await hub.call(method, target, body_of(hub, method, target))
    entries = (await hub.audit())[::-1]
    assert [entry["action"] for entry in entries] == [
        "createIntegration",
        "updateIntegration",
        "toggleIntegration",
        "syncIntegration",
        "testIntegration",
        "deleteIntegration",
    ]
    assert {(entry["actor"], entry["role"], entry["target"], entry["allowed"]) for entry in entries} == {
        ("p1", "Principal", made["id"], True)
    }
    update = entries[1]
    assert update["changes"] == {
        "before": {"name": "College ERP", "secrets": {"apiKey": 1, "webhookSecret": 1}},
        "after": {"name": "Renamed", "secrets": {"apiKey": 2, "webhookSecret": 1}},
    }
    assert update["requestId"] == "req-1"
    assert entries[2]["changes"] == {"before": {"enabled": False}, "after": {"enabled": True}}
    text = str(entries)
    for secret in (hub.draft["apiKey"], "another-canary-key", made["webhookSecret"]):
        assert secret not in text


class BrokenAudit(Audit):
    async def add(self, entry: AuditEntry) -> None:
        raise Unavailable("the audit trail cannot be written")


async def test_nothing_changes_without_an_audit_entry(own_hub: Any) -> None:
    hub = own_hub
    made = await hub.create()
    path = f"/api/integrations/{made['id']}"
    backend = hub.service.app.state.backend
    object.__setattr__(backend, "audit", BrokenAudit(hub.store))
    for method, target in (
        ("POST", "/api/integrations"),
        ("PUT", path),
        ("PATCH", f"{path}/toggle"),
        ("POST", f"{path}/sync"),
        ("POST", f"{path}/test"),
        ("DELETE", path),
    ):
        response = await hub.call(method, target, body_of(hub, method, target))
        assert response.status_code == 503, (method, target)
        assert response.headers["retry-after"] == "5"
    assert len((await hub.get("/api/integrations"))["items"]) == 1
    view = await hub.get(path)
    assert (view["revision"], view["activeRunId"]) == (1, None)
    assert hub.fetcher.messages == []


async def test_a_refused_edit_is_audited(hub: Any) -> None:
    made = await hub.create()
    await hub.call("PUT", f"/api/integrations/{made['id']}", hub.draft, headers={"if-match": '"7"'})
    newest = (await hub.audit())[0]
    assert (newest["action"], newest["allowed"], newest["changes"]) == (
        "updateIntegration",
        False,
        {"refused": "stale_version"},
    )


async def test_answers_are_not_kept_by_caches(hub: Any) -> None:
    assert (await hub.call("GET", "/api/integrations")).headers["cache-control"] == "no-store"


async def test_logs_hold_no_secret(hub: Any, logs: io.BytesIO) -> None:
    canaries = {"apiKey": "canary-api-key-1", "webhook": {"secret": "canary-webhook-secret"}}
    made = await hub.create(**canaries)
    path = f"/api/integrations/{made['id']}"
    await hub.call("PUT", path, {**hub.draft, **canaries, "syncInterval": 1})
    await hub.call("PUT", path, {**hub.draft, **canaries, "headers": {"X-Auth-Token": "canary-header"}})
    await hub.call("POST", "/api/integrations", content=b'{"apiKey": "canary-broken', headers=JSON)
    await hub.call("GET", "/api/records/students?studentId=canary-student")
    hub.broker.down = True
    await hub.call("POST", f"{path}/test")
    text = logs.getvalue().decode()
    assert made["id"] in text
    assert "canary" not in text
    assert hub.token().split(".")[2] not in text
