"""Random systems with random faults, read through the whole engine: a run that succeeded has stored all there was.

Fetcher, transformer, writer and store are the real ones; only the broker is a list, which batches leave in any order.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
from hub_fetcher.fetching import Fetching
from hub_fetcher.handlers import fetch_pages, start_sync
from hub_fetcher.opening import Opener
from hub_fetcher.planning import Planner
from hub_fetcher.walking.joins import Lookups
from hub_fetcher.walking.reading import Limits
from hub_messaging.handling import Context
from hub_model import runs
from hub_model.base import parse_datetime
from hub_model.errors import RateLimited, TransientError
from hub_model.integrations import Integration
from hub_model.messages import (
    BatchFetched,
    BatchTransformed,
    BatchWritten,
    Message,
    PageRequested,
    StreamFinished,
    SyncFailed,
    SyncRequested,
    Trigger,
    failure_of,
)
from hub_model.records import DataType
from hub_model.runs import Run, RunStatus
from hub_storage.records import RecordQuery
from hub_storage.repositories import Chains, Integrations, Runs, StreamStates, Tables
from hub_transformer.handlers import transform_batch
from hub_transformer.mappings import Mappings
from hub_writer.handlers import Backend, record_progress, write_batch

SEEDS = int(os.environ.get("HUB_RANDOM_COLLEGES", "150"))
IDS: dict[str, Any] = {"college_id": "college-1", "integration_id": "integration-1", "run_id": "run-1"}
STUDENTS = DataType.STUDENTS
_MOST_TRIES = 25


Json = dict[str, Any]


class Shape(StrEnum):
    """How a college's students are reached."""

    PLAIN = "plain"
    PARENT = "parent"
    EXPLODE = "explode"
    GROUP = "group"


class Trouble(StrEnum):
    """What may go wrong with an answer. The first few pass by; the others stay."""

    CRASH = "crash"
    CUT = "cut"
    WEB_PAGE = "web page"
    BUSY = "busy"
    GONE = "gone"
    REFUSED = "refused"
    RENAMED = "renamed"
    NULL = "null"
    HALF = "half"
    LOOP = "loop"
    HOLLOW = "hollow"


PASSING = (Trouble.CRASH, Trouble.CUT, Trouble.WEB_PAGE, Trouble.BUSY)
LASTING = tuple(trouble for trouble in Trouble if trouble not in PASSING)
PAGING = ("none", "page", "offset", "cursor", "next_url", "link_header", "auto")


