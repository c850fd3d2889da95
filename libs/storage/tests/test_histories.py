"""Logs, rejects and the audit trail: newest first, stable under additions, repetitions ignored."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from hub_model.counts import Counts
from hub_model.errors import InvalidInput
from hub_model.logs import AuditEntry, LogEntry, LogLevel, RejectedRecord
from hub_model.records import DataType
from hub_storage.repositories import Audit, Logs, Page, Rejects
from hub_storage.store import Store


def a_line(now: datetime, line_id: str, **fields: object) -> LogEntry:
    values = {"level": LogLevel.INFO, "event": "sync.finished", "message": "Done.", **fields}
    return LogEntry.model_validate({"id": line_id, "college_id": "c1", "integration_id": "i1", "at": now, **values})


def a_reject(now: datetime, reject_id: str, **fields: object) -> RejectedRecord:
    values = {"integration_id": "i1", "run_id": "r1", "data_type": "students", "raw": {"a.b": [1, None]}, **fields}
    return RejectedRecord.model_validate(
        {"id": reject_id, "college_id": "c1", "issues": [{"field": "name"}], "mapping_version": 1, "at": now, **values}
    )


def an_entry(now: datetime, entry_id: str, **fields: object) -> AuditEntry:
    values = {"actor": "p", "role": "principal", "action": "integration.created", "target": "i1", **fields}
    return AuditEntry.model_validate({"id": entry_id, "college_id": "c1", "at": now, **values})


async def walk(page_after: Callable[[str | None], Awaitable[Page]]) -> list[str]:
    """The ids on all pages."""
    seen: list[str] = []
    cursor = None
    for _ in range(50):
        page = await page_after(cursor)
        seen += [item.id for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return seen
    raise AssertionError("the walk does not end")


async def test_log_entries_are_read_back_as_they_were(store: Store, now: datetime) -> None:
    logs = Logs(store)
    entry = a_line(
        now, "l1", run_id="r1", data_type=DataType.MARKS, counts=Counts(fetched=1, inserted=1), code="x", level="error"
    )
    await logs.add(entry)
    assert (await logs.page("c1", "i1")).items == [entry]


async def test_the_log_is_newest_first_and_stays_so_while_lines_are_added(store: Store, now: datetime) -> None:
    logs = Logs(store)
    # Several lines share an instant, as those of one batch do.
    await logs.add(*(a_line(now + timedelta(seconds=n // 3), f"l{n:02}") for n in range(20)))
    pages = 0

    async def page_after(cursor: str | None) -> Page[LogEntry]:
        nonlocal pages
        pages += 1
        page = await logs.page("c1", "i1", limit=7, cursor=cursor)
        await logs.add(a_line(now + timedelta(hours=1), f"new {pages}"))
        return page

    assert await walk(page_after) == [f"l{n:02}" for n in range(19, -1, -1)]


async def test_the_log_is_filtered_by_level_and_run(store: Store, now: datetime) -> None:
    logs = Logs(store)
    for number in range(8):
        level = LogLevel.ERROR if number % 2 else LogLevel.INFO
        await logs.add(a_line(now + timedelta(seconds=number), f"l{number}", level=level, run_id=f"r{number // 4}"))
    errors = await walk(lambda cursor: logs.page("c1", "i1", level=LogLevel.ERROR, limit=3, cursor=cursor))
    assert errors == ["l7", "l5", "l3", "l1"]
    assert await walk(lambda cursor: logs.page("c1", "i1", run_id="r0", limit=3, cursor=cursor)) == [
        "l3",
        "l2",
        "l1",
        "l0",
    ]
    both = await logs.page("c1", "i1", level=LogLevel.ERROR, run_id="r0")
    assert [entry.id for entry in both.items] == ["l3", "l1"]


async def test_a_line_that_is_logged_again_is_ignored(store: Store, now: datetime) -> None:
    logs = Logs(store)
    await logs.add(a_line(now, "l1"), a_line(now, "l2"))
    await logs.add(a_line(now, "l1", message="Again."), a_line(now, "l3"))
    entries = (await logs.page("c1", "i1")).items
    assert [(entry.id, entry.message) for entry in entries] == [("l3", "Done."), ("l2", "Done."), ("l1", "Done.")]
    await logs.add()


async def test_rejects_are_kept_raw_and_counted_once(store: Store, now: datetime) -> None:
    rejects = Rejects(store)
    records = [a_reject(now, f"x{n}") for n in range(5)]
    await rejects.add(records)
    await rejects.add(records)
    await rejects.add([])
    assert (await rejects.page("c1")).items == records[::-1]
    assert await rejects.count("c1", "i1") == 5
    assert await rejects.count("c1", "i2") == 0


async def test_rejects_are_filtered_by_integration_run_and_type(store: Store, now: datetime) -> None:
    rejects = Rejects(store)
    await rejects.add(
        [
            a_reject(now, "a"),
            a_reject(now, "b", integration_id="i2", run_id="r2"),
            a_reject(now, "c", data_type="marks"),
            a_reject(now, "d", integration_id="i2", run_id="r3", data_type="marks"),
        ]
    )
    everything = await walk(lambda cursor: rejects.page("c1", limit=1, cursor=cursor))
    assert everything == ["d", "c", "b", "a"]
    assert [r.id for r in (await rejects.page("c1", integration_id="i2")).items] == ["d", "b"]
    assert [r.id for r in (await rejects.page("c1", run_id="r1")).items] == ["c", "a"]
    assert [r.id for r in (await rejects.page("c1", data_type=DataType.MARKS)).items] == ["d", "c"]
    narrow = await rejects.page("c1", integration_id="i1", run_id="r1", data_type=DataType.MARKS)
    assert [r.id for r in narrow.items] == ["c"]


async def test_the_audit_trail_is_newest_first_and_found_by_target(store: Store, now: datetime) -> None:
    audit = Audit(store)
    for number in range(6):
        entry = an_entry(now + timedelta(seconds=number), f"a{number}", target=f"i{number % 2}")
        await audit.add(entry)
        await audit.add(entry.model_copy(update={"actor": "someone else"}))
    assert await walk(lambda cursor: audit.page("c1", limit=4, cursor=cursor)) == [f"a{n}" for n in range(5, -1, -1)]
    of_target = await audit.page("c1", target="i1")
    assert [entry.id for entry in of_target.items] == ["a5", "a3", "a1"]
    assert {entry.actor for entry in of_target.items} == {"p"}


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "!!!!", "bm9uc2Vuc2U", "W10", "WzEsMiwzXQ", "e30", "a" * 5000, "ü", "AAAA\n", "W251bGwsMSwiYSJd"],
)
async def test_a_bad_cursor_is_refused_and_points_at_itself(store: Store, cursor: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await Logs(store).page("c1", "i1", cursor=cursor)
    assert [issue.pointer for issue in caught.value.issues] == ["/cursor"]


async def test_a_cursor_of_another_list_college_or_filter_is_refused(store: Store, now: datetime) -> None:
    logs, rejects = Logs(store), Rejects(store)
    await logs.add(*(a_line(now, f"l{n}") for n in range(3)))
    await rejects.add([a_reject(now, f"x{n}") for n in range(3)])
    cursor = (await logs.page("c1", "i1", limit=1)).next_cursor
    for call in (
        logs.page("c2", "i1", cursor=cursor),
        logs.page("c1", "i2", cursor=cursor),
        logs.page("c1", "i1", level=LogLevel.INFO, cursor=cursor),
        rejects.page("c1", integration_id="i1", cursor=cursor),
        Audit(store).page("c1", cursor=cursor),
    ):
        with pytest.raises(InvalidInput, match="not a cursor of this list"):
            await call
    assert cursor is not None
    for damaged in (cursor + "!!!!", cursor[:4] + "\n\n\n\n" + cursor[4:], cursor[:-4]):
        with pytest.raises(InvalidInput):
            await logs.page("c1", "i1", cursor=damaged)
    assert len((await logs.page("c1", "i1", limit=9, cursor=cursor)).items) == 2


@pytest.mark.parametrize("limit", [0, -1, 501])
async def test_a_page_holds_between_1_and_500_items(store: Store, limit: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        await Logs(store).page("c1", "i1", limit=limit)
    assert [issue.pointer for issue in caught.value.issues] == ["/limit"]


async def test_a_page_that_ends_with_the_list_has_no_next(store: Store, now: datetime) -> None:
    logs = Logs(store)
    await logs.add(*(a_line(now, f"l{n}") for n in range(4)))
    assert (await logs.page("c1", "i1", limit=4)).next_cursor is None
    assert (await logs.page("c1", "i1", limit=3)).next_cursor is not None
