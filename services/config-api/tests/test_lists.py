"""Lists: pages, filters, and what their items show."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hub_model.base import format_datetime
from hub_model.counts import Counts
from hub_model.errors import ErrorClass
from hub_model.logs import LogEntry, LogLevel, RejectedRecord
from hub_model.messages import SyncFailed, Trigger
from hub_model.records import DataType, RecordWrite
from hub_model.rivals import Losses
from hub_model.run_transitions import add_losses, fail, prepare, wait
from hub_model.runs import Preparing, new_run
from hub_model.waiting import Waiting
from hub_storage.records import MergeBatch
from hub_storage.repositories import Logs, Rejects, Runs


async def walk(hub: Any, path: str, **params: Any) -> list[list[Any]]:
    """Every page of a list."""
    pages: list[list[Any]] = []
    cursor: str | None = None
    while cursor is not None or not pages:
        page = await hub.get(path, params={**params, **({"cursor": cursor} if cursor else {})})
        pages.append(page["items"])
        cursor = page["nextCursor"]
    return pages


async def test_a_list_is_walked_by_its_cursor(hub: Any) -> None:
    made = [(await hub.create(name=f"Integration {n}"))["id"] for n in range(5)]
    pages = await walk(hub, "/api/integrations", limit=2)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [item["id"] for page in pages for item in page] == made


async def test_a_cursor_is_good_for_its_own_list_and_college(hub: Any) -> None:
    for n in range(3):
        await hub.create(name=f"Integration {n}")
    cursor = (await hub.get("/api/integrations", params={"limit": 1}))["nextCursor"]
    assert (await hub.call("GET", "/api/audit", params={"cursor": cursor})).status_code == 422
    foreign = await hub.call("GET", "/api/integrations", params={"cursor": cursor}, college_id=hub.other_college)
    assert foreign.status_code == 422


async def add_logs(hub: Any, integration_id: str, levels: Sequence[LogLevel]) -> None:
    now = hub.clock()
    await Logs(hub.store).add(
        *(
            LogEntry(
                id=f"log-{n}",
                college_id=hub.college_id,
                integration_id=integration_id,
                at=now + timedelta(seconds=n),
                level=level,
                event="sync.finished",
                message=f"Line {n}.",
                run_id=f"run-{n % 2}",
                counts=Counts(fetched=n, inserted=n),
            )
            for n, level in enumerate(levels)
        )
    )


async def test_the_log_is_newest_first_and_filtered(hub: Any) -> None:
    made = await hub.create()
    path = f"/api/integrations/{made['id']}/logs"
    await add_logs(hub, made["id"], [LogLevel.INFO, LogLevel.ERROR, LogLevel.INFO, LogLevel.ERROR])
    lines = [line for page in await walk(hub, path, limit=3) for line in page]
    assert [line["message"] for line in lines] == ["Line 3.", "Line 2.", "Line 1.", "Line 0."]
    assert lines[0]["counts"]["inserted"] == 3
    errors = (await hub.get(path, params={"level": "error"}))["items"]
    assert [line["message"] for line in errors] == ["Line 3.", "Line 1."]
    of_run = (await hub.get(path, params={"runId": "run-0"}))["items"]
    assert [line["message"] for line in of_run] == ["Line 2.", "Line 0."]
    assert (await hub.call("GET", path, params={"level": "loud"})).status_code == 422


async def test_runs_are_newest_first_and_show_no_operators_details(hub: Any) -> None:
    made = await hub.create()
    for n in range(3):
        run = new_run(
            run_id=f"run-{n}",
            college_id=hub.college_id,
            integration_id=made["id"],
            trigger=Trigger.INTERVAL,
            data_types=(DataType.MARKS,),
            now=hub.clock() + timedelta(seconds=n),
        )
        failure = SyncFailed(
            college_id=hub.college_id,
            integration_id=made["id"],
            run_id=run.id,
            stage="fetch",
            error_class=ErrorClass.AUTH,
            code="credentials_refused",
            public="The key was refused.",
            detail="canary for operators",
            batches=0,
            failed_at=hub.clock(),
        )
        await Runs(hub.store).add(fail(run, failure))
    path = f"/api/integrations/{made['id']}/runs"
    runs = [run for page in await walk(hub, path, limit=2) for run in page]
    assert [run["id"] for run in runs] == ["run-2", "run-1", "run-0"]
    assert runs[0]["failure"] == {
        "errorClass": "auth",
        "code": "credentials_refused",
        "stage": "fetch",
        "message": "The key was refused.",
    }
    assert runs[0]["streams"]["marks"]["status"] == "failed"
    assert "canary" not in str(runs)


async def test_a_run_says_which_of_its_streams_waits_for_the_source_and_until_when(hub: Any) -> None:
    made = await hub.create()
    run = new_run(
        run_id="run-that-waits",
        college_id=hub.college_id,
        integration_id=made["id"],
        trigger=Trigger.INTERVAL,
        data_types=(DataType.MARKS, DataType.STUDENTS),
        now=hub.clock(),
    )
    waiting = Waiting(
        since=hub.clock(),
        until=hub.clock() + timedelta(hours=6),
        sequence=3,
        code="rate_limited",
        public="The source limits how often it may be asked.",
    )
    await Runs(hub.store).add(wait(run, DataType.MARKS, waiting))
    streams = (await hub.get(f"/api/integrations/{made['id']}/runs/{run.id}"))["streams"]
    assert streams["marks"]["waiting"] == {
        "since": format_datetime(waiting.since),
        "until": format_datetime(waiting.since + timedelta(hours=6)),
        "code": "rate_limited",
        "message": "The source limits how often it may be asked.",
    }
    assert streams["students"]["waiting"] is None


async def test_a_run_says_what_may_have_been_lost(hub: Any) -> None:
    made = await hub.create()
    run = new_run(
        run_id="run-in-doubt",
        college_id=hub.college_id,
        integration_id=made["id"],
        trigger=Trigger.INTERVAL,
        data_types=(DataType.MARKS,),
        now=hub.clock(),
    )
    await Runs(hub.store).add(add_losses(run, DataType.MARKS, Losses(undecided=3)))
    (said,) = (await hub.get(f"/api/integrations/{made['id']}/runs/{run.id}"))["streams"]["marks"]["warnings"]
    assert "at another time: 3." in said
    assert "Map 'sourceId'" in said


async def test_a_run_says_which_stream_it_reads_for_others_and_how_far_it_is(hub: Any) -> None:
    made = await hub.create()
    run = new_run(
        run_id="run-that-prepares",
        college_id=hub.college_id,
        integration_id=made["id"],
        trigger=Trigger.INTERVAL,
        data_types=(DataType.MARKS,),
        now=hub.clock(),
    )
    await Runs(hub.store).add(
        prepare(run, (DataType.MARKS,), Preparing(table="courses", pages=3, rows=60), hub.clock())
    )
    url = f"/api/integrations/{made['id']}/runs/{run.id}"
    assert (await hub.get(url))["preparing"] == {"stream": "courses", "pages": 3, "rows": 60}
    await Runs(hub.store).change(hub.college_id, run.id, lambda run: prepare(run, (), None, hub.clock()))
    assert (await hub.get(url))["preparing"] is None


async def test_rejects_show_the_raw_record_and_every_reason(hub: Any) -> None:
    made = await hub.create()
    await Rejects(hub.store).add(
        [
            RejectedRecord(
                id=f"reject-{n}",
                college_id=hub.college_id,
                integration_id=made["id"],
                run_id=f"run-{n}",
                data_type=data_type,
                raw={"roll": n},
                issues=[{"pointer": "/date", "code": "missing", "message": "There is no date."}],
                mapping_version=1,
                at=hub.clock() + timedelta(seconds=n),
            )
            for n, data_type in enumerate([DataType.MARKS, DataType.ATTENDANCE])
        ]
    )
    path = f"/api/integrations/{made['id']}/rejects"
    items = (await hub.get(path))["items"]
    assert [item["raw"] for item in items] == [{"roll": 1}, {"roll": 0}]
    assert items[0]["issues"][0]["message"] == "There is no date."
    for params in ({"runId": "run-0"}, {"dataType": "marks"}):
        assert [item["id"] for item in (await hub.get(path, params=params))["items"]] == ["reject-0"]


async def merge(
    hub: Any,
    rows: Sequence[dict[str, Any]],
    *,
    batch: str = "b1",
    college_id: str | None = None,
    is_partial: bool = False,
    integration: str = "i1",
) -> None:
    college_id = college_id or hub.college_id
    await hub.store.records.merge(
        MergeBatch(
            id=f"{college_id}-{batch}",
            college_id=college_id,
            data_type=DataType.ATTENDANCE,
            integration_id=integration,
            run_id="r1",
            writes=[
                RecordWrite(
                    key=f'["{row["studentId"]}","{row["date"]}"]',
                    data=row,
                    content_hash=str(row),
                    version=hub.clock(),
                    source_id=f"{row['studentId']} {row['date']}",
                    deleted=row.get("attendance") == "gone",
                )
                for row in rows
            ],
            merged_at=hub.clock(),
            is_partial=is_partial,
        )
    )


def row(student: int, day: int, attendance: str = "present") -> dict[str, Any]:
    return {"studentId": f"CS{student}", "date": f"2026-07-{day:02}", "attendance": attendance}


async def test_records_are_walked_in_the_order_of_their_keys(hub: Any) -> None:
    await merge(hub, [row(student, day) for student in (2, 1) for day in (1, 2)])
    pages = await walk(hub, "/api/records/attendance", limit=3)
    assert [len(page) for page in pages] == [3, 1]
    items = [item for page in pages for item in page]
    assert [item["data"]["studentId"] for item in items] == ["CS1", "CS1", "CS2", "CS2"]
    assert items[0]["sources"][0]["integrationId"] == "i1"
    assert (await hub.get("/api/records/students"))["items"] == []


async def test_a_record_of_two_integrations_shows_which_of_them_said_what(hub: Any) -> None:
    await merge(hub, [row(1, 1)])
    assert (await hub.get("/api/records/attendance"))["items"][0]["sources"][0]["holds"] is None
    await merge(hub, [{**row(1, 1, "absent"), "externalIds": {"lms": "7"}}], batch="b2", integration="i2")
    (item,) = (await hub.get("/api/records/attendance"))["items"]
    assert {source["integrationId"]: source["holds"] for source in item["sources"]} == {
        "i1": ["date", "studentId"],
        "i2": ["attendance", "date", "externalIds.lms", "studentId"],
    }


async def test_a_record_shows_the_newest_version_of_its_fields_whether_polled_or_pushed(hub: Any) -> None:
    async def version() -> str:
        (item,) = (await hub.get("/api/records/attendance"))["items"]
        return str(item["sources"][0]["version"])

    times = []
    for number, is_partial in enumerate([True, False, True]):
        hub.clock.advance(seconds=60)
        await merge(hub, [row(1, 1, f"{number}")], batch=f"b{number}", is_partial=is_partial)
        times.append(format_datetime(hub.clock()))
        assert await version() == times[-1]
    assert len(set(times)) == 3


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"studentId": "CS1"}, 2),
        ({"date": "2026-07-02"}, 2),
        ({"studentId": "CS1", "date": "2026-07-02"}, 1),
        ({"studentId": "CS9"}, 0),
    ],
)
async def test_records_are_filtered(hub: Any, params: dict[str, str], expected: int) -> None:
    await merge(hub, [row(student, day) for student in (2, 1) for day in (1, 2)])
    assert len((await hub.get("/api/records/attendance", params=params))["items"]) == expected


async def test_records_that_changed_since_are_found(hub: Any) -> None:
    await merge(hub, [row(1, 1), row(2, 1)])
    hub.clock.advance(hours=1)
    since = hub.clock().isoformat()
    assert (await hub.get("/api/records/attendance", params={"updatedSince": since}))["items"] == []
    await merge(hub, [row(2, 1, "absent")], batch="b2")
    [item] = (await hub.get("/api/records/attendance", params={"updatedSince": since}))["items"]
    assert item["data"] == row(2, 1, "absent")


async def test_deleted_records_are_shown_on_request(hub: Any) -> None:
    await merge(hub, [row(1, 1), row(2, 1)])
    hub.clock.advance(hours=1)
    await merge(hub, [row(2, 1, "gone")], batch="b2")
    assert len((await hub.get("/api/records/attendance"))["items"]) == 1
    items = (await hub.get("/api/records/attendance", params={"includeDeleted": True}))["items"]
    assert [item["deleted"] for item in items] == [False, True]


async def test_records_of_another_college_are_not_shown(hub: Any) -> None:
    await merge(hub, [row(1, 1)], college_id=hub.other_college)
    assert (await hub.get("/api/records/attendance"))["items"] == []
    assert len((await hub.get("/api/records/attendance", college_id=hub.other_college))["items"]) == 1


async def test_a_records_cursor_is_good_for_its_own_question(hub: Any) -> None:
    await merge(hub, [row(student, day) for student in (2, 1) for day in (1, 2)])
    cursor = (await hub.get("/api/records/attendance", params={"limit": 1}))["nextCursor"]
    for path, params in (("/api/records/marks", {}), ("/api/records/attendance", {"studentId": "CS1"})):
        response = await hub.call("GET", path, params={**params, "cursor": cursor})
        assert (response.status_code, response.json()["errors"][0]["code"]) == (422, "bad_cursor")


async def test_the_audit_trail_is_filtered_by_its_target(hub: Any) -> None:
    first, second = await hub.create(), await hub.create(name="Second")
    assert [entry["target"] for entry in await hub.audit(target=second["id"])] == [second["id"]]
    assert [entry["target"] for entry in await hub.audit()] == [second["id"], first["id"]]
