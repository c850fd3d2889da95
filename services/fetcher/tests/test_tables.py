"""Streams that others need: a whole sync driven message by message over the real store and a real HTTP server.

``Sync`` is the broker: it can deliver a message twice, and cut a handler off at any of its outputs.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hub_fetcher.fetching import Fetching
from hub_fetcher.handlers import fetch_pages, start_sync
from hub_fetcher.opening import Opener
from hub_fetcher.planning import Planner
from hub_fetcher.walking.joins import Lookups
from hub_fetcher.walking.parents import Parents
from hub_fetcher.walking.reading import Limits
from hub_messaging.handling import Context
from hub_model.combining import Parent
from hub_model.errors import RateLimited, TransientError
from hub_model.integrations import Integration
from hub_model.messages import (
    BatchFetched,
    Message,
    PageRequested,
    StreamFinished,
    SyncFailed,
    SyncRequested,
    Trigger,
)
from hub_model.records import DataType
from hub_model.runs import Run, new_run
from hub_sqlite import SqliteDatabase
from hub_storage.adapters.sqlite import SqliteStore
from hub_storage.repositories import SPECS, Chains, Integrations, Runs, StreamStates, Tables
from hub_storage.repositories.tables import Piece, TableEnd

IDS = {"college_id": "college-1", "integration_id": "integration-1", "run_id": "run-1"}


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Sync:
    """The fetcher's side of one run. ``told`` has each batch, end and failure once, by its message id."""

    fetching: Fetching
    told: dict[str, Message] = field(default_factory=dict)
    steps: int = 0
    queue: list[PageRequested] = field(default_factory=list)

    async def begin(self, integration: Integration) -> None:
        await self.fetching.integrations.add(integration)
        types = tuple(integration.settings.endpoints)
        run = new_run(**IDS, trigger=Trigger.MANUAL, data_types=types, now=utc_now())
        await self.fetching.runs.add(run)
        request = SyncRequested(**IDS, trigger=Trigger.MANUAL, data_types=types, requested_at=utc_now())
        self.queue += await start_sync(request, _context("sync"), hub=self.fetching)

    async def go(self, *, cut_after: int | None = None) -> "Sync":
        """Deliver until nothing is left. ``cut_after``: the process dies once in each message, after so many outputs,
        and the message is delivered again."""
        while self.queue:
            message = self.queue[0]
            if cut_after is not None:
                await self._deliver(message, most=cut_after)
            onward = await self._deliver(message)
            self.queue = [*self.queue[1:], *onward]
            self.steps += 1
            assert self.steps < 5000
        return self

    async def _deliver(self, message: PageRequested, most: int | None = None) -> list[PageRequested]:
        message = PageRequested.model_validate_json(message.model_dump_json())
        onward: list[PageRequested] = []
        count = 0
        copy = _context(f"copy {self.steps}")
        async with aclosing(fetch_pages(message, copy, hub=self.fetching)) as given:
            async for output in given:
                if most is not None and count >= most:
                    break
                count += 1
                if isinstance(output, PageRequested):
                    onward.append(output)
                else:
                    self.told[output.message_id] = output
        return onward

    async def run(self) -> Run:
        return await self.fetching.runs.get("college-1", "run-1")

    def records(self, data_type: str) -> list[Any]:
        batches = [m for m in self.told.values() if isinstance(m, BatchFetched) and m.data_type == data_type]
        batches.sort(key=lambda batch: batch.sequence)
        assert [batch.sequence for batch in batches] == list(range(len(batches)))
        return [record for batch in batches for record in batch.records]

    def end(self, data_type: str) -> Any:
        (end,) = [m for m in self.told.values() if _is_end(m) and m.data_type == data_type]
        return end


def _is_end(message: Message) -> bool:
    return isinstance(message, StreamFinished | SyncFailed)


def _context(copy_id: str) -> Context:
    return Context("m", copy_id, 1, utc_now())


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteDatabase(tmp_path / "hub.db") as database:
        store = SqliteStore(database)
        await store.open(SPECS)
        yield store
        await store.close()


@pytest.fixture
def sync(store: SqliteStore, sources: Any) -> Sync:
    tables = Tables(store)
    return Sync(
        Fetching(
            integrations=Integrations(store),
            runs=Runs(store),
            chains=Chains(store),
            tables=tables,
            opener=Opener(sources, tables, Lookups(max_bytes=10_000_000)),
            planner=Planner(sources, StreamStates(store), utc_now),
            limits=Limits(pages=3),
            clock=utc_now,
            monotonic=time.monotonic,
        )
    )


