"""A crash at any call to the store, before or after it took effect, and a redelivery that completes the rest."""

import asyncio
from collections.abc import Sequence

import pytest
from hub_model.messages import Message, RunMessage
from hub_model.records import DataType, Origin

STUDENTS, MARKS = DataType.STUDENTS, DataType.MARKS


async def crash_and_redeliver(world, message: RunMessage, at: int, *, after: bool) -> Sequence[Message]:
    """Deliver, die at the call numbered ``at``, deliver again."""
    world.faults.arm(at, after=after)
    with pytest.raises(world.faults.error):
        await world.deliver(message)
    return await world.deliver(message)


async def state_of(world) -> dict[str, object]:
    """What is stored, without the times that a later delivery may move."""
    lines = await world.log_lines()
    rejects = (await world.rejects.page("c1", limit=100)).items
    run = await world.runs.find("c1", "r1")
    integration = await world.integrations.find("c1", "i1")
    return {
        "records": await world.store.records.count("c1", STUDENTS),
        "rejects": sorted(reject.id for reject in rejects),
        "lines": sorted((line.id, line.message) for line in lines),
        "run": run and (run.status, run.counts, run.streams),
        "sync": integration and integration.sync.model_dump(exclude={"last_sync_at", "last_success_at"}),
    }


def facts_of(news: Sequence[Message]) -> list[object]:
    times = {"written_at", "changed_at", "finished_at"}
    return [(message.message_id, message.model_dump(exclude=times)) for message in news]


LAST_MESSAGES = {
    "a polled batch": lambda world: world.batch(STUDENTS, rejects=2),
    "a pushed batch": lambda world: world.batch(STUDENTS, origin=Origin.WEBHOOK, rejects=1),
    "the last batch of a run": lambda world: world.written(STUDENTS, 1),
    "the end of the last stream": lambda world: world.finished(MARKS),
    "a failure of the run": lambda world: world.failed(None),
}


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("name", LAST_MESSAGES)
async def test_a_redelivery_completes_what_a_crash_cut_off(new_world, name: str, after: bool) -> None:
    async def prepare(world) -> RunMessage:
        await world.begin(STUDENTS, MARKS)
        await world.deliver(world.written(STUDENTS, 0))
        await world.deliver(world.finished(STUDENTS, batches=2))
        if name == "the last batch of a run":
            await world.deliver(world.finished(MARKS, batches=0))
        if name == "the end of the last stream":
            await world.deliver(world.written(STUDENTS, 1))
            await world.deliver(world.written(MARKS, 0))
        return LAST_MESSAGES[name](world)

    async with new_world() as world:
        message = await prepare(world)
        world.faults.arm(0)
        undisturbed = await world.deliver(message)
        calls, state = world.faults.calls, await state_of(world)
    assert calls >= 2
    for at in range(1, calls + 1):
        async with new_world() as world:
            news = await crash_and_redeliver(world, await prepare(world), at, after=after)
            assert facts_of(news) == facts_of(undisturbed), f"died at call {at}"
            assert await state_of(world) == state, f"died at call {at}"


@pytest.mark.parametrize("acknowledged", [False, True], ids=["all come again", "those that were done do not"])
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
async def test_events_that_went_together_and_come_again_complete_what_a_crash_cut_off(
    new_world, after: bool, acknowledged: bool
) -> None:
    async def prepare(world) -> list[RunMessage]:
        await world.begin(STUDENTS, MARKS)
        first, second = world.written(STUDENTS, 0), world.written(STUDENTS, 1)
        marks = [world.written(MARKS, 0), world.finished(MARKS)]
        return [world.finished(STUDENTS, batches=2), first, *marks, second, second]

    async def deliver(world, messages: list[RunMessage]) -> list[Sequence[Message] | BaseException]:
        return await asyncio.gather(*map(world.deliver, messages), return_exceptions=True)

    def told(results: list[Sequence[Message] | BaseException]) -> set[str]:
        return {news.message_id for result in results if not isinstance(result, BaseException) for news in result}

    async with new_world() as world:
        messages = await prepare(world)
        world.faults.arm(0)
        undisturbed = await deliver(world, messages)
        calls, state = world.faults.calls, await state_of(world)
    assert calls >= 4
    for at in range(1, calls + 1):
        async with new_world() as world:
            messages = await prepare(world)
            world.faults.arm(at, after=after)
            results = await deliver(world, messages)
            assert any(isinstance(result, world.faults.error) for result in results)
            again = [
                message
                for message, result in zip(messages, results, strict=True)
                if not acknowledged or isinstance(result, BaseException)
            ]
            results += await deliver(world, again)
            assert told(results) == told(undisturbed), f"died at call {at}"
            assert await state_of(world) == state, f"died at call {at}"
