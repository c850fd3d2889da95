"""A connection test says which step fails and what to do about it, step by step, and nothing of the records."""

import asyncio
from datetime import date, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hub_fetcher.limits.pace import Paces
from hub_fetcher.probe import check_connection
from hub_fetcher.samples import Samples
from hub_fetcher.sources import Sources
from hub_fetcher.transport import Patience
from hub_model.messages import ProbeCheck
from hub_model.records import DataType

ROWS = [{"studentId": "canary-1", "name": "canary"}]
TWO = {"students": "/students", "faculty": "/faculty"}
BEFORE = ["name", "address", "tls", "reachable", "clock"]
STAFF = [{"facultyId": "canary-2", "name": "canary"}]


async def probe(sources: Sources, integration: Any, deadline_s: float = 5) -> tuple[dict[str, bool], list[ProbeCheck]]:
    checks = [check async for check in check_connection(integration, sources, deadline_s=deadline_s)]
    assert "canary" not in str(checks)
    return {check.name: check.ok for check in checks}, checks


def named(checks: list[ProbeCheck], name: str) -> ProbeCheck:
    return next(check for check in checks if check.name == name)


def by_path(college: Any, **answers: Any) -> None:
    """Each path answers its rows, or what a function makes of the request; everything else is 404."""

    def answer(asked: Any) -> Any:
        found = answers.get(asked.path.strip("/").replace("/", "_").replace("-", "_"))
        if found is None:
            return college.json({}, 404)
        return found(asked) if callable(found) else college.json(found)

    college.answer = answer


async def test_a_good_connection_passes_every_check_in_order(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    by_path(
        college,
        students={"data": ROWS, "pagination": {"page": 1, "limit": 1, "total": 250}},
        faculty={"data": STAFF, "pagination": {"page": 1, "limit": 1, "total": 7}},
    )
    results, checks = await probe(sources, make_integration(endpoints=TWO))
    after = ["credentials", "endpoint:students", "mapping:students", "endpoint:faculty", "mapping:faculty"]
    assert list(results) == [*BEFORE, *after]
    assert all(results.values())
    read = named(checks, "endpoint:students").detail
    assert "1 records of 250" in read
    assert "pagination: page" in read
    assert "first 1 records fit" in named(checks, "mapping:students").detail


async def test_steps_are_told_as_they_are_done(college: Any, sources: Sources, make_integration: Any) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: Any) -> Any:
        asked.set()
        await go_on.wait()
        return college.json(ROWS)

    by_path(college, students=wait)
    steps = check_connection(make_integration(), sources, deadline_s=5)
    async with asyncio.timeout(5):
        first = [await anext(steps) for _ in BEFORE]
        assert [check.name for check in first] == BEFORE
        await asked.wait()
        go_on.set()
        assert [check.name async for check in steps] == ["credentials", "endpoint:students", "mapping:students"]