Make = Callable[..., Integration]

COURSES = [{"id": number, "idnumber": f"C{number}", "fullname": "x" * 50} for number in range(1, 8)]
MARKS: dict[str, Any] = {
    "marks": {
        "path": "/courses/{{ parent.id }}/marks",
        "parent": {"stream": "courses", "include": {"course": "idnumber"}},
    }
}
STREAMS = {"courses": {"path": "/courses", "fields": {"id": "id", "idnumber": "idnumber"}}}


def serve(college: Any, answers: dict[str, Any]) -> None:
    """Each path's answer: a value as JSON, an int as a status, or a function of what was asked."""

    def answer(asked: Any) -> Any:
        found = answers.get(asked.path, 404)
        if callable(found):
            return found(asked)
        return college.json({"reason": "no"}, found) if isinstance(found, int) else college.json(found)

    college.answer = answer


def paged(rows: list[Any], size: int = 2) -> Callable[[Any], Any]:
    def answer(asked: Any) -> Any:
        page = int(asked.query.get("page", 1))
        body = {"data": rows[(page - 1) * size : page * size], "page": page, "limit": size, "total": len(rows)}
        return _college.json(body)

    return answer


class _Json:
    json: Any = None


_college = _Json()


@pytest.fixture(autouse=True)
def _knows_the_college(college: Any) -> None:
    _college.json = college.json


def marks_of(course: int, count: int = 5) -> list[dict[str, Any]]:
    return [{"student": f"S{number}", "mark": course * 100 + number} for number in range(count)]


def courses_with_marks(**others: Any) -> dict[str, Any]:
    answers = {f"/courses/{course['id']}/marks": paged(marks_of(course["id"])) for course in COURSES}
    return {"/courses": paged(COURSES), **answers, **others}


ALL_MARKS = [{**mark, "parent": {"course": f"C{n}"}} for n in range(1, 8) for mark in marks_of(n)]


