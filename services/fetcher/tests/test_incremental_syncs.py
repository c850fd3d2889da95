"""Whole syncs by windows, message by message, over the real store and a source that knows when its rows changed."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hub_fetcher.handlers import Fetching, fetch_pages, start_sync
from hub_fetcher.opening import Opener
from hub_fetcher.planning import Planner
from hub_fetcher.walking.joins import Lookups
from hub_fetcher.walking.reading import Limits
from hub_messaging.handling import Context
from hub_model.integrations import Integration
from hub_model.messages import BatchFetched, PageRequested, StreamFinished, SyncFailed, SyncRequested, Trigger
from hub_model.runs import new_run
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.repositories import SPECS, Chains, Integrations, Runs, StreamStates, Tables

NOW = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)
SINCE: dict[str, Any] = {
    "type": "datetime",
    "startTimeParam": "since",
    "endTimeParam": "until",
    "lookbackWindow": "PT0S",
    "safetyLag": "PT0S",
}


class Hub:
    """The fetcher over a real store; ``now`` is moved by a test. States are saved as the writer would."""

    def __init__(self, store: SqliteStore, sources: Any) -> None:
        self.now = NOW
        self.store = store
        self.states = StreamStates(store)
        tables = Tables(store)
        self.fetching = Fetching(
            integrations=Integrations(store),
            runs=Runs(store),
            chains=Chains(store),
            tables=tables,
            opener=Opener(sources, tables, Lookups(max_bytes=10_000_000)),
            planner=Planner(sources, self.states, self.clock),
            limits=Limits(pages=3),
            clock=self.clock,
            monotonic=time.monotonic,
        )
        self.runs = 0

    def clock(self) -> datetime:
        return self.now

    async def sync(self, integration: Integration, *, twice: bool = False) -> dict[str, Any]:
        """One run: what each stream gave, and its end. ``twice``: each message was handled half before."""
        self.runs += 1
        ids: dict[str, Any] = {
            "college_id": integration.college_id,
            "integration_id": integration.id,
            "run_id": f"run-{self.runs}",
        }
        if await self.fetching.integrations.find(integration.college_id, integration.id) is None:
            await self.fetching.integrations.add(integration)
        types = tuple(integration.settings.endpoints)
        await self.fetching.runs.add(new_run(**ids, trigger=Trigger.MANUAL, data_types=types, now=self.now))
        request = SyncRequested(**ids, trigger=Trigger.MANUAL, data_types=types, requested_at=self.now)
        queue: list[Any] = list(await start_sync(request, context("s"), hub=self.fetching))
        told: dict[str, Any] = {}
        while queue:
            message = PageRequested.model_validate_json(queue.pop(0).model_dump_json())
            copy = context(f"{message.table}{message.data_type}{message.step}")
            if twice:
                given = fetch_pages(message, copy, hub=self.fetching)
                async for output in given:
                    if not isinstance(output, PageRequested):
                        told[output.message_id] = output
                    break
                await given.aclose()  # type: ignore[attr-defined]
            async for output in fetch_pages(message, copy, hub=self.fetching):
                if isinstance(output, PageRequested):
                    queue.append(output)
                else:
                    told[output.message_id] = output
        ends = {m.data_type: m for m in told.values() if isinstance(m, StreamFinished | SyncFailed)}
        for end in ends.values():
            for name, state in end.states.items():
                await self.states.advance("college-1", integration.id, name, state, began_at=self.now)
        records = [record for m in told.values() if isinstance(m, BatchFetched) for record in m.records]
        return {"records": records, "ends": ends}


def context(copy_id: str) -> Context:
    return Context("m", copy_id, 1, NOW)


@pytest.fixture
async def hub(tmp_path: Path, sources: Any) -> AsyncIterator[Hub]:
    async with SqliteDatabase(tmp_path / "hub.db") as database:
        store = SqliteStore(database)
        await store.open(SPECS)
        hub = Hub(store, sources)
        yield hub
        await store.close()


def serve(college: Any, hub: Hub, rows: list[dict[str, Any]], *, skew: timedelta = timedelta(0)) -> None:
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
    hub: Hub, college: Any, make_integration: Any
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


async def test_a_failed_walk_moves_nothing_but_the_windows_it_has_finished(
    hub: Hub, college: Any, make_integration: Any
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


async def test_a_repeated_handling_asks_for_the_same_windows(hub: Hub, college: Any, make_integration: Any) -> None:
    rows = [row(number, NOW - timedelta(days=number)) for number in range(1, 9)]
    serve(college, hub, rows)
    integration = make_integration(endpoints={"students": {"path": "/students", "incremental": SINCE}})
    done = await hub.sync(integration, twice=True)
    assert sorted(record["id"] for record in done["records"]) == list(range(1, 9))
    assert len(asked_windows(college)) == 1


async def test_rows_that_move_up_between_a_crash_and_the_repetition_are_not_taken_for_those_that_were_there(
    hub: Hub, college: Any, make_integration: Any
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
    hub: Hub, college: Any, make_integration: Any, skew: timedelta
) -> None:
    serve(college, hub, [row(1, NOW + skew - timedelta(minutes=1))], skew=skew)
    integration = make_integration(endpoints={"students": {"path": "/students", "incremental": SINCE}})
    done = await hub.sync(integration)
    assert [record["id"] for record in done["records"]] == [1]
    assert any("clock is" in warning for warning in done["ends"]["students"].warnings)
    (window,) = asked_windows(college)
    assert window[1] == (NOW + skew).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def test_rows_without_a_time_and_from_the_future_are_kept_counted_and_told(
    hub: Hub, college: Any, make_integration: Any
) -> None:
    rows = [row(1, NOW - timedelta(days=1)), {**row(2, NOW), "stamp": None}, {**row(3, NOW), "stamp": "2099-01-01"}]
    serve(college, hub, [{"stamp": "2026-01-01", **record} for record in rows])
    spec = {**SINCE, "cursorField": "stamp"}
    done = await hub.sync(make_integration(endpoints={"students": {"path": "/students", "incremental": spec}}))
    end = done["ends"]["students"]
    assert (len(done["records"]), end.complete) == (3, True)
    assert [warning.split(" ", 1)[0] for warning in end.warnings] == ["1", "1"]


async def test_versions_are_asked_for_first_and_deletes_go_over_the_same_window(
    hub: Hub, college: Any, make_integration: Any
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
    hub: Hub, college: Any, make_integration: Any
) -> None:
    def answer(asked: Any) -> Any:
        if asked.path == "/versions":
            return college.json({"type": "urn:ed-fi:api:feature-disabled"}, 404)
        assert "maxChangeVersion" not in asked.query
        return college.json([{"id": 1}])

    college.answer = answer
    incremental = {"type": "change_version", "versionsPath": "/versions"}
    endpoint = {"path": "/students", "pagination": {"type": "none"}, "incremental": incremental}
    end = (await hub.sync(make_integration(endpoints={"students": endpoint})))["ends"]["students"]
    assert (end.complete, end.snapshot, end.states["students"].windows) == (True, True, ())
    assert any("change versions" in warning for warning in end.warnings)


async def test_a_mark_is_kept_and_the_next_sync_goes_on_from_it(hub: Hub, college: Any, make_integration: Any) -> None:
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
    hub: Hub, college: Any, make_integration: Any
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
    assert (list(end.states), end.snapshot) == (["people"], True)
    hub.now = NOW + timedelta(hours=1)
    rows.append(row(6, NOW + timedelta(minutes=30)))
    assert [record["id"] for record in (await hub.sync(integration))["records"]] == [6]


async def test_a_table_that_is_looked_up_in_is_read_whole(hub: Hub, college: Any, make_integration: Any) -> None:
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
    hub: Hub, college: Any, make_integration: Any
) -> None:
    serve(college, hub, [row(number, NOW - timedelta(days=number)) for number in range(1, 4)])
    endpoint: dict[str, Any] = {"path": "/students", "incremental": SINCE}
    await hub.sync(make_integration(endpoints={"students": endpoint}))
    changed = make_integration(endpoints={"students": {**endpoint, "mapping": {"name": "at"}}})
    await hub.fetching.integrations.remove("college-1", changed.id)
    hub.now += timedelta(hours=1)
    assert len((await hub.sync(changed))["records"]) == 3
