"""What may be said of incremental reading, and what is refused where it is entered."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hub_model.combining import Punches
from hub_model.endpoints import Endpoint, Stream
from hub_model.incremental import DatetimeIncremental
from hub_model.stream_states import StreamState
from pydantic import BaseModel, ValidationError

MARK: dict[str, Any] = {"type": "token", "tokenParam": "last", "tokenPath": "max"}
NOW = datetime(2026, 1, 15, tzinfo=UTC)


def refusal(model: type[BaseModel], **fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(fields)
    return str(caught.value)


def test_a_time_zone_that_there_is_not_is_refused_where_it_is_entered() -> None:
    assert "IANA" in refusal(DatetimeIncremental, timeZone="India")
    assert "IANA" in refusal(Punches, type="punches", person="code", punchedAt="at", timeZone="../x")
    assert DatetimeIncremental.model_validate({"timeZone": "Asia/Kolkata"}).time_zone == "Asia/Kolkata"


@pytest.mark.parametrize("name", ["lookbackWindow", "safetyLag", "apiRetentionPeriod", "fullEvery"])
def test_a_duration_that_no_calendar_holds_is_refused(name: str) -> None:
    refusal(DatetimeIncremental, **{name: "P900000D"})
    assert DatetimeIncremental.model_validate({name: "P3660D"}) is not None


def test_a_mark_is_one_for_the_whole_stream() -> None:
    assert "each row has its own" in refusal(Stream, path="/a", parent={"stream": "courses"}, incremental=MARK)
    assert Stream.model_validate({"path": "/a", "incremental": MARK}).incremental is not None


def test_an_endpoint_that_takes_the_rows_of_a_stream_asks_for_nothing_itself() -> None:
    assert "the stream that 'source' names" in refusal(Endpoint, source="punches", incremental=MARK)


def test_a_full_read_that_ends_without_a_mark_leaves_none_behind() -> None:
    refused = StreamState(identity="x", token="9")
    assert refused.joined(StreamState(identity="x", full_at=NOW)).token is None
    assert refused.joined(StreamState(identity="x")).token == "9"


def test_what_two_cover_is_what_both_cover() -> None:
    one = StreamState(identity="x", windows=((0, 40), (50, 90)), full_at=NOW)
    other = StreamState(identity="x", windows=((10, 60),), full_at=NOW - timedelta(days=1))
    both = one.common(other)
    assert both is not None
    assert (both.windows, both.full_at) == (((10, 40), (50, 60)), NOW - timedelta(days=1))
    assert one.common(StreamState(identity="y")) is None
    assert one.common(StreamState(identity="x", token="9")) is None
    no_full = one.common(StreamState(identity="x"))
    assert no_full is not None
    assert no_full.full_at is None