async def test_an_endpoint_is_asked_once_for_each_row_of_its_parent(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    serve(college, courses_with_marks())
    await sync.begin(make_integration(endpoints=MARKS, streams=STREAMS))
    await sync.go()
    assert sync.records("marks") == ALL_MARKS
    end = sync.end("marks")
    assert (end.complete, end.warnings, end.records, end.batches) == (True, (), 35, 21)
    assert (await sync.run()).preparing is None


@pytest.mark.parametrize("cut_after", [0, 1, 2, 5])
async def test_a_crash_at_any_output_of_any_message_loses_and_doubles_nothing(
    sync: Sync, college: Any, make_integration: Make, cut_after: int
) -> None:
    serve(college, courses_with_marks())
    await sync.begin(make_integration(endpoints=MARKS, streams=STREAMS))
    await sync.go(cut_after=cut_after)
    assert sync.records("marks") == ALL_MARKS
    assert sync.end("marks").complete


async def test_three_levels_of_parents(sync: Sync, college: Any, make_integration: Make) -> None:
    answers: dict[str, Any] = {"/schools": [{"id": "a b/c"}, {"id": "z"}]}
    for school, quoted in (("a b/c", "a%20b%2Fc"), ("z", "z")):
        answers[f"/schools/{quoted}/classes"] = {"data": [{"id": f"{school}-{n}"} for n in range(3)]}
        for n in range(3):
            key = f"{quoted}-{n}"
            answers[f"/classes/{key}/students"] = {"data": [{"studentId": f"{school}-{n}-{s}"} for s in range(2)]}
    serve(college, answers)
    streams = {
        "schools": "/schools",
        "classes": {"path": "/schools/{{ parent.id }}/classes", "parent": {"stream": "schools"}},
    }
    streams["schools"] = {"path": "/schools"}
    endpoint = {"path": "/classes/{{ parent.id }}/students", "parent": {"stream": "classes"}}
    await sync.begin(make_integration(endpoints={"students": endpoint}, streams=streams))
    await sync.go()
    ids = [record["studentId"] for record in sync.records("students")]
    assert ids == [f"{school}-{n}-{s}" for school in ("a b/c", "z") for n in range(3) for s in range(2)]


@pytest.mark.parametrize("status", [403, 404, {"success": False, "message": "no such course"}, {"nothing": 1}])
async def test_a_row_that_the_source_refuses_is_left_out_and_told(
    sync: Sync, college: Any, make_integration: Make, status: Any
) -> None:
    serve(college, courses_with_marks(**{"/courses/3/marks": status}))
    await sync.begin(make_integration(endpoints=MARKS, streams=STREAMS))
    await sync.go(cut_after=1)
    assert sync.records("marks") == [mark for mark in ALL_MARKS if mark["parent"]["course"] != "C3"]
    end = sync.end("marks")
    assert isinstance(end, StreamFinished)
    assert not end.complete
    assert end.warnings[0].startswith("1 of 7 rows of 'courses' could not be read: 1 x ")


async def test_a_row_that_fails_in_the_middle_keeps_what_was_read_of_it(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    pages = paged(marks_of(3))

    def broken(asked: Any) -> Any:
        return college.json({}, 404) if asked.query.get("page") == "2" else pages(asked)

    serve(college, courses_with_marks(**{"/courses/3/marks": broken}))
    await sync.begin(make_integration(endpoints=MARKS, streams=STREAMS))
    await sync.go()
    of_third = [mark for mark in ALL_MARKS if mark["parent"]["course"] == "C3"]
    assert sync.records("marks") == [mark for mark in ALL_MARKS if mark not in of_third[2:]]
    assert not sync.end("marks").complete


async def test_a_stream_none_of_whose_rows_can_be_read_fails(sync: Sync, college: Any, make_integration: Make) -> None:
    serve(college, {"/courses": paged(COURSES)})
    await sync.begin(make_integration(endpoints=MARKS, streams=STREAMS))
    await sync.go(cut_after=1)
    end = sync.end("marks")
    assert (type(end), end.code, end.error_class, end.batches) == (SyncFailed, "http_404", "config", 0)
    assert end.public.startswith("None of the 7 rows of 'courses' could be read.")


async def test_credentials_that_are_refused_are_no_matter_of_one_row(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    serve(college, courses_with_marks(**{"/courses/3/marks": 401}))
    await sync.begin(make_integration(endpoints=MARKS, streams=STREAMS))
    await sync.go()
    assert (sync.end("marks").code, sync.end("marks").error_class) == ("credentials_refused", "auth")


async def test_a_parent_that_says_so_fails_with_its_first_row(sync: Sync, college: Any, make_integration: Make) -> None:
    serve(college, courses_with_marks(**{"/courses/3/marks": 404}))
    endpoint = {**MARKS["marks"], "parent": {"stream": "courses", "onError": "fail"}}
    await sync.begin(make_integration(endpoints={"marks": endpoint}, streams=STREAMS))
    await sync.go()
    assert (type(sync.end("marks")), sync.end("marks").code) == (SyncFailed, "http_404")


async def test_a_parent_without_rows_gives_a_complete_stream_without_records(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    serve(college, {"/courses": {"data": [], "total": 0}})
    await sync.begin(make_integration(endpoints=MARKS, streams=STREAMS))
    await sync.go()
    end = sync.end("marks")
    assert (end.complete, end.batches, end.records, end.warnings) == (True, 0, 0, ())


async def test_rows_for_which_the_condition_does_not_hold_are_not_asked_for(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    serve(college, courses_with_marks())
    parent = {
        "stream": "courses",
        "when": [{"path": "idnumber", "oneOf": ["C2", "C7"]}],
        "include": {"course": "idnumber"},
    }
    await sync.begin(make_integration(endpoints={"marks": {**MARKS["marks"], "parent": parent}}, streams=STREAMS))
    await sync.go()
    assert sync.records("marks") == [mark for mark in ALL_MARKS if mark["parent"]["course"] in ("C2", "C7")]
    assert sync.end("marks").complete
    assert not [asked for asked in college.asked if asked.path == "/courses/1/marks"]


async def test_a_row_without_what_the_request_needs_is_left_out_and_told(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    rows = [*COURSES[:2], {"idnumber": "no id"}, COURSES[2]]
    serve(college, courses_with_marks(**{"/courses": {"data": rows}}))
    await sync.begin(make_integration(endpoints=MARKS, streams=STREAMS))
    await sync.go()
    assert {mark["parent"]["course"] for mark in sync.records("marks")} == {"C1", "C2", "C3"}
    assert sync.end("marks").warnings == ("1 of 4 rows of 'courses' could not be read: 1 x parent_value_missing.",)


async def test_a_table_that_cannot_be_read_fails_the_streams_that_need_it_and_no_other(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    serve(college, courses_with_marks(**{"/users": 404, "/students": {"data": [{"studentId": "1"}]}}))
    join = {"stream": "users", "left": "student", "right": "id", "as": "user"}
    endpoints = {
        **MARKS,
        "students": "/students",
        "faculty": {"path": "/students", "joins": [join]},
        "attendance": {**MARKS["marks"], "joins": [join]},
    }
    streams = {"users": {"path": "/users"}, **STREAMS}
    await sync.begin(make_integration(endpoints=endpoints, streams=streams))
    await sync.go(cut_after=1)
    assert {name: type(sync.end(name)).__name__ for name in endpoints} == {
        "marks": "StreamFinished",
        "students": "StreamFinished",
        "faculty": "SyncFailed",
        "attendance": "SyncFailed",
    }
    assert sync.end("faculty").batches == 0
    assert sync.records("marks") == ALL_MARKS


async def test_a_table_that_is_not_complete_makes_none_of_its_streams_complete(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    serve(college, courses_with_marks(**{"/courses": {"data": COURSES[:2], "total": 5}}))
    streams = {"courses": {**STREAMS["courses"], "pagination": {"type": "none"}}}
    await sync.begin(make_integration(endpoints=MARKS, streams=streams))
    await sync.go()
    end = sync.end("marks")
    assert not end.complete
    assert end.warnings[0].startswith("courses: ")


async def test_joins_find_rows_by_text_and_tell_what_they_did_not_find(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    users = [
        {"id": 57, "no": "R57", "x": 1},
        {"id": " 58 ", "no": "R58"},
        {"id": "59", "no": "a"},
        {"id": 59, "no": "b"},
    ]
    rows = [{"userid": value} for value in ("57", 58, 59, 60, None, True)]
    serve(college, {"/users": users, "/rows": {"data": rows}})
    one = {"stream": "users", "left": "userid", "right": "id", "as": "user", "fields": {"roll": "no"}}
    many = {"stream": "users", "left": "userid", "right": "id", "as": "all", "many": True}
    await sync.begin(
        make_integration(
            endpoints={"students": {"path": "/rows", "joins": [one, many]}}, streams={"users": {"path": "/users"}}
        )
    )
    await sync.go()
    found = sync.records("students")
    assert [record.get("user") for record in found] == [
        {"roll": "R57"},
        {"roll": "R58"},
        {"roll": "b"},
        None,
        None,
        None,
    ]
    assert [len(record.get("all", [])) for record in found] == [1, 1, 2, 0, 0, 0]
    assert sync.end("students").complete
    assert sync.end("students").warnings == (
        "1 record has several different rows in 'users' ('user'); the last of them was taken.",
        "3 records have no row in 'users' ('user').",
        "3 records have no row in 'users' ('all').",
    )


async def test_rows_that_are_there_twice_and_alike_are_not_told(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    serve(college, {"/users": [{"id": 1, "no": "a", "at": n} for n in range(3)], "/rows": {"data": [{"u": 1}]}})
    join = {"stream": "users", "left": "u", "right": "id", "as": "user", "fields": {"roll": "no"}}
    endpoint = {"path": "/rows", "joins": [join]}
    await sync.begin(make_integration(endpoints={"students": endpoint}, streams={"users": {"path": "/users"}}))
    await sync.go()
    assert sync.records("students") == [{"u": 1, "user": {"roll": "a"}}]
    assert sync.end("students").warnings == ()


@pytest.mark.parametrize(
    ("rows", "endpoint", "complete", "words"),
    [
        ([{"id": 1}, {"id": 2}], {"explode": [{"path": "log"}]}, False, "None of the 2 records has a list at 'log'"),
        ([{"id": 1, "log": []}, {"id": 2}], {"explode": [{"path": "log"}]}, True, "None of the 2 records that were"),
        ([{"id": 1}, {"id": 2}], {"when": [{"path": "id", "equals": 3}]}, True, "None of the 2 records that were read"),
        (
            [{"id": 1, "log": [1]}],
            {"explode": [{"path": "log", "when": [{"path": "", "equals": 2}]}]},
            True,
            "None of the 1 records that were read",
        ),
        ([{"id": 1, "log": [1]}, {"id": 2}], {"explode": [{"path": "log"}]}, True, ""),
        ([{"id": 1}], {"explode": [{"path": "log", "onNoRecords": "emit_parent"}]}, True, ""),
        ([], {"explode": [{"path": "log"}]}, True, ""),
    ],
)
async def test_an_endpoint_that_lets_nothing_through_says_so(
    sync: Sync, college: Any, make_integration: Make, rows: Any, endpoint: Any, complete: bool, words: str
) -> None:
    serve(college, {"/rows": {"data": rows}})
    await sync.begin(make_integration(endpoints={"students": {"path": "/rows", **endpoint}}))
    await sync.go()
    end = sync.end("students")
    assert end.complete is complete
    assert [warning.startswith(words) for warning in end.warnings] == ([True] if words else [])


async def test_a_condition_that_no_row_of_the_parent_fulfils_is_told(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    serve(college, courses_with_marks())
    parent = {"stream": "courses", "when": [{"path": "idnumber", "equals": "nothing"}]}
    await sync.begin(make_integration(endpoints={"marks": {**MARKS["marks"], "parent": parent}}, streams=STREAMS))
    await sync.go()
    assert sync.end("marks").warnings[0].startswith("None of the 7 rows of 'courses' fulfils the parent's 'when'")


@pytest.mark.parametrize(
    ("rows", "endpoint"),
    [
        (
            [{"a": list(range(200)), "b": list(range(200))} for _ in range(10)],
            {"explode": [{"path": "a", "as": "x"}, {"path": "b", "as": "y"}]},
        ),
        ([{"a": list(range(3000)), "rest": "x" * 60_000}], {"explode": [{"path": "a"}]}),
        (
            [{"u": 1} for _ in range(2000)],
            {"joins": [{"stream": "users", "left": "u", "right": "id", "as": "all", "many": True}]},
        ),
    ],
    ids=["explode twice", "explode beside much", "join many to many"],
)
async def test_a_page_that_grows_beyond_measure_says_what_to_do(
    sync: Sync, college: Any, make_integration: Make, rows: Any, endpoint: Any
) -> None:
    users = [{"id": 1, "text": f"{n:040}"} for n in range(2000)]
    serve(college, {"/users": paged(users, 1000), "/rows": {"data": rows}})
    endpoint = {"path": "/rows", "pagination": {"type": "none"}, **endpoint}
    await sync.begin(make_integration(endpoints={"students": endpoint}, streams={"users": {"path": "/users"}}))
    await sync.go()
    end = sync.end("students")
    assert (type(end), end.code) == (SyncFailed, "page_grows")
    assert "smaller pages" in end.public


async def test_ids_written_differently_are_joined_where_the_tables_make_them_alike(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    bare = [["regex", "^0*(.+)$"]]
    streams = {
        "users": {"path": "/users", "fields": {"code": {"from": "emp", "do": bare}, "no": "no"}},
        "punches": {
            "path": "/punches",
            "fields": {"code": {"from": "pin", "do": bare}, "day": {"from": "at", "do": [["date", "epoch_s"]]}},
        },
    }
    serve(college, {"/users": [{"emp": "0101", "no": "R1"}], "/punches": [{"pin": "00101", "at": 1784489400}]})
    join = {"stream": "users", "left": "code", "right": "code", "as": "user"}
    await sync.begin(
        make_integration(
            endpoints={"attendance": {"source": "punches", "joins": [join]}}, streams=streams, timeZone="Asia/Kolkata"
        )
    )
    await sync.go()
    # 19:30 in UTC is another day where the college is.
    assert sync.records("attendance") == [{"code": "101", "day": "2026-07-20", "user": {"code": "101", "no": "R1"}}]


async def test_a_required_join_without_a_row_is_a_fault_of_the_record(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    rows = [{"userid": number} for number in range(1200)]
    serve(college, {"/users": [{"id": n} for n in range(1200) if n not in (3, 600, 1199)], "/rows": {"data": rows}})
    join = {"stream": "users", "left": "userid", "right": "id", "as": "user", "required": True}
    await sync.begin(
        make_integration(
            endpoints={"students": {"path": "/rows", "joins": [join], "pagination": {"type": "none"}}},
            streams={"users": {"path": "/users"}},
        )
    )
    await sync.go()
    batches = [message for message in sync.told.values() if isinstance(message, BatchFetched)]
    faulty = [batch.records[fault.index]["userid"] for batch in batches for fault in batch.faults]
    assert faulty == [3, 600, 1199]
    assert {fault.code for batch in batches for fault in batch.faults} == {"no_match"}


async def test_lists_in_records_become_records_of_their_own_that_fit_into_batches(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    sessions = [{"id": n, "log": [{"s": s, "status": "P" if s % 2 else "A"} for s in range(700)]} for n in range(3)]
    serve(college, {"/sessions": {"data": sessions, "total": 3}})
    endpoint = {
        "path": "/sessions",
        "pagination": {"type": "none"},
        "explode": [{"path": "log", "as": "entry"}],
        "when": [{"path": "entry.status", "equals": "P"}],
        "fields": {"session": "id", "student": "entry.s"},
    }
    await sync.begin(make_integration(endpoints={"attendance": endpoint}))
    await sync.go()
    assert sync.records("attendance") == [{"session": n, "student": s} for n in range(3) for s in range(1, 700, 2)]
    batches = [message for message in sync.told.values() if isinstance(message, BatchFetched)]
    assert all(len(batch.records) <= 500 and batch.expected_records is None for batch in batches)


async def test_records_are_derived_from_a_table_without_a_request(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    punches = [{"who": f"{n % 700}", "at": f"2026-01-15 {8 + n // 700:02}:00:00"} for n in range(1400)]
    serve(college, {"/punches": paged(punches, 100)})
    derive = {"type": "punches", "person": "who", "punchedAt": "at", "datetimeFormat": "%Y-%m-%d %H:%M:%S"}
    await sync.begin(
        make_integration(
            endpoints={"attendance": {"source": "punches", "derive": derive}}, streams={"punches": {"path": "/punches"}}
        )
    )
    sync.fetching = replace(sync.fetching, limits=Limits(pages=1))
    await sync.go(cut_after=1)
    records = sync.records("attendance")
    assert len(records) == 700
    assert {record["personCode"] for record in records} == {f"{n}" for n in range(700)}
    assert all(record["checkOutAt"] is not None for record in records)
    assert sync.end("attendance").complete


async def test_rows_of_a_table_are_records_as_they_are(sync: Sync, college: Any, make_integration: Make) -> None:
    serve(college, courses_with_marks())
    endpoints = {**MARKS, "subjects": {"source": "courses", "when": [{"path": "idnumber", "matches": "[1-3]"}]}}
    await sync.begin(make_integration(endpoints=endpoints, streams=STREAMS))
    await sync.go(cut_after=1)
    assert sync.records("subjects") == [{"id": n, "idnumber": f"C{n}"} for n in (1, 2, 3)]
    assert len([asked for asked in college.asked if asked.path == "/courses"]) <= 2 * 5, "the table is read once"


@pytest.mark.parametrize("cut_after", [0, 1, 2])
async def test_rows_that_are_written_down_are_parents_and_nothing_is_asked_for_them(
    sync: Sync, college: Any, make_integration: Make, cut_after: int
) -> None:
    serve(college, {f"/devices/{serial}/punches": [{"at": serial}] for serial in ("A1", "B2")})
    endpoint = {"path": "/devices/{{ parent.value }}/punches", "parent": {"stream": "devices"}}
    await sync.begin(
        make_integration(endpoints={"attendance": endpoint}, streams={"devices": {"rows": ["A1", {"value": "B2"}]}})
    )
    await sync.go(cut_after=cut_after)
    assert sync.records("attendance") == [{"at": "A1"}, {"at": "B2"}]
    assert {asked.path for asked in college.asked} == {"/devices/A1/punches", "/devices/B2/punches"}


async def test_deletes_come_before_the_records_and_are_marked(sync: Sync, college: Any, make_integration: Make) -> None:
    serve(college, {"/gone": paged([{"id": n} for n in range(5)]), "/rows": paged([{"id": n} for n in range(9)])})
    endpoint = {"path": "/rows", "deletes": {"path": "/gone", "mapping": {"sourceId": "id"}}}
    await sync.begin(make_integration(endpoints={"students": endpoint}))
    await sync.go(cut_after=1)
    batches = sorted(
        (message for message in sync.told.values() if isinstance(message, BatchFetched)), key=lambda b: b.sequence
    )
    assert [batch.deletes for batch in batches] == [True] * 3 + [False] * 5
    assert [batch.observed_at for batch in batches] == sorted(batch.observed_at for batch in batches)
    assert sync.records("students") == [{"id": n} for n in range(5)] + [{"id": n} for n in range(9)]
    assert sync.end("students").complete


@pytest.mark.parametrize(("rows", "bytes_"), [(1000, 10**9), (10**9, 20_000)])
async def test_a_table_that_is_too_large_says_what_to_do(
    sync: Sync, college: Any, make_integration: Make, rows: int, bytes_: int
) -> None:
    serve(college, {"/courses": paged([{"id": n, "idnumber": n} for n in range(1100)], 500)})
    await sync.begin(make_integration(endpoints=MARKS, streams=STREAMS))
    sync.fetching = replace(sync.fetching, limits=Limits(pages=3, table_rows=rows, table_bytes=bytes_))
    await sync.go()
    end = sync.end("marks")
    assert (end.code, end.error_class) == ("table_too_large", "config")
    assert "'fields'" in end.public


async def test_a_run_that_prepares_says_what_it_reads_and_waits_as_a_walk_does(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    serve(college, courses_with_marks())
    await sync.begin(make_integration(endpoints=MARKS, streams=STREAMS))
    (first,) = sync.queue
    assert (first.data_type, first.table, first.data_types) == (None, "courses", (DataType.MARKS,))
    (second,) = await sync._deliver(first)
    preparing = (await sync.run()).preparing
    assert preparing is not None
    assert (preparing.table, preparing.pages, preparing.rows) == ("courses", 0, 0)
    before = (await sync.run()).progressed_at
    college.answer = lambda asked: college.json({}, 429, Retry_After="7200")
    with pytest.raises(RateLimited):
        await sync._deliver(second)
    run = await sync.run()
    assert run.preparing is not None
    assert (run.preparing.pages, run.preparing.rows) == (3, 6)
    assert run.progressed_at > before
    waiting = run.streams[DataType.MARKS].waiting
    assert waiting is not None
    assert (waiting.code, waiting.sequence) == ("rate_limited", 0)


async def test_a_table_that_is_whole_is_not_read_again_when_its_last_message_comes_back(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    serve(college, {"/courses": COURSES})
    await sync.begin(make_integration(endpoints=MARKS, streams=STREAMS))
    (first,) = sync.queue
    (started,) = await sync._deliver(first)
    asked = len(college.asked)
    serve(college, {"/courses": COURSES[:1]})
    assert await sync._deliver(first) == [started]
    assert len(college.asked) == asked


async def test_walks_tell_the_run_that_they_go_on_where_no_batch_does(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    serve(college, {"/courses": COURSES, **{f"/courses/{n}/marks": {"data": []} for n in range(1, 8)}})
    await sync.begin(make_integration(endpoints=MARKS, streams=STREAMS))
    (first,) = sync.queue
    (marks,) = await sync._deliver(first)
    before = (await sync.run()).progressed_at
    (second,) = await sync._deliver(marks)
    assert second.step == 1
    assert (await sync.run()).progressed_at > before


async def test_many_rows_with_a_page_each_are_asked_for_ahead(sync: Sync, college: Any, make_integration: Make) -> None:
    courses = [{"id": n, "idnumber": f"C{n}"} for n in range(60)]
    answers = {f"/courses/{n}/marks": {"data": marks_of(n, 1)} for n in range(60)}
    serve(college, {"/courses": courses, **answers})
    plain = college.answer

    async def slow(asked: Any) -> Any:
        await _turns(20)
        return plain(asked)

    college.answer = slow
    await sync.begin(make_integration(endpoints=MARKS, streams=STREAMS))
    sync.fetching = replace(sync.fetching, limits=Limits())
    await sync.go()
    assert len(sync.records("marks")) == 60
    assert college.most_at_once > 3
    assert len(college.asked) <= 62


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_transient_trouble_of_one_row_is_tried_again_and_loses_nothing(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    serve(college, courses_with_marks(**{"/courses/4/marks": 503}))
    await sync.begin(make_integration(endpoints=MARKS, streams=STREAMS))
    with pytest.raises(TransientError):
        await sync.go()
    serve(college, courses_with_marks())
    await sync.go()
    assert sync.records("marks") == ALL_MARKS
    assert sync.end("marks").complete


async def test_a_hundred_thousand_rows_of_a_parent_are_never_in_memory_together() -> None:
    pieces_of, total, read = 500, 100_000, 0

    async def read_pieces(first: int) -> AsyncIterator[Piece]:
        nonlocal read
        for number in range(first, total // pieces_of):
            read += 1
            yield Piece(number, [{"id": number * pieces_of + offset} for offset in range(pieces_of)])

    parents = Parents(Parent(stream="courses"), read_pieces)
    passed = most = 0
    await parents.fill(17)
    while (row := parents.present) is not None:
        assert row.values == {"id": passed}
        most = max(most, read * pieces_of - passed)
        parents.pass_on()
        passed += 1
        await parents.fill(17)
    assert passed == total
    assert most <= pieces_of + 17


async def test_a_walk_goes_on_with_the_row_that_it_stood_at(store: SqliteStore) -> None:
    tables, end = Tables(store), TableEnd(3, 9, complete=True)
    rows = [{"id": number} for number in range(9)]
    await tables.write("c", "r", "s", [Piece(number, rows[number * 3 : number * 3 + 3]) for number in range(3)])
    parents = Parents(
        Parent(stream="s"), lambda first: tables.pieces("c", "r", "s", end, first=first), piece=1, offset=2
    )
    await parents.fill(100)
    assert [row.values["id"] for row in (parents.present, *parents.following(99)) if row] == [5, 6, 7, 8]


async def test_look_ups_that_were_not_used_for_long_make_room_for_others() -> None:
    loads: list[str] = []

    def pieces(name: str) -> Callable[[], AsyncIterator[Piece]]:
        async def read() -> AsyncIterator[Piece]:
            loads.append(name)
            yield Piece(0, [{"id": number, "text": "x" * 100} for number in range(100)])

        return read

    lookups = Lookups(max_bytes=80_000)  # two of them
    for name in ("a", "b", "a", "c", "a", "b"):
        lookup = await lookups.get(("college", "run", name), "id", pieces(name))
        assert len(lookup.rows) == 100
    assert loads == ["a", "b", "c", "b"]
    assert len((await Lookups(max_bytes=1).get(("k",), "id", pieces("d"))).rows) == 100


async def test_the_same_request_for_two_rows_is_made_for_each(sync: Sync, college: Any, make_integration: Make) -> None:
    serve(college, courses_with_marks(**{"/courses": [COURSES[0], COURSES[0], COURSES[1]]}))
    await sync.begin(make_integration(endpoints=MARKS, streams=STREAMS))
    await sync.go()
    of_first, of_second = ALL_MARKS[:5], ALL_MARKS[5:10]
    assert sync.records("marks") == [*of_first, *of_first, *of_second]
    assert sync.end("marks").complete


async def test_an_integration_that_is_changed_while_a_table_is_read_fails_what_waits_for_it(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    serve(college, courses_with_marks())
    await sync.begin(make_integration(endpoints=MARKS, streams=STREAMS))
    (first,) = sync.queue
    (second,) = await sync._deliver(first)
    changed = make_integration(
        endpoints=MARKS, streams={"courses": {**STREAMS["courses"], "params": {"active": 1}}}
    ).settings
    await sync.fetching.integrations.change(
        "college-1", "integration-1", lambda stored: stored.model_copy(update={"settings": changed})
    )
    sync.queue = [second]
    await sync.go()
    assert (sync.end("marks").code, sync.end("marks").batches) == ("endpoint_changed", 0)
    assert (await sync.run()).preparing is None


async def test_a_record_that_is_too_large_counts_no_batch_that_was_not_sent(
    sync: Sync, college: Any, make_integration: Make
) -> None:
    rows = [*({"id": number} for number in range(600)), {"id": 600, "text": "x" * 600_000}]
    serve(college, {"/rows": {"data": rows}})
    await sync.begin(make_integration(endpoints={"students": {"path": "/rows", "pagination": {"type": "none"}}}))
    await sync.go()
    assert (sync.end("students").code, sync.end("students").batches) == ("record_too_large", 0)
