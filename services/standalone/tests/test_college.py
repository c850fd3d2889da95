import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import date
from typing import Any

import httpx2
import pytest
from hub_model.records import DataType
from hub_standalone.demo.college import SLOW_PAGE_S, College, Credentials, Mishap, serve_college
from hub_standalone.demo.truth import truth
from hub_standalone.demo.world import build_world

DAY = date(2026, 3, 17)
CREDENTIALS = Credentials(erp_token="erp-token", biometric_key="gate-key", college_code="4711")
ERP = {"authorization": "Bearer erp-token"}
GATE = {"x-api-key": "gate-key", "x-college-id": "4711"}
FEEDS = {
    "/api/v1/students/list": "students",
    "/api/v1/staff/list": "faculty",
    "/api/v1/subjects/list": "subjects",
    "/api/v1/timetable": "timetable",
    "/api/v1/attendance/records": "attendance",
    "/api/v1/examination/results": "marks",
    "/api/attendance/today": "biometric",
}


@pytest.fixture
def college() -> College:
    return College(build_world(7, DAY), CREDENTIALS)


@pytest.fixture
async def http(college: College) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(college.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://college", headers={**ERP, **GATE}) as client:
        yield client


async def page_of(http: httpx2.AsyncClient, path: str, page: int) -> Any:
    """The page, however often it has to be asked for."""
    while True:
        response = await http.get(path, params={"page": page, "limit": 100})
        if response.status_code == 200:
            return response.json()


@pytest.mark.parametrize(("path", "feed"), FEEDS.items())
async def test_the_pages_of_a_feed_add_up_to_all_of_it(
    college: College, http: httpx2.AsyncClient, path: str, feed: str
) -> None:
    expected = getattr(college.world, feed)
    rows: list[Any] = []
    for page in range(1, len(expected) // 100 + 2):
        body = await page_of(http, path, page)
        assert body["success"] is True
        assert body["pagination"] == {"page": page, "limit": 100, "total": len(expected)}
        rows += body["data"]
    assert rows == expected


async def test_beyond_the_last_page_is_an_empty_page(http: httpx2.AsyncClient) -> None:
    body = (await http.get("/api/v1/students/list", params={"page": 99})).json()
    assert body["data"] == []
    assert body["pagination"]["total"] == 240


async def test_a_page_is_never_larger_than_the_server_likes(http: httpx2.AsyncClient) -> None:
    body = (await http.get("/api/v1/students/list", params={"limit": 5000})).json()
    assert len(body["data"]) == body["pagination"]["limit"] == 100


@pytest.mark.parametrize("query", [{"page": "0"}, {"page": "x"}, {"limit": "-1"}])
async def test_a_page_that_cannot_be_is_refused(http: httpx2.AsyncClient, query: dict[str, str]) -> None:
    assert (await http.get("/api/v1/students/list", params=query)).status_code == 400


async def test_one_page_crashes_once(http: httpx2.AsyncClient) -> None:
    query = {"page": 5}
    assert (await http.get("/api/v1/attendance/records", params=query)).status_code == 500
    assert (await http.get("/api/v1/attendance/records", params=query)).status_code == 200


async def test_one_page_is_busy_once_and_says_for_how_long(http: httpx2.AsyncClient) -> None:
    query = {"page": 4}
    busy = await http.get("/api/v1/examination/results", params=query)
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "1")
    assert (await http.get("/api/v1/examination/results", params=query)).status_code == 200


async def test_one_page_is_slow_once_and_holds_nobody_up(college: College, http: httpx2.AsyncClient) -> None:
    started = time.monotonic()
    slow = asyncio.create_task(http.get("/api/v1/attendance/records", params={"page": 9}))
    others = [await http.get("/api/v1/attendance/records", params={"page": page}) for page in (10, 11)]
    assert all(response.status_code == 200 for response in others)
    assert not slow.done()
    assert (await slow).status_code == 200
    assert time.monotonic() - started >= SLOW_PAGE_S
    assert college.mishaps == [Mishap.SLOW]


async def test_a_refused_caller_uses_no_mishap_up(college: College, http: httpx2.AsyncClient) -> None:
    refused = {"authorization": "Bearer wrong"}
    response = await http.get("/api/v1/attendance/records", params={"page": 5}, headers=refused)
    assert response.status_code == 401
    assert college.mishaps == []


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/v1/students/list", {"authorization": "Bearer wrong"}, 401),
        ("/api/v1/students/list", {"authorization": "erp-token"}, 401),
        ("/api/attendance/today", {"x-api-key": "wrong"}, 401),
        ("/api/attendance/today", {"x-college-id": "12"}, 403),
        ("/api/v1/fees", {}, 404),
    ],
)
async def test_who_has_no_business_there_is_told_so(
    http: httpx2.AsyncClient, path: str, headers: dict[str, str], status: int
) -> None:
    response = await http.get(path, headers=headers)
    assert response.status_code == status
    assert "data" not in response.text


async def test_who_comes_late_is_late_everywhere_from_then_on(college: College, http: httpx2.AsyncClient) -> None:
    before = truth(college.world).records[DataType.ATTENDANCE]
    row = college.let_in_late()
    after = truth(college.world).records[DataType.ATTENDANCE]
    (changed,) = [identity for identity in after if after[identity] != before[identity]]
    assert changed[0] == row["studentId"]
    assert (before[changed]["attendance"], after[changed]["attendance"]) == ("absent", "late")
    assert after[changed]["checkInAt"].endswith("T04:17:03.000000Z")
    pages = [(await page_of(http, "/api/attendance/today", page))["data"] for page in (1, 2, 3)]
    assert row in [served for page in pages for served in page]


async def test_a_college_is_served_on_a_free_port_and_gone_afterwards(college: College) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serve_college(college))
        async with httpx2.AsyncClient(headers=ERP) as client:
            assert (await client.get(f"{college.erp_url}/students/list")).status_code == 200
    async with httpx2.AsyncClient() as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get(f"{college.erp_url}/students/list")