async def test_a_test_that_nobody_follows_to_its_end_leaves_nothing_running(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    never = asyncio.Event()

    async def wait(_: Any) -> Any:
        await never.wait()

    by_path(college, students=wait)
    before = asyncio.all_tasks()
    steps = check_connection(make_integration(), sources, deadline_s=5)
    await anext(steps)
    async with asyncio.timeout(3):
        await steps.aclose()
    running = {task for task in asyncio.all_tasks() - before if "probe" in repr(task) or "samples" in repr(task)}
    assert not running


async def test_the_first_request_carries_no_credential(college: Any, sources: Sources, make_integration: Any) -> None:
    college.answer = lambda asked: college.json(ROWS)
    await probe(sources, make_integration())
    assert "authorization" not in college.asked[0].headers
    assert "authorization" in college.asked[1].headers


@pytest.mark.parametrize(
    ("base_url", "passed", "failed"),
    [
        ("http://10.0.0.7", [], "address"),
        ("http://127.0.0.1:22", [], "address"),
        ("http://no-such-host.invalid", [], "name"),
        ("http://127.0.0.1:1099", ["name", "address"], "reachable"),
    ],
)
async def test_the_first_step_that_fails_is_the_last(
    sources: Sources, make_integration: Any, base_url: str, passed: list[str], failed: str
) -> None:
    results, checks = await probe(sources, make_integration(baseUrl=base_url))
    assert results == {**dict.fromkeys(passed, True), failed: False}
    assert checks[-1].fix


async def test_a_host_that_speaks_no_tls_is_not_reachable(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    results, checks = await probe(sources, make_integration(baseUrl=college.url.replace("http:", "https:")))
    assert list(results) == ["name", "address", "reachable"]
    assert not checks[-1].ok


async def test_an_open_connection_is_warned_of(college: Any, sources: Sources, make_integration: Any) -> None:
    by_path(college, students=ROWS)
    _, checks = await probe(sources, make_integration())
    assert named(checks, "tls").ok
    assert "https" in named(checks, "tls").fix


@pytest.mark.parametrize(
    ("skew_s", "words"), [(0, "agrees"), (29, "agrees"), (-29, "agrees"), (95, "95 s ahead"), (-95, "95 s behind")]
)
async def test_a_clock_that_differs_is_warned_of(
    college: Any, sources: Sources, make_integration: Any, NOW: Any, skew_s: int, words: str
) -> None:
    date = format_datetime(NOW + timedelta(seconds=skew_s), usegmt=True)
    college.answer = lambda asked: college.json(ROWS, Date=date)
    results, checks = await probe(sources, make_integration())
    assert results["clock"]
    assert words in named(checks, "clock").detail
    assert bool(named(checks, "clock").fix) is (abs(skew_s) > 30)


@pytest.mark.parametrize("status", [401, 403])
async def test_credentials_that_are_refused_everywhere_fail_their_check(
    college: Any, sources: Sources, make_integration: Any, status: int
) -> None:
    college.answer = lambda asked: college.json({}, status)
    results, checks = await probe(sources, make_integration())
    assert results == {**dict.fromkeys(BEFORE, True), "credentials": False, "endpoint:students": False}
    assert "Enter them again" in named(checks, "credentials").fix


async def test_a_permission_that_is_missing_for_one_endpoint_is_that_endpoints(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    by_path(college, students=ROWS, faculty=lambda asked: college.json({}, 403))
    results, checks = await probe(sources, make_integration(endpoints=TWO))
    assert (results["credentials"], results["endpoint:students"], results["endpoint:faculty"]) == (True, True, False)
    assert "right to read this data" in named(checks, "endpoint:faculty").fix


async def test_a_missing_credential_fails_its_check(college: Any, sources: Sources, make_integration: Any) -> None:
    results, _ = await probe(sources, make_integration(secrets={}))
    assert results == {**dict.fromkeys(BEFORE, True), "credentials": False}


async def test_each_endpoint_is_judged_by_itself(college: Any, sources: Sources, make_integration: Any) -> None:
    by_path(college, students=ROWS, marks={"success": False, "message": "canary"})
    endpoints = {"students": "/students", "marks": "/marks", "faculty": "/faculty"}
    results, checks = await probe(sources, make_integration(endpoints=endpoints))
    assert results["credentials"]
    assert [results[f"endpoint:{name}"] for name in endpoints] == [True, False, False]
    assert "404" in named(checks, "endpoint:faculty").detail
    assert "path" in named(checks, "endpoint:faculty").fix


async def test_an_endpoint_without_records_passes_and_says_so(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    by_path(college, students={"data": []})
    results, checks = await probe(sources, make_integration())
    assert results["endpoint:students"]
    assert "no records" in named(checks, "endpoint:students").detail
    assert "Not tried" in named(checks, "mapping:students").detail


@pytest.mark.parametrize(("bad", "is_ok"), [(0, True), (2, True), (5, False), (10, False)])
async def test_records_that_do_not_fit_the_mapping_are_told_by_field(
    college: Any, sources: Sources, make_integration: Any, bad: int, is_ok: bool
) -> None:
    good = [{"studentId": f"canary-{number}", "name": "canary"} for number in range(10 - bad)]
    by_path(college, students=[*good, *[{"name": "canary", "dateOfBirth": "canary"}] * bad])
    results, checks = await probe(sources, make_integration())
    assert results["mapping:students"] is is_ok
    check = named(checks, "mapping:students")
    if bad:
        assert f"{bad} of the first 10 records" in check.detail
        assert f"studentId: missing ({bad})" in check.detail
        assert f"dateOfBirth: not_a_date ({bad})" in check.detail
        assert check.fix


async def test_a_mapping_that_cannot_be_compiled_fails_its_check(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    by_path(college, students=ROWS)
    mapping = {"rules": [{"to": "name", "from": "name", "do": [["no-such-transform"]]}]}
    results, _ = await probe(
        sources, make_integration(endpoints={"students": {"path": "/students", "mapping": mapping}})
    )
    assert results["endpoint:students"]
    assert not results["mapping:students"]


MOODLE = {
    "streams": {
        "courses": {"path": "/courses", "recordsPath": ""},
        "users": {"path": "/users", "parent": {"stream": "courses", "when": [{"path": "open", "equals": True}]}},
    },
    "endpoints": {
        "marks": {
            "path": "/courses/{{ parent.id }}/marks",
            "parent": {"stream": "courses", "include": {"subject": "code"}},
            "explode": [{"path": "exams"}],
            "joins": [{"stream": "users", "left": "uid", "right": "id", "as": "user"}],
            "mapping": {
                "rules": [
                    {"to": "studentId", "from": "user.idnumber"},
                    {"to": "subjectId", "from": "parent.subject"},
                    {"to": "examId", "from": "item.exam"},
                    {"to": "marksObtained", "from": "item.score"},
                ]
            },
        }
    },
}


async def test_a_child_is_asked_for_the_first_row_of_its_parent_and_mapped_with_what_is_joined(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    MOODLE["streams"]["users"]["path"] = "/courses/{{ parent.id }}/users"
    by_path(
        college,
        courses=[{"id": 7, "code": "CS", "open": False}, {"id": 8, "code": "EE", "open": True}],
        courses_8_users=[{"id": 57, "idnumber": "canary-57"}],
        courses_7_marks=[
            {"uid": 99, "exams": [{"exam": "mid", "score": "12.7"}]},
            {"uid": "57", "exams": [{"exam": "mid", "score": "12.7"}, {"exam": "end", "score": "11"}]},
        ],
    )
    results, checks = await probe(sources, make_integration(**MOODLE))
    after = ["credentials", "stream:courses", "stream:users", "endpoint:marks", "mapping:marks"]
    assert list(results) == [*BEFORE, *after]
    assert all(results.values()), checks
    assert "first 2 records fit" in named(checks, "mapping:marks").detail
    paths = [asked.path for asked in college.asked[1:]]
    assert sorted(paths) == ["/courses", "/courses/7/marks", "/courses/8/users"], "each stream is asked once"


async def test_two_classes_of_a_day_that_are_identified_alike_are_a_warning(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    one = {"studentId": "1", "date": "2026-01-12", "subject": "Physics", "startTime": "09:00", "attendance": "absent"}
    by_path(college, attendance={"data": [one, {**one, "startTime": "14:00", "attendance": "present"}]})
    _, checks = await probe(sources, make_integration(endpoints={"attendance": "/attendance"}))
    check = named(checks, "mapping:attendance")
    assert (check.ok, bool(check.fix)) == (True, True)
    assert "1 of the first 2 records" in check.detail
    assert "sessionId or period" in check.detail


async def test_two_classes_that_may_be_one_which_has_changed_are_a_warning(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    nine = {"studentId": "1", "date": "2026-01-12", "subject": "Physics", "attendance": "absent"}
    nine["sourceUpdatedAt"] = "2026-01-12T09:00:00Z"
    two = {**nine, "attendance": "present", "sourceUpdatedAt": "2026-01-12T14:00:00Z"}
    by_path(college, attendance={"data": [nine, two]})
    integration = make_integration(endpoints={"attendance": "/attendance"})
    check = named((await probe(sources, integration))[1], "mapping:attendance")
    assert check.ok
    assert "1 of the first 2 records" in check.detail
    assert "1 may be other states of the same row" in check.detail
    assert "the sync ends in part" in check.detail
    assert "'sourceId'" in check.fix
    by_path(college, attendance={"data": [nine, two, {**two, "attendance": "late"}]})
    check = named((await probe(sources, integration))[1], "mapping:attendance")
    assert "2 of the first 3 records" in check.detail
    assert "the sync ends in part; 1 may be other states" in check.detail
    by_path(college, attendance={"data": [{**row, "sourceId": "r1"} for row in (nine, two)]})
    check = named((await probe(sources, integration))[1], "mapping:attendance")
    assert (check.detail, check.fix) == ("The first 2 records fit.", "")


async def test_a_stream_that_is_refused_is_told_and_so_is_what_needs_it(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    by_path(college, courses=[{"id": 7, "code": "CS", "open": True}], courses_7_marks=[{"uid": 1, "exams": []}])
    results, checks = await probe(sources, make_integration(**MOODLE))
    assert results["credentials"]
    assert results["stream:courses"]
    assert not results["stream:users"]
    assert not results["endpoint:marks"]
    assert "404" in named(checks, "stream:users").detail


async def test_without_a_parent_row_there_is_nothing_to_ask_for(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    by_path(college, courses=[])
    results, checks = await probe(sources, make_integration(**MOODLE))
    assert results == {
        **dict.fromkeys(BEFORE, True),
        **dict.fromkeys(["credentials", "stream:courses", "stream:users", "endpoint:marks"], True),
    }
    assert named(checks, "endpoint:marks").detail == "Not asked: courses has no row to ask for."


async def test_rows_that_are_written_down_are_not_asked_for_and_say_nothing_of_the_credentials(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    by_path(college, devices_A1_punches=[{"studentId": "canary-1", "name": "canary"}])
    integration = make_integration(
        streams={"devices": {"rows": ["A1", "B2"]}},
        endpoints={"students": {"path": "/devices/{{ parent.value }}/punches", "parent": {"stream": "devices"}}},
    )
    results, checks = await probe(sources, integration)
    assert all(results.values()), checks
    assert named(checks, "stream:devices").detail == "Has 2 rows of its own."
    assert "first 1 records fit" in named(checks, "mapping:students").detail
    by_path(college, devices_A1_punches=lambda asked: college.json({}, 401))
    results, _ = await probe(sources, integration)
    assert (results["stream:devices"], results["credentials"]) == (True, False)


async def test_a_source_that_wants_a_window_is_asked_for_the_last_one_of_a_first_sync(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    def answer(asked: Any) -> Any:
        start, end = (date.fromisoformat(asked.query[name]) for name in ("from", "to"))
        return college.json({"data": ROWS} if timedelta(0) <= end - start < timedelta(days=8) else {}, 200)

    by_path(college, students=answer, marks=lambda asked: college.json([] if asked.query == {"mark": "0"} else {}))
    times = {"type": "datetime", "startTimeParam": "from", "endTimeParam": "to", "datetimeFormat": "%Y-%m-%d"}
    windows = {**times, "startDatetime": "2024-01-01T00:00:00Z", "step": "P7D"}
    marks = {"type": "token", "tokenParam": "mark", "tokenPath": "next", "startValue": "0"}
    results, checks = await probe(
        sources,
        make_integration(
            endpoints={
                "students": {"path": "/students", "incremental": windows},
                "marks": {"path": "/marks", "incremental": marks},
            }
        ),
    )
    assert all(results.values()), checks


async def test_what_is_made_of_a_stream_is_made_of_its_first_page(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    by_path(college, punches=[{"code": "S1", "at": "2026-01-15T09:00:00"}, {"code": "S1", "at": "2026-01-15T16:00:00"}])
    derive = {"type": "punches", "person": "code", "punchedAt": "at"}
    results, checks = await probe(
        sources,
        make_integration(
            streams={"punches": {"path": "/punches"}},
            endpoints={"attendance": {"source": "punches", "derive": derive}},
        ),
    )
    assert results["endpoint:attendance"]
    assert "Gives 1 records" in named(checks, "endpoint:attendance").detail
    assert "mapping:attendance" in results


async def test_a_source_that_wants_to_be_left_alone_is_not_asked_by_a_test_either(
    college: Any, sources: Sources, make_integration: Any, pacing: Any
) -> None:
    integration = make_integration()
    await Paces(pacing).of(integration)._block(600)
    by_path(college, students=ROWS)
    results, checks = await probe(sources, integration)
    assert not results["endpoint:students"]
    assert [asked.path for asked in college.asked] == ["/"]
    assert "limits how often" in checks[-1].detail


async def test_a_source_that_takes_too_long_still_gets_an_answer(
    college: Any, sources: Sources, make_integration: Any, answer: Any
) -> None:
    college.answer = lambda asked: college.json({}) if asked.path == "/" else answer(b" " * 1000, drip_s=0.01)
    results, checks = await probe(sources, make_integration(), deadline_s=0.3)
    assert results == {**dict.fromkeys(BEFORE, True), "time": False}
    assert checks[-1].fix


async def test_an_integration_that_is_gone_gets_an_answer(sources: Sources) -> None:
    results, _ = await probe(sources, None)
    assert results == {"integration": False}


async def test_a_bug_gets_an_answer(sources: Sources, make_integration: Any) -> None:
    broken = make_integration().model_copy(update={"settings": None})
    results, checks = await probe(sources, broken)
    assert results == {"internal": False}
    assert "NoneType" not in str(checks)


async def test_a_list_under_the_name_of_a_person_is_not_named(
    college: Any, sources: Sources, make_integration: Any
) -> None:
    by_path(college, students={"canary rao (22CS101)": ROWS})
    _, checks = await probe(sources, make_integration())
    assert "a place that is not named here" in named(checks, "endpoint:students").detail


async def test_the_test_joins_what_a_sync_joins(college: Any, sources: Sources, make_integration: Any) -> None:
    """The last of several rows, and none by a value that is not there."""
    by_path(
        college,
        students=[{"user": 5}, {"user": None}, {"name": "no user"}],
        users=[{"no": "without an id"}, {"id": 5, "no": "R1"}, {"id": "5", "no": "R2"}],
    )
    join = {"stream": "users", "left": "user", "right": "id", "as": "u"}
    integration = make_integration(
        endpoints={"students": {"path": "/students", "joins": [join]}}, streams={"users": {"path": "/users"}}
    )
    samples = Samples(integration, sources, Patience())
    sample = await samples.of_endpoint(DataType.STUDENTS, integration.settings.endpoints[DataType.STUDENTS])
    await samples.close()
    assert sample.records == [{"user": 5, "u": {"id": "5", "no": "R2"}}]
