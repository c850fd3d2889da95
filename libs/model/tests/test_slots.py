"""Slots: the same in every process, later each time, one interval apart, spread over colleges."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hub_model.integrations import Integration, IntegrationDraft
from hub_model.slots import due_after, slot_offset_s
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)

minutes = st.integers(5, 43_200)
moments = st.integers(0, 120 * 365 * 86_400 * 10**6).map(
    lambda microseconds: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


def integration(sync_interval: int = 60, *, college_id: str = "c1", enabled: bool = True) -> Integration:
    settings = IntegrationDraft.model_validate(
        {
            "name": "ERP",
            "type": "erp",
            "baseUrl": "https://erp.example.edu",
            "authType": "bearer",
            "endpoints": {"students": "/students"},
            "syncInterval": sync_interval,
            "enabled": enabled,
        }
    )
    return Integration(
        id="i1",
        college_id=college_id,
        settings=settings,
        created_at=NOW,
        created_by="p",
        updated_at=NOW,
        updated_by="p",
    )


@given(minutes, moments, st.text(max_size=8))
def test_the_next_slot_is_later_and_at_most_one_interval_away(
    sync_interval: int, moment: datetime, college_id: str
) -> None:
    due = due_after(integration(sync_interval, college_id=college_id), moment)
    assert due is not None
    assert moment < due <= moment + timedelta(minutes=sync_interval)


@given(minutes, moments)
def test_slots_lie_one_interval_apart(sync_interval: int, moment: datetime) -> None:
    subject = integration(sync_interval)
    first = due_after(subject, moment)
    assert first is not None
    assert due_after(subject, first) == first + timedelta(minutes=sync_interval)
    assert due_after(subject, first - timedelta(microseconds=1)) == first


def test_colleges_are_spread_evenly_over_the_interval() -> None:
    minute_of = Counter(slot_offset_s(f"college-{number}") % 3600 // 60 for number in range(6000))
    assert len(minute_of) == 60
    assert max(minute_of.values()) < 160


def test_a_disabled_integration_has_no_next_slot() -> None:
    assert due_after(integration(enabled=False), NOW) is None


def test_an_interval_of_four_minutes_is_refused() -> None:
    with pytest.raises(ValidationError, match="shortest interval is 5 minutes"):
        integration(4)
