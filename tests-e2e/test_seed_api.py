"""The integration guide's list of routes, each as the line a person would paste into a shell."""

import asyncio
import hashlib
import hmac
import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from hub_standalone.client import HubClient
from hub_standalone.demo.college import College
from hub_standalone.progress import ProgressView
from rich.console import Console
from running import RunningHub

LIST = 'curl -s $HUB/api/integrations -H "Authorization: Bearer $TOKEN"'
GET = 'curl -s $HUB/api/integrations/$ID -H "Authorization: Bearer $TOKEN"'
CREATE = """curl -s -X POST $HUB/api/integrations -H "Authorization: Bearer $TOKEN" \
  -H 'content-type: application/json' -d "$BODY" """
UPDATE = """curl -s -X PUT $HUB/api/integrations/$ID -H "Authorization: Bearer $TOKEN" \
  -H 'content-type: application/json' -d "$BODY" """
DELETE = 'curl -s -X DELETE $HUB/api/integrations/$ID -H "Authorization: Bearer $TOKEN"'
TOGGLE = """curl -s -X PATCH $HUB/api/integrations/$ID/toggle -H "Authorization: Bearer $TOKEN" \
  -H 'content-type: application/json' -d '{"enabled": '$ENABLED'}'"""
TEST = 'curl -s -X POST $HUB/api/integrations/$ID/test -H "Authorization: Bearer $TOKEN"'
SYNC = 'curl -s -X POST $HUB/api/integrations/$ID/sync -H "Authorization: Bearer $TOKEN"'
LOGS = 'curl -s $HUB/api/integrations/$ID/logs -H "Authorization: Bearer $TOKEN"'
WEBHOOK = """curl -s -X POST $WEBHOOKS/api/webhooks/integrations/$ID -H "x-webhook-signature: $SIGNATURE" \
  -H 'content-type: application/json' -d "$BODY" """

Shell = Callable[..., tuple[int, Any]]


def by_curl(line: str, variables: dict[str, str]) -> tuple[int, Any]:
    done = subprocess.run(
        ["/bin/sh", "-c", f"{line.strip()} -w '\\n%{{http_code}}'"],
        env=variables | {"PATH": "/usr/bin:/bin:/usr/local/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body) if body else None


def by_httpx(line: str, variables: dict[str, str]) -> tuple[int, Any]:
    """What curl would do, on a machine without it: only the options used above."""
    expanded = subprocess.run(
        ["/bin/sh", "-c", f'for word in {line.strip()}; do printf "%s\\0" "$word"; done'],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    words = iter(expanded.stdout.split("\0")[2:-1])
    method, url, headers, content = "GET", "", {}, None
    for word in words:
        match word:
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d":
                content = next(words)
            case _:
                url = word
    response = httpx2.request(method, url, headers=headers, content=content, timeout=60, trust_env=False)
    return response.status_code, response.json() if response.content else None


@pytest.fixture(params=["curl", "httpx"])
def shell(request: pytest.FixtureRequest, hub: RunningHub, college_id: str) -> Shell:
    if request.param == "curl" and shutil.which("curl") is None:
        pytest.skip("there is no curl on this machine; the other way takes the same lines")
    run = by_curl if request.param == "curl" else by_httpx
    return lambda line, **variables: run(
        line, {"HUB": hub.url, "WEBHOOKS": hub.webhooks_url, "TOKEN": hub.token(college_id), **variables}
    )


async def test_every_line_of_the_guides_api_does_what_it_says(
    shell: Shell, client: HubClient, college: College, draft: dict[str, Any]
) -> None:
    async def paste(line: str, **variables: str) -> tuple[int, Any]:
        return await asyncio.to_thread(shell, line, **variables)

    status, made = await paste(CREATE, BODY=json.dumps(draft))
    assert (status, made["name"], made["enabled"]) == (201, "BiometricAttendance", True)
    ID = made["id"]

    status, listed = await paste(LIST)
    assert (status, [item["id"] for item in listed["items"]]) == (200, [ID])

    status, shown = await paste(GET, ID=ID)
    assert (status, shown["endpoints"]["attendance"]["path"]) == (200, "/api/attendance/today")
    assert "apiKey" not in shown

    changed = {name: value for name, value in draft.items() if name != "apiKey"} | {"syncInterval": 30}
    status, updated = await paste(UPDATE, ID=ID, BODY=json.dumps(changed))
    assert (status, updated["syncInterval"]) == (200, 30)

    for enabled, health in (("false", "inactive"), ("true", "active")):
        status, toggled = await paste(TOGGLE, ID=ID, ENABLED=enabled)
        assert (status, toggled["status"]) == (200, health)

    status, tested = await paste(TEST, ID=ID)
    assert (status, tested["success"]) == (200, True)

    status, begun = await paste(SYNC, ID=ID)
    assert status == 202
    with ProgressView(Console(quiet=True)) as view:
        run = await view.follow(client, "", ID, begun["runId"])
    assert (run["status"], run["counts"]["fetched"]) == ("succeeded", len(college.world.biometric))

    status, logs = await paste(LOGS, ID=ID)
    assert status == 200
    assert any(entry["runId"] == run["id"] for entry in logs["items"])

    body = json.dumps({"dataType": "attendance", "records": [college.let_in_late()]})
    signature = hmac.new(made["webhookSecret"].encode(), body.encode(), hashlib.sha256).hexdigest()
    assert (await paste(WEBHOOK, ID=ID, BODY=body, SIGNATURE="0" * 64))[0] == 401
    assert (await paste(WEBHOOK, ID=ID, BODY=body, SIGNATURE=signature))[0] == 202

    assert await paste(DELETE, ID=ID) == (204, None)
    assert (await paste(GET, ID=ID))[0] == 404
    assert (await paste(LIST))[1]["items"] == []
