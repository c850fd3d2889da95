"""Simulated vendors read by the hub: afterwards it holds what they hold, field by field, whatever went wrong."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from hub_standalone.client import HubClient
from running import Standalone
from simulators.faults import Kind
from simulators.generic import GenericRest, Paging
from simulators.oracle import shortfalls, synced
from simulators.serving import serve


@pytest.fixture
async def principal(standalone: Standalone, college_id: str) -> AsyncIterator[HubClient]:
    headers = {"authorization": f"Bearer {standalone.token(college_id)}"}
    async with httpx2.AsyncClient(base_url=standalone.url, headers=headers, timeout=60, trust_env=False) as http:
        yield HubClient(http)


def draft_of(simulator: GenericRest) -> dict[str, Any]:
    return {
        "name": "The college's own API",
        "type": "student-management",
        "baseUrl": simulator.base_url,
        "authType": "bearer",
        "apiKey": simulator.connection()["token"],
        "endpoints": {kind.value: f"/{kind.value}" for kind in simulator.expresses},
        "enabled": True,
    }


@pytest.mark.slow
@pytest.mark.parametrize("paging", [Paging.GUIDE, Paging.LINK])
async def test_a_college_with_its_own_api_is_read_completely(principal: HubClient, paging: Paging) -> None:
    async with serve(GenericRest(paging=paging)) as simulator:
        for kind, where in (
            (Kind.CRASH, "/attendance"),
            (Kind.BUSY, "/marks"),
            (Kind.CUT, "/students"),
            (Kind.MAINTENANCE, "/attendance"),
            (Kind.CUT, "/attendance"),
        ):
            simulator.faults.order(kind, where, after=2)
        integration = await principal.create(draft_of(simulator))
        run = await synced(principal, integration["id"])
        assert run["status"] == "succeeded", run
        assert await shortfalls(principal, simulator) == []
        assert all(fault.happened for fault in simulator.faults.ordered)

        simulator.campus.students.change("CS2501", section="B")
        first = simulator.campus.attendance.rows[0]
        key = (first["studentId"], first["date"], first["period"])
        simulator.campus.attendance.change(*key, attendance="on_duty")
        run = await synced(principal, integration["id"])
        assert run["status"] == "succeeded", run
        assert await shortfalls(principal, simulator) == []
