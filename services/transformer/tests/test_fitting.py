"""A transformed batch always fits into one message, and says what it left out."""

import orjson
import pytest
from hub_mapping import compile_mapping
from hub_messaging.envelope import encode
from hub_model.mappings import Mapping
from hub_model.messages import MAX_BATCH_RECORDS, MAX_MESSAGE_BYTES, BatchTransformed, fits_batch
from hub_model.records import DataType
from hub_transformer.fitting import fit_rejects

HALF_MESSAGE = MAX_MESSAGE_BYTES // 2
# Every field is wrong, in as few bytes as possible.
ALL_WRONG = {
    name: {}
    for name in (
        "studentId", "name", "attendance", "date", "subject", "subjectId", "sessionId", "period", "section", "markedBy",
        "startTime", "endTime", "checkInAt", "checkOutAt", "source", "remarks", "sourceId", "recordStatus",
    )
}  # fmt: skip


def transformed(world, records: list[object], **mapping: object) -> BatchTransformed:
    """The message made of these raw records, which may travel in one batch."""
    assert fits_batch(len(records), len(orjson.dumps(records)))
    data_type = DataType.CUSTOM if "key" in mapping else DataType.ATTENDANCE
    compiled = compile_mapping(Mapping.model_validate(mapping), data_type, time_zone="Asia/Kolkata")
    batch = world.batch(*records, data_type=data_type)
    mapped = compiled.map_batch(records, observed_at=batch.observed_at)
    assert len(mapped.records) + len(mapped.rejects) == len(records)
    return BatchTransformed(
        **{name: getattr(batch, name) for name in type(batch).model_fields if name != "records"},
        records=mapped.records,
        rejects=fit_rejects(mapped.records, mapped.rejects),
    )


def test_half_a_message_of_raw_records_is_always_a_batch() -> None:
    assert fits_batch(MAX_BATCH_RECORDS, HALF_MESSAGE)
    assert not fits_batch(MAX_BATCH_RECORDS + 1, 1000)
    assert not fits_batch(1, MAX_MESSAGE_BYTES)


@pytest.mark.parametrize("padding", [0, 600])
def test_a_batch_of_nothing_but_rejects_fits(world, padding: int) -> None:
    records: list[object] = [{**ALL_WRONG, "pad": "x" * padding} for _ in range(MAX_BATCH_RECORDS)]
    message = transformed(world, records)
    assert len(encode(message).body) <= MAX_MESSAGE_BYTES
    assert [reject.raw for reject in message.rejects] == records
    for reject in message.rejects:
        kept, rest = reject.issues[:-1], reject.issues[-1]
        assert kept
        assert rest["code"] == "more_issues"
        assert f"{len(ALL_WRONG) - len(kept)} more" in rest["message"]


def test_one_enormous_reject_fits(world) -> None:
    message = transformed(world, [{**ALL_WRONG, "pad": "é" * 500_000}])
    assert len(encode(message).body) <= MAX_MESSAGE_BYTES
    assert message.rejects[0].raw == {**ALL_WRONG, "pad": "é" * 500_000}


def test_rejects_that_fit_keep_every_issue(world) -> None:
    message = transformed(world, [ALL_WRONG] * 10)
    assert {len(reject.issues) for reject in message.rejects} == {len(ALL_WRONG)}


@pytest.mark.parametrize("extra", [0, 380, 450])
def test_a_batch_of_records_that_grow_as_much_as_they_may_fits(world, extra: int) -> None:
    rules = [{"to": f"copy{number}", "from": "text"} for number in range(3)]
    text = "x" * extra
    records: list[object] = [{"id": number, "text": text} for number in range(MAX_BATCH_RECORDS)]
    message = transformed(world, records, key=["id"], rules=rules)
    assert len(encode(message).body) <= MAX_MESSAGE_BYTES
    assert bool(message.rejects) is (extra == 450)


def test_keys_that_are_escaped_twice_are_counted(world) -> None:
    records: list[object] = [{"id": f"{number}" + '"\\\u0001é' * 60} for number in range(MAX_BATCH_RECORDS)]
    assert len(encode(transformed(world, records, key=["id"], sourceId="id")).body) <= MAX_MESSAGE_BYTES


def test_issues_without_number_are_shortened_and_counted(world) -> None:
    records: list[object] = [{**{f"$f{number}": 1 for number in range(40)}, "id": row} for row in range(400)]
    message = transformed(world, records, key=["id"])
    assert len(encode(message).body) <= MAX_MESSAGE_BYTES
