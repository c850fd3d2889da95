"""What all simulators share: they are served, go wrong on order, count what was asked, and know what they are."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hub_mapping.schemas import SCHEMAS
from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.faults import Kind
from hub_standalone.demo.simulated.moodle import Moodle
from hub_standalone.demo.simulated.simulator import Simulator
from simulators.catalogue import SIMULATORS
from simulators.comparison import differences
from simulators.generic import GenericRest
from simulators.samples import misshapen
from simulators.serving import connect, serve

BEARER = {"authorization": f"Bearer {GenericRest.token}"}


async def test_one_is_served_on_a_port_and_fails_on_order(campus: Campus) -> None:
    async with serve(GenericRest(campus)) as simulator, httpx2.AsyncClient(trust_env=False, headers=BEARER) as client:
        url = f"{simulator.base_url}/students"
        simulator.faults.order(Kind.CRASH, times=2, after=1)
        statuses = [(await client.get(url)).status_code for _ in range(4)]
        simulator.faults.order(Kind.BUSY, retry_after_s=3)
        busy = await client.get(url)
        simulator.faults.order(Kind.PAGE)
        page = await client.get(url)
        simulator.faults.order(Kind.MAINTENANCE)
        maintenance = await client.get(url)
        cut = simulator.faults.order(Kind.CUT, where="/marks")
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get(f"{simulator.base_url}/marks")
        simulator.faults.order(Kind.SLOW, delay_s=0.01)
        slow = await client.get(url)
    assert statuses == [200, 500, 500, 200]
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "3")
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert (maintenance.status_code, slow.status_code, cut.happened) == (503, 200, 1)
    assert simulator.count("/marks") == 1
    assert simulator.most_at_once == 1


async def test_the_lot_falls_the_same_way_again(campus: Campus) -> None:
    async def statuses() -> list[int]:
        simulator = GenericRest(campus, seed=5)
        simulator.faults.order(Kind.CRASH, times=100, chance=0.3)
        async with connect(simulator, headers=BEARER) as client:
            return [(await client.get("/api/v1/subjects")).status_code for _ in range(40)]

    first = await statuses()
    assert first == await statuses()
    assert 4 < first.count(500) < 25


async def test_a_fault_can_meet_one_function_of_moodle(campus: Campus) -> None:
    simulator = Moodle(campus)
    simulator.faults.order(Kind.CRASH, where="wsfunction=core_course_get_courses")
    async with connect(simulator) as client:
        codes = [
            (
                await client.post("/webservice/rest/server.php", data={"wstoken": "x", "wsfunction": function})
            ).status_code
            for function in ("core_webservice_get_site_info", "core_course_get_courses", "core_course_get_courses")
        ]
    assert codes == [200, 500, 200]


@pytest.mark.parametrize("name", SIMULATORS)
async def test_the_truth_is_of_canonical_records_and_of_what_is_expressed(campus: Campus, name: str) -> None:
    simulator = SIMULATORS[name](campus)
    for kind in DataType:
        rows = simulator.truth(kind)
        assert bool(rows) == (kind in simulator.expresses)
        if rows:
            assert {field for row in rows for field in row} <= set(SCHEMAS[kind])
            assert {f.name for f in SCHEMAS[kind].values() if f.required} <= set.intersection(*map(set, rows))
            assert differences(kind, rows, rows) == []
    assert simulator.connection()


@pytest.mark.parametrize("name", SIMULATORS)
async def test_what_is_not_there_is_refused_in_the_vendors_own_way(campus: Campus, name: str) -> None:
    simulator = SIMULATORS[name](campus)
    async with connect(simulator) as client:
        answer = await client.get("/certainly/not/there")
        simulator.faults.order(Kind.BUSY)
        busy = await client.get("/certainly/not/there")
    assert answer.status_code == 404
    assert busy.status_code in (403, 429)


def test_the_same_seed_is_the_same_college_and_changes_stay_apart() -> None:
    one, other = Campus(7, date(2026, 1, 20)), Campus(7, date(2026, 1, 20))
    one.students.change("CS2501", name="Somebody Else")
    assert other.students.get("CS2501").row["name"] != "Somebody Else"
    assert [row["name"] for row in one.students.rows[1:]] == [row["name"] for row in other.students.rows[1:]]
    assert [e.version for e in one.marks] == [e.version for e in other.marks]
    assert Campus(8, date(2026, 1, 20)).students.rows != other.students.rows


def test_changes_have_a_moment_a_version_and_a_place_in_the_log() -> None:
    moment = datetime(2026, 4, 1, tzinfo=UTC)
    campus = Campus(now=lambda: moment)
    before = campus.clock.version
    changed = campus.students.change("CS2501", phone="+915550777777")
    moment += timedelta(hours=1)
    gone = campus.students.remove("CS2502")
    added = campus.students.add({**campus.students.get("CS2502").row, "name": "Back Again"})
    assert [c.version for c in campus.students.log] == [before + 1, before + 2, before + 3]
    assert (changed.number, gone.number, added.number) == (1, 2, 241)
    assert gone.modified - changed.modified == timedelta(hours=1)
    assert campus.students.get("CS2502") == added
    assert (campus.students.numbered(2), campus.students.numbered(241)) == (None, added)
    assert len(campus.students) == len(campus.students.rows) == 240
    assert len(campus.students_of("CS301")) == 60


def test_differences_are_named_and_more_fields_are_none() -> None:
    truth = [{"studentId": "1", "name": "A"}, {"studentId": "2", "name": "B"}]
    stored = [{"studentId": "2", "name": "X", "phone": "3"}, {"studentId": "3"}, {"studentId": "3"}]
    assert differences(DataType.STUDENTS, truth, [{**row, "phone": "1"} for row in truth]) == []
    assert differences(DataType.STUDENTS, truth, stored) == [
        """students ["2"]: name is 'X', should be 'B'""",
        """students ["3"] should not be there""",
        """students ["3"] is there twice""",
        """students ["1"] is missing""",
    ]


def test_nothing_is_not_0_in_a_field_that_the_truth_speaks_of() -> None:
    truth: list[dict[str, Any]] = [
        {"studentId": "1", "subjectId": "S", "examId": "E", "marksObtained": 5, "result": "pass"},
        {"studentId": "2", "subjectId": "S", "examId": "E"},
    ]
    null = [truth[0], {**truth[1], "marksObtained": None, "result": "unknown"}]
    zero = [truth[0], {**truth[1], "marksObtained": 0}]
    assert differences(DataType.MARKS, truth, null) == []
    assert differences(DataType.MARKS, truth, zero) == [
        """marks ["2","S","E","1"]: marksObtained is 0, should be None"""
    ]


def test_shapes_are_told_apart() -> None:
    assert misshapen('{"a": [{"b": "1", "c": null}]}', {"a": [{"b": 1, "c": 2}, {"b": "x", "c": 3}], "d": 1}) == []
    assert misshapen('{"a": [{"b": "1"}]}', {"a": [{"b": 1}]}) == [".a.0.b is 1, as '1'"]
    assert misshapen('{"a": 1, "b": true}', {"b": 1}) == [".a is missing", ".b is 1, as True"]
    assert misshapen('{"a": [1]}', {"a": []}) == [".a is empty"]


@pytest.mark.slow
def test_one_can_be_run_by_hand() -> None:
    script = Path(__file__).with_name("run.py")
    process = subprocess.Popen([sys.executable, script, "edfi"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            text += process.stdout.readline()
        answer = httpx2.get(json.loads(text)["baseUrl"], trust_env=False)
        assert "oauth" in answer.json()["urls"]
    finally:
        process.terminate()
        if process.stdout is not None:
            process.stdout.close()
    assert process.wait(30) == 0


def test_every_simulator_has_a_name_of_its_own() -> None:
    assert len(SIMULATORS) == 17
    assert all(issubclass(kind, Simulator) and kind.name == name for name, kind in SIMULATORS.items())
