"""Bad input gets a clear problem and changes nothing."""

from typing import Any

import httpx2
import pytest
from hub_security.roles import Role
from running import RunningHub

NOT_ONE = {"name": 7, "syncInterval": "often"}


def without(draft: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in draft.items() if key != name}


def problem(response: httpx2.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["title"]
    assert body["status"] == status
    return body


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"syncIntervall": 30}, "/syncIntervall"),
        ({"syncInterval": 4}, "/syncInterval"),
        ({"syncInterval": "30"}, "/syncInterval"),
        ({"enabled": "yes"}, "/enabled"),
        ({"baseUrl": "erp.college.edu"}, "/baseUrl"),
        ({"baseUrl": "file:///etc/passwd"}, "/baseUrl"),
        ({"baseUrl": "http://user:password@erp.college.edu"}, "/baseUrl"),
        ({"authType": "magic"}, "/authType"),
        ({"endpoints": {"salaries": "/salaries"}}, "/endpoints/salaries"),
        ({"endpoints": {}}, "/endpoints"),
        ({"endpoints": {"marks": "http://elsewhere.example.com/marks"}}, "/endpoints/marks"),
        ({"headers": {"Authorization": "Bearer x"}}, "/headers"),
        ({"name": ""}, "/name"),
        ({"timeZone": "Asia/Atlantis"}, "/timeZone"),
    ],
)
async def test_a_field_that_is_wrong_is_named_and_nothing_is_created(
    http: httpx2.AsyncClient, draft: dict[str, Any], change: dict[str, Any], pointer: str
) -> None:
    body = problem(await http.post("/api/integrations", json=draft | change), 422)
    assert any(issue["pointer"].startswith(pointer) and issue["message"] for issue in body["errors"]), body
    assert (await http.get("/api/integrations")).json()["items"] == []


async def test_every_wrong_field_is_named_at_once(http: httpx2.AsyncClient, draft: dict[str, Any]) -> None:
    body = problem(await http.post("/api/integrations", json=without(draft, "baseUrl") | NOT_ONE), 422)
    assert {issue["pointer"] for issue in body["errors"]} >= {"/baseUrl", "/name", "/syncInterval"}


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe", b'{"name": NaN}'])
async def test_a_body_that_is_no_json_is_refused(http: httpx2.AsyncClient, content: bytes) -> None:
    response = await http.post("/api/integrations", content=content, headers={"content-type": "application/json"})
    assert response.status_code in (400, 422)
    problem(response, response.status_code)


async def test_a_body_that_is_too_large_is_refused(http: httpx2.AsyncClient, draft: dict[str, Any]) -> None:
    problem(await http.post("/api/integrations", json=draft | {"name": "x" * 2_000_000}), 413)


@pytest.mark.parametrize("credential", [None, "Bearer", "Bearer nonsense", "Bearer a.b.c", "Basic YTpi"])
async def test_without_a_valid_token_nobody_is_let_in(hub: RunningHub, credential: str | None) -> None:
    headers = {} if credential is None else {"authorization": credential}
    async with httpx2.AsyncClient(base_url=hub.url, trust_env=False) as client:
        problem(await client.get("/api/integrations", headers=headers), 401)


@pytest.mark.parametrize("role", [Role.TEACHER, Role.STUDENT])
async def test_who_is_neither_principal_nor_admin_may_not_manage(
    hub: RunningHub, http: httpx2.AsyncClient, college_id: str, draft: dict[str, Any], role: Role
) -> None:
    other = {"authorization": f"Bearer {hub.token(college_id, role)}"}
    problem(await http.post("/api/integrations", json=draft, headers=other), 403)
    problem(await http.get("/api/integrations", headers=other), 403)
    assert (await http.get("/api/integrations")).json()["items"] == []
    refusals = (await http.get("/api/audit")).json()["items"]
    assert any(entry["role"] == role and not entry["allowed"] for entry in refusals)


async def test_another_colleges_integration_does_not_exist(
    hub: RunningHub, http: httpx2.AsyncClient, draft: dict[str, Any]
) -> None:
    made = (await http.post("/api/integrations", json=draft)).json()
    stranger = {"authorization": f"Bearer {hub.token('another-college')}"}
    path = f"/api/integrations/{made['id']}"
    for method, target, body in [
        ("GET", path, None),
        ("PUT", path, draft),
        ("DELETE", path, None),
        ("PATCH", f"{path}/toggle", {"enabled": False}),
        ("POST", f"{path}/test", None),
        ("POST", f"{path}/sync", None),
        ("GET", f"{path}/logs", None),
        ("GET", f"{path}/runs", None),
        ("GET", f"{path}/rejects", None),
    ]:
        problem(await http.request(method, target, json=body, headers=stranger), 404)
    after = (await http.get(path)).json()
    assert (after["revision"], after["enabled"]) == (made["revision"], True)


async def test_an_edit_of_a_version_that_is_gone_changes_nothing(
    http: httpx2.AsyncClient, draft: dict[str, Any]
) -> None:
    made = await http.post("/api/integrations", json=draft)
    path, stale = f"/api/integrations/{made.json()['id']}", {"if-match": made.headers["etag"]}
    assert (await http.put(path, json=draft | {"name": "Second"}, headers=stale)).status_code == 200
    problem(await http.put(path, json=draft | {"name": "Third"}, headers=stale), 412)
    problem(await http.delete(path, headers=stale), 412)
    assert (await http.get(path)).json()["name"] == "Second"


async def test_a_data_type_that_does_not_exist_is_refused(http: httpx2.AsyncClient) -> None:
    problem(await http.get("/api/records/salaries"), 422)


@pytest.mark.parametrize("query", ["limit=0", "limit=1000000", "cursor=zzz", "limt=5"])
async def test_a_query_that_is_wrong_is_refused(http: httpx2.AsyncClient, query: str) -> None:
    problem(await http.get(f"/api/integrations?{query}"), 422)


async def test_a_route_that_does_not_exist_is_a_problem_too(http: httpx2.AsyncClient) -> None:
    problem(await http.get("/api/nothing"), 404)
    problem(await http.patch("/api/integrations"), 405)
