"""Simulated vendors read by the hub: afterwards it holds what they hold, field by field, whatever went wrong."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import httpx2
import pytest
from hub_config_api.api.examples import LMS
from hub_connectors.loader import find_preset
from hub_standalone.client import HubClient
from hub_standalone.demo.simulated.faults import Kind
from hub_standalone.demo.simulated.simulator import Simulator
from running import Standalone
from simulators.biotime import BioTime
from simulators.catalogue import SIMULATORS
from simulators.changes import GONE_STUDENT, change
from simulators.edfi import EdFi
from simulators.essl import Essl
from simulators.generic import GenericRest, Paging
from simulators.google_classroom import GoogleClassroom
from simulators.hikvision import Hikvision
from simulators.oneroster import OneRoster11
from simulators.oracle import shortfalls, synced, troubles, written
from simulators.serving import serve

# The presets, each of which is named as its simulator.
VENDORS = [
    "blackboard-learn",
    "canvas",
    "edfi",
    "essl-soap",
    "etimeoffice",
    "fedena",
    "frappe-education",
    "generic-rest",
    "google-classroom",
    "hikvision",
    "linways",
    "moodle",
    "oneroster-1.1",
    "oneroster-1.2",
    "open-edx",
    "opensis",
    "zkteco-biotime",
]


@pytest.fixture
async def principal(standalone: Standalone, college_id: str) -> AsyncIterator[HubClient]:
    headers = {"authorization": f"Bearer {standalone.token(college_id)}"}
    async with httpx2.AsyncClient(base_url=standalone.url, headers=headers, timeout=60, trust_env=False) as http:
        yield HubClient(http)


def draft_of(simulator: Simulator, **settings: Any) -> dict[str, Any]:
    """What a principal fills in who picks the vendor's preset. What the preset does not ask for is left out."""
    preset = find_preset(simulator.name)
    asked = {setting.name for setting in preset.settings}
    given = {name: value for name, value in simulator.connection().items() if name in asked}
    return {
        "name": "The college's own",
        "type": preset.name,
        "baseUrl": simulator.base_url,
        "settings": {**given, **settings},
        "enabled": True,
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", VENDORS)
async def test_a_vendor_is_read_completely_and_so_is_what_changes_there(principal: HubClient, name: str) -> None:
    async with serve(SIMULATORS[name]()) as simulator:
        integration = await principal.create(draft_of(simulator))
        for prepare in (None, change):
            if prepare is not None:
                prepare(simulator)
            run = await synced(principal, integration["id"])
            assert await troubles(principal, run) == []
            assert await shortfalls(principal, simulator) == []
        run = await synced(principal, integration["id"])
        assert await troubles(principal, run) == []
        assert written(run) == {"inserted": 0, "updated": 0, "deleted": 0}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["canvas", "moodle"])
async def test_a_course_that_may_not_be_seen_ends_the_run_in_part_and_the_others_are_read(
    principal: HubClient, name: str
) -> None:
    async with serve(SIMULATORS[name]()) as simulator:
        simulator.closed.add("CS302")
        integration = await principal.create(draft_of(simulator))
        run = await synced(principal, integration["id"])
        assert (run["status"], run["counts"]["rejected"]) == ("partial", 0), run
        assert any(stream["warnings"] for stream in run["streams"].values())
        assert await shortfalls(principal, simulator) == []


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"changeQueries": False}], ids=["asked-for", "known"])
async def test_ed_fi_without_change_queries_is_read_completely(principal: HubClient, settings: dict[str, bool]) -> None:
    async with serve(EdFi(has_change_queries=False)) as simulator:
        integration = await principal.create(draft_of(simulator, **settings))
        await synced(principal, integration["id"])
        assert await shortfalls(principal, simulator) == []


