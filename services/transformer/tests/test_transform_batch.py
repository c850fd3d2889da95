"""The handler: which mapping a batch gets, and what becomes of its records."""

import pytest
from hub_messaging.envelope import decode, encode
from hub_model.errors import ErrorClass, InvalidInput, PermanentError, Unavailable
from hub_model.integrations import Integration
from hub_model.messages import Fault
from hub_model.records import DataType, Origin
from hub_storage.repositories import Integrations
from hub_transformer.mappings import Bounded, Mappings
from structlog.testing import capture_logs

SEED_EXAMPLE = {
    "studentId": "CS2101",
    "name": "John Doe",
    "attendance": "present",
    "date": "2024-01-15",
    "subject": "Data Structures",
}
ROLL = {"path": "/a", "mapping": {"studentId": "roll"}}
_DAY = {"date": "date", "subject": "subject"}
REG_NO = {"path": "/a", "mapping": {"studentId": "reg_no"}}


async def test_a_batch_of_the_seed_s_records_becomes_canonical(world) -> None:
    await world.connect(attendance="/attendance")
    batch = world.batch(SEED_EXAMPLE, {**SEED_EXAMPLE, "studentId": "CS2102"}, SEED_EXAMPLE, {"name": "nobody"})
    transformed = await world.transform(batch)
    assert [record["data"]["studentId"] for record in transformed.records] == ["CS2101", "CS2102"]
    assert (transformed.duplicates, transformed.skipped) == (1, 0)
    assert [reject.index for reject in transformed.rejects] == [3]
    assert [issue["pointer"] for issue in transformed.rejects[0].issues] == ["/studentId", "/date", "/attendance"]
    for name in ("college_id", "integration_id", "run_id", "data_type", "sequence", "origin", "expected_records"):
        assert getattr(transformed, name) == getattr(batch, name)
    assert decode(encode(transformed)) == transformed


async def test_records_that_another_of_the_same_key_overrules_are_told(world) -> None:
    await world.connect(attendance="/attendance")
    transformed = await world.transform(world.batch(SEED_EXAMPLE, {**SEED_EXAMPLE, "attendance": "absent"}))
    assert (transformed.duplicates, transformed.overruled, transformed.undecided) == (1, 1, 0)
    later = {**SEED_EXAMPLE, "attendance": "absent", "sourceUpdatedAt": "2024-01-16T10:00:00Z"}
    earlier = {**SEED_EXAMPLE, "sourceUpdatedAt": "2024-01-16T09:00:00Z"}
    transformed = await world.transform(world.batch(earlier, later))
    assert (transformed.duplicates, transformed.overruled, transformed.undecided) == (1, 0, 1)


async def test_a_batch_delivered_again_gives_the_same_message(world) -> None:
    await world.connect(attendance="/attendance")
    batch = world.batch(SEED_EXAMPLE, {"name": "nobody"})
    first = await world.transform(batch)
    world.pass_time(3600)
    again = await world.transform(batch)
    assert again == first
    assert encode(again).body == encode(first).body


async def test_an_edited_mapping_is_seen_after_a_few_seconds_and_named_by_its_version(world) -> None:
    await world.connect(attendance=ROLL)
    batch = world.batch({**SEED_EXAMPLE, "roll": "R1", "reg_no": "N1"})
    assert (await world.transform(batch)).records[0]["data"]["studentId"] == "R1"
    await world.edit(version=2, attendance=REG_NO)
    world.pass_time(4.9)
    assert (await world.transform(batch)).mapping_version == 1
    world.pass_time(0.1)
    transformed = await world.transform(batch)
    assert (transformed.mapping_version, transformed.records[0]["data"]["studentId"]) == (2, "N1")


async def test_a_sync_that_begins_after_an_edit_never_uses_the_mapping_from_before_it(world) -> None:
    await world.connect(attendance=ROLL)
    batch = world.batch({**SEED_EXAMPLE, "roll": "R1", "reg_no": "N1"})
    await world.transform(batch)
    await world.edit(version=2, attendance=REG_NO)
    next_sync = batch.model_copy(update={"run_id": "the-next-run"})
    assert (await world.transform(next_sync)).records[0]["data"]["studentId"] == "N1"


async def test_a_new_time_zone_is_seen_though_no_endpoint_changed(world) -> None:
    await world.connect(attendance="/attendance")
    batch = world.batch({**SEED_EXAMPLE, "checkInAt": "2024-01-15T09:30:00"})
    assert (await world.transform(batch)).records[0]["data"]["checkInAt"] == "2024-01-15T04:00:00.000000Z"
    await world.edit(version=1, time_zone="UTC", attendance="/attendance")
    world.pass_time(5)
    assert (await world.transform(batch)).records[0]["data"]["checkInAt"] == "2024-01-15T09:30:00.000000Z"


async def test_the_records_of_an_integration_that_is_gone_are_refused(world) -> None:
    with pytest.raises(PermanentError) as refused:
        await world.transform(world.batch(SEED_EXAMPLE))
    assert refused.value.code == "integration_gone"


