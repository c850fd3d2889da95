"""The process around the services: how it starts, refuses to start, and ends."""

from pathlib import Path
from typing import Any

import httpx2
import pytest
from hub_messaging.testing.waiting import wait_until
from hub_standalone.client import HubClient
from hub_standalone.progress import ProgressView
from rich.console import Console
from running import RunningHub, Standalone, run_hub, start_hub


def refused(folder: Path, **settings: str) -> str:
    done = run_hub(folder, "run", **settings)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/api/openapi.json"])
async def test_what_needs_no_token_answers_without_one(hub: RunningHub, path: str) -> None:
    async with httpx2.AsyncClient(base_url=hub.url, trust_env=False) as client:

        async def answers() -> bool:
            response = await client.get(path)
            # A hub whose store is slow for a moment is not ready then, and says so.
            assert response.status_code in ((200, 503) if path == "/health/ready" else (200,))
            return response.status_code == 200

        await wait_until(answers, deadline_s=30)


async def test_the_front_page_links_to_what_exists(standalone: Standalone) -> None:
    async with httpx2.AsyncClient(base_url=standalone.url, trust_env=False) as client:
        links = [link for link in (await client.get("/")).json().values() if link.startswith("/")]
        assert links
        for link in links:
            assert (await client.get(link)).status_code != 404


async def test_each_path_is_answered_by_the_service_it_belongs_to(hub: RunningHub, http: httpx2.AsyncClient) -> None:
    unknown = await http.post(f"{hub.webhooks_url}/api/webhooks/integrations/nobody", json={})
    assert unknown.status_code in (401, 404)
    assert unknown.headers["content-type"] == "application/problem+json"
    assert (await http.get("/api/integrations")).status_code == 200
    assert (await http.get("/api/nothing")).status_code == 404


def test_without_keys_it_does_not_start_and_names_the_file(tmp_path: Path) -> None:
    reason = refused(tmp_path)
    assert "public.json" in reason
    assert "hub keys" in reason


def test_a_wrong_setting_keeps_it_from_starting_and_is_named(tmp_path: Path) -> None:
    assert "HUB_TICK_S" in refused(tmp_path, HUB_TICK_S="-1")


def test_without_a_way_to_check_tokens_it_does_not_start(tmp_path: Path) -> None:
    assert run_hub(tmp_path, "keys").returncode == 0
    (tmp_path / ".hub" / "keys" / "token-secret").unlink()
    assert "HUB_JWKS_URL" in refused(tmp_path, HUB_TOKEN_SECRET="")


def test_a_second_process_on_the_same_file_is_refused_and_the_first_lives_on(standalone: Standalone) -> None:
    reason = refused(standalone.folder)
    assert str(standalone.process.pid) in reason
    assert httpx2.get(f"{standalone.url}/health/ready", trust_env=False).status_code == 200


def test_a_taken_port_is_named(standalone: Standalone, tmp_path: Path) -> None:
    port = standalone.url.rpartition(":")[2]
    assert run_hub(tmp_path, "keys").returncode == 0
    assert port in refused(tmp_path, HUB_HTTP_PORT=port)


async def test_what_is_stored_is_there_after_an_orderly_restart(tmp_path: Path, draft: dict[str, Any]) -> None:
    before = start_hub(tmp_path)
    try:
        async with connected(before) as http:
            client = HubClient(http)
            made = await client.create(draft)
            begun = await client.sync(made["id"])
            with ProgressView(Console(quiet=True)) as view:
                await view.follow(client, "", made["id"], begun["runId"])
            stored = await client.all_of("/api/records/attendance")
    finally:
        assert before.stop() == 0
    after = start_hub(tmp_path)
    try:
        async with connected(after) as http:
            assert await HubClient(http).all_of("/api/records/attendance") == stored
            assert len(stored) == 240
    finally:
        assert after.stop() == 0


def connected(hub: RunningHub) -> httpx2.AsyncClient:
    headers = {"authorization": f"Bearer {hub.token('a-college')}"}
    return httpx2.AsyncClient(base_url=hub.url, headers=headers, timeout=60, trust_env=False)
