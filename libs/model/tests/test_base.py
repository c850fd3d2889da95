"""Instants in their one written form; camelCase outside; typos seen in what people write, ignored between programs."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hub_model.base import Input, Instant, Value, format_datetime, parse_datetime
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.builds(
    lambda microseconds, zone: (datetime(1, 1, 3, tzinfo=UTC) + timedelta(microseconds=microseconds)).astimezone(zone),
    st.integers(0, 9998 * 365 * 86_400 * 10**6),
    zones,
)


class Meeting(Value):
    starts_at: Instant


class Form(Input):
    first_name: str


@given(instants)
def test_an_instant_is_read_back_to_the_microsecond(moment: datetime) -> None:
    text = format_datetime(moment)
    assert parse_datetime(text) == moment
    assert len(text) == len("2026-07-20T09:30:00.000000Z")


@given(instants, instants)
def test_the_order_of_the_texts_is_the_order_of_time(first: datetime, second: datetime) -> None:
    assert (format_datetime(first) < format_datetime(second)) == (first < second)


@given(instants)
def test_a_value_holds_instants_in_utc(moment: datetime) -> None:
    meeting = Meeting(starts_at=moment)
    assert meeting.starts_at == moment
    assert meeting.starts_at.tzinfo is UTC
    assert Meeting.model_validate_json(meeting.model_dump_json(by_alias=True)) == meeting


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        Meeting.model_validate({"startsAt": "2026-07-20T09:30:00"})


def test_an_unknown_field_is_ignored_between_programs_and_refused_from_people() -> None:
    moment = "2026-07-20T09:30:00Z"
    assert Meeting.model_validate({"startsAt": moment, "newInVersion2": 1}) == Meeting.model_validate(
        {"startsAt": moment}
    )
    with pytest.raises(ValidationError, match="firstNmae"):
        Form.model_validate({"firstName": "Asha", "firstNmae": "Asha"})


def test_values_are_camel_case_outside_and_frozen() -> None:
    meeting = Meeting(starts_at=datetime(2026, 7, 20, tzinfo=UTC))
    assert meeting.model_dump(mode="json", by_alias=True) == {"startsAt": "2026-07-20T00:00:00.000000Z"}
    with pytest.raises(ValidationError, match="frozen"):
        meeting.starts_at = datetime(2027, 7, 20, tzinfo=UTC)