async def test_another_college_cannot_use_an_integration(world) -> None:
    await world.connect(attendance="/attendance")
    await world.transform(world.batch(SEED_EXAMPLE))
    with pytest.raises(PermanentError) as refused:
        await world.transform(world.batch(SEED_EXAMPLE, college_id="c2"))
    assert refused.value.code == "integration_gone"


async def test_fetched_records_whose_endpoint_was_removed_are_refused(world) -> None:
    await world.connect(students="/students")
    with pytest.raises(PermanentError) as refused:
        await world.transform(world.batch(SEED_EXAMPLE))
    assert refused.value.code == "endpoint_gone"


async def test_pushed_records_need_no_endpoint(world) -> None:
    await world.connect(students="/students")
    transformed = await world.transform(world.batch(SEED_EXAMPLE, origin=Origin.WEBHOOK))
    assert transformed.records[0]["data"] == SEED_EXAMPLE


async def test_a_pushed_record_leaves_alone_what_it_does_not_mention(world) -> None:
    rule = {"to": "remarks", "from": "note"}
    await world.connect(attendance={"path": "/attendance", "mapping": {"rules": [rule]}})
    pushed = await world.transform(world.batch(SEED_EXAMPLE, origin=Origin.WEBHOOK))
    polled = await world.transform(world.batch(SEED_EXAMPLE))
    assert pushed.records[0]["data"] == SEED_EXAMPLE
    assert polled.records[0]["data"] == {**SEED_EXAMPLE, "remarks": None}


async def test_a_mapping_that_cannot_be_used_asks_for_a_person(world) -> None:
    await world.connect(custom={"path": "/books"})
    with pytest.raises(InvalidInput) as refused:
        await world.transform(world.batch({"id": 1}, data_type=DataType.CUSTOM))
    assert refused.value.error_class is ErrorClass.CONFIG
    assert refused.value.issues[0].pointer == "/key"


class UnavailableOnce(Integrations):
    """Cannot be reached the first time."""

    failures = 1

    async def find(self, college_id: str, integration_id: str) -> Integration | None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("the store does not answer")
        return await super().find(college_id, integration_id)


async def test_a_store_that_does_not_answer_is_not_an_integration_that_is_gone(world) -> None:
    await world.connect(attendance="/attendance")
    world.mappings = Mappings(UnavailableOnce(world.store), clock=lambda: world.now, ttl_s=5, size=8)
    with pytest.raises(Unavailable):
        await world.transform(world.batch(SEED_EXAMPLE))
    assert (await world.transform(world.batch(SEED_EXAMPLE))).records


async def test_the_log_holds_no_student_data(world) -> None:
    await world.connect(attendance="/attendance")
    with capture_logs() as lines:
        await world.transform(world.batch(SEED_EXAMPLE, {"name": "Kanari"}))
    assert lines
    assert not any(word in repr(lines) for word in ("CS2101", "John", "Kanari", "Data Structures"))


def test_no_more_entries_are_kept_than_agreed_and_the_used_ones_stay() -> None:
    kept: Bounded[int, str] = Bounded(2)
    kept.put(1, "a")
    kept.put(2, "b")
    assert kept.get(1) == "a"
    kept.put(3, "c")
    assert (kept.get(1), kept.get(2), kept.get(3)) == ("a", None, "c")


async def test_a_batch_of_deletes_is_mapped_by_the_mapping_of_the_deletes(world) -> None:
    deletes = {"path": "/gone", "mapping": {"studentId": "old.roll", "sourceId": "id"}}
    await world.connect(attendance={"path": "/a", "deletes": {**deletes, "mapping": {**deletes["mapping"], **_DAY}}})
    day = {"date": "2024-01-15", "subject": "M"}
    raw = {"id": "r1", "old": {"roll": "R1"}, **day}
    assert (await world.transform(world.batch({**SEED_EXAMPLE}))).records[0].get("deleted") is None
    transformed = await world.transform(world.batch(raw).model_copy(update={"deletes": True}))
    (record,) = transformed.records
    assert (record["deleted"], record["sourceId"], record["data"]["studentId"]) == (True, "r1", "R1")
    assert transformed.rejects == []


async def test_records_that_were_found_wanting_are_rejected_with_that_reason_and_in_their_places(world) -> None:
    await world.connect(attendance="/attendance")
    batch = world.batch({"name": "nobody"}, SEED_EXAMPLE, {**SEED_EXAMPLE, "studentId": "CS2102"}, {"name": "nobody"})
    fault = Fault(index=1, code="no_match", message="No row of 'users' has this record's 'userid'.")
    transformed = await world.transform(batch.model_copy(update={"faults": (fault,)}))
    assert [record["data"]["studentId"] for record in transformed.records] == ["CS2102"]
    assert [(reject.index, reject.raw) for reject in transformed.rejects] == [
        (0, batch.records[0]),
        (1, batch.records[1]),
        (3, batch.records[3]),
    ]
    assert transformed.rejects[1].issues == [{"pointer": "", "code": "no_match", "message": fault.message}]


async def test_deletes_of_an_endpoint_that_has_none_any_more_fail_visibly(world) -> None:
    await world.connect(attendance="/attendance")
    with pytest.raises(PermanentError):
        await world.transform(world.batch(SEED_EXAMPLE).model_copy(update={"deletes": True}))