@dataclass
class College:
    """What the dice gave: courses with their students, one way to page for each path, troubles by path and page."""

    seed: int
    rng: random.Random = field(init=False)
    courses: dict[str, list[Json]] = field(init=False)
    shape: Shape = field(init=False)
    has_twin: bool = field(init=False)
    has_times: bool = field(init=False)
    troubles: dict[tuple[str, int], Trouble] = field(default_factory=dict)
    asked: Counter[tuple[str, int]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.shape = self.rng.choice(list(Shape))
        self.courses = {
            f"c{number}": [
                {
                    "id": f"c{number}-s{student}",
                    "name": f"Student {student}",
                    "course": f"c{number}",
                    "at": "2025-01-01",
                }
                for student in range(self.rng.choice([0, 1, 2, 3, 7, 20]))
            ]
            for number in range(self.rng.choice([0, 1, 3, 6]))
        }
        self.has_total = self.rng.random() < 0.5
        self.joins = self.rng.random() < 0.4
        self.size = self.rng.choice([1, 2, 3, 5, 50])
        self.most = self.rng.choice([2, 4, 100])
        self.paging = {path: self.rng.choice(PAGING) for path in ("/students", "/courses", "/of", "/names")}
        self.has_times = False
        self.has_twin = self.shape is not Shape.GROUP and bool(self.students) and self.rng.random() < 0.25
        if self.has_twin:
            # What cannot be told apart from another: in a group it would be meant.
            students = self.rng.choice(list(self.courses.values()))
            twin = {**self.rng.choice(self.students), "name": "Somebody else"}
            if self.rng.random() < 0.5:
                # Of another time it may be a later state of the same row.
                self.has_times = True
                twin["at"] = self.rng.choice(["2024-12-31", "2025-01-02"])
            students.insert(self.rng.randint(0, len(students)), twin)
        for _ in range(self.rng.choice([0, 0, 1, 2, 5])):
            self._trouble(self.rng.choice(PASSING))
        if self.rng.random() < 0.5:
            self._trouble(self.rng.choice(LASTING))

    def _trouble(self, trouble: Trouble) -> None:
        paths = ["/students", "/courses", "/names", *(f"/courses/{course}/students" for course in self.courses)]
        self.troubles[self.rng.choice(paths), self.rng.choice([0, 0, 1, 2])] = trouble

    @property
    def students(self) -> list[Json]:
        return [student for students in self.courses.values() for student in students]

    def draft(self) -> Json:
        """The endpoints and streams that read it."""
        mapping: Json = {"rules": [{"to": "studentId", "from": "id"}, {"to": "name", "from": "name"}], "only": True}
        if self.has_times:
            mapping["updatedAt"] = {"to": "updatedAt", "from": "at"}
        join = {"stream": "names", "left": "id", "right": "id", "as": "known", "required": True}
        streams: Json = {"names": self._at("/names")} if self.joins else {}
        match self.shape:
            case Shape.PLAIN:
                endpoint = self._at("/students")
            case Shape.PARENT:
                streams["courses"] = self._at("/courses")
                endpoint = {**self._at("/of"), "path": "/courses/{{ parent.id }}/students"}
                endpoint["parent"] = {"stream": "courses", "include": {"course": "id"}}
            case Shape.EXPLODE:
                endpoint = {**self._at("/courses"), "explode": [{"path": "students", "as": "student"}]}
                endpoint["fields"] = {"id": "student.id", "name": "student.name", "at": "student.at"}
                join["left"] = "student.id"
            case Shape.GROUP:
                streams["rows"] = self._at("/students")
                endpoint = {"source": "rows", "derive": {"type": "group", "by": "id", "collect": {"of": "course"}}}
        if self.joins:
            endpoint["joins"] = [join]
        return {"endpoints": {"students": {**endpoint, "mapping": mapping}}, "streams": streams}

    def _at(self, path: str) -> Json:
        kind = self.paging[path]
        sized = {"sizeParam": "limit", "pageSize": self.size} if kind not in ("none", "auto") else {}
        own = {"cursor": {"cursorPath": "next"}, "next_url": {"nextUrlPath": "next"}}.get(kind, {})
        return {"path": path, "recordsPath": "data", "pagination": {"type": kind, **sized, **own}}

    def answer(self, path: str, query: dict[str, str], url: str) -> tuple[int, dict[str, str], bytes, int]:
        """Status, headers, body, and how much of its end to leave out."""
        kind = self.paging["/of" if path.endswith("/students") and path != "/students" else path]
        rows = self._rows(path)
        if rows is None:
            return 404, {}, b"{}", 0
        size = min(self.most, int(query.get("limit", self.size))) if kind != "none" else len(rows) or 1
        if kind == "offset":
            start = int(query.get("offset", 0))
        elif kind in ("page", "auto"):
            start = (int(query.get("page", 1)) - 1) * size
        else:
            start = int(query.get("cursor", query.get("at", 0)))
        number = start // size
        trouble = self.troubles.get((path, number))
        self.asked[path, number] += 1
        if trouble in PASSING and self.asked[path, number] > 1:
            trouble = None
        if trouble is Trouble.LOOP and start:
            start = 0
        return self._said(path, kind, rows, start, size, url, trouble)

    def _rows(self, path: str) -> list[Json] | None:
        match path.split("/")[1:]:
            case ["students"]:
                return self.students
            case ["names"]:
                return [{"id": student, "nick": "x"} for student in dict.fromkeys(row["id"] for row in self.students)]
            case ["courses"]:
                return [{"id": course, "students": students} for course, students in self.courses.items()]
            case ["courses", course, "students"]:
                return self.courses.get(course)
            case _:
                return None

    def _said(
        self, path: str, kind: str, rows: list[Json], start: int, size: int, url: str, trouble: Trouble | None
    ) -> tuple[int, dict[str, str], bytes, int]:
        data = rows[start : start + size]
        following = start + size if start + size < len(rows) else None
        headers = {"Content-Type": "application/json"}
        body: Json = {"data": data}
        if kind == "auto":
            body["pagination"] = {"page": start // size + 1, "limit": size, "total": len(rows)}
        elif self.has_total and kind != "none":
            body["total"] = len(rows)
        if kind in ("cursor", "next_url", "link_header"):
            link = f"{path}?at={following}" if kind == "next_url" else f"{url}{path}?at={following}"
            body["next"] = None if following is None else following if kind == "cursor" else link
            if kind == "link_header":
                link = url + path if following is None else link
                headers["Link"] = f'<{link}>; rel="{"first" if following is None else "next"}"'
                del body["next"]
        match trouble:
            case Trouble.CRASH:
                return 500, {}, b"oops", 0
            case Trouble.BUSY:
                return 429, {"Retry-After": "1"}, b"", 0
            case Trouble.WEB_PAGE:
                return 200, {"Content-Type": "text/html"}, b"<html><body>Maintenance, back soon</body></html>", 0
            case Trouble.GONE:
                return 404, headers, b"{}", 0
            case Trouble.REFUSED:
                return 200, headers, b'{"success": false, "message": "no such thing today", "data": []}', 0
            case Trouble.RENAMED:
                body["rows"] = body.pop("data")
            case Trouble.NULL:
                body["data"] = None
            case Trouble.HALF:
                whole = orjson.dumps(body)
                return 200, headers, whole[: len(whole) // 2], 0
            case Trouble.HOLLOW if "total" in body or "pagination" in body:
                body["data"] = []  # without its total nobody could tell
            case _:
                pass
        whole = orjson.dumps(body)
        return 200, headers, whole, 7 if trouble is Trouble.CUT else 0


class Engine:
    """One run from its request to its end."""

    def __init__(self, store: Any, sources: Any, sleeps: list[float], rng: random.Random) -> None:
        tables, integrations, run_documents = Tables(store), Integrations(store), Runs(store)
        clock = sources.transport.clock
        self._store, self._sleeps, self._rng = store, sleeps, rng
        self.clock = clock
        self.fetching = Fetching(
            integrations=integrations,
            runs=run_documents,
            chains=Chains(store),
            tables=tables,
            opener=Opener(sources, tables, Lookups(max_bytes=10_000_000)),
            planner=Planner(sources, StreamStates(store), clock),
            limits=Limits(pages=3),
            clock=clock,
            monotonic=time.monotonic,
        )
        self._mappings = Mappings(integrations, clock=clock, ttl_s=30, size=10)
        self._backend = Backend.over(store, clock)

    async def sync(self, integration: Integration) -> Run:
        await self.fetching.integrations.add(integration)
        run = runs.new_run(**IDS, trigger=Trigger.MANUAL, data_types=(STUDENTS,), now=self.clock())
        await self.fetching.runs.add(run)
        request = SyncRequested(**IDS, trigger=Trigger.MANUAL, data_types=(STUDENTS,), requested_at=self.clock())
        queue: list[Message] = list(await start_sync(request, _context("sync"), hub=self.fetching))
        tries: dict[str, int] = {}
        while queue:
            message = queue.pop(self._next_of(queue))
            try:
                queue += await self._handle(message)
            except TransientError as error:
                tries[message.message_id] = tries.get(message.message_id, 0) + 1
                if tries[message.message_id] > _MOST_TRIES and not isinstance(error, RateLimited):
                    # As the broker's policy has it: the message is given up, and the run is told.
                    queue.append(failure_of(message, stage="fetch", error=error, now=self.clock()))
                    continue
                self._sleeps.append(max(1.0, error.retry_after_s or 1.0))
                queue.insert(0, message)
            assert sum(tries.values()) < 300
        return await self.fetching.runs.get("college-1", "run-1")

    def _next_of(self, queue: Sequence[Message]) -> int:
        """The first message, or any of the batches that wait."""
        batches = [index for index, message in enumerate(queue) if isinstance(message, BatchTransformed)]
        return self._rng.choice([0, *batches])

    async def _handle(self, message: Message) -> Sequence[Message]:
        context = _context(message.message_id)
        match message:
            case PageRequested():
                written = PageRequested.model_validate_json(message.model_dump_json())
                async with aclosing(fetch_pages(written, context, hub=self.fetching)) as given:
                    return [output async for output in given]
            case BatchFetched():
                return await transform_batch(message, context, mappings=self._mappings)
            case BatchTransformed():
                return await write_batch(message, context, backend=self._backend)
            case BatchWritten() | StreamFinished() | SyncFailed():
                return await record_progress(message, context, backend=self._backend)
            case _:
                return []

    async def stored(self) -> set[tuple[str, str]]:
        """Who is stored, by id and name."""
        found, after = set(), None
        while True:
            page = await self._store.records.find("college-1", STUDENTS, RecordQuery({}, limit=500, after=after))
            found |= {(record.data["studentId"], record.data["name"]) for record in page}
            if len(page) < 500:
                return found
            after = page[-1].key


def _context(copy_id: str) -> Context:
    return Context("m", copy_id, 1, parse_datetime("2026-01-15T10:00:00.000000Z"))


def serve(college: Any, system: College) -> None:
    def answer(asked: Any) -> Any:
        parts = urlsplit(asked.target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        status, headers, body, cut = system.answer(parts.path, query, college.url)
        return type(college.json({}))(body, status, headers, cut)

    college.answer = answer


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_a_run_that_succeeded_has_stored_all_that_the_source_serves(
    seed: int, college: Any, make_integration: Any, store: Any, sources: Any, sleeps: list[float]
) -> None:
    system = College(seed)
    serve(college, system)
    engine = Engine(store, sources, sleeps, system.rng)
    run = await engine.sync(make_integration(**system.draft()))
    stored, served = await engine.stored(), {(student["id"], student["name"]) for student in system.students}
    assert run.status.is_final, "every run ends"
    assert stored <= served, "nothing is stored that the source does not have"
    (stream,) = run.streams.values()
    if run.status is RunStatus.SUCCEEDED:
        assert stored == served, "a run that succeeded has it all"
    else:
        assert stream.failure is not None or stream.doubts, "what is missing is said"
    met = {trouble for place, trouble in system.troubles.items() if system.asked[place]}
    if met <= set(PASSING):
        whole = RunStatus.PARTIAL if system.has_twin else RunStatus.SUCCEEDED
        assert run.status is whole, f"what passes by leaves no trace: {run.streams}"
    assert run.finished_at is None or run.finished_at - run.created_at < timedelta(hours=2)
