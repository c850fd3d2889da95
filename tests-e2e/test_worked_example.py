"""The draft that ``docs/connectors.md`` arrives at works as it stands there."""

import json
from pathlib import Path

import httpx2
import pytest
from hub_standalone.client import HubClient
from running import Standalone
from simulators.linways import Linways
from simulators.oracle import shortfalls, synced
from simulators.serving import serve

DOCUMENT = Path(__file__).parents[1] / "docs/connectors.md"
MARK = "tests-e2e/test_worked_example.py -->"


@pytest.mark.slow
async def test_the_worked_example_reads_everything(standalone: Standalone, college_id: str) -> None:
    draft = json.loads(DOCUMENT.read_text().partition(MARK)[2].partition("```json")[2].partition("```")[0])
    assert draft["apiKey"] == Linways.token
    headers = {"authorization": f"Bearer {standalone.token(college_id)}"}
    async with (
        serve(Linways()) as simulator,
        httpx2.AsyncClient(base_url=standalone.url, headers=headers, timeout=60, trust_env=False) as http,
    ):
        client = HubClient(http)
        integration = await client.create({**draft, "baseUrl": simulator.base_url})
        tested = await client.request("POST", f"/api/integrations/{integration['id']}/test")
        assert tested["success"], tested
        run = await synced(client, integration["id"])
        assert run["status"] == "succeeded", run
        assert await shortfalls(client, simulator) == []
