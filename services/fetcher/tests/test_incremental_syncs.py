"""Whole syncs by windows, message by message, over the real store and a source that knows when its rows changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hub_fetcher.handlers import fetch_pages, start_sync
from hub_fetcher.limits.pace import source_of
from hub_fetcher.planning import identity_of
from hub_fetcher.walking.incremental import MARK_REFUSED
from hub_messaging.handling import Context
from hub_model.errors import RateLimited
from hub_model.integrations import Integration
from hub_model.messages import PageRequested, StreamFinished, SyncFailed, SyncRequested, Trigger
from hub_model.records import DataType
from hub_model.runs import new_run

NOW = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)
IDS: dict[str, Any] = {"college_id": "college-1", "integration_id": "integration-1", "run_id": "run-0"}
SINCE: dict[str, Any] = {
    "type": "datetime",
    "startTimeParam": "since",
    "endTimeParam": "until",
    "lookbackWindow": "PT0S",
    "safetyLag": "PT0S",
}


def context(copy_id: str) -> Context:
    return Context("m", copy_id, 1, NOW)


def serve(college: Any, hub: Any, rows: list[dict[str, Any]], *, skew: timedelta = timedelta(0)) -> None:
    """Rows by when they changed; the bounds are inclusive; two a page."""

    def answer(asked: Any) -> Any:
        date = (hub.now + skew).strftime("%a, %d %b %Y %H:%M:%S GMT")
        low, high = asked.query.get("since", ""), asked.query.get("until", "9")
        found = [row for row in rows if low <= row["at"] <= high]
        page = int(asked.query.get("page", 1))
        body = {"data": found[2 * page - 2 : 2 * page], "page": page, "total": len(found)}
        return college.json(body, Date=date)

    college.answer = answer


def row(number: int, moment: datetime) -> dict[str, Any]:
    return {"id": number, "at": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def asked_windows(college: Any) -> list[tuple[str | None, str | None]]:
    pages = [asked for asked in college.asked if asked.path == "/students" and asked.query.get("page", "1") == "1"]
    return list(dict.fromkeys((asked.query.get("since"), asked.query.get("until")) for asked in pages))


async def test_the_first_sync_reads_all_and_the_next_one_what_changed(
    hub: Any, college: Any, make_integration: Any
) -> None:
    rows = [row(number, NOW - timedelta(days=number)) for number in range(1, 6)]
    serve(college, hub, rows)
    integration = make_integration(endpoints={"students": {"path": "/students", "incremental": SINCE}})
    first = await hub.sync(integration)
    assert sorted(record["id"] for record in first["records"]) == [1, 2, 3, 4, 5]
    end = first["ends"]["students"]
    assert (end.complete, end.snapshot) == (True, True)
    hub.now = NOW + timedelta(hours=1)
    rows.append(row(6, NOW + timedelta(minutes=30)))
    rows.append(row(7, NOW + timedelta(hours=2)))  # from the future: the next sync's
    college.asked.clear()
    second = await hub.sync(integration)
    assert [record["id"] for record in second["records"]] == [6]
    assert not second["ends"]["students"].snapshot
    assert asked_windows(college) == [("2026-01-15T10:00:00.000Z", "2026-01-15T11:00:00.000Z")]
    hub.now = NOW + timedelta(hours=3)
    assert [record["id"] for record in (await hub.sync(integration))["records"]] == [7]


async def test_new_records_that_are_all_of_no_use_are_no_trouble(hub: Any, college: Any, make_integration: Any) -> None:
    """Of all records none would be worth a word; of the few that are new none need be."""
    rows = [{**row(1, NOW - timedelta(hours=1)), "log": [1]}]
    serve(college, hub, rows)
    endpoint = {"path": "/s", "incremental": SINCE, "explode": [{"path": "log"}]}
    integration = make_integration(endpoints={"students": endpoint})
    assert (await hub.sync(integration))["ends"]["students"].warnings == ()
    hub.now += timedelta(hours=1)
    rows.append(row(2, hub.now - timedelta(minutes=30)))
    end = (await hub.sync(integration))["ends"]["students"]
    assert (end.complete, end.records, end.warnings) == (True, 0, ())


async def test_a_failed_walk_moves_nothing_but_the_windows_it_has_finished(
    hub: Any, college: Any, make_integration: Any
) -> None:
    rows = [row(number, NOW - timedelta(days=number)) for number in range(1, 6)]
    serve(college, hub, rows)
    good = college.answer
    spec = {**SINCE, "startDatetime": "2026-01-09T10:00:00Z", "step": "P2D"}
    integration = make_integration(endpoints={"students": {"path": "/students", "incremental": spec}})

    def fails_late(asked: Any) -> Any:
        return college.json({}, 404) if asked.query.get("since", "").startswith("2026-01-13") else good(asked)

    college.answer = fails_late
    failed = (await hub.sync(integration))["ends"]["students"]
    assert isinstance(failed, SyncFailed)
    college.answer = good
    college.asked.clear()
    again = await hub.sync(integration)
    assert asked_windows(college) == [("2026-01-13T10:00:00.000Z", "2026-01-15T10:00:00.000Z")]
    assert again["ends"]["students"].complete


async def test_a_repeated_handling_asks_for_the_same_windows(hub: Any, college: Any, make_integration: Any) -> None:
    rows = [row(number, NOW - timedelta(days=number)) for number in range(1, 9)]
    serve(college, hub, rows)
    integration = make_integration(endpoints={"students": {"path": "/students", "incremental": SINCE}})
    done = await hub.sync(integration, twice=True)
    assert sorted(record["id"] for record in done["records"]) == list(range(1, 9))
    assert len(asked_windows(college)) == 1


async def test_rows_that_move_up_between_a_crash_and_the_repetition_are_not_taken_for_those_that_were_there(
    hub: Any, college: Any, make_integration: Any
) -> None:
    rows = [row(number, NOW - timedelta(days=number)) for number in range(1, 4)]
    serve(college, hub, rows)
    good = college.answer

    def changing(asked: Any) -> Any:
        first_pages = [one for one in college.asked if one.path == "/students" and one.query.get("page", "1") == "1"]
        if len(rows) == 3 and len(first_pages) > 1:
            del rows[0]  # it has changed since the first attempt, and belongs to the next window now
        return good(asked)

    college.answer = changing
    integration = make_integration(endpoints={"students": {"path": "/students", "incremental": SINCE}})
    done = await hub.sync(integration, twice=True)
    assert {record["id"] for record in done["records"]} == {1, 2, 3}


@pytest.mark.parametrize("skew", [timedelta(hours=-2), timedelta(hours=3)])
async def test_windows_end_by_the_sources_clock_and_its_skew_is_told(
    hub: Any, college: Any, make_integration: Any, skew: timedelta
) -> None:
    serve(college, hub, [row(1, NOW + skew - timedelta(minutes=1))], skew=skew)
    integration = make_integration(endpoints={"students": {"path": "/students", "incremental": SINCE}})
    done = await hub.sync(integration)
    assert [record["id"] for record in done["records"]] == [1]
    assert any("clock is" in warning for warning in done["ends"]["students"].warnings)
    (window,) = asked_windows(college)
    assert window[1] == (NOW + skew).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def test_rows_without_a_time_and_from_the_future_are_kept_counted_and_told(
    hub: Any, college: Any, make_integration: Any
) -> None:
    rows = [row(1, NOW - timedelta(days=1)), {**row(2, NOW), "stamp": None}, {**row(3, NOW), "stamp": "2099-01-01"}]
    serve(college, hub, [{"stamp": "2026-01-01", **record} for record in rows])
    spec = {**SINCE, "cursorField": "stamp"}
    done = await hub.sync(make_integration(endpoints={"students": {"path": "/students", "incremental": spec}}))
    end = done["ends"]["students"]
    assert (len(done["records"]), end.complete) == (3, True)
    assert [warning.split(" ", 1)[0] for warning in end.warnings] == ["1", "1"]


async def test_versions_are_asked_for_first_and_deletes_go_over_the_same_window(
    hub: Any, college: Any, make_integration: Any
) -> None:
    newest = 40

    def answer(asked: Any) -> Any:
        if asked.path == "/versions":
            return college.json({"oldestChangeVersion": 1, "newestChangeVersion": newest})
        name = "deletes" if asked.path.endswith("/deletes") else "rows"
        low, high = int(asked.query.get("minChangeVersion", 0)), int(asked.query["maxChangeVersion"])
        return college.json([{"id": f"{name}-{low}-{high}"}])

    college.answer = answer
    endpoint = {
        "path": "/students",
        "pagination": {"type": "none"},
        "incremental": {"type": "change_version", "versionsPath": "/versions"},
        "deletes": {"path": "/students/deletes", "pagination": {"type": "none"}},
    }
    integration = make_integration(endpoints={"students": endpoint})
    first = await hub.sync(integration)
    assert [record["id"] for record in first["records"]] == ["deletes-0-40", "rows-0-40"]
    newest = 55
    second = await hub.sync(integration)
    assert [record["id"] for record in second["records"]] == ["deletes-40-55", "rows-40-55"]


async def test_a_source_without_change_versions_is_read_in_full_and_that_is_told(
    hub: Any, college: Any, make_integration: Any
) -> None:
    def answer(asked: Any) -> Any:
        if asked.path == "/versions":
            return college.json({"type": "urn:ed-fi:api:feature-disabled"}, 404)
        assert asked.path == "/students"
        assert "maxChangeVersion" not in asked.query
        return college.json([{"id": 1}])

    college.answer = answer
    incremental = {"type": "change_version", "versionsPath": "/versions"}
    endpoint = {
        "path": "/students",
        "pagination": {"type": "none"},
        "incremental": incremental,
        "deletes": {"path": "/students/deletes", "pagination": {"type": "none"}},
    }
    end = (await hub.sync(make_integration(endpoints={"students": endpoint})))["ends"]["students"]
    assert (end.complete, end.snapshot, end.states["students"].windows) == (True, True, ())
    assert any("change versions" in warning for warning in end.warnings)


async def test_a_mark_is_kept_and_the_next_sync_goes_on_from_it(hub: Any, college: Any, make_integration: Any) -> None:
    def answer(asked: Any) -> Any:
        last = int(asked.query.get("last", 0))
        rows = [{"id": number} for number in range(last + 1, 6)]
        return college.json({"data": rows, "max": str(5 if rows else "")})

    college.answer = answer
    incremental = {"type": "token", "tokenParam": "last", "tokenPath": "max", "startValue": "2"}
    endpoint = {"path": "/students", "pagination": {"type": "none"}, "incremental": incremental}
    integration = make_integration(endpoints={"students": endpoint})
    first, second = await hub.sync(integration), await hub.sync(integration)
    assert [record["id"] for record in first["records"]] == [3, 4, 5]
    assert (second["records"], second["ends"]["students"].states["students"].token) == ([], "5")


async def test_a_table_that_an_endpoint_takes_its_rows_from_goes_by_windows_and_its_state_moves_with_the_endpoint(
    hub: Any, college: Any, make_integration: Any
) -> None:
    rows = [row(number, NOW - timedelta(days=number)) for number in range(1, 6)]
    serve(college, hub, rows)
    integration = make_integration(
        endpoints={"students": {"source": "people"}},
        streams={"people": {"path": "/students", "incremental": SINCE}},
    )
    first = await hub.sync(integration)
    assert sorted(record["id"] for record in first["records"]) == [1, 2, 3, 4, 5]
    end = first["ends"]["students"]
    assert (list(end.states), end.snapshot) == (["people/students"], True)
    hub.now = NOW + timedelta(hours=1)
    rows.append(row(6, NOW + timedelta(minutes=30)))
    assert [record["id"] for record in (await hub.sync(integration))["records"]] == [6]


async def test_a_table_that_is_looked_up_in_is_read_whole(hub: Any, college: Any, make_integration: Any) -> None:
    rows = [row(number, NOW - timedelta(days=number)) for number in range(1, 4)]
    serve(college, hub, rows)
    join = {"stream": "people", "left": "id", "right": "id", "as": "person"}
    integration = make_integration(
        endpoints={"students": {"path": "/students", "joins": [join]}},
        streams={"people": {"path": "/students", "incremental": SINCE}},
    )
    for _ in range(2):
        done = await hub.sync(integration)
        assert [record["person"]["id"] for record in done["records"]] == [record["id"] for record in done["records"]]
        assert len(done["records"]) == 3
        assert not done["ends"]["students"].states


async def test_an_endpoint_that_asks_for_other_things_is_read_in_full(
    hub: Any, college: Any, make_integration: Any
) -> None:
    serve(college, hub, [row(number, NOW - timedelta(days=number)) for number in range(1, 4)])
    endpoint: dict[str, Any] = {"path": "/students", "incremental": SINCE}
    await hub.sync(make_integration(endpoints={"students": endpoint}))
    changed = make_integration(endpoints={"students": {**endpoint, "mapping": {"name": "at"}}})
    await hub.fetching.integrations.remove("college-1", changed.id)
    hub.now += timedelta(hours=1)
    assert len((await hub.sync(changed))["records"]) == 3


async def test_in_each_window_the_deletes_come_first_and_then_every_row_of_the_parent(
    hub: Any, college: Any, make_integration: Any
) -> None:
    def answer(asked: Any) -> Any:
        date = hub.now.strftime("%a, %d %b %Y %H:%M:%S GMT")
        if asked.path == "/courses":
            return college.json([{"id": "a"}, {"id": "b"}], Date=date)
        rows = [] if asked.path == "/" else [{"id": f"{asked.path}@{asked.query['since'][8:10]}"}]
        return college.json(rows, Date=date)

    college.answer = answer
    plain = {"pagination": {"type": "none"}}
    endpoint = {
        "path": "/courses/{{ parent.id }}/students",
        "parent": {"stream": "courses"},
        "deletes": {"path": "/deletes", **plain},
        "incremental": {**SINCE, "startDatetime": "2026-01-13T10:00:00Z", "step": "P1D"},
        **plain,
    }
    integration = make_integration(endpoints={"students": endpoint}, streams={"courses": {"path": "/courses", **plain}})
    of_each = ["/deletes@{}", "/courses/a/students@{}", "/courses/b/students@{}"]
    done = await hub.sync(integration, twice=True)
    assert [record["id"] for record in done["records"]] == [name.format(day) for day in (13, 14) for name in of_each]
    assert done["ends"]["students"].complete
    hub.now += timedelta(days=2)
    later = await hub.sync(integration)
    assert [record["id"] for record in later["records"]] == [name.format(day) for day in (15, 16) for name in of_each]


async def test_a_window_read_for_the_rows_of_an_incomplete_parent_is_not_covered_though_a_later_one_fails(
    hub: Any, college: Any, make_integration: Any
) -> None:
    def answer(asked: Any) -> Any:
        if asked.path == "/courses":
            return college.json({"data": [{"id": "a"}], "warnings": [{"warningcode": "loss"}], "errors": [{"c": 1}]})
        status = 500 if asked.query.get("since", "").startswith("2026-01-14") else 200
        return college.json([{"id": 1}], status=404 if status == 500 else 200)

    college.answer = answer
    plain = {"pagination": {"type": "none"}}
    endpoint = {
        "path": "/courses/{{ parent.id }}/students",
        "parent": {"stream": "courses", "onError": "fail"},
        "incremental": {**SINCE, "startDatetime": "2026-01-13T10:00:00Z", "step": "P1D"},
        **plain,
    }
    integration = make_integration(
        endpoints={"students": endpoint}, streams={"courses": {"path": "/courses", "recordsPath": "data", **plain}}
    )
    end = (await hub.sync(integration))["ends"]["students"]
    assert isinstance(end, SyncFailed)
    assert end.states == {}


async def test_a_mark_that_the_source_refuses_is_a_full_read_that_is_told(
    hub: Any, college: Any, make_integration: Any
) -> None:
    taken = {"first": {"", "5"}}

    def answer(asked: Any) -> Any:
        last = asked.query.get("last", "")
        if last not in taken["first"]:
            return college.json({"error": "invalid cursor"}, 410)
        rows = [{"id": number} for number in range(int(last or 0) + 1, 8)]
        return college.json({"data": rows, "max": "7"})

    college.answer = answer
    incremental = {"type": "token", "tokenParam": "last", "tokenPath": "max"}
    endpoint = {"path": "/students", "pagination": {"type": "none"}, "incremental": incremental}
    integration = make_integration(endpoints={"students": endpoint})
    await hub.sync(integration)
    taken["first"] = {""}  # the mark "7" has lapsed
    again = await hub.sync(integration, twice=True)
    end = again["ends"]["students"]
    assert [record["id"] for record in again["records"]] == [1, 2, 3, 4, 5, 6, 7]
    assert (end.complete, MARK_REFUSED in end.warnings, end.states["students"].token) == (True, True, "7")
    college.answer = lambda asked: college.json({"error": "gone"}, 410)
    failed = (await hub.sync(integration))["ends"]["students"]
    assert isinstance(failed, SyncFailed), "a source that refuses everything is not asked for ever"


async def test_of_two_endpoints_that_take_one_table_the_one_that_failed_gets_its_rows_again(
    hub: Any, college: Any, make_integration: Any
) -> None:
    rows = [row(number, NOW - timedelta(days=number)) for number in range(1, 4)]
    serve(college, hub, rows)
    integration = make_integration(
        endpoints={"students": {"source": "people"}, "faculty": {"source": "people"}},
        streams={"people": {"path": "/students", "incremental": SINCE}},
    )
    await hub.sync(integration)
    hub.now += timedelta(hours=1)
    rows.append(row(6, NOW + timedelta(minutes=30)))
    assert [record["id"] for record in (await hub.sync(integration, unwritten="faculty"))["records"]] == [6, 6]
    hub.now += timedelta(hours=1)
    assert [record["id"] for record in (await hub.sync(integration))["records"]] == [6, 6]
    assert (await hub.sync(integration))["records"] == []


@pytest.mark.parametrize(
    ("derive", "incremental", "goes_on"),
    [
        ({"type": "punches", "person": "id", "punchedAt": "at"}, {}, False),
        ({"type": "punches", "person": "id", "punchedAt": "at"}, {"wholeDays": True}, False),
        ({"type": "punches", "person": "id", "punchedAt": "at"}, {"wholeDays": True, "dayStart": "PT4H"}, True),
        ({"type": "group", "by": "id", "collect": {"all": "at"}}, {}, False),
        ({"type": "group", "by": "id"}, {}, True),
    ],
)
async def test_what_is_derived_from_rows_that_were_read_before_is_not_made_of_the_new_ones_alone(
    hub: Any, college: Any, make_integration: Any, derive: Any, incremental: Any, goes_on: bool
) -> None:
    morning, evening = NOW - timedelta(hours=6), NOW + timedelta(minutes=30)
    rows = [{**row(1, morning), "number": 1}]
    serve(college, hub, rows)
    integration = make_integration(
        endpoints={"attendance": {"source": "punches", "derive": derive}},
        streams={"punches": {"path": "/students", "incremental": {**SINCE, **incremental}}},
    )
    await hub.sync(integration)
    hub.now += timedelta(hours=1)
    rows.append({**row(1, evening), "number": 2})
    college.asked.clear()
    done = await hub.sync(integration)
    assert (asked_windows(college)[0][0] is not None) is goes_on
    assert any("is read whole each time" in warning for warning in done["ends"]["attendance"].warnings) is not goes_on
    (record,) = done["records"]
    if derive["type"] == "punches":
        assert record["punches"] == 2
    elif "collect" in derive:
        assert len(record["all"]) == 2


async def test_a_change_of_what_the_parents_parents_are_is_a_full_read(
    hub: Any, college: Any, make_integration: Any
) -> None:
    serve(college, hub, [row(1, NOW - timedelta(days=1))])
    endpoint = {"path": "/students", "parent": {"stream": "courses"}, "incremental": SINCE}

    def integration(path: str) -> Integration:
        terms: dict[str, Any] = {"path": path}
        courses = {"path": "/students", "parent": {"stream": "terms"}}
        made: Integration = make_integration(
            endpoints={"students": endpoint}, streams={"terms": terms, "courses": courses}
        )
        return made

    def identity(made: Integration) -> str:
        return identity_of(made, "students", made.settings.endpoints[DataType.STUDENTS])

    assert identity(integration("/terms")) == identity(integration("/terms"))
    assert identity(integration("/terms")) != identity(integration("/all-terms"))


async def test_other_credentials_may_see_other_rows_so_everything_is_read(
    hub: Any, college: Any, make_integration: Any
) -> None:
    serve(college, hub, [row(number, NOW - timedelta(days=number)) for number in range(1, 4)])
    endpoint: dict[str, Any] = {"path": "/students", "incremental": SINCE}
    await hub.sync(make_integration(endpoints={"students": endpoint}))
    other = make_integration(endpoints={"students": endpoint}, secrets={"apiKey": "canary-another-key-9876543210"})
    await hub.fetching.integrations.remove("college-1", other.id)
    hub.now += timedelta(hours=1)
    assert len((await hub.sync(other))["records"]) == 3


async def test_a_source_that_wants_to_be_left_alone_is_not_asked_for_its_time_or_versions(
    hub: Any, college: Any, make_integration: Any, shared_limits: Any, sources: Any
) -> None:
    for incremental in (SINCE, {"type": "change_version", "versionsPath": "/versions"}):
        integration = make_integration(endpoints={"students": {"path": "/students", "incremental": incremental}})
        await shared_limits.block("college-1", source_of(integration), NOW + timedelta(hours=1))
        stream = integration.settings.endpoints[DataType.STUDENTS]
        message = PageRequested(**IDS, data_type=DataType.STUDENTS, observed_at=NOW)
        with pytest.raises(RateLimited):
            await hub.fetching.planner.plan(message, integration, stream)
    assert college.asked == []


async def test_a_walk_that_has_begun_without_windows_goes_on_without_them(hub: Any, make_integration: Any) -> None:
    integration = make_integration(endpoints={"students": {"path": "/students", "incremental": SINCE}})
    stream = integration.settings.endpoints[DataType.STUDENTS]
    position = {"source": "as it was", "place": 7}
    message = PageRequested(**IDS, data_type=DataType.STUDENTS, observed_at=NOW, step=3, position=position)
    assert await hub.fetching.planner.plan(message, integration, stream) is None


async def test_of_two_plans_of_one_message_that_was_delivered_twice_one_goes_on(
    hub: Any, college: Any, make_integration: Any
) -> None:
    serve(college, hub, [row(number, NOW - timedelta(days=number)) for number in range(1, 4)])
    integration = make_integration(endpoints={"students": {"path": "/students", "incremental": SINCE}})
    await hub.fetching.integrations.add(integration)
    await hub.fetching.runs.add(new_run(**IDS, trigger=Trigger.MANUAL, data_types=(DataType.STUDENTS,), now=NOW))
    request = SyncRequested(**IDS, trigger=Trigger.MANUAL, data_types=(DataType.STUDENTS,), requested_at=NOW)
    (first,) = await start_sync(request, context("s"), hub=hub.fetching)
    assert isinstance(first, PageRequested)

    async def handled(message: Any, copy: str) -> list[Any]:
        return [output async for output in fetch_pages(message, context(copy), hub=hub.fetching)]

    (one,) = await handled(first, "a")
    hub.now += timedelta(minutes=1)
    (other,) = await handled(first, "a")
    ended = await handled(one, "b")
    assert isinstance(ended[-1], StreamFinished)
    assert await handled(other, "c") == []


@pytest.mark.parametrize(("step", "expected"), [({}, 4), ({"step": "P1D"}, None)])
async def test_the_total_of_one_window_is_not_told_for_that_of_all(
    hub: Any, college: Any, make_integration: Any, step: Any, expected: int | None
) -> None:
    serve(college, hub, [row(number, NOW - timedelta(days=number)) for number in range(1, 5)])
    spec = {**SINCE, "startDatetime": "2026-01-10T10:00:00Z", **step}
    done = await hub.sync(make_integration(endpoints={"students": {"path": "/students", "incremental": spec}}))
    assert {batch.expected_records for batch in done["batches"]} == {expected}
