"""Rows of one key that say different things in different batches of a run: the run may not end as if all were there."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations, permutations

import pytest
from hub_model import run_transitions, runs
from hub_model.base import format_datetime
from hub_model.messages import BatchTransformed, Message, Trigger
from hub_model.records import DataType, Origin
from hub_model.rivals import Losses
from hub_model.runs import Run, RunStatus, StreamStatus
from hub_model.stream_states import StreamState
from hub_storage.repositories import Tables
from hub_writer.rivals import Rivals
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

ATTENDANCE = DataType.ATTENDANCE


@dataclass(frozen=True)
class Row:
    """A row of the source; ``version`` in days, None where it tells none."""

    key: str
    content: str
    version: int | None = None
    source_id: str | None = None
    deleted: bool = False


class Syncs:
    """Runs of one stream, each of them pages of rows that are written in any order."""

    def __init__(self, world) -> None:
        self.world = world
        self._number = 0

    async def sync(self, *pages: Sequence[Row], order: Sequence[int] | None = None) -> Run:
        """The run as it ended, once the batches were written in this order."""
        run_id = await self.begin()
        batches = [self.batch(run_id, number, rows) for number, rows in enumerate(pages)]
        finished = self.world.finished(ATTENDANCE, batches=len(pages)).model_copy(update={"run_id": run_id})
        news: list[Message] = [finished]
        for number in range(len(pages)) if order is None else order:
            news = [*(await self.world.deliver(batches[number]))[:1], *news]
        for message in news:
            await self.world.deliver(message)
        return await self.world.runs.get("c1", run_id)

    async def begin(self) -> str:
        """The id of a new run under way."""
        self._number += 1
        run = runs.new_run(
            run_id=f"run-{self._number}",
            college_id="c1",
            integration_id="i1",
            trigger=Trigger.MANUAL,
            data_types=(ATTENDANCE,),
            now=self.world.clock(),
        )
        await self.world.runs.add(run_transitions.start(run, self.world.clock()))
        return run.id

    def batch(self, run_id: str, number: int, rows: Sequence[Row]) -> BatchTransformed:
        observed = self.world.clock()
        message = self.world.batch(ATTENDANCE, number, keys=())
        records = [_record(row, observed) for row in rows]
        return message.model_copy(update={"run_id": run_id, "observed_at": observed, "records": records})


def _record(row: Row, observed: datetime) -> dict[str, object]:
    version = observed if row.version is None else datetime(2025, 1, 1 + row.version, tzinfo=UTC)
    record = {
        "key": row.key,
        "data": {"attendance": row.content},
        "hash": row.content,
        "version": format_datetime(version),
    }
    if row.source_id is not None:
        record["sourceId"] = row.source_id
    return {**record, "deleted": True} if row.deleted else record


@pytest.fixture
async def syncs(world) -> Syncs:
    await world.begin(ATTENDANCE)
    return Syncs(world)


def lost(run: Run) -> int:
    stream = run.streams[ATTENDANCE]
    assert run.status is (RunStatus.PARTIAL if stream.overruled or stream.undecided else RunStatus.SUCCEEDED)
    return stream.overruled


def undecided(run: Run) -> int:
    return run.streams[ATTENDANCE].undecided


MORNING, AFTERNOON = Row("k", "present"), Row("k", "absent")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "the second page first"])
async def test_rows_of_one_key_on_two_pages_make_a_run_partial_and_its_log_says_what_to_do(syncs, order) -> None:
    run = await syncs.sync([MORNING], [AFTERNOON], order=order)
    assert (run.status, lost(run)) == (RunStatus.PARTIAL, 1)
    of_stream, of_run = (await syncs.world.log_lines())[-2:]
    assert "identified by the same fields and say something else: 1." in of_stream.message
    assert "Map what tells them apart" in of_stream.message
    assert "make one of them with 'derive'" in of_stream.message
    assert of_stream.level == of_run.level == "warning"
    assert "Not complete: Attendance" in of_run.message


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "the second page first"])
async def test_a_rival_is_found_also_where_the_other_row_is_stored_as_it_is(syncs, order) -> None:
    """The store does not write what is unchanged, so nothing there tells that the run has seen it."""
    assert lost(await syncs.sync([MORNING])) == 0
    for _ in range(3):
        assert lost(await syncs.sync([MORNING], [AFTERNOON], order=order)) == 1
    assert lost(await syncs.sync([AFTERNOON])) == 0, "of one that is not there any more nothing is said"


async def test_the_delete_of_a_row_whose_key_another_row_has_now_takes_nothing_away(syncs) -> None:
    gone = Row("k", "", source_id="r1", deleted=True)
    run = await syncs.sync([Row("k", "present", source_id="r2")], [gone])
    assert (run.counts.stale, lost(run)) == (1, 0)


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("editions", [("", ""), ("a", "b")], ids=["whole", "by windows"])
async def test_a_rival_is_found_on_a_page_that_was_fetched_twice_and_held_other_rows(syncs, editions, order) -> None:
    """Both are written, whichever comes first and is counted."""
    world, run_id = syncs.world, await syncs.begin()
    batches = [
        syncs.batch(run_id, 0, [MORNING]),
        syncs.batch(run_id, 1, [Row("other", "present")]).model_copy(update={"edition": editions[0]}),
        syncs.batch(run_id, 1, [AFTERNOON]).model_copy(update={"edition": editions[1]}),
    ]
    for number in order:
        await world.deliver((await world.deliver(batches[number]))[0])
    await world.deliver(world.finished(ATTENDANCE, batches=2).model_copy(update={"run_id": run_id}))
    assert lost(await world.runs.get("c1", run_id)) == 1


async def test_a_rival_is_found_also_where_another_integration_has_said_what_it_says(syncs) -> None:
    """Neither row changes the record then."""
    await syncs.sync([MORNING])
    other = syncs.batch("run-of-another", 0, [AFTERNOON]).model_copy(update={"integration_id": "i2"})
    await syncs.world.deliver(other)
    run = await syncs.sync([MORNING], [AFTERNOON])
    assert (run.counts.unchanged, lost(run)) == (2, 1)


async def test_a_delete_between_two_rivals_hides_neither(syncs) -> None:
    rows = [Row("k", "present", source_id="r1"), Row("k", "", deleted=True), Row("k", "absent", source_id="r2")]
    run = await syncs.sync(*([row] for row in rows))
    assert (run.counts.inserted, lost(run)) == (2, 1)


async def test_a_row_is_stored_though_the_row_whose_key_it_has_was_deleted_later(syncs) -> None:
    await syncs.sync([Row("k", "absent", 1, "r1")])
    run = await syncs.sync([Row("k", "", 3, "r1", deleted=True)], [Row("k", "present", 2, "r2")])
    record = await syncs.world.store.records.get("c1", ATTENDANCE, "k")
    assert (record.deleted, record.data, lost(run)) == (False, {"attendance": "present"}, 0)


async def test_each_lost_row_counts_once(syncs) -> None:
    others = [Row(f"other-{number}", "present") for number in range(30)]
    pages = [[MORNING, *others], [AFTERNOON], [Row("k", "late")], [AFTERNOON], [MORNING], others]
    assert lost(await syncs.sync(*pages)) == 2


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(MORNING, id="the same again"),
        pytest.param(Row("k", "present", source_id="r2"), id="another row that says the same"),
        pytest.param(Row("k2", "absent"), id="another key"),
        pytest.param(Row("k", "", deleted=True), id="a delete"),
    ],
)
async def test_what_takes_nothing_from_another_row_is_no_rival(syncs, second: Row) -> None:
    assert lost(await syncs.sync([MORNING], [second])) == 0


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        pytest.param(Row("k", "a", 1), Row("k", "b", 2), 0, id="a later state"),
        pytest.param(Row("k", "a", 2, "r1"), Row("k", "b", 1, "r1"), 0, id="an earlier state of the same row"),
        pytest.param(Row("k", "a", 1, "r1"), Row("k", "b", 2, "r2"), 1, id="another row, although later"),
        pytest.param(Row("k", "a", 1), Row("k", "b", 1), 1, id="of the same time"),
        pytest.param(Row("k", "a", 1), Row("k", "b"), 1, id="of which one has no time"),
        pytest.param(Row("k", "a", None, "r1"), Row("k", "b", None, "r1"), 1, id="of one row, which has no times"),
    ],
)
async def test_of_two_states_of_one_row_the_later_stands_and_nothing_is_lost(syncs, first, second, count) -> None:
    assert lost(await syncs.sync([first], [second])) == count
    assert lost(await syncs.sync([second], [first])) == count


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        pytest.param(Row("k", "a", 1), Row("k", "b", 2), 1, id="neither tells its row"),
        pytest.param(Row("k", "a", 1, "r1"), Row("k", "b", 2), 1, id="one tells its row"),
        pytest.param(Row("k", "a", 1, ""), Row("k", "b", 2, "r1"), 1, id="an empty id tells none"),
        pytest.param(Row("k", "a", 1, "r1"), Row("k", "b", 2, "r1"), 0, id="states of one row"),
        pytest.param(Row("k", "a", 1, "r1"), Row("k", "b", 2, "r2"), 0, id="two rows: lost for certain"),
        pytest.param(Row("k", "a", 1), Row("k", "b", 1), 0, id="of the same time: lost for certain"),
        pytest.param(Row("k", "a", 1), Row("k", "b"), 0, id="one has no time: lost for certain"),
        pytest.param(Row("k", "a", 1), Row("k", "a", 2), 0, id="they say the same"),
        pytest.param(Row("k", "a", 1), Row("k", "a", 1), 0, id="the same again"),
        pytest.param(Row("k", "a", 1), Row("k2", "b", 2), 0, id="another key"),
        pytest.param(Row("k", "a", 1), Row("k", "", 2, deleted=True), 0, id="a delete"),
    ],
)
async def test_a_row_that_may_be_another_or_a_later_state_is_told(syncs, first, second, count) -> None:
    for rows in ((first, second), (second, first)):
        for order in ((0, 1), (1, 0)):
            run = await syncs.sync(*([row] for row in rows), order=order)
            assert undecided(run) == count
            assert any("Records that may be lost" in said for said in run.streams[ATTENDANCE].doubts) is bool(count)


async def test_the_log_warns_of_what_may_be_lost(syncs) -> None:
    await syncs.sync([Row("k", "a", 1)], [Row("k", "b", 2)], [Row("k", "b", 2), Row("k2", "a", 1)])
    of_stream, of_run = (await syncs.world.log_lines())[-2:]
    assert "say something else at another time: 1." in of_stream.message
    assert "Map 'sourceId'" in of_stream.message
    assert (of_stream.level, of_run.level) == ("warning", "warning")


async def test_what_the_mapping_has_found_and_what_the_comparison_finds_add_up(syncs) -> None:
    world, run_id = syncs.world, await syncs.begin()
    batches = [syncs.batch(run_id, number, [Row("k", "abc"[number], number + 1)]) for number in range(3)]
    batches[0] = batches[0].model_copy(update={"overruled": 10, "undecided": 20, "duplicates": 30})
    for batch in batches:
        await world.deliver((await world.deliver(batch))[0])
    await world.deliver(world.finished(ATTENDANCE, batches=3).model_copy(update={"run_id": run_id}))
    run = await world.runs.get("c1", run_id)
    assert (lost(run), undecided(run)) == (10, 22)


async def test_only_batches_of_the_same_stream_of_the_same_run_meet(syncs) -> None:
    world = syncs.world
    second: dict[str, object] = {"run_id": "run-2"}
    for changes in ({"run_id": "run-3"}, {**second, "college_id": "c2"}, {**second, "data_type": DataType.MARKS}):
        rows = [_record(Row("k", "else"), world.now)]
        batch = world.batch(ATTENDANCE, 5, keys=())
        await world.deliver(batch.model_copy(update={"records": rows, **changes}))
    await syncs.sync([MORNING], [Row("k2", "present")])
    assert lost(await syncs.sync([AFTERNOON], [Row("k2", "present")])) == 0, "it is an update"


async def test_what_is_pushed_leaves_no_print(world) -> None:
    await world.deliver(world.batch(ATTENDANCE, origin=Origin.WEBHOOK))
    assert await Tables(world.store).drop("c1", "r1") == 0


async def test_the_prints_go_with_the_run(syncs) -> None:
    await syncs.sync([MORNING], [AFTERNOON])
    assert await Tables(syncs.world.store).drop("c1", "run-1") == 0


async def test_many_keys_are_looked_into_in_parts(syncs) -> None:
    world, keys, run_id = syncs.world, [f"k{number}" for number in range(50)], await syncs.begin()
    for sequence, value in enumerate("aab"):
        batch = world.batch(ATTENDANCE, sequence, keys=keys, value=value).model_copy(update={"run_id": run_id})
        await world.deliver((await world.deliver(batch))[0])
    rivals = Rivals(Tables(world.store), rows_at_once=20)
    assert await rivals.count(await world.runs.get("c1", run_id), ATTENDANCE) == Losses(overruled=50)


async def test_a_run_whose_first_batches_were_written_by_an_older_version_ends(syncs) -> None:
    """There are no prints of these."""
    world = syncs.world
    run = await syncs.sync([MORNING], [AFTERNOON])
    assert await Rivals(Tables(world.store)).count(run, ATTENDANCE) == Losses()


async def test_a_crash_while_batches_are_compared_changes_nothing_of_what_is_found(new_world) -> None:
    async def begun(world) -> Message:
        await world.begin(ATTENDANCE)
        for sequence, value in enumerate("ab"):
            (written, *_) = await world.deliver(world.batch(ATTENDANCE, sequence, value=value))
            await world.deliver(written)
        return world.finished(ATTENDANCE, batches=2)

    async with new_world() as world:
        message = await begun(world)
        world.faults.arm(0)
        await world.deliver(message)
        calls = world.faults.calls
    assert calls > 6
    for at in range(1, calls + 1):
        for after in (False, True):
            async with new_world() as world:
                message = await begun(world)
                world.faults.arm(at, after=after)
                with pytest.raises(world.faults.error):
                    await world.deliver(message)
                await world.deliver(message)
                run = await world.run()
                assert (run.status, lost(run)) == (RunStatus.PARTIAL, 2), f"died at call {at}"


@pytest.mark.parametrize("is_kept", [True, False], ids=["remembered as read", "read again"])
async def test_what_a_stream_that_broke_off_has_read_is_compared_if_it_is_not_read_again(world, is_kept: bool) -> None:
    await world.begin(ATTENDANCE)
    for sequence, value in enumerate("ab"):
        await world.deliver((await world.deliver(world.batch(ATTENDANCE, sequence, value=value)))[0])
    states = {"attendance": StreamState(identity="att")} if is_kept else {}
    await world.deliver(world.failed(ATTENDANCE, batches=2).model_copy(update={"states": states}))
    (stream,) = (await world.run()).streams.values()
    assert (stream.status, stream.overruled) == (StreamStatus.FAILED, 2 if is_kept else 0)
    said = [line for line in await world.log_lines() if "Records lost to others" in line.message]
    assert bool(said) is is_kept


async def test_streams_that_end_at_once_are_each_compared(world) -> None:
    types = (ATTENDANCE, DataType.MARKS)
    await world.begin(*types)
    news: list[Message] = []
    for data_type in types:
        for sequence, value in enumerate("ab"):
            news += (await world.deliver(world.batch(data_type, sequence, value=value)))[:1]
    news += [world.finished(data_type, batches=2) for data_type in types]
    await asyncio.gather(*(world.deliver(message) for message in news))
    assert {stream.overruled for stream in (await world.run()).streams.values()} == {2}


rows = st.builds(
    Row,
    key=st.sampled_from(["k1", "k2"]),
    content=st.sampled_from("abc"),
    version=st.sampled_from([None, None, 1, 2]),
    source_id=st.sampled_from([None, None, "r1", "r2"]),
)
pages = st.lists(rows, max_size=2, unique_by=lambda row: row.key)
histories = st.lists(
    st.lists(pages, max_size=4).flatmap(lambda found: st.tuples(st.just(found), st.permutations(range(len(found))))),
    min_size=1,
    max_size=3,
)


def contradict(one: Row, other: Row) -> bool:
    """As the documentation tells it."""
    if one.key != other.key or one.content == other.content:
        return False
    if None not in (one.source_id, other.source_id) and one.source_id != other.source_id:
        return True
    return None in (one.version, other.version) or one.version == other.version


def may_be_two(one: Row, other: Row) -> bool:
    """Nothing tells whether they are two rows or two states of one."""
    if one.key != other.key or one.content == other.content or contradict(one, other):
        return False
    return None in (one.source_id, other.source_id)


@example([([[Row("k1", "a", 1)], [Row("k1", "b", 2)], [Row("k1", "a")]], (0, 1, 2))])
@example([([[Row("k1", "a", 1)], [Row("k1", "b", 2)], [Row("k1", "a", 1)]], (2, 1, 0))])
@settings(max_examples=150, deadline=timedelta(seconds=10), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories)
async def test_a_run_succeeds_just_if_no_row_was_lost_to_another_or_may_be(new_world, history) -> None:
    async with new_world() as world:
        await world.begin(ATTENDANCE)
        syncs = Syncs(world)
        for found, order in history:
            run = await syncs.sync(*found, order=order)
            served = [row for page in found for row in page]
            expected = any(contradict(one, other) for one, other in combinations(served, 2))
            assert (lost(run) > 0) is expected
            assert expected or (undecided(run) > 0) is any(may_be_two(*pair) for pair in combinations(served, 2))
