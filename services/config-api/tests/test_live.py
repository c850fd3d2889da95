"""The feed behind live views: order, colleges, bounded memory, going on where one stopped."""

from datetime import UTC, datetime

import pytest
from hub_config_api.live import RESET, LiveEvent, LiveFeed, LiveStream
from hub_model.errors import RateLimited
from hub_model.messages import IntegrationChanged

NOW = datetime(2026, 7, 20, tzinfo=UTC)


def changed(number: int, college_id: str = "a") -> IntegrationChanged:
    return IntegrationChanged(
        college_id=college_id, integration_id="i1", change="updated", revision=number, changed_at=NOW
    )


def feed(*, backlog: int = 100, streams: int = 10) -> LiveFeed:
    return LiveFeed(backlog=backlog, streams_per_college=streams)


async def drain(stream: LiveStream) -> list[LiveEvent]:
    events = []
    while (event := await stream.next(0.01)) is not None:
        events.append(event)
    return events


async def test_a_stream_gets_its_colleges_events_in_order() -> None:
    live = feed()
    mine, theirs = live.open("a"), live.open("b")
    for number in range(3):
        live.add(changed(number))
    live.add(changed(9, "b"))
    events = await drain(mine)
    assert [event.name for event in events] == ["integration.changed"] * 3
    assert [b'"revision":%d' % number in event.data for number, event in enumerate(events)] == [True] * 3
    assert len({event.id for event in events}) == 3
    assert len(await drain(theirs)) == 1


async def test_an_event_does_not_name_the_college() -> None:
    live = feed()
    stream = live.open("college-x")
    live.add(changed(1, "college-x"))
    [event] = await drain(stream)
    assert b"college" not in event.data


async def test_a_stream_begins_with_what_happens_from_now_on() -> None:
    live = feed()
    live.add(changed(1))
    assert await drain(live.open("a")) == []


async def test_a_stream_goes_on_behind_the_last_event_seen() -> None:
    live = feed()
    stream = live.open("a")
    for number in range(4):
        live.add(changed(number, "a" if number != 2 else "b"))
    events = await drain(stream)
    assert await drain(live.open("a", after=events[0].id)) == events[1:]
    assert await drain(live.open("a", after=events[-1].id)) == []


async def test_a_stream_that_missed_too_much_starts_over() -> None:
    live = feed(backlog=3)
    stream = live.open("a")
    for number in range(3):
        live.add(changed(number))
    first, *_ = await drain(stream)
    live.add(changed(4))
    assert [event.name for event in await drain(live.open("a", after=first.id))] == ["integration.changed"] * 3
    live.add(changed(5))
    [reset] = await drain(live.open("a", after=first.id))
    assert reset.name == RESET
    assert await drain(live.open("a", after=reset.id)) == []


@pytest.mark.parametrize("after", ["", "x", "-1", "00000000-1", "../../etc", "9" * 64])
async def test_an_id_of_another_process_or_of_nobody_starts_over(after: str) -> None:
    live = feed()
    live.add(changed(1))
    assert [event.name for event in await drain(live.open("a", after=after))] == [RESET]


async def test_an_id_from_the_future_starts_over() -> None:
    live = feed()
    stream = live.open("a")
    live.add(changed(1))
    [event] = await drain(stream)
    epoch = event.id.partition("-")[0]
    assert [event.name for event in await drain(live.open("a", after=f"{epoch}-99"))] == [RESET]


async def test_a_slow_reader_gets_a_reset_and_then_goes_on() -> None:
    live = feed(backlog=10_000)
    stream = live.open("a")
    for number in range(1000):
        live.add(changed(number))
    events = await drain(stream)
    assert len(events) <= 256
    assert events[0].name == RESET
    assert b'"revision":999' in events[-1].data
    assert [event.name for event in events].count(RESET) == 1


async def test_a_slow_reader_misses_nothing_after_its_reset() -> None:
    live = feed(backlog=10_000)
    stream = live.open("a")
    for number in range(300):
        live.add(changed(number))
    reset, *events = await drain(stream)
    assert events == await drain(live.open("a", after=reset.id))


async def test_streams_of_one_college_are_limited() -> None:
    live = feed(streams=2)
    first = live.open("a")
    live.open("a")
    with pytest.raises(RateLimited):
        live.open("a")
    live.open("b")
    live.leave("a", first)
    live.open("a")


async def test_closing_ends_every_stream_and_those_that_come_later() -> None:
    live = feed()
    stream = live.open("a")
    live.close()
    assert stream.closed
    assert await stream.next(60) is None
    assert live.open("a").closed