@pytest.mark.slow
async def test_oneroster_by_signed_requests(principal: HubClient) -> None:
    async with serve(OneRoster11(oauth1=True)) as simulator:
        login = {"authType": "oauth1", "oauth1": simulator.connection()}
        integration = await principal.create({**draft_of(simulator, teaching=True), **login})
        run = await synced(principal, integration["id"])
        assert await troubles(principal, run) == []
        assert await shortfalls(principal, simulator) == []
        faculty = await principal.all_of("/api/records/faculty")
        taught = {row["facultyId"]: row["subjectIds"] for row in simulator.campus.faculty.rows}
        assert {item["data"]["facultyId"]: item["data"]["subjectIds"] for item in faculty} == taught


@pytest.mark.slow
async def test_the_guides_own_example_of_an_lms_connects_moodle(principal: HubClient) -> None:
    async with serve(SIMULATORS["moodle"]()) as simulator:
        own = {"baseUrl": f"{simulator.origin}/webservice/rest", "apiKey": simulator.connection()["token"]}
        integration = await principal.create({**LMS, **own})
        for prepare in (None, change):
            if prepare is not None:
                prepare(simulator)
            run = await synced(principal, integration["id"])
            assert await troubles(principal, run) == []
            assert await shortfalls(principal, simulator, LMS["endpoints"]) == []


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
        integration = await principal.create(draft_of(simulator, sinceParam="updatedSince"))
        run = await synced(principal, integration["id"])
        assert run["status"] == "succeeded", run
        assert await shortfalls(principal, simulator) == []
        assert all(fault.happened for fault in simulator.faults.ordered)

        change(simulator)
        simulator.campus.students.remove(GONE_STUDENT)
        run = await synced(principal, integration["id"])
        assert (run["status"], run["counts"]["deleted"]) == ("succeeded", 1), run
        assert run["counts"]["fetched"] < 50, run
        assert await shortfalls(principal, simulator) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["blackboard-learn", "google-classroom", "open-edx"])
async def test_a_course_that_the_account_may_not_see_is_left_out_and_told(principal: HubClient, name: str) -> None:
    async with serve(SIMULATORS[name]()) as simulator:
        simulator.closed.add("CS301")
        integration = await principal.create(draft_of(simulator))
        run = await synced(principal, integration["id"])
        assert run["status"] == "partial", run
        assert "could not be read" in str([stream["warnings"] for stream in run["streams"].values()])
        assert await shortfalls(principal, simulator) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        partial(Essl, has_directions=False),
        partial(Hikvision, algorithm="SHA-256", nonce_uses=40),
        partial(GoogleClassroom, rotates=True),
    ],
)
async def test_a_vendor_is_read_completely_in_its_other_forms_too(
    principal: HubClient, make: Callable[[], Simulator]
) -> None:
    async with serve(make()) as simulator:
        integration = await principal.create(draft_of(simulator))
        for _ in range(2):
            run = await synced(principal, integration["id"])
            assert await troubles(principal, run) == []
            assert await shortfalls(principal, simulator) == []
            if isinstance(simulator, GoogleClassroom):
                simulator.tokens.revoke_all()


@pytest.mark.slow
async def test_a_login_that_ended_is_renewed(principal: HubClient) -> None:
    async with serve(BioTime()) as simulator:
        integration = await principal.create(draft_of(simulator))
        for _ in range(2):
            run = await synced(principal, integration["id"])
            assert await troubles(principal, run) == []
            simulator.expire()
        assert simulator.logins == 2
        assert await shortfalls(principal, simulator) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", VENDORS)
async def test_wrong_credentials_are_told_as_such(principal: HubClient, name: str) -> None:
    async with serve(SIMULATORS[name]()) as simulator:
        draft = draft_of(simulator)
        secrets = {setting.name for setting in find_preset(name).settings if setting.secret}
        settings = {**draft["settings"], **dict.fromkeys(secrets, "another-one")}
        integration = await principal.create({**draft, "settings": settings})
        tested = await principal.test(integration["id"])
        run = await synced(principal, integration["id"])
    assert [check["ok"] for check in tested["checks"] if check["name"] == "credentials"] == [False]
    assert run["status"] == "failed", run
    assert {stream["failure"]["errorClass"] for stream in run["streams"].values()} == {"auth"}
