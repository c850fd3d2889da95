"""Messages to bytes and back."""

import types
import typing
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any

import orjson
import pytest
from hub_messaging.broker import Envelope
from hub_messaging.envelope import decode, encode, event_type, sent_at
from hub_model.encoded import EncodedArray, EncodedObject
from hub_model.errors import InvalidInput
from hub_model.messages import (
    REGISTRY,
    BatchTransformed,
    Message,
    ProbeCheck,
    ProbeFinished,
    Reject,
    SyncRequested,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel

NOW = datetime(2026, 3, 1, 9, 30, 0, 250, tzinfo=UTC)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
integers = st.integers(min_value=-(2**63), max_value=2**63 - 1)
json_values = st.recursive(
    st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(texts, children, max_size=3),
    max_leaves=8,
)
instants = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
SCALARS = {
    str: texts,
    int: integers,
    bool: st.booleans(),
    Any: json_values,
    datetime: instants,
    AwareDatetime: instants,
}


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Everything a field of this type may hold."""
    if annotation in SCALARS:
        return SCALARS[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return values(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(st.none() if item is type(None) else values(item) for item in arguments))
    if origin is list:
        return st.lists(values(arguments[0]), max_size=3)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return st.tuples(*(values(item) for item in arguments))
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    if issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    return models(annotation)


def models(model: type[BaseModel]) -> st.SearchStrategy[BaseModel]:
    fields = {name: values(info.annotation) for name, info in model.model_fields.items()}
    return st.fixed_dictionaries(fields).map(lambda drawn: model(**drawn))


def sync_requested() -> SyncRequested:
    return SyncRequested(
        college_id="c1",
        integration_id="i1",
        run_id="r1",
        trigger="manual",
        data_types=("students", "marks"),
        requested_at=NOW,
    )


@pytest.mark.parametrize("message_type", REGISTRY.values(), ids=lambda message_type: message_type.name)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_decoding_what_was_encoded_gives_the_same_message(message_type: type[Message], data: st.DataObject) -> None:
    message = data.draw(models(message_type))
    assert decode(encode(message)) == message


def test_the_body_is_the_models_own_json_form() -> None:
    message = BatchTransformed(
        college_id="c",
        integration_id="i",
        run_id="r",
        data_type="marks",
        sequence=3,
        origin="webhook",
        observed_at=NOW,
        records=[{"key": '["a"]', "data": {"marks": "12.70"}}],
        rejects=[Reject(index=1, raw={"x": None}, issues=[{"code": "missing"}])],
    )
    assert orjson.loads(encode(message).body) == message.model_dump(mode="json", by_alias=True)


@pytest.mark.parametrize(
    "records",
    [EncodedArray([{"name": "A"}], b'[{"name":  "A"}]'), [EncodedObject({"name": "A"}, b'{"name":  "A"}')]],
)
def test_a_value_whose_text_is_known_is_written_as_that_text(records: list[object]) -> None:
    message = BatchTransformed.model_construct(
        college_id="c",
        integration_id="i",
        run_id="r",
        data_type="marks",
        sequence=3,
        origin="webhook",
        observed_at=NOW,
        records=records,
        rejects=[],
    )
    body = encode(message).body
    assert b'"name":  "A"' in body
    assert orjson.loads(body)["records"] == records


def test_the_headers_are_cloudevents_in_binary_mode() -> None:
    message = sync_requested()
    envelope = encode(message, source="scheduler", now=NOW, traceparent="00-1-2-01")
    assert envelope.routing_key == "sync.requested"
    assert envelope.mandatory
    assert envelope.headers == {
        "ce-specversion": "1.0",
        "ce-id": message.message_id,
        "ce-type": "io.studenthub.sync.requested.v1",
        "ce-source": "/studenthub/scheduler",
        "ce-subject": "c1/i1",
        "ce-time": "2026-03-01T09:30:00.000250Z",
        "content-type": "application/json",
        "traceparent": "00-1-2-01",
    }
    assert sent_at(envelope) == NOW


def test_a_fact_nobody_need_hear_is_not_mandatory() -> None:
    message = ProbeFinished(
        college_id="c",
        integration_id="i",
        probe_id="p",
        ok=True,
        checks=(ProbeCheck(name="dns", ok=True, detail=""),),
        finished_at=NOW,
    )
    assert not encode(message).mandatory


def test_an_instant_is_written_in_utc_with_six_decimals() -> None:
    message = sync_requested().model_copy(
        update={"requested_at": NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))}
    )
    assert orjson.loads(encode(message).body)["requestedAt"] == "2026-03-01T09:30:00.000250Z"


def test_unknown_fields_are_ignored() -> None:
    envelope = encode(sync_requested())
    newer = orjson.dumps(orjson.loads(envelope.body) | {"mode": "full"})
    assert decode(Envelope(envelope.routing_key, newer, envelope.headers)) == sync_requested()


@pytest.mark.parametrize("event", ["io.studenthub.sync.requested.v2", "io.studenthub.nothing.v1", "sync.requested", ""])
def test_an_unknown_type_is_refused(event: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        decode(Envelope("sync.requested", encode(sync_requested()).body, {"ce-type": event}))
    assert refusal.value.code == "unknown_message_type"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b'{"runId": "Asha Rao"}', b"\xff"])
def test_a_body_of_another_shape_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput) as refusal:
        decode(Envelope("sync.requested", body, {"ce-type": event_type(SyncRequested)}))
    assert refusal.value.code == "undecodable_message"


def test_a_refusal_names_fields_and_never_values() -> None:
    body = orjson.loads(encode(sync_requested()).body) | {"trigger": "Asha Rao", "runId": {"Asha Rao": 1}}
    with pytest.raises(InvalidInput) as refusal:
        decode(Envelope("sync.requested", orjson.dumps(body), {"ce-type": event_type(SyncRequested)}))
    assert "Asha" not in str(refusal.value)
    assert "runId, trigger" in str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize("headers", [{}, {"ce-time": ""}, {"ce-time": "yesterday"}])
def test_a_message_without_a_time_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        sent_at(Envelope("sync.requested", b"", headers))
