"""What the test suites of well-known sync tools leave out, each a test of ours.

The brake on deletes is that none follows from absence. What is replayed are batches that were given up: rejected
records are not replayed.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hub_fetcher.limits.headers import quota, wait_s
from hub_mapping import compile_mapping
from hub_model.base import format_datetime, parse_datetime
from hub_model.errors import Unavailable
from hub_model.mappings import Mapping
from hub_model.messages import StreamFinished, SyncFailed
from hub_model.records import DataType, Outcome, RecordWrite
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.records import MergeBatch, RecordStore
from hub_storage.repositories import SPECS

NONE: dict[str, Any] = {"pagination": {"type": "none"}}
CURSOR = {"recordsPath": "data", "pagination": {"type": "cursor", "cursorPath": "next"}}
SINCE = {"type": "datetime", "startTimeParam": "since", "endTimeParam": "until", "safetyLag": "PT0S"}


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[RecordStore]:
    async with SqliteDatabase(tmp_path / "records.db") as database:
        store = SqliteStore(database)
        await store.open(SPECS)
        yield store.records
        await store.close()


def merged_of(*raw: Any, sequence: int = 0, now: datetime) -> MergeBatch:
    """A batch as the transformer and the writer would make it."""
    mapping = compile_mapping(Mapping(), DataType.STUDENTS, time_zone="UTC")
    observed_at = now + timedelta(microseconds=sequence)
    made = mapping.map_batch(list(raw), observed_at=observed_at)
    return MergeBatch(
        id=f"{format_datetime(now)}-{sequence}",
        college_id="college-1",
        data_type=DataType.STUDENTS,
        integration_id="integration-1",
        run_id="run-1",
        writes=[
            RecordWrite(record["key"], record["data"], record["hash"], parse_datetime(record["version"]))
            for record in made.records
        ],
        merged_at=now,
        observed_at=observed_at,
    )


async def test_tokens_that_go_from_a_to_b_and_back_to_a_end_the_walk_with_an_error(college: Any, walk_all: Any) -> None:
    following = {"": "A", "A": "B", "B": "A"}

    def answer(asked: Any) -> Any:
        number = len(college.asked)
        token = following[asked.query.get("cursor", "")] if number < 20 else None
        return college.json({"data": [{"id": number}], "next": token})

    college.answer = answer
    walked = await walk_all(CURSOR)
    assert isinstance(walked.last, SyncFailed)
    assert walked.last.code == "pagination_loop"
    assert len(college.asked) < 6


async def test_an_empty_page_with_a_token_is_not_the_last(college: Any, walk_all: Any) -> None:
    pages = {"": ([{"id": 1}], "a"), "a": ([], "b"), "b": ([], "c"), "c": ([{"id": 2}], None)}

    def answer(asked: Any) -> Any:
        rows, token = pages[asked.query.get("cursor", "")]
        return college.json({"data": rows, "next": token})

    college.answer = answer
    walked = await walk_all(CURSOR)
    assert [record["id"] for record in walked.records] == [1, 2]
    assert walked.last.complete


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"success": False, "error": "token expired", "data": None}, "credentials_refused"),
        ({"success": False, "data": []}, "error_in_body"),
        ({"error": {"code": 500, "message": "x"}, "data": []}, "error_in_body"),
    ],
)
async def test_an_error_under_status_200_is_no_empty_success(college: Any, walk_all: Any, body: Any, code: str) -> None:
    college.answer = lambda asked: college.json(body)
    last = (await walk_all(NONE)).last
    assert (type(last), last.code) == (SyncFailed, code)


async def test_a_passing_error_under_status_200_is_tried_again(college: Any, walk_all: Any) -> None:
    body = {"exception": "dml_exception", "errorcode": "dmlreadexception", "message": "x"}
    college.answer = lambda asked: college.json(body)
    with pytest.raises(Unavailable):
        await walk_all(NONE)


async def test_a_web_page_under_status_200_is_no_empty_success(college: Any, walk_all: Any, answer: Any) -> None:
    page = b"<!DOCTYPE html><html><title>Student portal</title><body>Welcome</body></html>"
    college.answer = lambda asked: answer(page, headers={"Content-Type": "text/html"})
    last = (await walk_all(NONE)).last
    assert (type(last), last.code) == (SyncFailed, "web_page")


@pytest.mark.parametrize(
    ("body", "ends"),
    [({"data": []}, StreamFinished), ({"data": None}, SyncFailed), ({"other": 1}, SyncFailed)],
)
async def test_records_that_are_empty_null_or_missing_are_three_things(
    college: Any, walk_all: Any, body: Any, ends: type
) -> None:
    college.answer = lambda asked: college.json(body)
    assert isinstance((await walk_all({**NONE, "recordsPath": "data"})).last, ends)


def test_a_wait_until_an_instant_is_measured_by_the_sources_own_clock() -> None:
    ours = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)
    headers = {"date": "Thu, 15 Jan 2026 12:00:00 GMT", "retry-after": "Thu, 15 Jan 2026 12:00:30 GMT"}
    assert wait_s(headers, ours) == 30


def test_a_reset_of_the_ietf_is_in_seconds_and_no_instant() -> None:
    found = quota({"ratelimit-remaining": "0", "ratelimit-reset": "50"}, datetime(2026, 1, 15, tzinfo=UTC))
    assert found is not None
    assert (found.requests, found.reset_s) == (0, 50)


async def test_a_next_link_to_another_host_is_an_error_and_nobody_else_is_asked(college: Any, walk_all: Any) -> None:
    college.answer = lambda asked: college.json({"data": [{"id": 1}], "next": "http://127.0.0.2:9/students?page=2"})
    walked = await walk_all({"pagination": {"type": "next_url", "nextUrlPath": "next"}})
    assert isinstance(walked.last, SyncFailed)
    assert (len(college.asked), len(walked.records)) == (1, 1)


async def test_rows_of_one_time_that_drift_over_the_edge_of_a_page_are_not_lost(
    hub: Any, college: Any, make_integration: Any
) -> None:
    """Six rows of one instant, two a page; while they are read, one of them changes and goes to the end."""
    moment = hub.now - timedelta(hours=1)
    rows: list[dict[str, Any]] = [{"id": number, "at": format_datetime(moment)} for number in range(6)]

    def answer(asked: Any) -> Any:
        low, high = asked.query.get("since", ""), asked.query.get("until", "9")
        found = sorted((row for row in rows if low <= row["at"] <= high), key=lambda row: row["at"])
        page = int(asked.query.get("page", 1))
        if page == 2 and rows[0]["at"] == format_datetime(moment):
            rows[0] = {**rows[0], "at": format_datetime(hub.now + timedelta(minutes=1))}
        body = {"data": found[2 * page - 2 : 2 * page], "page": page, "total": 6}
        return college.json(body, Date=hub.now.strftime("%a, %d %b %Y %H:%M:%S GMT"))

    college.answer = answer
    seen: set[int] = set()
    integration = make_integration(
        endpoints={
            "students": {
                "path": "/students",
                "pagination": {"type": "page", "pageSize": 2, "totalPath": "total"},
                "incremental": SINCE,
            }
        }
    )
    for _ in range(3):
        done = await hub.sync(integration)
        seen |= {record["id"] for record in done["records"]}
        assert done["ends"]["students"].complete or done["ends"]["students"].states == {}
        hub.now += timedelta(hours=1)
    assert seen == set(range(6))


async def test_a_row_from_the_future_is_kept_and_moves_no_cursor(hub: Any, college: Any, make_integration: Any) -> None:
    rows = [{"id": 1, "at": "2026-01-15T09:00:00Z"}, {"id": 2, "at": "2099-01-01T00:00:00Z"}]

    def answer(asked: Any) -> Any:
        return college.json(rows, Date=hub.now.strftime("%a, %d %b %Y %H:%M:%S GMT"))

    college.answer = answer
    spec = {**SINCE, "endTimeParam": None, "cursorField": "at", "lookbackWindow": "PT0S"}
    integration = make_integration(endpoints={"students": {"path": "/students", "incremental": spec, **NONE}})
    first = await hub.sync(integration)
    assert len(first["records"]) == 2
    assert any("yet to come" in warning for warning in first["ends"]["students"].warnings)
    hub.now += timedelta(hours=1)
    await hub.sync(integration)
    assert college.asked[-1].query["since"] == "2026-01-15T10:00:00.000Z"


async def test_of_one_key_on_two_pages_the_later_page_counts_in_whatever_order_they_are_written(
    records: RecordStore, NOW: datetime
) -> None:
    first = merged_of({"studentId": "1", "name": "Before"}, sequence=0, now=NOW)
    second = merged_of({"studentId": "1", "name": "After"}, sequence=1, now=NOW)
    assert await records.merge(second) == [Outcome.INSERTED]
    assert await records.merge(first) == [Outcome.STALE]
    kept = await records.get("college-1", DataType.STUDENTS, '["1"]')
    assert kept is not None
    assert kept.data["name"] == "After"


async def test_reading_the_same_again_writes_nothing(records: RecordStore, NOW: datetime) -> None:
    rows = [{"studentId": str(number), "name": f"Student {number}"} for number in range(20)]
    assert set(await records.merge(merged_of(*rows, now=NOW))) == {Outcome.INSERTED}
    before = await records.get("college-1", DataType.STUDENTS, '["7"]')
    again = await records.merge(merged_of(*reversed(rows), now=NOW + timedelta(hours=1)))
    assert set(again) == {Outcome.UNCHANGED}
    after = await records.get("college-1", DataType.STUDENTS, '["7"]')
    assert before is not None
    assert after == before, "not even when it was seen, which would cost a write for each record of each sync"


async def test_a_full_read_that_shows_hardly_any_records_deletes_none(
    hub: Any, college: Any, make_integration: Any, records: RecordStore, NOW: datetime
) -> None:
    rows = [{"studentId": str(number), "name": f"Student {number}"} for number in range(20)]
    college.answer = lambda asked: college.json(rows)
    integration = make_integration(endpoints={"students": {"path": "/students", **NONE}})
    for number, shown in enumerate((20, 1, 0)):
        del rows[shown:]
        read = await hub.sync(integration)
        assert read["ends"]["students"].complete
        merged = merged_of(*read["records"], now=NOW + timedelta(minutes=number))
        assert Outcome.DELETED not in await records.merge(merged)
    assert await records.count("college-1", DataType.STUDENTS) == 20


async def test_a_batch_that_is_replayed_after_newer_ones_overwrites_nothing(
    records: RecordStore, NOW: datetime
) -> None:
    given_up = merged_of({"studentId": "1", "name": "Before"}, {"studentId": "2", "name": "Two"}, now=NOW)
    await records.merge(merged_of({"studentId": "1", "name": "After"}, now=NOW + timedelta(hours=1)))
    replayed = replace(given_up, merged_at=NOW + timedelta(days=1))
    assert await records.merge(replayed) == [Outcome.STALE, Outcome.INSERTED]
    kept = await records.get("college-1", DataType.STUDENTS, '["1"]')
    assert kept is not None
    assert kept.data["name"] == "After"


async def test_a_crash_between_the_write_and_the_cursor_reads_again_and_stores_nothing_twice(
    hub: Any, college: Any, make_integration: Any, records: RecordStore, NOW: datetime
) -> None:
    rows = [{"studentId": str(number), "name": f"Student {number}"} for number in range(5)]
    college.answer = lambda asked: college.json(rows, Date=hub.now.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    integration = make_integration(endpoints={"students": {"path": "/students", "incremental": SINCE, **NONE}})
    crashed = await hub.sync(integration, unwritten="students")  # the records are written, the cursor is not
    assert set(await records.merge(merged_of(*crashed["records"], now=NOW))) == {Outcome.INSERTED}
    again = await hub.sync(integration)
    assert "since" not in college.asked[-1].query
    merged = await records.merge(merged_of(*again["records"], now=NOW + timedelta(minutes=5)))
    assert merged == [Outcome.UNCHANGED] * 5
